// SPDX-License-Identifier: Apache-2.0
#include "detect/flight_recorder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::detect {

FlightRecorder::FlightRecorder(std::string folder, std::chrono::nanoseconds window, Say say)
    : folder_(std::move(folder)),
      window_(static_cast<std::uint64_t>(window.count())),
      say_(std::move(say)) {}

FlightRecorder::~FlightRecorder() {
  finish();
}

void FlightRecorder::keep(const trace::Context& context, std::span<const trace::Event> events) {
  context_ = &context;
  next_ += events.size();
  if (events.empty()) return;
  if (writer_) write(events);
  if (writer_ && events.back().time > until_) finish();
  held_.insert(held_.end(), events.begin(), events.end());
  std::uint64_t now = held_.back().time;
  while (held_.size() > kMostEvents || (now > window_ && held_.front().time < now - window_)) {
    held_.pop_front();
  }
}

Stop FlightRecorder::alarm(const Alert& alert) {
  begin(alert);
  return Stop::none;
}

void FlightRecorder::begin(const Alert& alert) {
  until_ = alert.alarm_time + window_;
  if (writer_ || context_ == nullptr) return;
  trace::TraceInfo info = context_->info;
  info.id = trace::random_id();
  info.notes.emplace_back("alert", alert.id);
  info.notes.emplace_back("alert_trace", alert.stream.trace_id);
  info.notes.emplace_back("alert_rule", std::string(rule_of(alert)));
  info.notes.emplace_back("first_event", std::to_string(next_ - held_.size()));
  std::error_code error;
  std::filesystem::create_directories(folder_, error);  // if it fails, so does the next line
  path_ = (std::filesystem::path(folder_) / (alert.id + ".iovm")).string();
  auto writer = trace::TraceWriter::create(path_, info);
  if (!writer) return give_up(writer.error());
  writer_ = *std::move(writer);
  std::array<trace::Event, 4096> piece;
  for (std::size_t at = 0; at < held_.size() && writer_; at += piece.size()) {
    std::size_t count = std::min(piece.size(), held_.size() - at);
    std::copy_n(held_.begin() + static_cast<std::ptrdiff_t>(at), count, piece.begin());
    write(std::span(piece).first(count));
  }
}

void FlightRecorder::write(std::span<const trace::Event> events) {
  // Its own id, but everything else as the run has it.
  if (auto ok = writer_->write(*context_, events); !ok) give_up(ok.error());
}

void FlightRecorder::give_up(const Error& error) {
  say_("--on-alert dump: " + Error(error).in(escape_terminal(path_)).message());
  writer_.reset();
}

void FlightRecorder::tick() {
  if (!writer_) return;
  // Live events have this very clock; a VM that was stopped makes none.
  if (monotonic_ns() > until_) return finish();
  if (auto ok = writer_->tick(); !ok) give_up(ok.error());
}

void FlightRecorder::finish() {
  if (!writer_) return;
  if (auto ok = writer_->finish(); !ok) return give_up(ok.error());
  say_(iovm::format("{}: {} events around the alert", escape_terminal(path_),
                    writer_->stats().events));
  writer_.reset();
}

}  // namespace iovm::detect
