// SPDX-License-Identifier: Apache-2.0
//
// A session with iovm.ko: which VMs, how much ring, begin and end (the ioctls of
// kmod/uapi/iovm_abi.h). KmodDevice is the real one, an open /dev/iovm; tests bring their own with
// rings in ordinary memory. It ends when the object goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "record/kmod_ring.h"

namespace iovm::record {

class KmodSession {
 public:
  struct Totals {
    std::uint64_t records = 0;
    std::uint64_t dropped = 0;  // all causes
  };

  virtual ~KmodSession() = default;

  // The VM of this VMM process; no error if it is in the session already, or has ended.
  virtual Status add_vm(std::int32_t pid) = 0;
  // Those that nobody else records, whenever they start.
  virtual Status add_all_vms() = 0;
  // Once: rings of at least `slots` records; a waiting reader is woken at most `wake_ms` after a
  // record.
  virtual Result<std::vector<KmodRing>> start(std::uint32_t slots, std::uint32_t wake_ms) = 0;
  // After it nothing is written but by flush(), which puts the losses that still wait for room into
  // the rings and tells how many found none.
  virtual Status stop() = 0;
  virtual Result<unsigned> flush() = 0;
  virtual Result<Totals> totals() = 0;
  virtual int fd() const = 0;  // readable when there is something to read
};

class KmodDevice : public KmodSession {
 public:
  static constexpr const char* kPath = "/dev/iovm";

  // The error names what to do: load the module, become root, build the module for this iovm.
  static Result<std::unique_ptr<KmodDevice>> open(const std::string& path = kPath);
  // What the module says that it can do: bits of iovm_feature.
  std::uint32_t features() const { return features_; }

  Status add_vm(std::int32_t pid) override;
  Status add_all_vms() override;
  Result<std::vector<KmodRing>> start(std::uint32_t slots, std::uint32_t wake_ms) override;
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
