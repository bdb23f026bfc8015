// SPDX-License-Identifier: Apache-2.0
//
// A session with the BPF program (bpf_program.h): the kernel's own BPF ring buffers, one for each
// online CPU, in place of iovm.ko's. Several may run at once, also of the same VM.
//
// The program wakes the reader when a ring is a quarter full; a timer does for the rest, so that no
// exit pays for it. The rings are the kernel's to write: what is lost and still untold at the end
// is told by a small ring of the session's own, which is merged like the others.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "record/bpf_program.h"
#include "record/ring_session.h"

namespace iovm::record {

class BpfSession : public RingSession {
 public:
  // The error names what to do. When the VMs' processes began is read below `proc_root`.
  static Result<std::unique_ptr<BpfSession>> open(
      const std::string& proc_root = "/proc", BpfProgram::Stops stops = BpfProgram::Stops::none);

  Engine engine() const override { return Engine::bpf; }
  Status add_vm(std::int32_t pid) override;
  void remove_vm(std::int32_t pid) override;
  Status add_all_vms() override;
  Status set_slot(const iovm_slot& slot) override;
  Status set_guest(const iovm_guest& guest) override;
  Status set_stops(std::span<const trace::WriteMatch> writes) override;
  Result<std::vector<RecordRing>> start(std::uint32_t slots, std::uint32_t wake_ms) override;
  Status stop() override;
  Result<unsigned> flush() override;
  Result<Totals> totals() override;
  int fd() const override { return epoll_.get(); }
  void woken() override;

 private:
  BpfSession(std::unique_ptr<BpfProgram> program, std::string proc_root);

  Status open_waiting(std::uint32_t wake_ms);
  Status watch(int fd);
  std::optional<std::uint32_t> free_place();
  bool tell(const iovm_record& record);
  void tell_left_stops();

  std::string proc_root_;
  std::unique_ptr<BpfProgram> program_;
  std::unordered_map<std::uint32_t, iovm_bpf_vm> vms_;  // by tgid, as the program has them
  std::vector<std::uint32_t> left_;                     // places in its guests() that were taken
  std::uint32_t places_ = 0;                            // ever taken
  std::vector<UniqueFd> rings_;
  std::vector<std::uint64_t> own_;  // the ring for what is told at the end, as iovm.ko's are
  UniqueFd epoll_;
  UniqueFd timer_;
};

}  // namespace iovm::record
