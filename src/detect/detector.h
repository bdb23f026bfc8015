// SPDX-License-Identifier: Apache-2.0
//
// Events in, alerts out, the same way live and from a file. Each stream has one State of the shared
// model, one window and the last steps; when the window's score passes the threshold the Detector
// writes down why, at once, from what it has in hand (detect/alert.h). So it does at an access from
// user space that nothing allows, when code that training never saw drives a device, when somebody
// does far more on a device than training ever saw, and, where the promise is about sessions, at
// the end of a stream whose session is unusual. Alarms of a stream that are close together are one
// episode, and one alert (detect/episode.h).
//
// What is decided depends on the events alone, never on batches or wall-clock time: a recording
// gives the same alerts from a file as live. In the steady state an event allocates nothing.
//
// One Detector serves one recording; it is not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "detect/alert.h"
#include "detect/alert_sink.h"
#include "detect/learned.h"
#include "detect/place_watch.h"
#include "detect/vocabulary.h"
#include "model/model_data.h"
#include "model/volume_watch.h"
#include "trace/source.h"

namespace iovm::detect {

struct Record;
struct Episode;
class RuleWatch;

// An event as it was scored.
struct Scored {
  std::uint64_t number;  // its position in the recording, from 0, losses counted too
  const trace::Event& event;
  const model::Token& token;
  model::StreamIndex stream;
  double window;  // the score of its stream's window, in bits, which the threshold is about
};

// Who sees each event as it is scored: for timelines and measurements, not for alerts.
class ScoreWatcher {
 public:
  virtual ~ScoreWatcher() = default;
  virtual void scored(const Scored& seen) = 0;
};

// What became of one stream.
struct StreamScore {
  StreamName name;
  std::uint64_t events = 0;
  SessionScore session;   // of the whole stream
  double max_window = 0;  // the largest windowed score
  std::uint64_t alerts = 0;
};

struct DetectorStats {
  std::uint64_t events = 0;  // without losses
  trace::LossTotals lost;
  std::uint64_t alerts = 0;
};

class Detector {
 public:
  // `trace` names the recording in alerts. What was learned must outlive the detector.
  Detector(const Learned& learned, std::string trace, AlertSink& sink);
  ~Detector();

  // Rules look at the same events; they must outlive the detector.
  void watch(RuleWatch& rules) { rules_ = &rules; }

  Status feed(const trace::Context& context, std::span<const trace::Event> events);
  // The end of the recording: open episodes are closed.
  Status finish(const trace::Context& context);

  // Must outlive the detector.
  void watch(ScoreWatcher& watcher) { watcher_ = &watcher; }
  const model::Tokenizer& tokenizer() const { return tokenizer_; }

  const DetectorStats& stats() const { return stats_; }
  // Of all streams, in the order of sight; after finish().
  std::vector<StreamScore> scores(const trace::Context& context) const;
  // Of the streams without an alert, their sessions' scores.
  std::vector<double> usual() const;

 private:
  struct Stream;

  Status step(const trace::Context& context, const trace::Event& event);
  void loss(const trace::Event& event);
  void follow(Stream& stream, const Record& record);
  void blame(const trace::Context& context, Episode& episode, const Record& record,
             const model::VolumeWatch::Sight& sight) const;
  bool unseen(const Stream& stream) const;
  Result<bool> strange_code(const trace::Context& context, model::StreamIndex index, Record& record,
                            PlaceWatch::Sight sight);
  void blame_code(Episode& episode, const Stream& stream);
  void name_kernel(Episode& episode) const;
  Status tell_other_kernel(const trace::Context& context, model::StreamIndex index);
  bool polls(model::Symbol symbol) const;
  // `sight`: of the event, where there may be too much of something.
  Status open(const trace::Context& context, model::StreamIndex index, AlertKind kind,
              const model::VolumeWatch::Sight& sight);
  Status close(const trace::Context& context, Stream& stream);
  StreamName name(const trace::Context& context, model::StreamIndex index) const;
  // An operation of the recording by its symbol.
  const model::Operation& seen(model::Symbol symbol) const {
    static constexpr model::Operation kNothing;
    return model::is_unknown(symbol) ? kNothing : alphabet_.operation(symbol);
  }
  Step explain(const Record& record) const;
  static std::vector<const Record*>::const_iterator begin_of(
      const std::vector<const Record*>& window, model::Bits threshold);

  const Learned& learned_;
  const model::ModelData& data_;  // of it, as is
  const model::Model& model_;     // this
  std::string trace_;
  AlertSink& sink_;
  ScoreWatcher* watcher_ = nullptr;
  RuleWatch* rules_ = nullptr;
  model::Tokenizer tokenizer_;
  const model::Alphabet& alphabet_;            // of the tokenizer, as are
  const std::vector<model::Device>& devices_;  // these
  model::StreamMap map_;
  Vocabulary vocabulary_;
  PlaceWatch places_;
  model::VolumeWatch watch_;
  bool machine_;  // symbols are of devices: there are polls and amounts of work
  std::vector<std::unique_ptr<Stream>> streams_;
  std::uint64_t number_ = 0;  // of the next event
  DetectorStats stats_;
};

// Runs a source to its end through the detector.
Status run(trace::EventSource& source, Detector& detector);

}  // namespace iovm::detect
