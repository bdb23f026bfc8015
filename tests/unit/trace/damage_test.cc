// SPDX-License-Identifier: Apache-2.0
//
// What a reader makes of files that are cut, flipped, spliced or foreign: every whole block is
// given, what is missing is said, nothing is joined across it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "trace/block_stream.h"
#include "trace/bytes.h"
#include "trace/compress.h"
#include "trace/file_head.h"
#include "unit/trace/trace_test.h"

namespace iovm::trace {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class DamageTest : public TraceTest {
 protected:
  // Four blocks of five events, with the tables before them and the index behind.
  DamageTest() : events_(pci_scan(20)), bytes_(written(events_, 5, true)) {
    auto stream = BlockStream::open(path("out.iovm"));
    while (*stream->next() == BlockStream::Step::block) {
      starts_.push_back(stream->offset());
      heads_.push_back(stream->head());
    }
    starts_.push_back(starts_.back() + kBlockHeadBytes + heads_.back().payload_bytes);
  }

  // How many events the blocks hold that lie wholly before `size`.
  std::size_t whole_events(std::size_t size) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < heads_.size() && starts_[i + 1] <= size; ++i)
      count += heads_[i].entries;
    return count;
  }

  // Whether events that were not neighbours are now, with no loss between them. Their times name
  // them: a damaged table may have cost them their process.
  static bool joined(const std::vector<Event>& given, const std::vector<Event>& all) {
    for (std::size_t i = 1; i < given.size(); ++i) {
      if (given[i].kind == EventKind::loss || given[i - 1].kind == EventKind::loss) continue;
      auto at = std::find_if(all.begin(), all.end(),
                             [&](const Event& event) { return event.time == given[i - 1].time; });
      if (at == all.end() || at + 1 == all.end() || (at + 1)->time != given[i].time) return true;
    }
    return false;
  }

  // The file without the i-th block.
  std::string without_block(std::size_t i) const {
    std::string bytes = bytes_;
    return bytes.erase(starts_[i], starts_[i + 1] - starts_[i]);
  }
  std::size_t first_events_block() const {
    auto events = [](const BlockHead& head) { return head.kind == BlockKind::events; };
    return static_cast<std::size_t>(std::find_if(heads_.begin(), heads_.end(), events) -
                                    heads_.begin());
  }

  std::vector<Event> events_;
  std::string bytes_;
  std::vector<std::uint64_t> starts_;  // of the blocks; one more, of what follows them
  std::vector<BlockHead> heads_;
};

TEST_F(DamageTest, AFileCutAnywhereGivesItsWholeBlocks) {
  for (std::size_t size = kFileHeadBytes; size < bytes_.size(); ++size) {
    ReadBack back = read_bytes(bytes_.substr(0, size));
    std::vector<Event> expected(events_.begin(),
                                events_.begin() + static_cast<std::ptrdiff_t>(whole_events(size)));
    ASSERT_EQ(back.error, "") << size;
    ASSERT_TRUE(back.events == expected) << size;
    ASSERT_TRUE(back.ended_early) << size;
    ASSERT_THAT(back.damage, IsEmpty()) << size << " " << back.damage[0].why;
  }
}

TEST_F(DamageTest, AFileCutInItsHeadIsNoTrace) {
  for (std::size_t size = 0; size < kFileHeadBytes; ++size)
    EXPECT_THAT(read_bytes(bytes_.substr(0, size)).error, HasSubstr("not an iovm trace")) << size;
}

TEST_F(DamageTest, EveryFlippedByteIsReportedAndCostsNoMoreThanItsBlock) {
  for (std::size_t at = 0; at < bytes_.size(); ++at) {
    std::string bad = bytes_;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    ReadBack back = read_bytes(bad);
    ASSERT_EQ(back.error, "") << at;
    ASSERT_THAT(back.damage, testing::Not(IsEmpty())) << at;
    ASSERT_FALSE(joined(back.events, events_)) << at;
    std::size_t given = back.without_losses().size();
    ASSERT_GE(given, events_.size() - 5) << at;
    // Without an index nobody knows whether there was more.
    bool in_index = at >= starts_.back();
    ASSERT_EQ(back.losses().empty(), given == events_.size() && !in_index) << at;
    if (given < events_.size()) {
      ASSERT_EQ(loss_of(back.losses()[0]).count, 5U) << at;
    }
  }
}

