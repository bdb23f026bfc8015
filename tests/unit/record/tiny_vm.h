// SPDX-License-Identifier: Apache-2.0
//
// A VM of this very process, for tests on a kernel with KVM: one vCPU in real mode, a few bytes of
// code in 64 KiB of memory, and a "VMM" that answers what the code asks. Every access it makes is
// known. Where there is no usable /dev/kvm, create() says why.
#pragma once

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace iovm::record {

class TinyVm {
 public:
  static constexpr std::uint16_t kIn = 0x161;      // read `times` times; answers count from 0
  static constexpr std::uint16_t kOut = 0x162;     // then 0xaa is written here
  static constexpr std::uint64_t kMmio = 0xf1000;  // and one byte read from here: 0x5c

  static Result<std::unique_ptr<TinyVm>> create() {
    std::unique_ptr<TinyVm> vm(new TinyVm);
    vm->kvm_ = UniqueFd(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
    if (!vm->kvm_) return errno_error("/dev/kvm");
    vm->vm_ = UniqueFd(::ioctl(vm->kvm_.get(), KVM_CREATE_VM, 0));
    if (!vm->vm_) return errno_error("making a VM");
    vm->vcpu_ = UniqueFd(::ioctl(vm->vm_.get(), KVM_CREATE_VCPU, 0));
    if (!vm->vcpu_) return errno_error("making a vCPU");
    if (!vm->prepare()) return errno_error("preparing a VM");
    return vm;
  }
  TinyVm(const TinyVm&) = delete;
  TinyVm& operator=(const TinyVm&) = delete;
  ~TinyVm() {
    if (run_ != MAP_FAILED) ::munmap(run_, run_bytes_);
    if (memory_ != MAP_FAILED) ::munmap(memory_, kMemory);
  }

  // The code from its beginning, in this thread; whether it came to its end.
  bool run(std::uint32_t times) {
    write_code(times);
    kvm_sregs segments = {};
    if (::ioctl(vcpu_.get(), KVM_GET_SREGS, &segments) != 0) return false;
    segments.cs.base = segments.cs.selector = 0;
    segments.ds.base = 0xf0000, segments.ds.selector = 0xf000;
    kvm_regs registers = {};
    registers.rflags = 2;
    if (::ioctl(vcpu_.get(), KVM_SET_SREGS, &segments) != 0) return false;
    if (::ioctl(vcpu_.get(), KVM_SET_REGS, &registers) != 0) return false;
    answer_ = 0;
    while (::ioctl(vcpu_.get(), KVM_RUN, 0) == 0) {
      if (exit().exit_reason == KVM_EXIT_HLT) return true;
      if (!answer()) return false;
    }
    return false;
  }
  // Where the instruction of an access begins.
  static constexpr std::uint64_t kInRip = 9, kOutRip = 19, kMmioRip = 20;
  // All accesses of a run.
  static constexpr std::uint64_t accesses(std::uint32_t times) { return times + 2; }

 private:
  static constexpr std::size_t kMemory = 0x10000;

  TinyVm() = default;

  bool prepare() {
    memory_ = ::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int bytes = ::ioctl(kvm_.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (memory_ == MAP_FAILED || bytes < 0) return false;
    run_bytes_ = static_cast<std::size_t>(bytes);
    run_ = ::mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_.get(), 0);
    kvm_userspace_memory_region region = {};
    region.memory_size = kMemory;
    region.userspace_addr = reinterpret_cast<std::uint64_t>(memory_);
    return run_ != MAP_FAILED && ::ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) == 0;
  }

  void write_code(std::uint32_t times) {
    auto low = [](std::uint32_t word, int byte) {
      return static_cast<std::uint8_t>(word >> (8 * byte));
    };
    std::vector<std::uint8_t> code = {
        0x66,          0xb9,          low(times, 0), low(times, 1),
        low(times, 2), low(times, 3),                       // mov ecx, times
        0xba,          low(kIn, 0),   low(kIn, 1),          // mov dx, kIn
        0xec,                                               // in al, dx
        0x66,          0x49,          0x75,          0xfb,  // dec ecx; jnz to the in
        0xb0,          0xaa,                                // mov al, 0xaa
        0xba,          low(kOut, 0),  low(kOut, 1),         // mov dx, kOut
        0xee,                                               // out dx, al
        0xa0,          0x00,          0x10,                 // mov al, [0x1000]
        0xf4};                                              // hlt
    std::memcpy(memory_, code.data(), code.size());
  }

  kvm_run& exit() { return *static_cast<kvm_run*>(run_); }

  bool answer() {
    kvm_run& why = exit();
    if (why.exit_reason == KVM_EXIT_MMIO) {
      if (!why.mmio.is_write) why.mmio.data[0] = 0x5c;
      return true;
    }
    if (why.exit_reason != KVM_EXIT_IO) return false;
    auto* data = static_cast<std::uint8_t*>(run_) + why.io.data_offset;
    if (why.io.direction == KVM_EXIT_IO_IN) *data = answer_++;
    return true;
  }

  UniqueFd kvm_;
  UniqueFd vm_;
  UniqueFd vcpu_;
  void* memory_ = MAP_FAILED;
  void* run_ = MAP_FAILED;
  std::size_t run_bytes_ = 0;
  std::uint8_t answer_ = 0;
};

}  // namespace iovm::record
