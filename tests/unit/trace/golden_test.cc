// SPDX-License-Identifier: Apache-2.0
//
// Files and pages that do not change with the code: the golden files of tests/data/trace, and the
// bytes that docs/trace-format.md works through. Whatever reads them today must read them tomorrow.
#include <sstream>

#include "unit/trace/trace_test.h"

namespace iovm::trace {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class GoldenTest : public TraceTest {
 protected:
  static std::string golden(const std::string& name) {
    return std::string(IOVM_TEST_DATA) + "/trace/" + name;
  }

  // The four entries of the worked example.
  static std::vector<Event> example() {
    Event out;
    out.time = 1'000'000;
    out.address = 0xcf8;
    out.direction = Direction::write;
    out.process = 0;
    set_value(out, 0x80000000);
    set_size(out, 4);
    set_count(out, 1);
    set_vcpu(out, 0);
    set_rip(out, 0xffffffff81dd32ae);
    set_cr3(out, 0x10a4000);
    set_cpl(out, 0);
    Event in = out;
    in.time = 1'190'000;
    in.address = 0xcfc;
    in.direction = Direction::read;
    in.value = 0x12378086;
    in.rip += 6;
    Event again = out;
    again.time = 1'400'001;
    again.value = 0x80000004;
    return {out, in, again, make_loss(1'500'000, 0, 0, {LossCause::ring, 12})};
  }
};

TEST_F(GoldenTest, TheGoodFileHoldsTheExample) {
  ReadBack back = read(golden("good.iovm"));
  EXPECT_EQ(back.error, "");
  EXPECT_TRUE(back.events == example());
  EXPECT_EQ(back.context.info.tool, "iovm 0.1.0");
  EXPECT_EQ(back.context.info.utc_offset_ns, 1767225600000000000);
  ASSERT_THAT(back.context.vms, SizeIs(1));
  EXPECT_EQ(back.context.vms[0].name, "web-1");
  ASSERT_THAT(back.context.processes, SizeIs(1));
  EXPECT_EQ(back.context.processes[0].comm, "lspci");
  EXPECT_EQ(back.context.processes[0].how, "current task");
  EXPECT_FALSE(back.ended_early);
  EXPECT_THAT(back.damage, IsEmpty());
}

// The lines between ```hexdump and ``` are xxd's.
TEST_F(GoldenTest, TheBytesInTheSpecificationAreThatFile) {
  std::istringstream page(bytes_of(std::string(IOVM_SOURCE_DIR) + "/docs/trace-format.md"));
  std::string bytes;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) inside = line == "```hexdump";
    if (!inside || line.size() < 10 || line[8] != ':') continue;
    std::istringstream words(line.substr(9, 3 * 16));
    for (std::string word; words >> word;)
      bytes.push_back(static_cast<char>(std::stoul(word, nullptr, 16)));
  }
  EXPECT_EQ(bytes, bytes_of(golden("good.iovm")));
  EXPECT_TRUE(read_bytes(bytes).events == example());
}

TEST_F(GoldenTest, BadFilesAreBadInTheirOwnWay) {
  ReadBack torn = read(golden("bad-torn.iovm"));
  EXPECT_TRUE(torn.events == example());
  EXPECT_TRUE(torn.ended_early);
  EXPECT_THAT(torn.damage, IsEmpty());

  for (const char* name : {"bad-payload.iovm", "bad-block-head.iovm"}) {
    ReadBack bad = read(golden(name));
    ASSERT_THAT(bad.events, SizeIs(1)) << name;
    EXPECT_EQ(loss_of(bad.events[0]).cause, LossCause::damaged) << name;
    EXPECT_EQ(loss_of(bad.events[0]).count, 4U) << name;
    ASSERT_THAT(bad.damage, SizeIs(1)) << name;
    EXPECT_EQ(bad.damage[0].offset, 0x1a3U) << name;
  }

  ReadBack index = read(golden("bad-index.iovm"));
  ASSERT_GE(index.events.size(), 4U);
  EXPECT_TRUE(std::vector<Event>(index.events.begin(), index.events.begin() + 4) == example());
  EXPECT_THAT(index.damage, SizeIs(1));

  EXPECT_THAT(read(golden("bad-newer.iovm")).error, HasSubstr("version 2"));
}

}  // namespace
}  // namespace iovm::trace
