// SPDX-License-Identifier: Apache-2.0
#include "trace/file_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::trace {
namespace {

using testing::HasSubstr;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string refusal(std::string_view content, FileType wanted = FileType::trace) {
  auto head = parse_file_head(bytes_of(content), wanted, 1);
  return head ? "accepted" : head.error().message();
}

std::string encoded(FileType type, std::uint16_t version) {
  auto bytes = encode_file_head({type, version});
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(FileHeadTest, HeadComesBackAsItWas) {
  auto head = parse_file_head(bytes_of(encoded(FileType::model, 7)), FileType::model, 7);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->version, 7);
  EXPECT_EQ(head->type, FileType::model);
}

TEST(FileHeadTest, ANewerVersionIsRefusedByItsNumber) {
  EXPECT_THAT(refusal(encoded(FileType::trace, 2)), HasSubstr("version 2"));
  EXPECT_THAT(refusal(encoded(FileType::trace, 2)), HasSubstr("newer iovm"));
}

TEST(FileHeadTest, EveryFlippedByteIsFound) {
  std::string good = encoded(FileType::trace, 1);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_NE(refusal(bad), "accepted") << i;
  }
}

TEST(FileHeadTest, ForeignFilesAreCalledByTheirName) {
  EXPECT_THAT(refusal(""), HasSubstr("an empty file"));
  EXPECT_THAT(refusal("# name: x\n12 0 -1 - pio"), HasSubstr("a text file"));
  EXPECT_THAT(refusal("PERFILE2........"), HasSubstr("perf.data file, not an iovm trace; "));
  EXPECT_THAT(refusal("\x1f\x8b\x08 ............."), HasSubstr("decompress"));
  EXPECT_THAT(refusal(encoded(FileType::model, 1)), HasSubstr("an iovm model file"));
  EXPECT_THAT(refusal(encoded(FileType::trace, 1), FileType::model),
              HasSubstr("an iovm trace file, not an iovm model"));
  EXPECT_THAT(refusal(std::string(20, '\0')), HasSubstr("zeros"));
  EXPECT_THAT(refusal("\x01\x02\x03"), HasSubstr("no known kind"));
  EXPECT_THAT(refusal(encoded(FileType::trace, 1).substr(0, 9)),
              HasSubstr("the first bytes of an iovm file"));
}

}  // namespace
}  // namespace iovm::trace
