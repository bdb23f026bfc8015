// SPDX-License-Identifier: Apache-2.0
#include "train/trainer.h"

#include <algorithm>
#include <set>

#include "model/poll_fold.h"
#include "model/symbol_set.h"

namespace iovm::train {
namespace {

using model::kFirstSymbol;
using model::kNoSymbol;
using model::Ngrams;
using model::Symbol;

constexpr std::size_t kMaxSessions = 64;

std::uint64_t duration(const model::Origin& origin) {
  return origin.last_time - origin.first_time;
}

}  // namespace

// One recording on its way through: its own tokenizer and streams, symbols of the trainer's
// alphabet.
class Trainer::Pass {
 public:
  Pass(Trainer& trainer)
      : trainer_(trainer),
        tokenizer_(trainer.options_.scheme),
        streams_(trainer.options_.stream),
        counter_(trainer.counted()) {}

  void event(const trace::Event& event) {
    if (session_.origin.events == 0) session_.origin.first_time = event.time;
    session_.origin.last_time = std::max(session_.origin.last_time, event.time);
    ++session_.origin.events;
    model::Token token = tokenizer_(event);
    if (token.symbol >= symbols_.size()) learn_symbols();
    Symbol symbol = symbols_[token.symbol];
    model::StreamIndex stream = streams_(event, token.device);
    if (stream >= contexts_.size()) {
      contexts_.resize(stream + 1, Counter::kStart);
      distinct_.resize(stream + 1);
      folds_.resize(stream + 1);
    }
    if (folds_[stream].repeats(symbol) && polls_[token.symbol]) return;
    contexts_[stream] = counter_.add(contexts_[stream], symbol);
    distinct_[stream].add(symbol);
    session_.tokens.push_back({stream, symbol});
  }

  void loss(const trace::Event& event) {
    trainer_.training_.lost.add(trace::loss_of(event));
    session_.origin.lost += std::max<std::uint64_t>(trace::loss_of(event).count, 1);
    tokenizer_.lost(event);
    for (model::StreamIndex s = 0; s < contexts_.size(); ++s) {
      if (!streams_.touches(event, s) || contexts_[s] == Counter::kStart) continue;
      contexts_[s] = Counter::kStart;
      folds_[s].clear();
      session_.tokens.push_back({s, kNoSymbol});
    }
  }

  Session finish(const trace::Context& context) {
    session_.origin.id = context.info.id;
    session_.origin.source = context.info.source;
    session_.starts =
        static_cast<std::int64_t>(session_.origin.first_time) + context.info.utc_offset_ns;
    session_.ngrams = counter_.ngrams();
    for (const model::SymbolSet& set : distinct_) session_.sets.push_back({set.symbols(), 1});
    session_.sets = model::canonical(std::move(session_.sets));
    trainer_.training_.left_out += counter_.left_out();
    return std::move(session_);
  }

 private:
  void learn_symbols() {
    const model::Alphabet& seen = tokenizer_.alphabet();
    for (auto s = static_cast<Symbol>(symbols_.size()); s < seen.size(); ++s) {
      symbols_.push_back(s < kFirstSymbol ? s : trainer_.alphabet_.intern(seen.operation(s)));
      polls_.push_back(s >= kFirstSymbol && trainer_.options_.scheme == model::Scheme::devices &&
                       model::can_poll(seen.operation(s)));
    }
  }

