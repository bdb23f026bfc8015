// SPDX-License-Identifier: Apache-2.0
#include "analyze/events_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/format.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;
using trace::Event;
using trace::EventKind;
using trace::Field;

constexpr std::string_view kColumns12 =
    "# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count\n";
constexpr std::string_view kColumns9 = "# columns: t_ns vcpu pid comm kind dir addr size value\n";

// A text read whole: its events, its context, and the error it ended with, if any.
struct Parsed {
  std::vector<Event> events;
  trace::Context context;
  std::string error;
  Fault fault = Fault::bug;
};

Parsed parse(std::string text) {
  Parsed parsed;
  auto stop = [&parsed](const Error& error) {
    parsed.error = error.message();
    parsed.fault = error.fault();
    return parsed;
  };
  auto source = EventsTextSource::from_text(std::move(text));
  if (!source) return stop(source.error());
  for (;;) {
    auto batch = (*source)->next();
    parsed.context = (*source)->context();
    if (!batch) return stop(batch.error());
    if (batch->empty()) return parsed;
    parsed.events.insert(parsed.events.end(), batch->begin(), batch->end());
  }
}

std::string render(const Parsed& parsed) {
  std::string out;
  EventsTextRenderer renderer;
  renderer.append(parsed.context, parsed.events, out);
  return out;
}

// Reads a text without an error and writes it again.
std::string round_trip(const std::string& text) {
  Parsed parsed = parse(text);
  EXPECT_EQ(parsed.error, "");
  return render(parsed);
}

// The error of one line below the twelve columns.
std::string error_of(const std::string& line) {
  Parsed parsed = parse(std::string(kColumns12) + line + "\n");
  EXPECT_EQ(parsed.fault, Fault::input) << line;
  return parsed.error;
}

trace::VmInfo vm_named(const std::string& name) {
  trace::VmInfo vm;
  vm.name = name;
  return vm;
}

TEST(EventsText, AnEventHasWhatItsLineSays) {
  Parsed parsed = parse(std::string(kColumns12) +
                        "1200345 3 153 dd pio w 0x1f7 1 0xc8 0xf736000 0xffffffffbc54469e 1\n");
  ASSERT_EQ(parsed.events.size(), 1U);
  const Event& event = parsed.events[0];
  EXPECT_EQ(event.time, 1200345U);
  EXPECT_EQ(event.vcpu, 3U);
  EXPECT_EQ(event.kind, EventKind::pio);
  EXPECT_EQ(event.direction, trace::Direction::write);
  EXPECT_EQ(event.address, 0x1f7U);
  EXPECT_EQ(event.size, 1U);
  EXPECT_EQ(event.value, 0xc8U);
  EXPECT_EQ(event.cr3, 0xf736000U);
  EXPECT_EQ(event.rip, 0xffffffffbc54469eU);
  EXPECT_EQ(event.count, 1U);
  ASSERT_TRUE(event.knows_process());
  EXPECT_EQ(parsed.context.processes.at(event.process).pid, 153);
  EXPECT_EQ(parsed.context.processes.at(event.process).comm, "dd");
}

TEST(EventsText, ADashIsAbsentAndNotZero) {
  Parsed parsed = parse(std::string(kColumns12) + "5 - -1 - fast w 0xfe003000 - - - - -\n");
  ASSERT_EQ(parsed.events.size(), 1U);
  EXPECT_EQ(parsed.events[0].present, 0U);
  EXPECT_FALSE(parsed.events[0].knows_process());
}

TEST(EventsText, ColumnsThatAFileDoesNotHaveAreAbsent) {
  Parsed parsed = parse(std::string(kColumns9) + "5 0 -1 - pio w 0x60 1 0x0\n");
  ASSERT_EQ(parsed.events.size(), 1U);
  EXPECT_FALSE(parsed.events[0].has(Field::cr3));
  EXPECT_FALSE(parsed.events[0].has(Field::rip));
  EXPECT_FALSE(parsed.events[0].has(Field::count));
  EXPECT_TRUE(parsed.events[0].has(Field::value));
}