TEST_F(DamageTest, ALossStandsWhereTheBadBlockWas) {
  std::size_t second = first_events_block() + 1;
  std::string bad = bytes_;
  bad[starts_[second] + kBlockHeadBytes] ^= 1;
  ReadBack back = read_bytes(bad);
  ASSERT_THAT(back.events, SizeIs(16));
  EXPECT_EQ(back.events[5].kind, EventKind::loss);
  EXPECT_EQ(loss_of(back.events[5]).cause, LossCause::damaged);
  EXPECT_EQ(loss_of(back.events[5]).count, 5U);
  EXPECT_EQ(back.events[5].vm, kAllVms);
  EXPECT_EQ(back.events[5].time, events_[4].time);
  ASSERT_THAT(back.damage, SizeIs(1));
  EXPECT_EQ(back.damage[0].offset, starts_[second]);
  EXPECT_EQ(back.damage[0].bytes, starts_[second + 1] - starts_[second]);
}

TEST_F(DamageTest, SummaryCountsWhatIsDamaged) {
  std::size_t second = first_events_block() + 1;
  std::string bad = bytes_;
  bad[starts_[second] + kBlockHeadBytes] ^= 1;
  ASSERT_TRUE(write_file(path("bad.iovm"), bad));
  auto summary = summarize(path("bad.iovm"), true);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->events, 15U);
  EXPECT_EQ(summary->lost.damaged, 5U);
  EXPECT_THAT(summary->damage, SizeIs(1));
  EXPECT_EQ(summarize(path("bad.iovm"), false)->events, 20U);
}

TEST_F(DamageTest, AMissingBlockIsFound) {
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    ReadBack back = read_bytes(without_block(i));
    ASSERT_THAT(back.damage, testing::Not(IsEmpty())) << i;
    ASSERT_EQ(back.without_losses().size(), 20 - heads_[i].entries) << i;
    ASSERT_FALSE(joined(back.events, events_)) << i;
    ASSERT_EQ(back.losses().size(), heads_[i].entries > 0 ? 1U : 0U) << i;
  }
}

TEST_F(DamageTest, BlocksInTheWrongOrderAreNotJoined) {
  std::size_t first = first_events_block();
  std::string one = bytes_.substr(starts_[first], starts_[first + 1] - starts_[first]);
  std::string bad = bytes_;
  bad.insert(starts_[first + 2], one);
  ReadBack back = read_bytes(bad);
  EXPECT_THAT(back.damage, testing::Not(IsEmpty()));
  EXPECT_THAT(back.losses(), testing::Not(IsEmpty()));
  EXPECT_FALSE(joined(back.events, events_));
}

TEST_F(DamageTest, BlocksBehindTheIndexAreTold) {
  std::size_t first = first_events_block();
  std::string block = bytes_.substr(starts_[first], starts_[first + 1] - starts_[first]);
  ReadBack back = read_bytes(bytes_ + block);
  ASSERT_THAT(back.damage, SizeIs(2));  // there, and that their numbers say more were to come
  EXPECT_EQ(back.damage[0].offset, bytes_.size());
  EXPECT_TRUE(back.ended_early);
  std::string empty = bytes_.substr(starts_[0], starts_[1] - starts_[0]);
  EXPECT_THAT(read_bytes(bytes_ + empty + empty).damage, testing::Not(IsEmpty()));
}

TEST_F(DamageTest, BytesPutBetweenBlocksCostNoEvent) {
  for (std::size_t i = 0; i < starts_.size(); ++i) {
    std::string bad = bytes_;
    bad.insert(starts_[i], "garbage\xd6iovm\xa9\x1e");
    ReadBack back = read_bytes(bad);
    EXPECT_THAT(back.damage, testing::Not(IsEmpty())) << i;
    EXPECT_TRUE(back.without_losses() == events_) << i;
  }
}

TEST_F(DamageTest, BytesTakenOutOfABlockCostOnlyThatBlock) {
  std::size_t first = first_events_block();
  std::string bad = bytes_;
  bad.erase(starts_[first + 1] - 20, 10);
  ReadBack back = read_bytes(bad);
  EXPECT_EQ(back.without_losses().size(), 15U);
  EXPECT_EQ(back.events[0].kind, EventKind::loss);
}

TEST_F(DamageTest, ZerosAtTheEndAreATornTail) {
  std::string bad = bytes_.substr(0, starts_.back()) + std::string(5000, '\0');
  ReadBack back = read_bytes(bad);
  EXPECT_TRUE(back.events == events_);
  EXPECT_TRUE(back.ended_early);
  EXPECT_THAT(back.damage, IsEmpty());
}

