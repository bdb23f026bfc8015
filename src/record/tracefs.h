// SPDX-License-Identifier: Apache-2.0
//
// The kernel's tracing directory below one root, which in tests is a folder of captured files. Only
// what iovm needs of it: the format texts of tracepoints, by which their records are decoded. They
// differ between kernels (fields, offsets, ids), so nothing about them is known at compile time.
//
// Where nobody has mounted it (a small system without systemd), this process mounts one for itself
// alone: attached to no directory, seen by nobody else, gone with its descriptor (fsmount(2)). So a
// recording changes nothing of the host.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace iovm::record {

class Tracefs {
 public:
  explicit Tracefs(std::string root) : root_(std::move(root)) {}
  // The mounted one (SYS/kernel/tracing, else SYS/kernel/debug/tracing), else one of our own. The
  // error says how to mount it or which right is missing.
  static Result<Tracefs> find();
  static Result<Tracefs> find_mounted(const std::string& sys = "/sys");
  // Needs CAP_SYS_ADMIN and Linux 5.2.
  static Result<Tracefs> mount_own();

  const std::string& root() const { return root_; }

  // The text of events/SYSTEM/NAME/format.
  Result<std::string> format(std::string_view system, std::string_view name) const;
  // Whether the running kernel has that tracepoint (and this process may see it).
  bool has(std::string_view system, std::string_view name) const;

 private:
  std::string root_;
  std::shared_ptr<const UniqueFd> own_;  // the mount, if it is ours
};

}  // namespace iovm::record
