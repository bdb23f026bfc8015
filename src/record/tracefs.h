// SPDX-License-Identifier: Apache-2.0
//
// The kernel's tracing directory below one root, which in tests is a folder of captured files. Only
// what iovm needs of it: the format texts of tracepoints, by which their records are decoded. They
// differ between kernels (fields, offsets, ids), so nothing about them is known at compile time.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace iovm::record {

class Tracefs {
 public:
  explicit Tracefs(std::string root) : root_(std::move(root)) {}
  // The mounted one: /sys/kernel/tracing, else /sys/kernel/debug/tracing. The error says how to
  // mount it or which right is missing.
  static Result<Tracefs> find();

  const std::string& root() const { return root_; }

  // The text of events/SYSTEM/NAME/format.
  Result<std::string> format(std::string_view system, std::string_view name) const;
  // Whether the running kernel has that tracepoint (and this process may see it).
  bool has(std::string_view system, std::string_view name) const;

 private:
  std::string root_;
};

}  // namespace iovm::record
