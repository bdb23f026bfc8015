// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "analyze/report.h"

namespace iovm::analyze {

void add_nearest(const model::ModelData& data, Report& report) {
  // It takes a while for each.
  constexpr std::size_t kMost = 100;
  NearestFinder finder(data);
  for (std::size_t i = 0; i < std::min(report.alerts.size(), kMost); ++i) {
    ReportAlert& alert = report.alerts[i];
    // A rule's steps did not come one right after the other.
    if (alert.kind == "rule") continue;
    alert.nearest = finder.find(alert.sequence_names, alert.sequence);
  }
}

}  // namespace iovm::analyze
