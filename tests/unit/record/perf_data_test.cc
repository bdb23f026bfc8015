// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "base/format.h"
#include "perf_data_builder.h"

namespace iovm::record {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// An open file of those bytes; as a pipe if it shall not be seekable (then at most 64 KiB).
UniqueFd open_bytes(const std::string& bytes, bool as_pipe = false) {
  if (as_pipe) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    UniqueFd in(ends[1]);
    EXPECT_TRUE(write_full(in.get(), std::as_bytes(std::span(bytes))));
    return UniqueFd(ends[0]);
  }
  UniqueFd fd(::memfd_create("perf.data", MFD_CLOEXEC));
  EXPECT_TRUE(write_full(fd.get(), std::as_bytes(std::span(bytes))));
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

// "vm/vcpu time kind direction address=value", one an event.
std::string text_of(const trace::Event& e) {
  if (e.kind == trace::EventKind::loss) {
    trace::Loss loss = trace::loss_of(e);
    return format("loss@{} {} {}", e.time, name_of(loss.cause), loss.count);
  }
  std::string vcpu = e.has(trace::Field::vcpu) ? std::to_string(e.vcpu) : "-";
  return format("{}/{} {} {} {} {:x}={:x}", e.vm, vcpu, e.time, name_of(e.kind),
                e.direction == trace::Direction::write ? "w" : "r", e.address, e.value);
}

class PerfDataTest : public testing::Test {
 protected:
  std::vector<std::string> read(const std::string& bytes, bool as_pipe = false) {
    events_.clear();
    auto source = PerfDataSource::open(open_bytes(bytes, as_pipe));
    if (!source) return {"error: " + source.error().message()};
    std::vector<std::string> lines;
    for (;;) {
      auto batch = (*source)->next();
      if (!batch) {
        lines.push_back("error: " + batch.error().message());
        break;
      }
      if (batch->empty()) break;
      for (const trace::Event& e : *batch) {
        events_.push_back(e);
        lines.push_back(text_of(e));
      }
    }
    context_ = (*source)->context();
    return lines;
  }
  std::vector<std::string> read() { return read(build_.file()); }
  std::string note(const std::string& name) const {
    for (const auto& [key, value] : context_.info.notes) {
      if (key == name) return value;
    }
    return "";
  }

  PerfDataBuilder build_;
  trace::Context context_;
  std::vector<trace::Event> events_;
};

TEST_F(PerfDataTest, SamplesBecomeEventsWithTheirTimesAndValues) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(0x3f5, 0x8e)) +
                   build_.sample(50, 51, 2000, build_.pio(0x61, 0x20, false));
  EXPECT_THAT(read(), ElementsAre("0/0 1000 pio w 3f5=8e", "0/0 2000 pio r 61=20"));
  EXPECT_EQ(context_.info.source, "perf.data");
}

TEST_F(PerfDataTest, EveryCombinationOfSampleFieldsIsUnderstood) {
  // IP ADDR READ CALLCHAIN ID CPU PERIOD STREAM_ID IDENTIFIER, in all 512 combinations.
  constexpr std::array kBits = {0, 3, 4, 5, 6, 7, 8, 9, 16};
  for (unsigned set = 0; set < 1U << kBits.size(); ++set) {
    PerfDataBuilder build;
    for (std::size_t i = 0; i < kBits.size(); ++i) {
      if ((set >> i & 1) != 0) build.sample_type |= std::uint64_t{1} << kBits[i];
    }
    build.ids = {{77}};
    build.records = build.comm(50, 51, "CPU 3/KVM") + build.lost(4, 900) +
                    build.sample(50, 51, 1000, build.pio(0x3f5, 0x8e), 77);
    EXPECT_THAT(read(build.file()), ElementsAre("loss@900 ring 4", "0/3 1000 pio w 3f5=8e"))
        << "sample_type " << build.sample_type;
  }
}

TEST_F(PerfDataTest, EveryReadFormatIsSteppedOver) {
  for (std::uint64_t read_format = 0; read_format < 32; ++read_format) {
    PerfDataBuilder build;
    build.sample_type |= 1 << 4;
    build.read_format = read_format;
    build.records = build.sample(50, 51, 1000, build.pio(0x3f5, 0x8e));
    EXPECT_THAT(read(build.file()), ElementsAre("0/0 1000 pio w 3f5=8e")) << read_format;
  }
}

TEST_F(PerfDataTest, EventsOfSeveralAttributesAreToldApartByTheirIds) {
  build_.sample_type |= 1 << 6;
  build_.configs = {PerfDataBuilder::kPio, PerfDataBuilder::kMmio, 999};
  build_.ids = {{1, 2}, {3, 4}, {5}};
  build_.records = build_.sample(50, 51, 1000, build_.pio(1, 1), 2) +
                   build_.sample(50, 51, 2000, build_.mmio(2, 0xfee00000, 5), 3) +
                   build_.sample(50, 51, 3000, build_.pio(9, 9), 5);  // another event's payload
  EXPECT_THAT(read(), ElementsAre("0/0 1000 pio w 1=1", "0/0 2000 mmio w fee00000=5"));
}