  Trainer& trainer_;
  model::Tokenizer tokenizer_;
  model::StreamMap streams_;
  Counter counter_;
  std::vector<Symbol> symbols_;             // by the tokenizer's
  std::vector<bool> polls_;                 // by the tokenizer's
  std::vector<Counter::Context> contexts_;  // by stream
  std::vector<model::PollFold> folds_;      // by stream
  std::vector<model::SymbolSet> distinct_;  // by stream
  Session session_;
};

Status Trainer::add(trace::EventSource& source, Use use) {
  Pass pass(*this);
  for (;;) {
    auto batch = source.next();
    if (!batch) return std::move(batch).error();
    if (batch->empty()) break;
    for (const trace::Event& event : *batch) {
      if (event.kind == trace::EventKind::loss) {
        pass.loss(event);
      } else {
        pass.event(event);
      }
    }
  }
  Session session = pass.finish(source.context());
  if (use == Use::calibrate) {
    training_.held_out += session.origin.events;
    session.ngrams = {};
    held_.push_back(std::move(session));
    return {};
  }
  training_.events += session.origin.events;
  sessions_.push_back(std::move(session));
  std::stable_sort(sessions_.begin(), sessions_.end(),
                   [](const Session& a, const Session& b) { return a.starts < b.starts; });
  compact();
  return {};
}

// Keeps the number of sessions and of tokens within bounds; the earliest give way.
void Trainer::compact() {
  std::size_t tokens = 0;
  for (auto it = sessions_.rbegin(); it != sessions_.rend(); ++it) {
    tokens += it->tokens.size();
    // A single recording that is larger than the budget keeps its latest part.
    if (tokens > kTokenBudget && it == sessions_.rbegin()) {
      it->tokens.erase(it->tokens.begin(),
                       it->tokens.end() - static_cast<std::ptrdiff_t>(kTokenBudget));
      tokens = kTokenBudget;
    } else if (tokens > kTokenBudget) {
      it->tokens = {};
    }
  }
  if (sessions_.size() <= kMaxSessions) return;
  Session& first = sessions_.front();
  old_ = old_.length == 0 ? std::move(first.ngrams) : merged(old_, first.ngrams);
  old_sets_.insert(old_sets_.end(), first.sets.begin(), first.sets.end());
  old_sets_ = model::canonical(std::move(old_sets_));
  old_origins_.push_back(first.origin);
  sessions_.erase(sessions_.begin());
}

std::size_t Trainer::held_out() const {
  std::size_t all = sessions_.size() + old_origins_.size();
  return std::min(sessions_.size(), all / 3 + (all % 3 != 0 ? 1 : 0));
}

std::uint32_t Trainer::counted() const {
  return chooses_ ? std::max(model::kLongOrder, options_.context()) : options_.context();
}

Trainer::Split Trainer::split_recordings() const {
  Split split{old_, old_sets_, {}};
  split.ngrams.length = counted() + 1;
  std::size_t out = held_.empty() ? held_out() : 0;
  for (std::size_t i = 0; i + out < sessions_.size(); ++i) {
    const Session& s = sessions_[i];
    split.ngrams = merged(split.ngrams, s.ngrams);
    split.sets.insert(split.sets.end(), s.sets.begin(), s.sets.end());
  }
  split.sets = model::canonical(std::move(split.sets));
  for (const Session& s : held_.empty() ? std::span(sessions_).last(out) : std::span(held_)) {
    split.held.push_back({{}, s.tokens, duration(s.origin)});
  }
  return split;
}

// A recording by itself is cut: between its sessions, or in time.
Trainer::Split Trainer::split_one() const {
  const std::vector<Token>& all = sessions_.front().tokens;
  std::size_t time = all.size() - all.size() / 3;
  model::StreamIndex streams = 0;
  for (const Token& token : all) streams = std::max(streams, token.stream + 1);
  bool whole = options_.stream == model::StreamKind::process && streams >= 3;
  model::StreamIndex first = whole ? streams - streams / 3 : streams;
  Split split;
  Counter counter(counted());
  std::vector<Counter::Context> contexts(streams, Counter::kStart);
  std::vector<model::SymbolSet> distinct(streams);
  Split::Part part{{}, {}, duration(sessions_.front().origin) / 3};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Token& token = all[i];
    if (whole ? token.stream >= first : i >= time) {
      part.own.push_back(token);
      continue;
    }
    Counter::Context& context = contexts[token.stream];
    context = token.symbol == kNoSymbol ? Counter::kStart : counter.add(context, token.symbol);
    if (token.symbol != kNoSymbol) distinct[token.stream].add(token.symbol);
  }
  split.ngrams = counter.ngrams();
  for (const model::SymbolSet& set : distinct) split.sets.push_back({set.symbols(), 1});
  split.sets = model::canonical(std::move(split.sets));
  split.held.push_back(std::move(part));
  return split;
}

