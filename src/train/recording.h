// SPDX-License-Identifier: Apache-2.0
//
// What training keeps of one recording: what was counted in it, in the symbols of the trainer's
// alphabet, and what calibration needs should the recording be held out: its tokens, where in the
// guest's code they came from and its stretches of work. A RecordingPass makes it, in one pass,
// with a tokenizer and streams of its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model_data.h"
#include "model/poll_fold.h"
#include "model/symbol_set.h"
#include "model/volume_watch.h"
#include "trace/context.h"
#include "train/counter.h"
#include "train/place_counter.h"

namespace iovm::train {

// What is left of an event once it is tokenized; kNoSymbol: the stream was cut here by a loss.
struct Token {
  model::StreamIndex stream = 0;
  model::Symbol symbol = 0;
};

// What is left of a stretch of work (model/volume.h).
struct Work {
  model::StretchKind kind;
  model::Amounts amounts = {};
  std::size_t token = 0;  // where in the recording's tokens it began
};

struct Recording {
  std::size_t number = 0;  // of those added
  model::Origin origin;
  trace::LossTotals lost;
  std::int64_t starts = 0;     // UTC, as far as known
  std::uint64_t left_out = 0;  // events whose sequence found no room in the counts
  model::Ngrams ngrams;
  model::SessionSets sets;
  model::Volumes volumes;
  model::Places places;
  std::vector<Token> tokens;
  // Where each token came from, and what the numbers mean. Nothing where no instruction addresses
  // were recorded.
  std::vector<PlaceCounter::Number> came_from;
  std::vector<model::PlaceRow> numbered;
  std::vector<Work> work;
};

// The rows of these stretches.
model::Volumes volumes_of(std::span<const Work> work);

class RecordingPass {
 public:
  // `alphabet` takes the operations that are new; `context`: symbols of it while counting.
  RecordingPass(const model::Options& options, model::Alphabet& alphabet, std::uint32_t context)
      : devices_(options.scheme == model::Scheme::devices),
        alphabet_(alphabet),
        tokenizer_(options.scheme),
        streams_(options.stream),
        counter_(context) {}
  RecordingPass(const RecordingPass&) = delete;
  RecordingPass& operator=(const RecordingPass&) = delete;

  void take(const trace::Context& context, std::span<const trace::Event> events) {
    tokenizer_.know(context.vms);
    for (const trace::Event& event : events) {
      if (event.kind == trace::EventKind::loss) {
        loss(event);
      } else {
        access(event, context);
      }
    }
  }
  Recording finish(const trace::Context& context);

 private:
  void access(const trace::Event& event, const trace::Context& context);
  void loss(const trace::Event& event);
  void learn_symbols();

  struct Stream {
    Counter::Context context = Counter::kStart;
    model::PollFold fold;
    model::SymbolSet distinct;
  };

  bool devices_;  // symbols are of devices: there are polls and amounts of work
  model::Alphabet& alphabet_;
  model::Tokenizer tokenizer_;
  model::StreamMap streams_;
  Counter counter_;
  PlaceCounter place_counter_;
  std::vector<model::Stretch> stretches_;
  model::VolumeWatch watch_{nullptr, &stretches_};
  std::vector<model::Symbol> symbols_;  // by the tokenizer's
  std::vector<bool> polls_;             // by the tokenizer's
  std::vector<Stream> state_;
  Recording recording_;
};

}  // namespace iovm::train
