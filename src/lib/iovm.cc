// SPDX-License-Identifier: Apache-2.0
//
// The C API over the same reader and detector that the commands use. Each entry catches what could
// be thrown: no exception leaves a C function.
#include "lib/iovm.h"

#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/version.h"
#include "detect/detector.h"
#include "detect/incidents.h"
#include "detect/render.h"
#include "detect/rule_files.h"
#include "detect/rule_watch.h"
#include "model/model_file.h"
#include "trace/reader.h"

using iovm::trace::Event;

// What C sees is what an Event is, field by field.
static_assert(sizeof(iovm_event) == sizeof(Event));
#define IOVM_SAME(field) static_assert(offsetof(iovm_event, field) == offsetof(Event, field))
IOVM_SAME(time);
IOVM_SAME(address);
IOVM_SAME(value);
IOVM_SAME(rip);
IOVM_SAME(cr3);
IOVM_SAME(count);
IOVM_SAME(process);
IOVM_SAME(vcpu);
IOVM_SAME(vm);
IOVM_SAME(kind);
IOVM_SAME(direction);
IOVM_SAME(size);
IOVM_SAME(cpl);
IOVM_SAME(present);
#undef IOVM_SAME
static_assert(IOVM_LOSS == static_cast<int>(iovm::trace::EventKind::loss));
static_assert(IOVM_WRITE == static_cast<int>(iovm::trace::Direction::write));
static_assert(IOVM_HAS_CPL == static_cast<int>(iovm::trace::Field::cpl));

struct iovm_trace {
  std::string path;
  std::unique_ptr<iovm::trace::TraceReader> reader;
  std::vector<iovm_event> events;  // the batch that was handed out last
};

struct iovm_model {
  explicit iovm_model(iovm::model::ModelData read) : data(std::move(read)), learned(data) {}
  iovm::model::ModelData data;
  iovm::detect::Learned learned;
};

struct iovm_rules {
  std::shared_ptr<const iovm::detect::RuleSet> set;
};

namespace {

std::string& last_error() {
  thread_local std::string text;
  return text;
}

void fail(std::string text) {
  last_error() = std::move(text);
}

// Runs the body of an entry; what it throws becomes the error, and the entry returns `failed`.
template <typename T, typename Body>
T guarded(T failed, Body body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    fail("out of memory");
  } catch (const std::exception& exception) {
    fail(exception.what());
  }
  return failed;
}

class Lines : public iovm::detect::AlertSink {
 public:
  Lines(iovm_line alert, void* user) : alert_(alert), user_(user) {}

  iovm::Status closed(const iovm::detect::Alert& alert) override {
    if (alert_ != nullptr && !stopped_) say(alert_, iovm::detect::alert_json(alert));
    return {};
  }
  void say(iovm_line line, const std::string& text) {
    stopped_ = stopped_ || line(user_, text.c_str(), text.size() - 1) != 0;
  }
  bool stopped() const { return stopped_; }

 private:
  iovm_line alert_;
  void* user_;
  bool stopped_ = false;
};

// -1 and the error, or 0. `detector`: a Detector or a RuleRun.
template <typename Detector>
int run(iovm_trace& trace, Detector& detector, const Lines& lines) {
  while (!lines.stopped()) {
    auto batch = trace.reader->next();
    if (!batch) return fail(batch.error().message()), -1;
    auto ok = batch->empty() ? detector.finish(trace.reader->context())
                             : detector.feed(trace.reader->context(), *batch);
    if (!ok) return fail(ok.error().message()), -1;
    if (batch->empty()) break;
  }
  return 0;
}

void tell_scores(const iovm::detect::Detector& detector, const iovm_model& model,
                 const iovm::trace::Context& context, iovm_line score, Lines& lines) {
  double threshold = iovm::model::to_bits(model.data.threshold.value);
  for (const iovm::detect::StreamScore& stream : detector.scores(context)) {
    if (lines.stopped()) break;
    lines.say(score, iovm::detect::score_json(stream, context, threshold));
  }
}

long detect_by_rules(iovm_trace& trace, const iovm_rules& rules, Lines& lines) {
  iovm::detect::Incidents incidents(lines);
  iovm::detect::RuleRun rule_run(rules.set, trace.path, incidents);
  if (run(trace, rule_run, lines) != 0) return -1;
  return lines.stopped() ? 0 : static_cast<long>(rule_run.watch().alerts());
}

