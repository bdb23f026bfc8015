// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "detect/response.h"

namespace iovm::detect {

Alert RespondingSink::answered(const Alert& alert) {
  Alert told = alert;
  for (auto& response : responses_) told.stop = std::max(told.stop, response->alarm(told));
  return told;
}

Status RespondingSink::opened(const Alert& alert) {
  if (!live_) return next_.opened(alert);
  Alert told = answered(alert);
  if (told.stop != alert.stop) stopped_[told.id] = told.stop;
  return next_.opened(told);
}

Status RespondingSink::closed(const Alert& alert) {
  if (!live_) return next_.closed(answered(alert));
  // A session's alert opens and closes at once, at the end: it has been answered.
  auto stopped = stopped_.find(alert.id);
  if (stopped == stopped_.end()) return next_.closed(alert);
  Alert told = alert;
  told.stop = stopped->second;
  stopped_.erase(stopped);
  return next_.closed(told);
}

}  // namespace iovm::detect