TEST_F(DamageTest, AnUnknownOptionalBlockIsSkippedAndAnotherIsRefused) {
  for (bool optional : {true, false}) {
    BlockHead head;
    head.kind = static_cast<BlockKind>(77);
    head.flags = optional ? kOptionalBlock : 0;
    head.payload_check = checksum({});
    auto encoded = encode_block_head(head);
    std::string bad = bytes_;
    bad.insert(kFileHeadBytes, reinterpret_cast<const char*>(encoded.data()), encoded.size());
    ReadBack back = read_bytes(bad);
    EXPECT_EQ(back.without_losses() == events_, optional);
    EXPECT_THAT(back.error, HasSubstr(optional ? "" : "newer iovm"));
  }
}

TEST_F(DamageTest, AProcessThatIsNotInTheTablesMakesTheBlockBad) {
  for (Event& event : events_) event.process = 7;
  ReadBack back = read_bytes(written(events_));
  EXPECT_THAT(back.without_losses(), IsEmpty());
  ASSERT_THAT(back.damage, SizeIs(1));
  EXPECT_THAT(back.damage[0].why, HasSubstr("process"));
  EXPECT_EQ(loss_of(back.losses().at(0)).count, 20U);
}

TEST_F(DamageTest, ProcessesOfADamagedTableAreUnknown) {
  std::string bad = bytes_;
  for (std::size_t i = 1; i < first_events_block(); ++i) bad[starts_[i] + kBlockHeadBytes] ^= 1;
  ReadBack back = read_bytes(bad);
  EXPECT_THAT(back.without_losses(), SizeIs(20));
  for (const Event& event : back.without_losses()) EXPECT_FALSE(event.knows_process());
}

TEST_F(DamageTest, AFullDiskIsSaidAndTheFileIsValidToItsLastBlock) {
  auto writer = TraceWriter::create("/dev/full", context_.info);
  ASSERT_FALSE(writer);
  EXPECT_THAT(writer.error().message(), HasSubstr("No space left"));
  EXPECT_EQ(writer.error().fault(), Fault::host);
}

// A limit on the file's size is a disk that becomes full, without a disk.
TEST_F(DamageTest, AFailedWriteLeavesWholeBlocks) {
  ::signal(SIGXFSZ, SIG_IGN);
  std::string file = path("full.iovm");
  pid_t child = ::fork();
  if (child == 0) {
    struct rlimit limit = {5000, 5000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    options_.flush_after = std::chrono::nanoseconds(0);
    auto writer = TraceWriter::create(file, context_.info, options_);
    std::vector<Event> many = any_bits(200);
    bool failed = false;
    for (std::size_t i = 0; i < 20 && !failed; ++i)
      failed = !(*writer)->write(context_, std::span(many).subspan(i * 10, 10));
    bool says_so = failed && !(*writer)->finish();
    ::_exit(says_so ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ReadBack back = read(file);
  std::vector<Event> many = any_bits(200);
  ASSERT_GT(back.events.size(), 0U);
  EXPECT_EQ(back.events.size() % 10, 0U);
  EXPECT_TRUE(std::equal(back.events.begin(), back.events.end(), many.begin()));
  EXPECT_TRUE(back.ended_early);
  EXPECT_THAT(back.damage, IsEmpty());
  auto summary = summarize(file, true);
  EXPECT_EQ(summary->bytes, std::filesystem::file_size(file));
}

TEST_F(DamageTest, AKilledWriterLeavesWhatItFlushed) {
  std::string file = path("killed.iovm");
  pid_t child = ::fork();
  if (child == 0) {
    options_.flush_after = std::chrono::nanoseconds(0);
    auto writer = TraceWriter::create(file, context_.info, options_);
    bool done = writer && (*writer)->write(context_, events_);
    ::kill(::getpid(), done ? SIGKILL : SIGABRT);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  ReadBack back = read(file);
  EXPECT_TRUE(back.events == events_);
  EXPECT_TRUE(back.ended_early);
}

TEST_F(DamageTest, ForeignFilesAreCalledByTheirName) {
  EXPECT_THAT(read_bytes("").error, HasSubstr("an empty file"));
  EXPECT_THAT(read_bytes("hello\n").error, HasSubstr("a text file"));
  EXPECT_THAT(read_bytes("hello\n").error, HasSubstr("in.iovm"));
  EXPECT_THAT(read(path("nothing")).error, HasSubstr("No such file"));
  EXPECT_THAT(read(folder_).error, HasSubstr("irectory"));
  auto newer = encode_file_head({FileType::trace, kTraceVersion + 1});
  std::string bytes = bytes_;
  std::copy(newer.begin(), newer.end(), reinterpret_cast<std::byte*>(bytes.data()));
  EXPECT_THAT(read_bytes(bytes).error, HasSubstr("newer iovm"));
}

}  // namespace
}  // namespace iovm::trace
