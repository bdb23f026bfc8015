// SPDX-License-Identifier: Apache-2.0
#include "detect/user_access.h"

#include <algorithm>

namespace iovm::detect {
namespace {

constexpr std::string_view kDevice = "device:";
constexpr std::string_view kProcess = "process:";

}  // namespace

UserAccess::UserAccess(const model::ModelData& data) {
  for (const model::Operation& o : data.alphabet) {
    if (o.has(model::Mark::user)) learned_.push_back(o.device);
  }
  // The alphabet is sorted by device.
  learned_.erase(std::unique(learned_.begin(), learned_.end()), learned_.end());
  for (const std::string& name : data.allowed) {
    if (name.starts_with(kDevice)) devices_.push_back(name.substr(kDevice.size()));
    if (name.starts_with(kProcess)) processes_.push_back(name.substr(kProcess.size()));
  }
}

bool UserAccess::allowed(const model::Operation& operation, const trace::Event& event,
                         const trace::Context& context) const {
  if (std::ranges::binary_search(learned_, operation.device)) return true;
  if (!devices_.empty() &&
      std::ranges::binary_search(devices_, model::device_key(operation.device))) {
    return true;
  }
  return event.process < context.processes.size() &&
         std::ranges::binary_search(processes_, context.processes[event.process].comm);
}

}  // namespace iovm::detect
