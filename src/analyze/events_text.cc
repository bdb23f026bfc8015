// SPDX-License-Identifier: Apache-2.0
#include "analyze/events_text.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "analyze/layout_text.h"
#include "analyze/line_reader.h"
#include "base/format.h"
#include "base/text.h"
#include "base/version.h"
#include "trace/format.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;

constexpr std::size_t kLongestLine = 1U << 20;
constexpr std::size_t kBatch = 4096;
constexpr std::size_t kMostNotes = 100'000;
constexpr std::size_t kMostNoteBytes = 16U << 20;
constexpr std::size_t kMostProcesses = 1U << 20;
constexpr std::size_t kLongestComm = 255;

struct HeaderLine {
  std::string_view name;  // empty: the line is no "name: value"
  std::string_view value;
};

// What stands behind the '#'.
HeaderLine split_header(std::string_view line) {
  line.remove_prefix(1);
  if (line.starts_with(' ')) line.remove_prefix(1);
  std::size_t colon = line.find(':');
  std::string_view name = line.substr(0, colon);
  bool named = colon != std::string_view::npos && !name.empty() &&
               name.find_first_of(" \t") == std::string_view::npos &&
               (colon + 1 == line.size() || line[colon + 1] == ' ');
  if (!named) return {{}, line};
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return {name, value};
}

}  // namespace

class EventsTextSource::Impl {
 public:
  explicit Impl(LineReader lines) : lines_(std::move(lines)) {
    trace::TraceInfo& info = context_.info;
    info.id = trace::random_id();
    info.source = "events";
    info.tool = format("iovm {}", kVersion);
    context_.vms.emplace_back();
    events_.reserve(kBatch);
  }

  Status start();
  Result<std::span<const Event>> next();
  const trace::Context& context() const { return context_; }

 private:
  Result<bool> step();
  Error wrong(std::string_view why) const {
    return input_error(format("line {}: {}", lines_.number(), why));
  }
  Status header(std::string_view line);
  Status keep_note(HeaderLine header);
  Status name_vm(std::string_view value);
  Status place_function(std::string_view value);
  Status add_event(std::string_view line);
  Result<std::uint32_t> find_process(const EventLine& line);
  Result<std::uint32_t> look_up(const EventLine& line);
  Result<std::uint32_t> new_process(const EventLine& line, std::string comm);

  LineReader lines_;
  trace::Context context_;
  std::vector<Column> more_;
  std::vector<Event> events_;
  std::optional<Error> failed_;  // to be told once the events before it are handed out
  bool began_ = false;           // an event has been seen
  bool first_is_read_ = false;   // by start(), for the first next()
  std::size_t note_bytes_ = 0;
  std::vector<bool> has_events_;  // by VM

  // "VM PID COMM", as the line writes it -> index
  std::unordered_map<std::string, std::uint32_t> processes_;
  // The process of the line before, which is most often that of this one.
  std::optional<std::uint32_t> last_process_;
  std::string last_comm_;
  std::int64_t last_pid_ = -1;
  std::uint16_t last_vm_ = 0;
};

// Reads the header, and the first event behind it.
Status EventsTextSource::Impl::start() {
  auto head = lines_.peek(16);
  if (!head) return std::move(head).error();
  if (head->empty()) return input_error("is empty; an events text has at least a header line");
  if (auto foreign = foreign_file(*head)) return input_error(format("is {}", *foreign));
  while (!began_) {
    auto more = step();
    if (!more) return std::move(more).error();
    if (!*more) break;
  }
  const auto& notes = context_.info.notes;
  auto name = std::find_if(notes.begin(), notes.end(),
                           [](const auto& note) { return note.first == "name"; });
  if (name != notes.end() && context_.vms[0].name.empty()) context_.vms[0].name = name->second;
  return {};
}

Result<std::span<const Event>> EventsTextSource::Impl::next() {
  if (!first_is_read_) events_.clear();
  first_is_read_ = false;
  // Waits for the first event only; what is at hand then goes out with it.
  while (!failed_ && events_.size() < kBatch && (events_.empty() || lines_.has_line())) {
    auto more = step();
    if (!more)
      failed_ = std::move(more).error();
    else if (!*more)
      break;
  }
  if (events_.empty() && failed_) return Error(*failed_);
  return std::span<const Event>(events_);
}

