// SPDX-License-Identifier: Apache-2.0
#include "record/bpf_stops.h"

#include <map>
#include <utility>

#include "base/format.h"

namespace iovm::record {

Result<std::vector<StopPlace>> stop_places(std::span<const trace::WriteMatch> writes) {
  std::map<std::pair<bool, std::uint64_t>, iovm_stop_tests> places;
  for (const trace::WriteMatch& write : writes) {
    iovm_stop_tests& tests = places[{write.memory, write.address}];
    if (tests.count == IOVM_BPF_STOP_TESTS) {
      return input_error(format(
          "inline rules have more than {} writes to {} 0x{:x} (put values together in "
          "ranges)",
          static_cast<int>(IOVM_BPF_STOP_TESTS), write.memory ? "address" : "port", write.address));
    }
    iovm_stop_test test = {};
    test.mask = write.mask;
    test.first = write.first;
    test.last = write.last;
    test.number = write.number;
    test.sizes = write.sizes;
    test.negated = write.negated ? 1 : 0;
    tests.test[tests.count++] = test;
  }
  if (places.size() > IOVM_BPF_MOST_STOPS) {
    return input_error(format("inline rules are about {} addresses, at most {} can be",
                              places.size(), static_cast<int>(IOVM_BPF_MOST_STOPS)));
  }
  std::vector<StopPlace> out;
  for (const auto& [where, tests] : places) {
    auto kind = static_cast<std::uint32_t>(where.first ? IOVM_MMIO : IOVM_PIO);
    out.push_back({{where.second, kind, 0}, tests});
  }
  return out;
}

}  // namespace iovm::record
