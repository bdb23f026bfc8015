// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a trace file: the reader ends, every index that it gives is valid, and reading again
// gives the same. Checksums would stop a fuzzer at the door, so the target puts the right ones into
// every head that it finds.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/fd.h"
#include "repair.h"
#include "trace/reader.h"

using namespace iovm;
using namespace iovm::trace;

namespace {

std::uint64_t read_through(const std::string& path, ReadOptions options) {
  auto reader = TraceReader::open(path, options);
  if (!reader) return 0;
  std::uint64_t sum = 0;
  for (;;) {
    auto events = (*reader)->next();
    if (!events || events->empty()) break;
    const Context& context = (*reader)->context();
    for (const Event& event : *events) {
      IOVM_ASSERT(!event.knows_process() || event.process < context.processes.size());
      IOVM_ASSERT(event.vm == kAllVms || event.vm < context.vms.size());
      sum = sum * 31 + event.time + event.value;
    }
    for (const GuestProcess& process : context.processes)
      IOVM_ASSERT(process.vm < context.vms.size());
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  std::vector<std::byte> file(size);
  if (size > 0) std::memcpy(file.data(), input, size);
  repair(file);
  UniqueFd memory(::memfd_create("trace", 0));
  if (!write_full(memory.get(), file)) return 0;
  std::string path = "/proc/self/fd/" + std::to_string(memory.get());
  std::uint64_t first = read_through(path, {});
  IOVM_ASSERT(first == read_through(path, {}));
  read_through(path, {1000, 2'000'000'000});
  auto summary = summarize(path, true);
  IOVM_ASSERT(!summary || summary->bytes <= size);
  return 0;
}