TEST(EventsText, WithoutAColumnsLineThereAreNine) {
  EXPECT_EQ(parse("5 0 -1 - pio w 0x60 1 0x0\n").events.size(), 1U);
  EXPECT_THAT(parse("5 0 -1 - pio w 0x60 1 0x0 0x1\n").error, HasSubstr("10 fields, expected 9"));
}

TEST(EventsText, CanonicalTextComesOutByteForByte) {
  std::string text =
      "# name: a01\n# rc=124 args=-M pc wl=b:bg mon=\n# guest: REPLAY begin pid=266\n";
  text += kColumns12;
  text +=
      "18446744073709551615 65535 153 dd pio w 0x1f7 1 0xc8 0xf736000 0xffffffffbc54469e 1\n"
      "1 0 -1 - pio r 0xffff 4 0xffffffff 0x0 0xec16 4294967295\n"
      "2 - -1 - fast w 0xffffffffffffffff - - - - -\n"
      "2 1 9223372036854775807 kworker/0:1 mmio r 0x0 8 0xffffffffffffffff - - -\n"
      "3 1 7 %2d mmio w 0xa0000 2 - - - -\n"
      "3 1 7 a%20b%25%1b mmio w 0xa0000 2 - - - -\n"
      "3 1 8 - mmio w 0xa0000 2 - - - -\n"
      "3 1 -1 swapper mmio w 0xa0000 2 - - - -\n"
      "4 1 -1 - loss - 0x0 - 0x11 - - -\n"
      "4 - -1 - loss - 0x2 - 0x0 - - -\n";
  EXPECT_EQ(round_trip(text), text);
}

TEST(EventsText, OptionalColumnsComeInAnyOrder) {
  std::string text =
      "# columns: t_ns vcpu pid comm kind dir addr size value cpl rip\n"
      "5 0 -1 - pio w 0x60 1 0x0 3 0x401000\n";
  EXPECT_EQ(round_trip(text), text);
}

TEST(EventsText, AColumnOfAnotherNameIsSkipped) {
  Parsed parsed = parse(
      "# columns: t_ns vcpu pid comm kind dir addr size value weather cr3\n"
      "5 0 -1 - pio w 0x60 1 0x0 sunny 0x1000\n");
  ASSERT_EQ(parsed.events.size(), 1U);
  EXPECT_EQ(parsed.events[0].cr3, 0x1000U);
}

TEST(EventsText, VmsKeepTheirNamesAndEvents) {
  std::string text =
      "# vm: 0 web%201 0b7c\n# vm: 1 db-1 -\n"
      "# columns: t_ns vcpu pid comm kind dir addr size value vm\n"
      "5 0 1 init pio w 0x60 1 0x0 0\n"
      "6 0 1 init pio w 0x60 1 0x0 1\n"
      "7 - -1 - loss - 0x1 - 0x1 *\n";
  Parsed parsed = parse(text);
  EXPECT_EQ(render(parsed), text);
  ASSERT_EQ(parsed.context.vms.size(), 2U);
  EXPECT_EQ(parsed.context.vms[0].name, "web 1");
  EXPECT_EQ(parsed.context.vms[0].uuid, "0b7c");
  EXPECT_EQ(parsed.events[1].vm, 1U);
  EXPECT_EQ(parsed.events[2].vm, trace::kAllVms);
  EXPECT_NE(parsed.events[0].process, parsed.events[1].process);
}

TEST(EventsText, LayoutsComeOutByteForByte) {
  std::string text =
      "# pci: 0 QMP 00:03.0 8086:100e 0200 - 0:mem:0xfeb80000:0x20000 1:io:0xc000:0x40\n"
      "# pci: 0 QMP 00:1c.0 1b36:000c 0604 01-02 6:mem:0x0:0x800\n"
      "# vm: 0 - -\n"
      "# pci: 1 a%20b ff:1f.7 ffff:0000 0000 - 4:mem64:0xffffffffffffffff:0x0\n"
      "# vm: 1 db -\n"
      "# columns: t_ns vcpu pid comm kind dir addr size value vm\n"
      "1 0 -1 - pio w 0x80 1 0x1 1\n";
  EXPECT_EQ(round_trip(text), text);
}

