// SPDX-License-Identifier: Apache-2.0
//
// A guest that lies: the synthetic guest of the tests with words of its memory overwritten as the
// input says (place and value; places near its structures are the likelier), searched, walked and
// resolved; by its symbols, by scans where it has none, or by a profile that the input bends. What
// must hold whatever is in memory: no crash, no endless loop, and few readings for an access.
//
// The first byte chooses: bits 0-1 the era, 3 five levels, 4 changes before the search (else
// after), 5 no symbols, 6 no types, 7 a profile: its text, with the next bytes over it, before the
// changes.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/assert.h"
#include "base/format.h"
#include "record/guest_kernel_side.h"
#include "record/guest_resolver.h"
#include "trace/compress.h"
#include "unit/record/synthetic_guest.h"

namespace {

using namespace iovm::record;

struct Change {
  std::uint32_t place;
  std::uint8_t how;
  std::uint64_t value;
};

// Takes a change from the input; false at its end.
bool next(std::span<const std::uint8_t>& input, Change& change) {
  constexpr std::size_t kBytes = 13;
  if (input.size() < kBytes) return false;
  std::memcpy(&change.place, input.data(), 4);
  change.how = input[4];
  std::memcpy(&change.value, input.data() + 5, 8);
  input = input.subspan(kBytes);
  return true;
}

void apply(SyntheticGuest& guest, const Change& change) {
  // The image, the root and first tables, the tasks, VMCOREINFO, per-CPU data, anywhere.
  constexpr std::uint64_t kParts[][2] = {{0x200000, 0x40000}, {0x100000, 0x8000},
                                         {0x600000, 0x8000},  {0x500000, 0x2000},
                                         {0xa1fb00, 0x100},   {0, 0xfffff0}};
  const auto& part = kParts[change.how % std::size(kParts)];
  std::uint64_t at = part[0] + change.place % part[1] / 8 * 8;
  std::uint64_t value = change.value;
  if (change.how & 0x40) value = guest.direct_map() + value % SyntheticGuest::kBytes;
  if (change.how & 0x80) value = SyntheticGuest::kText + value % 0x200000;
  guest.word_at(at) = value;
}

// The profile of the guest as it is, a byte changed for each three of the input, up to a 0; its
// checksum made right, or nothing would come of it.
KnownProfile bent_profile(SyntheticGuest& guest, std::span<const std::uint8_t>& input) {
  auto memory = guest.memory();
  KernelSearch search = SyntheticGuest::search(*memory);
  if (!search.to_keep) return {};
  std::string text = search.to_keep->text();
  for (; input.size() >= 3 && input[2] != 0; input = input.subspan(3))
    text[(input[0] + 256 * std::size_t{input[1]}) % text.size()] = static_cast<char>(input[2]);
  static_cast<void>(KernelProfile::parse(text));
  text.resize(std::min(text.rfind("checksum "), text.size()));
  text += iovm::format("checksum {:016x}\n", iovm::trace::checksum(std::as_bytes(std::span(text))));
  auto profile = KernelProfile::parse(text);
  if (!profile) return {};
  IOVM_ASSERT(*KernelProfile::parse(profile->text()) == *profile);
  return {std::move(*profile), {}};
}

void resolve_all(SyntheticGuest& guest, GuestResolver& resolver, std::uint64_t seed) {
  for (std::uint32_t i = 0; i < 64; ++i) {
    GuestMoment moment;
    moment.time = iovm::monotonic_ns();
    moment.cpl = static_cast<std::uint8_t>(i % 2 == 0 ? 0 : 3);
    moment.rip = SyntheticGuest::kText;
    if (i % 4 == 0)
      moment.cr3 = seed >> (i % 32);
    else
      moment.current = guest.word_at(0x600000 + (seed + i * 8) % 0x8000 / 8 * 8);
    guest.reads() = {};
    resolver.resolve(moment);
    // A walk of the list, once in 100 ms, may be longer: 40 ms of it.
    IOVM_ASSERT(moment.cr3 || guest.reads().calls < 200);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> input(data, size);
  if (input.empty()) return 0;
  SyntheticGuest guest(
      {static_cast<SyntheticGuest::Era>(input[0] % 4), (input[0] & 8) != 0, true, 2, 1});
  guest.add_task(20, "thread", 5, 0, guest.add_task(10, "app", 5));
  std::uint8_t choice = input[0];
  bool before = (choice & 16) != 0;
  input = input.subspan(1);
  KnownProfile known;
  if ((choice & 128) != 0) known = bent_profile(guest, input);
  if ((choice & 32) != 0) guest.lose_symbols();
  if ((choice & 64) != 0) guest.lose_types();
  Change change = {};
  if (before)
    while (next(input, change)) apply(guest, change);
  auto memory = guest.memory();
  guest.reads() = {};
  KernelSearch search = SyntheticGuest::search(*memory, {}, known);
  IOVM_ASSERT(guest.reads().bytes < 400U << 20);
  if (!search.kernel) return 0;
  kernel_side_of(*search.kernel, 1);
  std::vector<iovm::trace::GuestProcess> table;
  GuestProcesses processes(table);
  GuestResolver resolver(0, processes);
  resolver.attach(std::move(memory), std::move(search.kernel));
  while (next(input, change)) apply(guest, change);
  if (!resolver.refresh()) return 0;
  resolve_all(guest, resolver, change.value);
  return 0;
}
