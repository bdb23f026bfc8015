// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a perf.data, file or pipe form: the reader ends, with events or an error, and what
// it gives out refers to nothing that its context does not have.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <span>

#include "base/assert.h"
#include "record/perf_data.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  iovm::UniqueFd fd(::memfd_create("perf.data", MFD_CLOEXEC));
  if (!iovm::write_full(fd.get(), std::as_bytes(std::span(data, size)))) return 0;
  ::lseek(fd.get(), 0, SEEK_SET);
  auto source = iovm::record::PerfDataSource::open(std::move(fd));
  if (!source) return 0;
  std::uint64_t last = 0;
  for (;;) {
    auto batch = (*source)->next();
    if (!batch || batch->empty()) return 0;
    for (const iovm::trace::Event& e : *batch) {
      bool placed = e.vm < (*source)->context().vms.size() || e.vm == iovm::trace::kAllVms;
      IOVM_ASSERT(placed);
      IOVM_ASSERT(e.time >= last);
      last = e.time;
    }
  }
}
