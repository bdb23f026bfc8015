// SPDX-License-Identifier: Apache-2.0
//
// Device I/O by code outside the guest's kernel (ring 3). A running kernel keeps its devices to
// itself: of 3.6 million normal events of Linux guests none came from user space, every
// register-level attack by a process did. So one such access is an alarm by itself, unless training
// saw user space at that kind of device (DPDK, an X server without KMS, hwclock --directisa), or
// the device or the process is allowed by name.
#pragma once

#include <string>
#include <vector>

#include "model/model_data.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::detect {

class UserAccess {
 public:
  explicit UserAccess(const model::ModelData& data);

  // True if the access is from user space and nothing allows it.
  bool alarming(const model::Operation& operation, const trace::Event& event,
                const trace::Context& context) const {
    return operation.has(model::Mark::user) && !allowed(operation, event, context);
  }

 private:
  bool allowed(const model::Operation& operation, const trace::Event& event,
               const trace::Context& context) const;

  std::vector<model::DeviceType> learned_;  // sorted
  std::vector<std::string> devices_;        // keys, sorted
  std::vector<std::string> processes_;      // names, sorted
};

}  // namespace iovm::detect
