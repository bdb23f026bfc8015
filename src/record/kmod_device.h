// SPDX-License-Identifier: Apache-2.0
//
// A session with iovm.ko: one open /dev/iovm and the ioctls of kmod/uapi/iovm_abi.h. The rings are
// the module's, and its own thread makes fd() readable.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/fd.h"
#include "record/ring_session.h"

namespace iovm::record {

class KmodDevice : public RingSession {
 public:
  static constexpr const char* kPath = "/dev/iovm";

  // The error names what to do: load the module, become root, build the module for this iovm.
  static Result<std::unique_ptr<KmodDevice>> open(const std::string& path = kPath);
  // What the module says that it can do: bits of iovm_feature.
  std::uint32_t features() const { return features_; }

  Engine engine() const override { return Engine::kmod; }
  Status add_vm(std::int32_t pid) override;
  Status add_all_vms() override;
  Status set_slot(const iovm_slot& slot) override;
  Status set_guest(const iovm_guest& guest) override;
  Result<std::vector<RecordRing>> start(std::uint32_t slots, std::uint32_t wake_ms) override;
  Status stop() override;
  Result<unsigned> flush() override;
  Result<Totals> totals() override;
  int fd() const override { return fd_.get(); }

 private:
  KmodDevice(UniqueFd fd, std::uint32_t features) : fd_(std::move(fd)), features_(features) {}
  UniqueFd fd_;
  std::uint32_t features_;
};

}  // namespace iovm::record