// Number sequences know no rules.
long detect_by_model(iovm_trace& trace, const iovm_model& model, const iovm_rules* rules,
                     iovm_line score, Lines& lines) {
  iovm::detect::Incidents incidents(lines);
  iovm::detect::Detector detector(model.learned, trace.path, incidents);
  std::optional<iovm::detect::RuleWatch> watch;
  if (rules != nullptr && model.data.options.scheme == iovm::model::Scheme::devices) {
    watch.emplace(rules->set, trace.path, true, incidents);
    detector.watch(*watch);
  }
  if (run(trace, detector, lines) != 0) return -1;
  if (lines.stopped()) return 0;
  if (score != nullptr) tell_scores(detector, model, trace.reader->context(), score, lines);
  return static_cast<long>(detector.stats().alerts + (watch ? watch->alerts() : 0));
}

}  // namespace

const char* iovm_version(void) {
  return iovm::kVersion;
}

const char* iovm_error(void) {
  return last_error().c_str();
}

iovm_trace* iovm_trace_open(const char* path) {
  return guarded<iovm_trace*>(nullptr, [&]() -> iovm_trace* {
    auto reader = iovm::trace::TraceReader::open(path);
    if (!reader) return fail(reader.error().message()), nullptr;
    return new iovm_trace{path, std::move(*reader), {}};
  });
}

void iovm_trace_close(iovm_trace* trace) {
  delete trace;
}

long iovm_trace_next(iovm_trace* trace, const iovm_event** events) {
  return guarded(-1L, [&] {
    auto batch = trace->reader->next();
    if (!batch) return fail(batch.error().message()), -1L;
    trace->events.resize(batch->size());
    if (!batch->empty()) std::memcpy(trace->events.data(), batch->data(), batch->size_bytes());
    *events = trace->events.data();
    return static_cast<long>(batch->size());
  });
}

const char* iovm_trace_vm(const iovm_trace* trace, uint16_t vm) {
  const auto& vms = trace->reader->context().vms;
  return vm < vms.size() ? vms[vm].name.c_str() : nullptr;
}

int iovm_trace_process(const iovm_trace* trace, uint32_t process, iovm_process* out) {
  const auto& processes = trace->reader->context().processes;
  if (process >= processes.size()) return -1;
  const iovm::trace::GuestProcess& p = processes[process];
  *out = {p.pid,
          p.tgid,
          p.start_ns,
          p.comm.c_str(),
          iovm::trace::name_of(p.kind).data(),
          iovm::trace::name_of(p.confidence).data(),
          p.vm};
  return 0;
}

int64_t iovm_trace_utc_offset(const iovm_trace* trace) {
  return trace->reader->context().info.utc_offset_ns;
}

int iovm_trace_ended_early(const iovm_trace* trace) {
  return trace->reader->ended_early() ? 1 : 0;
}

iovm_model* iovm_model_open(const char* path) {
  return guarded<iovm_model*>(nullptr, [&]() -> iovm_model* {
    auto data = iovm::model::read_model(path);
    if (!data) return fail(data.error().message()), nullptr;
    return new iovm_model(std::move(*data));
  });
}

void iovm_model_close(iovm_model* model) {
  delete model;
}

iovm_rules* iovm_rules_open(const char* path) {
  return guarded<iovm_rules*>(nullptr, [&]() -> iovm_rules* {
    std::vector<std::string> paths;
    if (path != nullptr) paths.emplace_back(path);
    auto rules = iovm::detect::load_rules(paths, true);
    if (!rules) return fail(rules.error().message()), nullptr;
    return new iovm_rules{std::move(*rules)};
  });
}

void iovm_rules_close(iovm_rules* rules) {
  delete rules;
}

long iovm_detect(iovm_trace* trace, const iovm_model* model, iovm_line alert, iovm_line score,
                 void* user) {
  return guarded(-1L, [&] {
    Lines lines(alert, user);
    return detect_by_model(*trace, *model, nullptr, score, lines);
  });
}

long iovm_detect_rules(iovm_trace* trace, const iovm_model* model, const iovm_rules* rules,
                       iovm_line alert, iovm_line score, void* user) {
  return guarded(-1L, [&] {
    Lines lines(alert, user);
    return model == nullptr ? detect_by_rules(*trace, *rules, lines)
                            : detect_by_model(*trace, *model, rules, score, lines);
  });
}