TEST(EventsText, ALayoutOfEveryKindOfWrong) {
  for (std::string words :
       {"", "0", "0 QMP", "4096 QMP 00:03.0 8086:100e 0200 -", "0 - 00:03.0 8086:100e 0200",
        "0 QMP 0:03.0 8086:100e 0200 -", "0 QMP 00:20.0 8086:100e 0200 -",
        "0 QMP 00:03.8 8086:100e 0200 -", "0 QMP 00:03.0 8086-100e 0200 -",
        "0 QMP 00:03.0 8086:100e 200 -", "0 QMP 00:03.0 8086:100e 0200 01",
        "0 QMP 00:03.0 8086:100e 0200 01-0203", "0 QMP 00:03.0 8086:100e 0200 - 0:rom:0x0:0x1",
        "0 QMP 00:03.0 8086:100e 0200 - 256:mem:0x0:0x1",
        "0 QMP 00:03.0 8086:100e 0200 - 0:mem:0x0", "0 QMP 00:03.0 8086:100e 0200 - 0:mem:0x0:-1",
        "0 QMP 00:03.0 8086:100e 0200 -  ", "0 QMP 00:03.0 8086:100e 0200 - a b c d e f g h",
        "0 %zz 00:03.0 8086:100e 0200 -"}) {
    EXPECT_THAT(parse("# pci: " + words + "\n").error, HasSubstr("line 1: pci: expected")) << words;
  }
  EXPECT_THAT(parse("1 0 -1 - pio w 0x80 1 0x1\n# pci: 0 QMP 00:03.0 8086:100e 0200 -\n").error,
              HasSubstr("line 2: pci: a layout stands before the first event"));
  std::string many;
  for (int i = 0; i < 1025; ++i) many += "# pci: 0 QMP 00:03.0 8086:100e 0200 -\n";
  EXPECT_THAT(parse(many).error, HasSubstr("line 1025: pci: more than 1024"));
}

TEST(EventsText, AVmThatAppearsLaterGetsItsColumnThen) {
  trace::Context context;
  context.vms = {vm_named("one")};
  EventsTextRenderer renderer;
  std::string out;
  renderer.append(context, std::vector<Event>(1), out);
  context.vms.push_back(vm_named("two"));
  std::vector<Event> second(1);
  second[0].vm = 1;
  renderer.append(context, second, out);
  Parsed parsed = parse(out);
  EXPECT_EQ(parsed.error, "");
  ASSERT_EQ(parsed.context.vms.size(), 2U);
  EXPECT_EQ(parsed.context.vms[1].name, "two");
  ASSERT_EQ(parsed.events.size(), 2U);
  EXPECT_EQ(parsed.events[1].vm, 1U);
}

TEST(EventsText, TheFirstVmIsNamedByTheNameHeader) {
  Parsed parsed = parse("# name: a01\n5 0 -1 - pio w 0x60 1 0x0\n");
  EXPECT_EQ(parsed.context.vms.at(0).name, "a01");
}

TEST(EventsText, OneProcessWrittenInTwoWaysIsOne) {
  Parsed parsed = parse("5 0 7 a pio w 0x60 1 0x0\n6 0 7 %61 pio w 0x60 1 0x0\n");
  ASSERT_EQ(parsed.events.size(), 2U);
  EXPECT_EQ(parsed.events[0].process, parsed.events[1].process);
  EXPECT_EQ(parsed.context.processes.size(), 1U);
}

TEST(EventsText, OnePidWithTwoNamesIsTwoProcesses) {
  Parsed parsed = parse("5 0 7 sh pio w 0x60 1 0x0\n6 0 7 dd pio w 0x60 1 0x0\n");
  EXPECT_EQ(parsed.context.processes.size(), 2U);
}

TEST(EventsText, ALossHasCauseCountAndPlace) {
  Parsed parsed = parse("5 2 -1 - loss - 0x2 - 0x2a\n6 - -1 - loss r - - -\n");
  ASSERT_EQ(parsed.events.size(), 2U);
  EXPECT_EQ(parsed.events[0],
            trace::make_loss(5, 0, std::uint16_t{2}, {trace::LossCause::damaged, 42}));
  EXPECT_EQ(parsed.events[1], trace::make_loss(6, 0, {}, {trace::LossCause::source, 0}));
}

