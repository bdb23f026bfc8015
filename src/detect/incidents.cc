// SPDX-License-Identifier: Apache-2.0
#include "detect/incidents.h"

#include <algorithm>

namespace iovm::detect {

// An alert is told twice, when it opens and when it is whole; a session's only then.
Alert Incidents::in_incident(const Alert& alert) {
  Incident& latest = latest_[alert.stream.vm];
  Alert out = alert;
  if (auto known = open_.find(alert.id); known != open_.end()) {
    out.incident = std::move(known->second);
    open_.erase(known);
  } else {
    if (latest.id.empty() || alert.first_time > latest.last_time + kIncidentNs) {
      latest = {alert.id, 0};
      ++count_;
    }
    out.incident = latest.id;
    open_[alert.id] = latest.id;
  }
  if (out.incident == latest.id) latest.last_time = std::max(latest.last_time, alert.last_time);
  return out;
}

}  // namespace iovm::detect
