// SPDX-License-Identifier: Apache-2.0
//
// DuckDB writes the file, and DuckDB is asked what is in it. Skipped where its library is not.
#include "analyze/parquet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "analyze/duckdb.h"
#include "base/format.h"
#include "trace/source.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;
using trace::Event;
using trace::EventKind;

// Gives its events and then an error.
class BrokenSource : public trace::VectorSource {
 public:
  using VectorSource::VectorSource;
  Result<std::span<const Event>> next() override {
    auto events = VectorSource::next();
    if (events->empty()) return input_error("block 7 is not there");
    return events;
  }
};

class ParquetTest : public testing::Test {
 protected:
  ParquetTest() {
    context_.info.utc_offset_ns = 1'700'000'000'000'000'000;
    context_.vms.resize(2);
    context_.vms[0].name = "web-1";
    context_.vms[1].name = "a';\n\"\x1b\xff";
    context_.processes.resize(2);
    context_.processes[0] = {
        0, 153, 150, 5, "dd", trace::ProcessKind::user, trace::Confidence::high, "current task"};
    context_.processes[1].vm = 1;
    context_.processes[1].comm = "<b>'; DROP TABLE x; --";
  }
  void SetUp() override {
    auto functions = DuckDbFunctions::load();
    if (!functions) GTEST_SKIP() << functions.error().message();
  }
  ~ParquetTest() override { std::filesystem::remove(path_); }

  Event access(std::uint64_t time, std::uint16_t vm) const {
    Event event;
    event.time = time;
    event.vm = vm;
    event.address = 0x1f7;
    event.direction = trace::Direction::write;
    return event;
  }
  Status write(trace::EventSource& source) {
    EventWalk events(source, {}, true);
    return write_parquet(events, path_);
  }
  Status write(std::vector<Event> events) {
    trace::VectorSource source(context_, std::move(events));
    return write(source);
  }
  // What DuckDB finds wrong when it runs that over the file.
  std::string run(const std::string& select, const std::string& rows) {
    auto database = DuckDb::open();
    if (!database) return database.error().message();
    auto asked = database->query(
        format("{} FROM read_parquet('{}', file_row_number = true) WHERE {}", select, path_, rows));
    return asked ? "so" : asked.error().message();
  }
  // Whether `condition` holds for all of `rows`, of which there are some.
  std::string ask(const std::string& condition, const std::string& rows = "true") {
    return run(format("SELECT CASE WHEN bool_and({}) THEN 1 ELSE error('not so') END", condition),
               rows);
  }
  bool has_rows(std::size_t count) {
    return run(format("SELECT CASE WHEN count(*) = {} THEN 1 ELSE error('not so') END", count),
               "true") == "so";
  }

  trace::Context context_;
  std::string path_ =
      testing::TempDir() + "/iovm-parquet-" + std::to_string(::getpid()) + ".parquet";
};

TEST_F(ParquetTest, WhatIsKnownOfAnEventIsInItsRowWithItsType) {
  Event event = access(12, 0);
  set_value(event, 0xffffffffffffffff);
  set_size(event, 8);
  set_vcpu(event, 65534);
  set_count(event, 0xffffffff);
  set_cr3(event, 0xffff888000000000);
  set_rip(event, 0xffffffff81000042);
  set_cpl(event, 3);
  event.process = 0;
  ASSERT_TRUE(write({event}));
  EXPECT_EQ(ask("event = 0 AND time_ns = 12 AND vm = 'web-1' AND vm_number = 0"), "so");
  EXPECT_EQ(ask("time = TIMESTAMP_NS '2023-11-14 22:13:20.000000012'"), "so");
  EXPECT_EQ(ask("value = 18446744073709551615 AND size = 8 AND vcpu = 65534"), "so");
  EXPECT_EQ(ask("cr3 = 18446612682070032384 AND rip = 18446744071578845250 AND cpl = 3"), "so");
  EXPECT_EQ(ask("count = 4294967295 AND address = 503 AND direction = 'write'"), "so");
  EXPECT_EQ(ask("pid = 153 AND tgid = 150 AND start_ns = 5 AND comm = 'dd'"), "so");
  EXPECT_EQ(ask("process_kind = 'user' AND confidence = 'high' AND how = 'current task'"), "so");
  EXPECT_EQ(ask("kind = 'pio' AND device = 'ide0' AND \"register\" = 'command/status (0x1f7)'"),
            "so");
  EXPECT_EQ(ask("typeof(time_ns) = 'UBIGINT' AND typeof(size) = 'UTINYINT'"), "so");
  EXPECT_EQ(ask("place IS NULL AND cause IS NULL AND lost IS NULL"), "so");
}