TEST(EventsText, BlanksTabsAndCarriageReturnsAreNoMatter) {
  Parsed parsed = parse("\r\n \n  5\t0  -1 - pio w 0x60 1 0x0 \r\n6 0 -1 - pio w 0x60 1 0x0");
  EXPECT_EQ(parsed.error, "");
  EXPECT_EQ(parsed.events.size(), 2U);
}

TEST(EventsText, AnErrorNamesLineColumnAndWhatWasExpected) {
  EXPECT_EQ(error_of("5 0 -1 - pio x 0x60 1 0x0 - - -"),
            "text: line 2: dir: expected r or w (- for a loss), found \"x\"");
}

TEST(EventsText, EveryColumnRefusesWhatItIsNot) {
  EXPECT_THAT(error_of("x 0 -1 - pio w 0x60 1 0x0 - - -"), HasSubstr("t_ns"));
  EXPECT_THAT(error_of("-5 0 -1 - pio w 0x60 1 0x0 - - -"), HasSubstr("t_ns"));
  EXPECT_THAT(error_of("- 0 -1 - pio w 0x60 1 0x0 - - -"), HasSubstr("t_ns"));
  EXPECT_THAT(error_of("18446744073709551616 0 -1 - pio w 0x60 1 0x0 - - -"), HasSubstr("t_ns"));
  EXPECT_THAT(error_of("5 65536 -1 - pio w 0x60 1 0x0 - - -"), HasSubstr("vcpu"));
  EXPECT_THAT(error_of("5 0 -2 - pio w 0x60 1 0x0 - - -"), HasSubstr("pid"));
  EXPECT_THAT(error_of("5 0 1 a%2 pio w 0x60 1 0x0 - - -"), HasSubstr("comm"));
  EXPECT_THAT(error_of("5 0 -1 - PIO w 0x60 1 0x0 - - -"), HasSubstr("kind"));
  EXPECT_THAT(error_of("5 0 -1 - pio - 0x60 1 0x0 - - -"), HasSubstr("dir"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 60 1 0x0 - - -"), HasSubstr("addr"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x10000 1 0x0 - - -"), HasSubstr("addr"));
  EXPECT_THAT(error_of("5 0 -1 - mmio w 0x11112222333344445 1 0x0 - - -"), HasSubstr("addr"));
  EXPECT_THAT(error_of("5 0 -1 - mmio w - 1 0x0 - - -"), HasSubstr("addr"));
  EXPECT_THAT(error_of("5 0 -1 - loss - 0x3 - 0x0 - - -"), HasSubstr("addr"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 9 0x0 - - -"), HasSubstr("size"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 0 0x0 - - -"), HasSubstr("size"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 1 0xg - - -"), HasSubstr("value"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 1 0x - - -"), HasSubstr("value"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 1 0x0 1 - -"), HasSubstr("cr3"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 1 0x0 - 1 -"), HasSubstr("rip"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 1 0x0 - - 4294967296"), HasSubstr("count"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 1 0x0 - -"), HasSubstr("11 fields, expected 12"));
  EXPECT_THAT(error_of("5 0 -1 - pio w 0x60 1 0x0 - - 1 1"), HasSubstr("13 fields, expected 12"));
}

TEST(EventsText, AVmOfEveryKindOfWrong) {
  std::string columns = "# columns: t_ns vcpu pid comm kind dir addr size value vm\n";
  EXPECT_THAT(parse(columns + "5 0 -1 - pio w 0x60 1 0x0 4096\n").error, HasSubstr("vm"));
  EXPECT_THAT(parse(columns + "5 0 -1 - pio w 0x60 1 0x0 *\n").error, HasSubstr("vm"));
  EXPECT_THAT(parse("# vm: x\n").error, HasSubstr("line 1: vm"));
  EXPECT_THAT(parse("# vm: 0 a b c\n").error, HasSubstr("line 1: vm"));
}