TEST_F(PerfDataTest, AReadThatUserSpaceCompletesIsOneEvent) {
  build_.configs = {PerfDataBuilder::kMmio};
  build_.records = build_.sample(50, 51, 1000, build_.mmio(0, 0xfec00000, 0)) +
                   build_.sample(50, 52, 1500, build_.mmio(2, 0xfee00000, 1)) +
                   build_.sample(50, 51, 2000, build_.mmio(1, 0xfec00000, 7));
  EXPECT_THAT(read(), ElementsAre("0/0 1000 mmio r fec00000=7", "0/1 1500 mmio w fee00000=1"));
}

TEST_F(PerfDataTest, APipeGivesWhatTheFileGives) {
  build_.records = build_.comm(50, 50, "qemu") + build_.comm(50, 51, "CPU 1/KVM") +
                   build_.sample(50, 51, 1000, build_.pio(1, 1)) + build_.round() +
                   build_.sample(50, 51, 900, build_.pio(2, 2));
  auto from_file = read();
  EXPECT_EQ(read(build_.pipe()), from_file);
  EXPECT_EQ(read(build_.pipe(), true), from_file);
  EXPECT_THAT(from_file, ElementsAre("0/1 900 pio w 2=2", "0/1 1000 pio w 1=1"));
}

TEST_F(PerfDataTest, RingsOfSeveralCpusAreMergedByTime) {
  for (std::uint64_t round = 0; round < 50; ++round) {
    for (std::uint64_t cpu = 0; cpu < 4; ++cpu) {
      for (std::uint64_t i = 0; i < 10; ++i) {
        std::uint64_t time = 10000 * round + 40 * i + 7 * cpu;
        build_.records +=
            build_.sample(50, 51, time, build_.pio(static_cast<std::uint32_t>(cpu), 0));
      }
    }
    build_.records += build_.round();
  }
  read();
  ASSERT_EQ(events_.size(), 2000u);
  EXPECT_TRUE(std::is_sorted(events_.begin(), events_.end(),
                             [](const auto& a, const auto& b) { return a.time < b.time; }));
}

TEST_F(PerfDataTest, ProcessesAreVmsAndTheirCommsName) {
  build_.records = build_.comm(50, 50, "qemu-system-x86") + build_.comm(50, 51, "CPU 0/KVM") +
                   build_.comm(60, 60, "firecracker") + build_.comm(60, 62, "fc_vcpu 1") +
                   build_.sample(60, 62, 1000, build_.pio(1, 1)) +
                   build_.sample(50, 51, 2000, build_.pio(2, 2)) +
                   build_.sample(60, 63, 3000, build_.pio(3, 3));
  EXPECT_THAT(read(),
              ElementsAre("0/1 1000 pio w 1=1", "1/0 2000 pio w 2=2", "0/- 3000 pio w 3=3"));
  ASSERT_EQ(context_.vms.size(), 2u);
  EXPECT_EQ(context_.vms[0], (trace::VmInfo{"firecracker", "", "firecracker", 60, 2, 0}));
  EXPECT_EQ(context_.vms[1], (trace::VmInfo{"qemu-system-x86", "", "qemu", 50, 1, 0}));
}

TEST_F(PerfDataTest, ThreadsWithoutANumberAreVcpusByAscendingTid) {
  build_.records = build_.sample(50, 57, 1000, build_.pio(1, 1)) +
                   build_.sample(50, 53, 2000, build_.pio(2, 2)) +
                   build_.sample(50, 57, 3000, build_.pio(3, 3));
  EXPECT_THAT(read(),
              ElementsAre("0/1 1000 pio w 1=1", "0/0 2000 pio w 2=2", "0/1 3000 pio w 3=3"));
  EXPECT_EQ(note("vcpu numbers"), "by the order of thread ids");
}

TEST_F(PerfDataTest, LossesStandInTheirPlace) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(1, 1)) + build_.lost(17, 1500) +
                   build_.sample(50, 51, 2000, build_.pio(2, 2));
  EXPECT_THAT(read(), ElementsAre("0/0 1000 pio w 1=1", "loss@1500 ring 17", "0/0 2000 pio w 2=2"));
  EXPECT_EQ(events_[1].vm, trace::kAllVms);
}

TEST_F(PerfDataTest, TheFinalCountersAddOnlyWhatNoLossHasTold) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(1, 1)) + build_.lost(17, 1500) +
                   build_.lost_samples(12) + build_.lost_samples(8) +
                   build_.lost_samples(99, 1 << 15);
  EXPECT_THAT(read(), ElementsAre("0/0 1000 pio w 1=1", "loss@1500 ring 17", "loss@1500 ring 3"));
}

TEST_F(PerfDataTest, ASampleThatCannotBeDecodedIsALoss) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(0x12345, 1)) +
                   build_.sample(50, 51, 2000, build_.pio(1, 1).substr(0, 12)) +
                   build_.sample(50, 51, 3000, "") + build_.record(9, "short");
  auto lines = read();
  EXPECT_EQ(lines.size(), 4u);
  for (const std::string& line : lines) EXPECT_THAT(line, HasSubstr("source 1"));
}

