// SPDX-License-Identifier: Apache-2.0
//
// The picture read as Perfetto's importer reads it: numbers as doubles, times cut to nanoseconds,
// tracks by their tid, slices of a track as a stack.
#include "analyze/perfetto_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "analyze/event_walk.h"
#include "base/format.h"
#include "base/json.h"
#include "trace/source.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using trace::Event;

struct Slice {
  std::int64_t start = 0;
  std::int64_t end = 0;
};

// What is wrong with an entry or between them, and what the importer makes of the rest.
class Importer {
 public:
  void read(const std::string& text) {
    for (std::string_view rest = text; !rest.empty();) {
      std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.ends_with(',')) line.remove_suffix(1);
      if (line.starts_with("{\"ph\"")) entry(std::string(line));
    }
    for (auto& [tid, slices] : slices_) check_stack(tid, slices);
    for (auto& [tid, pid] : process_of_) {
      if (process_of_.contains(pid)) fault("a tid is a pid", format("{}", pid));
    }
  }

  std::vector<std::string> faults;
  std::vector<std::int64_t> instants;

 private:
  void entry(const std::string& text) {
    auto json = JsonValue::parse(text);
    if (!json) return fault("no JSON", text);
    auto phase = json->member("ph")->text().value_or("");
    auto pid = json->member("pid"), tid = json->member("tid"), name = json->member("name");
    if (!pid || !pid->whole() || !tid || !tid->whole() || !name || !name->text() ||
        name->text()->empty())
      return fault("without pid, tid or name", text);
    auto [track, fresh] = process_of_.emplace(*tid->whole(), *pid->whole());
    if (!fresh && track->second != *pid->whole()) fault("a tid in two processes", text);
    if (phase == "M") {
      bool known = *name->text() == "process_name" || *name->text() == "thread_name";
      auto args = json->member("args");
      if (!known || !args || !args->member("name")) fault("an unknown kind of metadata", text);
      return;
    }
    if (phase != "i" && phase != "X") return fault("a phase that is not used", text);
    std::int64_t start = time(text, "ts");
    if (phase == "i") {
      auto scope = json->member("s");
      if (!scope || scope->text() != "t") fault("an instant without a scope", text);
      instants.push_back(start);
    } else {
      slices_[*tid->whole()].push_back({start, start + time(text, "dur")});
    }
  }

  // As the importer has it: a double, times 1000, cut.
  static std::int64_t time(const std::string& text, const std::string& key) {
    std::size_t at = text.find("\"" + key + "\":");
    if (at == std::string::npos) return -1;
    return static_cast<std::int64_t>(std::strtod(text.c_str() + at + key.size() + 3, nullptr) *
                                     1000.0);
  }
  void check_stack(std::uint64_t tid, std::vector<Slice>& slices) {
    std::ranges::stable_sort(slices, {}, &Slice::start);
    for (std::size_t i = 1; i < slices.size(); ++i)
      if (slices[i].start < slices[i - 1].end) fault("slices overlap", format("tid {}", tid));
  }
  void fault(std::string what, const std::string& where) { faults.push_back(what + ": " + where); }

  std::map<std::uint64_t, std::uint64_t> process_of_;
  std::map<std::uint64_t, std::vector<Slice>> slices_;
};

Event access(std::uint64_t time, std::uint64_t port, std::uint16_t vcpu, std::uint32_t process) {
  Event event;
  event.time = time;
  event.address = port;
  event.direction = trace::Direction::write;
  event.process = process;
  set_vcpu(event, vcpu);
  return event;
}

std::string picture(const trace::Context& context, std::vector<Event> events) {
  trace::VectorSource source(context, std::move(events));
  EventWalk walk(source, {}, true);
  std::vector<AlertMark> marks;
  PerfettoListing listing(marks);
  std::string out;
  auto more = walk.read();
  listing.begin(walk.context(), out);
  for (; more && *more; more = walk.read()) {
    while (const ListedEvent* listed = walk.next()) listing.append(*listed, out);
  }
  listing.end(walk.context(), out);
  EXPECT_TRUE(JsonValue::parse(out));
  return out;
}

trace::Context some_context() {
  trace::Context context;
  context.vms.resize(2);
  context.vms[0].name = "web\"\x1b\xff";
  context.processes.resize(3);
  context.processes[0].comm = "dd";
  context.processes[1].comm = "</script>\\\n";
  context.processes[2].vm = 1;
  return context;
}

TEST(PerfettoListing, EveryTimeIsReadToTheNanosecondAndSlicesNeverOverlap) {
  std::mt19937_64 random(1);
  constexpr std::uint64_t kMonth = 30ULL * 86'400 * 1'000'000'000;
  for (std::uint64_t start : {std::uint64_t{0}, std::uint64_t{308'030'964'228}, kMonth}) {
    std::vector<Event> events;
    std::vector<std::int64_t> times;
    std::uint64_t time = start;
    for (int i = 0; i < 5000; ++i) {
      time += random() % 4;
      std::uint64_t port = random() % 2 == 0 ? 0x1f7 : 0x3f5;
      Event event = access(time, port, static_cast<std::uint16_t>(random() % 3),
                           static_cast<std::uint32_t>(random() % 3));
      event.vm = event.process == 2 ? 1 : 0;
      events.push_back(event);
      times.push_back(static_cast<std::int64_t>(time));
    }
    Importer importer;
    importer.read(picture(some_context(), std::move(events)));
    EXPECT_THAT(importer.faults, IsEmpty());
    std::ranges::sort(importer.instants);
    EXPECT_EQ(importer.instants, times);
  }
}

TEST(PerfettoListing, LossesAndVcpusOutOfStepAreNoTrouble) {
  Importer importer;
  importer.read(picture(some_context(),
                        {access(1001, 0x1f7, 0, 0), access(1000, 0x1f7, 1, 0),
                         trace::make_loss(1002, 0, {}, {trace::LossCause::ring, 3}),
                         access(1001, 0x3f5, 0, 0), access(1003, 0x1f7, 1, 1),
                         trace::make_loss(1004, trace::kAllVms, 1, {trace::LossCause::source, 0}),
                         access(1003, 0x1f7, 1, 0)}));
  EXPECT_THAT(importer.faults, IsEmpty());
  EXPECT_EQ(importer.instants.size(), 7U);
}

TEST(PerfettoListing, ATimeThatWouldBeReadTooSmallGetsADigitMore) {
  EXPECT_THAT(picture(some_context(), {access(1'000'252'125, 0x80, 0, 0)}),
              HasSubstr("\"ts\":1000252.125,"));
  EXPECT_THAT(picture(some_context(), {access(1'009, 0x80, 0, 0)}), HasSubstr("\"ts\":1.009"));
}

}  // namespace
}  // namespace iovm::analyze