TEST_F(ParquetTest, WhatIsNotKnownIsNull) {
  context_.info.utc_offset_ns = 0;
  ASSERT_TRUE(write({access(12, 0)}));
  EXPECT_EQ(ask("coalesce(time::VARCHAR, value::VARCHAR, size::VARCHAR, vcpu::VARCHAR, "
                "count::VARCHAR, cr3::VARCHAR, rip::VARCHAR, cpl::VARCHAR) IS NULL"),
            "so");
  EXPECT_EQ(ask("coalesce(pid::VARCHAR, tgid::VARCHAR, start_ns::VARCHAR, comm, process_kind, "
                "confidence, how) IS NULL"),
            "so");
}

TEST_F(ParquetTest, ALossIsARowOfItsOwn) {
  ASSERT_TRUE(write({trace::make_loss(7, 0, 1, {trace::LossCause::ring, 12}),
                     trace::make_loss(8, trace::kAllVms, {}, {trace::LossCause::source, 0})}));
  EXPECT_EQ(ask("kind = 'loss' AND cause = 'ring' AND lost = 12 AND vcpu = 1", "event = 0"), "so");
  EXPECT_EQ(ask("vm IS NULL AND vm_number IS NULL AND lost = 0", "event = 1"), "so");
  EXPECT_EQ(ask("direction IS NULL AND address IS NULL AND value IS NULL AND device IS NULL"),
            "so");
}

TEST_F(ParquetTest, HostileNamesComeOutAsTheyWentIn) {
  Event event = access(1, 1);
  event.process = 1;
  ASSERT_TRUE(write({event}));
  EXPECT_EQ(ask("comm = '<b>''; DROP TABLE x; --'"), "so");
  EXPECT_EQ(ask("vm = 'a'';' || chr(10) || '\"' || chr(27) || chr(65533)"), "so");
}

TEST_F(ParquetTest, TimesBeyondTheRangeOfATimestampHaveNone) {
  ASSERT_TRUE(write({access(~std::uint64_t{0}, 0), access(std::uint64_t{1} << 63, 0)}));
  EXPECT_EQ(ask("time IS NULL"), "so");
  EXPECT_EQ(ask("time_ns = 18446744073709551615", "event = 0"), "so");
}

TEST_F(ParquetTest, MoreRowsThanAChunkKeepTheirOrder) {
  std::vector<Event> events;
  for (std::uint64_t i = 0; i < 300'000; ++i) events.push_back(access(i * 3, 0));
  ASSERT_TRUE(write(std::move(events)));
  EXPECT_EQ(ask("event = file_row_number AND time_ns = 3 * event"), "so");
  EXPECT_TRUE(has_rows(300000));
}

TEST_F(ParquetTest, ATraceWithoutEventsIsAFileWithoutRows) {
  ASSERT_TRUE(write(std::vector<Event>()));
  EXPECT_TRUE(has_rows(0));
}

TEST_F(ParquetTest, WhatWasReadBeforeAnErrorIsKeptAndTheErrorTold) {
  BrokenSource source(context_, {access(1, 0), access(2, 0)});
  auto written = write(source);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message(), HasSubstr("block 7"));
  EXPECT_TRUE(has_rows(2));
}

}  // namespace
}  // namespace iovm::analyze