TEST(EventsText, ColumnsOfEveryKindOfWrong) {
  EXPECT_THAT(parse("# columns: t_ns vcpu\n").error, HasSubstr("line 1: columns"));
  EXPECT_THAT(parse("# columns: t_ns vcpu pid comm kind dir addr size value cr3 cr3\n").error,
              HasSubstr("twice"));
}

TEST(EventsText, EventsBeforeAWrongLineAreHandedOut) {
  Parsed parsed = parse("5 0 -1 - pio w 0x60 1 0x0\n6 0 -1 - pio w 0x60 1 0x0\noops\n");
  EXPECT_EQ(parsed.events.size(), 2U);
  EXPECT_THAT(parsed.error, HasSubstr("line 3"));
}

TEST(EventsText, WhatALineHoldsIsEscapedInItsError) {
  EXPECT_THAT(error_of("\x1b[31m"), HasSubstr("\\x1b[31m"));
}

TEST(EventsText, AnEmptyFileIsAnErrorAndAHeaderAloneIsNot) {
  EXPECT_THAT(parse("").error, HasSubstr("empty"));
  EXPECT_EQ(parse(std::string(kColumns9)).error, "");
}

TEST(EventsText, APackedFileIsNamedWithTheWayToUnpackIt) {
  EXPECT_THAT(parse("\x28\xb5\x2f\xfd rest").error,
              HasSubstr("zstd -dc FILE | iovm import - --from"));
}

TEST(EventsText, ALineWithoutEndIsAnError) {
  EXPECT_THAT(parse(std::string((1U << 20) + 2, 'x')).error, HasSubstr("longer than"));
}

TEST(EventsText, NoNoteOfATraceCanForgeALine) {
  trace::Context context;
  context.info.notes = {{"a\nb", "x\n5 0 -1 - pio w 0x60 1 0x0"}, {"vm", "9 forged -"}};
  context.vms = {vm_named("b\n# vm: 1 c -")};
  std::string out;
  EventsTextRenderer().append(context, {}, out);
  Parsed parsed = parse(out);
  EXPECT_EQ(parsed.error, "");
  EXPECT_TRUE(parsed.events.empty());
  EXPECT_EQ(parsed.context.vms.size(), 1U);
}

// Encoded, the tab would make a name of what is none.
TEST(EventsText, ATabInAHeaderLineComesOutAsItIs) {
  std::string text = "# 9\t: \n# columns: t_ns vcpu pid comm kind dir addr size value\n";
  EXPECT_EQ(round_trip(text), text);
}

TEST(EventsText, WhatATraceKnowsOfItselfStandsInItsHeader) {
  trace::Context context;
  context.info.source = "bpf";
  context.info.host = "h1";
  context.info.kernel = "6.1.0";
  context.info.utc_offset_ns = -5;
  std::string out;
  EventsTextRenderer().append(context, {}, out);
  Parsed parsed = parse(out);
  EXPECT_EQ(parsed.context.info.host, "h1");
  EXPECT_EQ(parsed.context.info.kernel, "6.1.0");
  EXPECT_EQ(parsed.context.info.utc_offset_ns, -5);
  EXPECT_EQ(parsed.context.info.source, "events");
  EXPECT_EQ(render(parsed), out);
}

// The recordings of real guests, where they are at hand.
TEST(EventsText, RecordingsOfRealGuestsComeOutByteForByte) {
  namespace fs = std::filesystem;
  fs::path folder = fs::path(IOVM_SOURCE_DIR) / "../shared/data/io";
  if (!fs::exists(folder)) GTEST_SKIP() << "no recordings at " << folder;
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".zst" || entry.file_size() > 400'000) continue;
    std::string command = format("zstd -dc '{}'", entry.path().string());
    FILE* pipe = popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string text;
    char piece[65536];
    while (std::size_t got = std::fread(piece, 1, sizeof piece, pipe)) text.append(piece, got);
    ASSERT_EQ(pclose(pipe), 0) << command;
    EXPECT_TRUE(round_trip(text) == text) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 10);
}

}  // namespace
}  // namespace iovm::analyze
