// SPDX-License-Identifier: Apache-2.0
#include "cli/on_alert.h"

#include <utility>

#include "base/format.h"
#include "base/text.h"

namespace iovm::cli {
namespace {

constexpr std::chrono::milliseconds kPatience(200);
constexpr std::chrono::seconds kUsualWindow(30);

}  // namespace

Result<std::unique_ptr<OnAlert>> OnAlert::create(const std::vector<std::string>& actions,
                                                 std::optional<std::chrono::nanoseconds> window,
                                                 bool live, const detect::Say& say) {
  std::unique_ptr<OnAlert> out(new OnAlert());
  out->live_ = live;
  for (const std::string& action : actions) {
    if (auto ok = out->add(action, window, say); !ok) return Error(ok.error());
  }
  if (window && out->recorder_ == nullptr) {
    return usage_error("--flight-recorder goes with --on-alert dump");
  }
  return out;
}

Status OnAlert::add(const std::string& action, std::optional<std::chrono::nanoseconds> window,
                    const detect::Say& say) {
  std::string what = action.substr(0, action.find(':'));
  std::string rest = what.size() < action.size() ? action.substr(what.size() + 1) : "";
  bool bare = what.size() == action.size();
  bool known = (what == "exec" && !rest.empty()) ||
               ((what == "pause" || what == "dump") && (bare || !rest.empty()));
  if (!known) {
    return usage_error(
        format("--on-alert {}: exec:COMMAND, pause, pause:QMP-SOCKET, dump or dump:DIR",
               escape_terminal(action)));
  }
  if (what != "exec" && !live_) return usage_error("--on-alert " + what + " goes with --live");
  if (what == "exec") {
    responses_.push_back(detect::run_command(rest, workers_, say));
  } else if (what == "pause") {
    responses_.push_back(bare ? detect::stop_vmm(say) : detect::stop_by_qmp(rest, workers_, say));
  } else if (recorder_ != nullptr) {
    return usage_error("--on-alert dump: once is enough");
  } else {
    auto recorder = std::make_unique<detect::FlightRecorder>(bare ? "." : rest,
                                                             window.value_or(kUsualWindow), say);
    recorder_ = recorder.get();
    responses_.push_back(std::move(recorder));
  }
  return {};
}

Result<std::span<const trace::Event>> RecordedSource::next() {
  if (recorder_ == nullptr) return source_.next();
  for (;;) {
    auto batch = source_.next_within(kPatience);
    if (!batch) return std::move(batch).error();
    recorder_->keep(source_.context(), batch->events);
    recorder_->tick();
    if (!batch->events.empty() || batch->ended) return batch->events;
  }
}

}  // namespace iovm::cli
