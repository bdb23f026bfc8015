// SPDX-License-Identifier: Apache-2.0
#include "analyze/sequences.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "base/text.h"
#include "base/version.h"

namespace iovm::analyze {
namespace {

// A sequence of a program's whole life is one line.
constexpr std::size_t kLongestLine = 64U << 20;
constexpr std::size_t kMostProcesses = 1U << 20;
constexpr std::uint64_t kStepNs = 1'000'000;
constexpr std::uint16_t kLastPort = 0xffff;

}  // namespace

SequencesSource::SequencesSource(LineReader lines) : lines_(std::move(lines)) {
  trace::TraceInfo& info = context_.info;
  info.id = trace::random_id();
  info.source = "sequences";
  info.tool = format("iovm {}", kVersion);
  context_.vms.emplace_back();
}

Result<std::unique_ptr<SequencesSource>> SequencesSource::start(LineReader lines,
                                                                std::string place) {
  std::unique_ptr<SequencesSource> source(new SequencesSource(std::move(lines)));
  auto head = source->lines_.peek(16);
  if (!head) return std::move(head).error().in(place);
  if (head->empty())
    return input_error(format("{}: is empty; it should have one stream of numbers a line", place));
  if (auto foreign = foreign_file(*head)) return input_error(format("{}: is {}", place, *foreign));
  return source;
}

Result<std::unique_ptr<SequencesSource>> SequencesSource::open(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  return start(LineReader(*std::move(fd), kLongestLine), escape_terminal(path));
}

Result<std::unique_ptr<SequencesSource>> SequencesSource::from_text(std::string text) {
  return start(LineReader(std::move(text), kLongestLine), "text");
}

// A batch is a line; a line that gives nothing is passed over.
Result<std::span<const trace::Event>> SequencesSource::next() {
  events_.clear();
  while (events_.empty()) {
    auto line = lines_.next();
    if (!line) return std::move(line).error();
    if (!*line) break;
    if ((*line)->starts_with('#')) continue;
    auto read = read_line(trim(**line));
    if (!read) return std::move(read).error().in(format("line {}", lines_.number()));
  }
  return std::span<const trace::Event>(events_);
}

Status SequencesSource::read_line(std::string_view line) {
  if (line.empty()) return {};
  if (auto begun = begin_process(); !begun) return begun;
  trace::Event event;
  event.direction = trace::Direction::write;
  event.process = static_cast<std::uint32_t>(context_.processes.size() - 1);
  trace::set_size(event, 1);
  while (!line.empty()) {
    std::string_view word = line.substr(0, line.find_first_of(" \t"));
    std::uint16_t number = 0;
    auto [rest, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (failure != std::errc() || rest != word.data() + word.size())
      return input_error(format("expected whole numbers from 0 to {}, found \"{}\"", kLastPort,
                                escape_terminal(word.substr(0, 40))));
    event.address = number;
    event.time = time_ += kStepNs;
    events_.push_back(event);
    line = trim(line.substr(word.size()));
  }
  return {};
}

Status SequencesSource::begin_process() {
  if (context_.processes.size() >= kMostProcesses)
    return input_error(format("more than {} sequences; split the file", kMostProcesses));
  trace::GuestProcess process;
  process.pid = static_cast<std::int64_t>(lines_.number());
  process.comm = format("line-{}", lines_.number());
  process.confidence = trace::Confidence::high;
  process.how = "line of a sequence file";
  context_.processes.push_back(std::move(process));
  return {};
}

}  // namespace iovm::analyze