// By symbol: the earlier work has no such access.
std::vector<bool> Trainer::unseen(const model::SessionSets& earlier) const {
  std::set<model::Operation> accesses;
  for (const model::SessionSet& set : earlier) {
    for (Symbol s : set.symbols) {
      if (s >= kFirstSymbol) accesses.insert(model::access_of(alphabet_.operation(s)));
    }
  }
  std::vector<bool> out(alphabet_.size(), false);
  for (Symbol s = kFirstSymbol; s < alphabet_.size(); ++s) {
    out[s] = !accesses.contains(model::access_of(alphabet_.operation(s)));
  }
  return out;
}

// Counts the earlier work alone, and scores the later with it.
model::Calibration Trainer::calibrate() {
  bool one = held_.empty() && sessions_.size() + old_origins_.size() == 1;
  Split split = one ? split_one() : split_recordings();
  split.ngrams = model::shortened(split.ngrams, options_.context() + 1);
  model::Model model(options_, split.ngrams, alphabet_.size());
  model::SetView sets(split.sets, alphabet_.size());
  Calibrator calibrator(model, sets, unseen(split.sets));
  for (const Split::Part& part : split.held) {
    calibrator.session(part.own.empty() ? part.tokens : std::span<const Token>(part.own),
                       part.duration_ns);
  }
  return calibrator.take();
}

// The alphabet in the order of the model's, and everything counted in its symbols.
void Trainer::sort_alphabet() {
  model::ModelData& data = training_.data;
  model::SymbolSet learned;  // what only calibration has is not known
  for (const model::SessionSet& set : data.sets) {
    for (Symbol s : set.symbols) learned.add(s);
  }
  std::vector<Symbol> order = learned.symbols();
  std::erase_if(order, [](Symbol s) { return model::is_unknown(s); });
  std::ranges::sort(order, {}, [&](Symbol s) { return alphabet_.operation(s); });
  std::vector<Symbol> sorted(alphabet_.size(), model::kOverflow);
  for (std::size_t i = 0; i < order.size(); ++i) {
    data.alphabet.push_back(alphabet_.operation(order[i]));
    sorted[order[i]] = static_cast<Symbol>(i) + kFirstSymbol;
  }
  data.ngrams = renamed(data.ngrams, sorted);
  data.sets = model::canonical(renamed(data.sets, sorted), model::symbol_hashes(data.alphabet));
}

Result<Training> Trainer::finish() {
  if (training_.events == 0) {
    return input_error("there is no event to train on (iovm info tells what a recording holds)");
  }
  model::ModelData& data = training_.data;
  if (chooses_ && training_.events > model::kManySymbols) options_.order = model::kLongOrder;
  data.options = options_;
  data.calibration = calibrate();
  data.ngrams = old_;
  data.ngrams.length = counted() + 1;
  data.sets = old_sets_;
  data.origins = old_origins_;
  for (const Session& session : sessions_) {
    data.ngrams = merged(data.ngrams, session.ngrams);
    data.sets.insert(data.sets.end(), session.sets.begin(), session.sets.end());
    data.origins.push_back(session.origin);
  }
  data.ngrams = model::shortened(data.ngrams, options_.context() + 1);
  if (data.ngrams.size() > model::kMaxNgrams) {
    return input_error(
        "there are more different sequences than a model holds (try a smaller --order)");
  }
  sort_alphabet();
  std::ranges::sort(data.origins);
  data.threshold = choose_threshold(data.calibration, promise_,
                                    unknown_price(options_, data.ngrams, data.symbols()));
  return std::move(training_);
}

}  // namespace iovm::train
