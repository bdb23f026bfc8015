// SPDX-License-Identifier: Apache-2.0
//
// A recording of `trace-cmd record -e kvm:kvm_pio -e kvm:kvm_mmio` as an EventSource. libtracecmd
// reads the file: it knows all its versions, compressions and options. But that library trusts its
// input, and iovm does not: it runs in a child process (trace_dat_child.h) with no rights and
// bounded memory, and what comes back over a pipe is checked like any foreign bytes. A file that
// crashes the library is thus an error message.
//
// A trace.dat knows threads and their comms, but not their processes. vCPU threads that are named
// by number ("CPU 0/KVM", "CPU 1/KVM", again "CPU 0/KVM") tell by it which of them make one VM;
// threads without a number are all taken for one VM's. Missed events of a CPU's ring become a loss
// in their place.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "trace/source.h"

namespace iovm::record {

class TraceDatSource : public trace::EventSource {
 public:
  // A path; "-" only if standard input is a file.
  static Result<std::unique_ptr<TraceDatSource>> open(const std::string& path);
  ~TraceDatSource() override;

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override;

 private:
  class Impl;
  explicit TraceDatSource(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace iovm::record
