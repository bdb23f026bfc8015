// SPDX-License-Identifier: Apache-2.0
//
// What was written comes back: every field, every order of times, through files and pipes.
#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "unit/trace/trace_test.h"

namespace iovm::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(TraceTest, EventsAndContextComeBackAsTheyWere) {
  std::vector<Event> events = pci_scan(10'000);
  ReadBack back = read_bytes(written(events));
  EXPECT_EQ(back.error, "");
  EXPECT_TRUE(back.events == events);
  EXPECT_TRUE(back.context == context_);
  EXPECT_THAT(back.damage, IsEmpty());
  EXPECT_FALSE(back.ended_early);
}

TEST_F(TraceTest, EveryKindOfProcessComesBackAndALaterOneIsUnknown) {
  constexpr auto kLast = static_cast<int>(ProcessKind::address_space);
  context_.processes.clear();
  for (int kind = 0; kind <= kLast + 1; ++kind) {
    context_.processes.emplace_back().kind = static_cast<ProcessKind>(kind);
    context_.processes.back().comm = std::to_string(kind);
  }
  ReadBack back = read_bytes(written(pci_scan(1)));
  ASSERT_THAT(back.context.processes, SizeIs(kLast + 2));
  for (int kind = 0; kind <= kLast; ++kind)
    EXPECT_EQ(back.context.processes[kind].kind, static_cast<ProcessKind>(kind));
  EXPECT_EQ(back.context.processes.back().kind, ProcessKind::unknown);
  EXPECT_EQ(name_of(ProcessKind::address_space), "address space");
}

TEST_F(TraceTest, AnyBitsOfEveryFieldComeBack) {
  std::vector<Event> events = any_bits(70'000);
  ReadBack back = read_bytes(written(events));
  EXPECT_EQ(back.error, "");
  EXPECT_TRUE(back.events == events);
}

TEST_F(TraceTest, AnEmptyRecordingIsAGoodFile) {
  ReadBack back = read_bytes(written({}));
  EXPECT_EQ(back.error, "");
  EXPECT_THAT(back.events, IsEmpty());
  EXPECT_FALSE(back.ended_early);
  EXPECT_EQ(back.context.info, context_.info);
}

TEST_F(TraceTest, OneEventComesBack) {
  std::vector<Event> events = pci_scan(1);
  EXPECT_TRUE(read_bytes(written(events)).events == events);
}

TEST_F(TraceTest, ABlockMoreThanFullComesBack) {
  for (std::size_t count : {65535, 65536, 65537}) {
    std::vector<Event> events = pci_scan(count);
    EXPECT_TRUE(read_bytes(written(events, 100'000)).events == events) << count;
  }
}

TEST_F(TraceTest, TimesMayStepBackwards) {
  std::vector<Event> events = pci_scan(6);
  const std::uint64_t times[] = {5, ~std::uint64_t{0}, 0, std::uint64_t{1} << 63, 7, 7};
  for (std::size_t i = 0; i < events.size(); ++i) events[i].time = times[i];
  EXPECT_TRUE(read_bytes(written(events)).events == events);
}

TEST_F(TraceTest, AWalkThroughMemoryComesBack) {
  std::vector<Event> events = pci_scan(5000);
  for (std::size_t i = 0; i < events.size(); i += 2) {
    events[i].kind = EventKind::mmio;
    events[i].address = 0xb8000 + (i * 7919 % 3000) * 2;
  }
  EXPECT_TRUE(read_bytes(written(events)).events == events);
}

TEST_F(TraceTest, TimesAreKeptInTheResolutionAskedFor) {
  options_.time_resolution_ns = 1000;
  std::vector<Event> events = pci_scan(5000);
  ReadBack back = read_bytes(written(events));
  for (Event& event : events) event.time -= event.time % 1000;
  EXPECT_TRUE(back.events == events);
  EXPECT_EQ(back.context.info.time_resolution_ns, 1000U);
}

TEST_F(TraceTest, TablesThatGrowComeWithTheEventsThatUseThem) {
  std::vector<Event> events = pci_scan(200);
  Context all = context_;
  context_.processes.resize(1);
  auto writer = TraceWriter::create(path("grow.iovm"), context_.info);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->write(context_, std::span(events).first(50)));
  ASSERT_TRUE((*writer)->write(all, std::span(events).subspan(50)));
  ASSERT_TRUE((*writer)->finish());
  ReadBack back = read(path("grow.iovm"));
  EXPECT_TRUE(back.events == events);
  EXPECT_TRUE(back.context == all);
}

TEST_F(TraceTest, AProcessTableOfManyBlocksComesBack) {
  for (int i = 0; i < 60'000; ++i) {
    GuestProcess process = context_.processes[0];
    process.pid = i;
    context_.processes.push_back(process);
  }
  ReadBack back = read_bytes(written(pci_scan(10)));
  EXPECT_TRUE(back.context == context_);
}

TEST_F(TraceTest, ARecordingGoesThroughAPipe) {
  std::vector<Event> events = pci_scan(150'000);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  std::thread writing([&] {
    auto writer = TraceWriter::create("/dev/fd/" + std::to_string(to.get()), context_.info);
    ASSERT_TRUE(writer);
    to.reset();
    ASSERT_TRUE((*writer)->write(context_, events));
    ASSERT_TRUE((*writer)->finish());
  });
  ReadBack back = read("/dev/fd/" + std::to_string(from.get()));
  writing.join();
  EXPECT_EQ(back.error, "");
  EXPECT_TRUE(back.events == events);
  EXPECT_FALSE(back.ended_early);
}

TEST_F(TraceTest, OldEventsAreInTheFileAfterATick) {
  options_.flush_after = std::chrono::nanoseconds(0);
  auto writer = TraceWriter::create(path("live.iovm"), context_.info, options_);
  ASSERT_TRUE(writer);
  std::vector<Event> events = pci_scan(3);
  ASSERT_TRUE((*writer)->write(context_, events));
  ASSERT_TRUE((*writer)->tick());
  ReadBack back = read(path("live.iovm"));
  EXPECT_TRUE(back.events == events);
  EXPECT_TRUE(back.ended_early);
  EXPECT_THAT(back.damage, IsEmpty());
}

TEST_F(TraceTest, SummaryAndStatsTellWhatWasWritten) {
  std::vector<Event> events = pci_scan(100);
  events[50] = make_loss(events[50].time, 0, std::nullopt, {LossCause::ring, 12});
  events[60] = make_loss(events[60].time, 0, 1, {LossCause::source, 0});
  std::string bytes = written(events, 10, true);
  for (bool verify : {false, true}) {
    auto summary = summarize(path("out.iovm"), verify);
    ASSERT_TRUE(summary) << summary.error().message();
    EXPECT_EQ(summary->events, 98U);
    EXPECT_EQ(summary->lost.ring, 12U);
    EXPECT_EQ(summary->lost.source, 1U);
    EXPECT_EQ(summary->lost.damaged, 0U);
    EXPECT_EQ(summary->first_time, events.front().time);
    EXPECT_EQ(summary->last_time, events.back().time);
    EXPECT_EQ(summary->bytes, bytes.size());
    EXPECT_GE(summary->blocks, 11U);
    EXPECT_TRUE(summary->indexed);
    EXPECT_THAT(summary->damage, IsEmpty());
  }
  EXPECT_EQ(stats_.events, 98U);
  EXPECT_EQ(stats_.lost.all(), 13U);
  EXPECT_EQ(stats_.bytes, bytes.size());
  EXPECT_EQ(stats_.last_time, events.back().time);
}

TEST_F(TraceTest, ASpanOfTimeIsWhatIsGiven) {
  std::vector<Event> events = pci_scan(2000);
  std::string bytes = written(events, 100, true);
  std::string without_index = bytes.substr(0, bytes.size() - 100);
  const std::uint64_t from = events[555].time;
  const std::uint64_t to = events[1234].time;
  std::vector<Event> wanted(events.begin() + 555, events.begin() + 1234);
  EXPECT_TRUE(read_bytes(bytes, {from, to}).events == wanted);
  EXPECT_TRUE(read_bytes(without_index, {from, to}).events == wanted);
  EXPECT_TRUE(read_bytes(bytes, {from, to}).context == context_);
  EXPECT_THAT(read_bytes(bytes, {to, from}).events, IsEmpty());
  EXPECT_THAT(read_bytes(bytes, {events.back().time + 1, ~std::uint64_t{0}}).events, IsEmpty());
}

TEST_F(TraceTest, NotesAddedLaterAreKept) {
  auto writer = TraceWriter::create(path("notes.iovm"), context_.info);
  ASSERT_TRUE(writer);
  context_.info.notes.emplace_back("guest", "down");
  ASSERT_TRUE((*writer)->write(context_, {}));
  ASSERT_TRUE((*writer)->finish());
  EXPECT_TRUE(read(path("notes.iovm")).context == context_);
}

}  // namespace
}  // namespace iovm::trace
