// SPDX-License-Identifier: Apache-2.0
//
// Which alerts belong together. An attack that walks over many devices raises an alert on each;
// whoever is woken by it has one thing to look at. So the alerts of one VM that come no more than a
// minute apart are one incident, named after its first alert; a minute counts from the last odd
// step of any of them. The alerts stay what they are.
//
// Stands between what raises alerts and what tells of them. Serves one recording, of any number of
// VMs; what it keeps of each is a name and a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "detect/alert_sink.h"

namespace iovm::detect {

inline constexpr std::uint64_t kIncidentNs = 60'000'000'000;

class Incidents : public AlertSink {
 public:
  explicit Incidents(AlertSink& next) : next_(next) {}

  Status opened(const Alert& alert) override { return next_.opened(in_incident(alert)); }
  Status closed(const Alert& alert) override { return next_.closed(in_incident(alert)); }

  std::uint64_t count() const { return count_; }

 private:
  struct Incident {
    std::string id;  // of its first alert
    std::uint64_t last_time = 0;
  };

  Alert in_incident(const Alert& alert);

  AlertSink& next_;
  std::map<std::uint16_t, Incident> latest_;  // by VM
  std::map<std::string, std::string> open_;   // alerts that are open: their incident
  std::uint64_t count_ = 0;
};

}  // namespace iovm::detect
