// SPDX-License-Identifier: Apache-2.0
#include "trace/frame.h"

#include <gtest/gtest.h>

#include "trace/archive.h"

namespace iovm::trace {
namespace {

class FrameTest : public testing::Test {
 protected:
  static std::vector<std::byte> some_fields() {
    ArchiveWriter out;
    out.u8(1).u16(2).u32(3).u64(4).i64(-5).f64(0.5).text("qemu\n").text("");
    return out.bytes();
  }
};

TEST_F(FrameTest, FieldsComeBackAsTheyWere) {
  std::vector<std::byte> bytes = some_fields();
  ArchiveReader in(bytes);
  EXPECT_EQ(in.u8(), 1);
  EXPECT_EQ(in.u16(), 2);
  EXPECT_EQ(in.u32(), 3U);
  EXPECT_EQ(in.u64(), 4U);
  EXPECT_EQ(in.i64(), -5);
  EXPECT_EQ(in.f64(), 0.5);
  EXPECT_EQ(in.text(5), "qemu\n");
  EXPECT_EQ(in.text(0), "");
  EXPECT_TRUE(in.finished());
}

TEST_F(FrameTest, FieldsAreTheirLittleEndianBytesAndNothingElse) {
  ArchiveWriter out;
  out.u16(0x0102).u32(3).text("ab");
  std::vector<std::byte> expected;
  for (int b : {2, 1, 3, 0, 0, 0, 2, 0, 0, 0, 0x61, 0x62})
    expected.push_back(static_cast<std::byte>(b));
  EXPECT_EQ(out.bytes(), expected);
}

TEST_F(FrameTest, AFieldThatIsNotThereFailsTheReaderForGood) {
  std::vector<std::byte> bytes = some_fields();
  std::span<const std::byte> cut;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    cut = std::span<const std::byte>(bytes).first(size);
    ArchiveReader in(cut);
    in.u8(), in.u16(), in.u32(), in.u64(), in.i64(), in.f64(), in.text(99), in.text(99);
    EXPECT_FALSE(in.ok()) << size;
    EXPECT_EQ(in.u8(), 0) << size;
  }
}

TEST_F(FrameTest, ATextOverItsLimitIsRefused) {
  ArchiveWriter out;
  out.text("abcd");
  std::vector<std::byte> bytes = out.bytes();
  ArchiveReader in(bytes);
  EXPECT_EQ(in.text(3), "");
  EXPECT_FALSE(in.ok());
}

TEST_F(FrameTest, ACountThatCannotBeThereIsRefused) {
  ArchiveWriter out;
  out.u32(3).u32(0).u32(0);
  std::vector<std::byte> bytes = out.bytes();
  EXPECT_EQ(ArchiveReader(bytes).count(4), 0U);
  EXPECT_EQ(ArchiveReader(bytes).count(2), 3U);
}

TEST_F(FrameTest, FrameGivesBackItsContentAndItsLength) {
  std::vector<std::byte> content = some_fields();
  std::vector<std::byte> frame = encode_frame(content);
  std::size_t length = frame.size();
  frame.resize(length + 3);
  auto back = decode_frame(frame, content.size());
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->content, content);
  EXPECT_EQ(back->bytes, length);
}

TEST_F(FrameTest, EveryFlippedByteOfAFrameIsFound) {
  std::vector<std::byte> frame = encode_frame(some_fields());
  for (std::size_t i = 0; i < frame.size(); ++i) {
    std::vector<std::byte> bad = frame;
    bad[i] ^= std::byte{0x40};
    EXPECT_FALSE(decode_frame(bad, 1 << 20)) << i;
  }
}

TEST_F(FrameTest, EveryCutOfAFrameIsFound) {
  std::vector<std::byte> frame = encode_frame(some_fields());
  for (std::size_t size = 0; size < frame.size(); ++size)
    EXPECT_FALSE(decode_frame(std::span(frame).first(size), 1 << 20)) << size;
}

TEST_F(FrameTest, ContentOverTheLimitIsRefused) {
  std::vector<std::byte> content(1000);
  EXPECT_FALSE(decode_frame(encode_frame(content), 999));
  EXPECT_TRUE(decode_frame(encode_frame(content), 1000));
}

}  // namespace
}  // namespace iovm::trace