// Takes one line; false at the end of the input.
Result<bool> EventsTextSource::Impl::step() {
  auto line = lines_.next();
  if (!line) return std::move(line).error();
  if (!*line) return false;
  std::string_view text = **line;
  Status taken;
  if (text.starts_with('#')) {
    taken = header(text);
  } else if (!trim(text).empty()) {
    taken = add_event(text);
  }
  if (!taken) return std::move(taken).error();
  return true;
}

Status EventsTextSource::Impl::header(std::string_view line) {
  HeaderLine header = split_header(line);
  if (header.name == "columns") {
    auto more = parse_columns(header.value);
    if (!more) return wrong(more.error().message());
    more_ = *std::move(more);
  }
  if (header.name == "vm") return name_vm(header.value);
  if (header.name == "pci") return place_function(header.value);
  return began_ ? Status() : keep_note(header);
}

// Header lines stay as they are; those that a TraceInfo has a place for go there too.
Status EventsTextSource::Impl::keep_note(HeaderLine header) {
  trace::TraceInfo& info = context_.info;
  note_bytes_ += header.name.size() + header.value.size();
  if (info.notes.size() >= kMostNotes || note_bytes_ > kMostNoteBytes)
    return wrong(format("more than {} header lines or {} in them; leave some out", kMostNotes,
                        describe_size(kMostNoteBytes)));
  if (header.name == "host") info.host = header.value;
  if (header.name == "kernel") info.kernel = header.value;
  if (header.name == "utc_offset_ns") {
    auto offset = parse_signed(header.value);
    if (!offset) return wrong("utc_offset_ns: expected a decimal number of nanoseconds");
    info.utc_offset_ns = *offset;
  }
  info.notes.emplace_back(header.name, header.value);
  return {};
}

// INDEX NAME UUID, the latter two percent-encoded or "-".
Status EventsTextSource::Impl::name_vm(std::string_view value) {
  std::vector<std::string_view> words = split(value, ' ');
  auto number = parse_unsigned(words[0]);
  auto decoded = [&words](std::size_t i) {
    if (i >= words.size() || words[i] == "-") return std::optional<std::string>(std::string());
    return percent_decode(words[i]);
  };
  auto name = decoded(1);
  auto uuid = decoded(2);
  if (!number || *number >= kMostVms || words.size() > 3 || !name || !uuid)
    return wrong(format("vm: expected a number up to {}, a name and a UUID (or - for either)",
                        kMostVms - 1));
  if (*number >= context_.vms.size()) context_.vms.resize(*number + 1);
  context_.vms[*number].name = *name;
  context_.vms[*number].uuid = *uuid;
  return {};
}

// INDEX FROM and a function in words; FROM as a name above.
Status EventsTextSource::Impl::place_function(std::string_view value) {
  std::vector<std::string_view> words = split(value, ' ');
  auto vm = parse_unsigned(words[0]);
  auto from = words.size() < 2 ? std::nullopt : percent_decode(words[1]);
  auto function = words.size() < 2 ? std::nullopt : parse_layout_words(std::span(words).subspan(2));
  if (!vm || *vm >= kMostVms || !from || from->empty() || !function)
    return wrong(
        "pci: expected a VM, who told, and a function: \"0 QMP 00:03.0 8086:100e 0200 - "
        "0:mem:0xfeb80000:0x20000\"");
  if (*vm < has_events_.size() && has_events_[*vm])
    return wrong("pci: a layout stands before the first event of its VM");
  if (*vm >= context_.vms.size()) context_.vms.resize(*vm + 1);
  trace::PciLayout& layout = context_.vms[*vm].pci;
  if (layout.functions.size() >= trace::kMostPciFunctions)
    return wrong(format("pci: more than {} functions of a VM", trace::kMostPciFunctions));
  layout.from = *std::move(from);
  layout.functions.push_back(*std::move(function));
  return {};
}

