// SPDX-License-Identifier: Apache-2.0
//
// Who is told of alerts, by whatever makes them.
#pragma once

#include "base/result.h"
#include "detect/alert.h"

namespace iovm::detect {

class AlertSink {
 public:
  virtual ~AlertSink() = default;
  // The alarm was raised just now; the episode goes on. For live use.
  virtual Status opened(const Alert&) { return {}; }
  // The episode is over: the alert as it stays.
  virtual Status closed(const Alert& alert) = 0;
};

// For those who only count.
class Nobody : public AlertSink {
 public:
  Status closed(const Alert&) override { return {}; }
};

}  // namespace iovm::detect