TEST_F(PerfDataTest, AFileWithoutKvmTracepointsSaysHowToRecordThem) {
  build_.with_formats = false;
  EXPECT_THAT(read(), ElementsAre(HasSubstr("perf record -e kvm:kvm_pio")));
  EXPECT_THAT(read(build_.pipe()), ElementsAre(HasSubstr("perf record -e kvm:kvm_pio")));
}

TEST_F(PerfDataTest, AKilledPerfIsNamedAsTheReason) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(1, 1));
  build_.with_formats = false;
  std::string bytes = build_.file();
  bytes.replace(48, 8, std::string(8, '\0'));  // the data's size, which perf writes last
  EXPECT_THAT(read(bytes), ElementsAre(HasSubstr("perf record was killed")));
}

TEST_F(PerfDataTest, ForeignBytesAreRefused) {
  EXPECT_THAT(read(""), ElementsAre(HasSubstr("an empty file")));
  EXPECT_THAT(read("PERFILE2"), ElementsAre(HasSubstr("too short")));
  EXPECT_THAT(read("this is some text, not a recording"),
              ElementsAre(HasSubstr("not a perf.data")));
  EXPECT_THAT(read("2ELIFREP" + std::string(200, '\0')), ElementsAre(HasSubstr("big-endian")));
  EXPECT_THAT(read("PERFILE2" + std::string(200, '\0')),
              ElementsAre(HasSubstr("event attributes")));
  EXPECT_THAT(read("PERFILE2" + std::string(200, '\xff')),
              ElementsAre(HasSubstr("event attributes")));
}

TEST_F(PerfDataTest, AFileFormInAPipeIsRefusedWithWhatToDo) {
  EXPECT_THAT(read(build_.file(), true), ElementsAre(HasSubstr("perf record -o -")));
}

TEST_F(PerfDataTest, ARecordOfNoLengthIsTheEndAndADamage) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(1, 1)) + std::string(8, '\0') +
                   build_.sample(50, 51, 2000, build_.pio(2, 2));
  EXPECT_THAT(read(), ElementsAre("0/0 1000 pio w 1=1", "loss@1000 damaged 0",
                                  HasSubstr("error: a record of 0 bytes before offset")));
}

TEST_F(PerfDataTest, APipeCutAnywhereGivesWhatWasWhole) {
  build_.records = build_.comm(50, 51, "CPU 0/KVM");
  for (std::uint64_t i = 1; i <= 5; ++i)
    build_.records += build_.sample(50, 51, i, build_.pio(1, 1));
  std::string bytes = build_.pipe();
  std::size_t records_at = bytes.size() - build_.records.size();
  std::size_t most = 0;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    auto lines = read(bytes.substr(0, length));
    std::size_t whole = 0;
    for (const trace::Event& e : events_) whole += e.kind == trace::EventKind::pio ? 1 : 0;
    EXPECT_GE(whole, most) << length;
    most = std::max(most, whole);
    // Cut in the head: an error; between records: nothing wrong; inside one: a damage at the end.
    if (length < records_at) {
      EXPECT_THAT(lines, ElementsAre(HasSubstr("error"))) << length;
    } else if (whole + 2 == lines.size()) {
      EXPECT_THAT(lines[whole], HasSubstr("damaged")) << length;
      EXPECT_THAT(lines.back(), HasSubstr("error: it ends inside a record")) << length;
    } else {
      EXPECT_EQ(whole, lines.size()) << length;
    }
  }
  EXPECT_EQ(most, 4u);
}

TEST_F(PerfDataTest, AFileCutAnywhereIsAnError) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(1, 1));
  std::string bytes = build_.file();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(read(bytes.substr(0, length)), ElementsAre(HasSubstr("error"))) << length;
  }
}

TEST_F(PerfDataTest, NoFlippedByteDoesHarm) {
  build_.sample_type |= 1 << 16 | 1 << 4 | 1 << 5;
  build_.ids = {{1}};
  build_.records = build_.comm(50, 51, "CPU 0/KVM") + build_.lost(3, 5) +
                   build_.sample(50, 51, 10, build_.pio(1, 1), 1) + build_.round();
  for (const std::string& good : {build_.file(), build_.pipe()}) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (char flip : {'\x01', '\xff'}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        EXPECT_LT(read(bad).size(), 10U) << at;
      }
    }
  }
}

TEST_F(PerfDataTest, HostileCountsTakeNoMemory) {
  build_.records = build_.sample(50, 51, 1000, build_.pio(1, 1));
  std::string bytes = build_.file();
  // The attribute table's size, the ids' size, the formats' size: each as large as can be written.
  for (std::size_t at : {std::size_t{32}, std::size_t{104 + 128 + 8}, bytes.size() - 0}) {
    if (at + 8 > bytes.size()) continue;
    std::string bad = bytes;
    bad.replace(at, 8, std::string(7, '\xff') + "\x7f");
    EXPECT_THAT(read(bad), ElementsAre(HasSubstr("error"))) << at;
  }
}

}  // namespace
}  // namespace iovm::record