Status EventsTextSource::Impl::add_event(std::string_view line) {
  EventLine read;
  if (auto why = parse_event_line(line, more_, read)) return wrong(*why);
  Event& event = read.event;
  if (event.vm != trace::kAllVms && event.vm >= context_.vms.size())
    context_.vms.resize(event.vm + std::size_t{1});
  if (event.vm != trace::kAllVms) {
    if (event.vm >= has_events_.size()) has_events_.resize(event.vm + std::size_t{1});
    has_events_[event.vm] = true;
  }
  bool has_process = (read.pid >= 0 || !read.comm.empty()) && event.kind != EventKind::loss;
  if (has_process) {
    auto found = find_process(read);
    if (!found) return std::move(found).error();
    event.process = *found;
  }
  if (!began_) began_ = first_is_read_ = true;
  events_.push_back(event);
  return {};
}

Result<std::uint32_t> EventsTextSource::Impl::find_process(const EventLine& line) {
  bool same = line.pid == last_pid_ && line.comm == last_comm_ && line.event.vm == last_vm_;
  if (same && last_process_) return *last_process_;
  auto index = look_up(line);
  if (!index) return index;
  last_process_ = *index;
  last_pid_ = line.pid;
  last_comm_ = line.comm;
  last_vm_ = line.event.vm;
  return index;
}

Result<std::uint32_t> EventsTextSource::Impl::look_up(const EventLine& line) {
  auto key = [&line](std::string_view comm) {
    return format("{} {} {}", line.event.vm, line.pid, comm);
  };
  std::string written = key(line.comm);
  if (auto found = processes_.find(written); found != processes_.end()) return found->second;
  auto comm = line.comm.empty() ? std::string() : percent_decode(line.comm);
  if (!comm) return wrong("comm: a % needs two hexadecimal digits behind it");
  if (comm->size() > kLongestComm) return wrong(format("comm: longer than {} bytes", kLongestComm));
  if (comm->empty() && line.pid < 0)
    return static_cast<std::uint32_t>(trace::Unknown::not_recorded);
  // One name can be written in several ways ("a", "%61"); they are one process.
  std::string canonical = key(comm->empty() ? "" : percent_encode(*comm));
  auto found = processes_.find(canonical);
  std::uint32_t index = found == processes_.end() ? 0 : found->second;
  if (found == processes_.end()) {
    auto made = new_process(line, *std::move(comm));
    if (!made) return made;
    index = *made;
    processes_.emplace(std::move(canonical), index);
  }
  processes_.emplace(std::move(written), index);
  return index;
}

Result<std::uint32_t> EventsTextSource::Impl::new_process(const EventLine& line, std::string comm) {
  if (context_.processes.size() >= kMostProcesses)
    return wrong(format("more than {} guest processes; split the file", kMostProcesses));
  trace::GuestProcess process;
  process.vm = line.event.vm;
  process.pid = line.pid;
  process.comm = std::move(comm);
  process.confidence = trace::Confidence::high;
  process.how = "events file";
  context_.processes.push_back(std::move(process));
  return static_cast<std::uint32_t>(context_.processes.size() - 1);
}

EventsTextSource::EventsTextSource(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventsTextSource::~EventsTextSource() = default;

Result<std::unique_ptr<EventsTextSource>> EventsTextSource::open(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  return start(LineReader(*std::move(fd), kLongestLine), escape_terminal(path));
}

Result<std::unique_ptr<EventsTextSource>> EventsTextSource::from_text(std::string text) {
  return start(LineReader(std::move(text), kLongestLine), "text");
}

Result<std::unique_ptr<EventsTextSource>> EventsTextSource::start(LineReader lines,
                                                                  const std::string& place) {
  auto impl = std::make_unique<Impl>(std::move(lines));
  if (auto started = impl->start(); !started) return std::move(started).error().in(place);
  return std::unique_ptr<EventsTextSource>(new EventsTextSource(std::move(impl)));
}

Result<std::span<const Event>> EventsTextSource::next() {
  return impl_->next();
}
const trace::Context& EventsTextSource::context() const {
  return impl_->context();
}

}  // namespace iovm::analyze
