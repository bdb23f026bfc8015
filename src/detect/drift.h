// SPDX-License-Identifier: Apache-2.0
//
// Is normal work still what the model was calibrated on? The scores of the last sessions that
// raised no alarm are held against those of the calibration by the two-sample test of Kolmogorov
// and Smirnov: the largest distance of their distributions. Where they differ beyond chance (a
// driver update, a new disk, other work), what was promised about false alarms does not hold any
// more.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "model/model_data.h"

namespace iovm::detect {

class Drift {
 public:
  static constexpr std::size_t kSessions = 200;  // the last ones
  static constexpr std::size_t kLeastSessions = 50;
  static constexpr std::size_t kLeastCalibration = 20;
  static constexpr double kSure = 0.001;

  struct Finding {
    double distance = 0;
    double p_value = 1;
    std::size_t sessions = 0;
  };

  explicit Drift(const model::Calibration& calibration) : calibration_(calibration) {}

  // The score of a session without an alarm.
  void add(double score);
  // Nothing while there is too little to say, or no difference beyond chance.
  std::optional<Finding> found() const;

 private:
  const model::Calibration& calibration_;
  std::deque<double> last_;
};

}  // namespace iovm::detect
