// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

namespace iovm {
namespace {

using std::chrono::nanoseconds;

TEST(ParseUnsigned, TakesDecimalAndHexadecimalAndNothingElse) {
  EXPECT_EQ(parse_unsigned("42"), 42U);
  EXPECT_EQ(parse_unsigned("0xffffffffffffffff"), ~std::uint64_t{0});
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x", "0x10000000000000000", "1e3", "abc"}) {
    EXPECT_EQ(parse_unsigned(bad), std::nullopt) << bad;
  }
}

TEST(ParseDuration, KnowsTheUnits) {
  EXPECT_EQ(*parse_duration("250ms"), nanoseconds(250'000'000));
  EXPECT_EQ(*parse_duration("1.5s"), nanoseconds(1'500'000'000));
  EXPECT_EQ(*parse_duration("5m"), nanoseconds(300'000'000'000));
  EXPECT_EQ(*parse_duration("3"), nanoseconds(3'000'000'000));
}

TEST(ParseDuration, RefusesWhatIsNone) {
  for (const char* bad : {"", "s", "-1s", "5 s", "5x", "1e30d", "nan", "inf"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(ParseSize, CountsInPowersOf1024) {
  EXPECT_EQ(*parse_size("64K"), 65536U);
  EXPECT_EQ(*parse_size("2G"), std::uint64_t{2} << 30);
  EXPECT_FALSE(parse_size("2Q"));
}

TEST(DescribeDuration, ReadsWell) {
  EXPECT_EQ(describe_duration(nanoseconds(12)), "12 ns");
  EXPECT_EQ(describe_duration(nanoseconds(850'000'000)), "850 ms");
  EXPECT_EQ(describe_duration(nanoseconds(125'000'000'000)), "2 min 5 s");
}

TEST(EscapeTerminal, LeavesPlainTextAlone) {
  EXPECT_EQ(escape_terminal("web-1 ünï"), "web-1 ünï");
}

TEST(EscapeTerminal, DisarmsEscapeSequencesAndBrokenUtf8) {
  EXPECT_EQ(escape_terminal("\x1b]0;x\x07"), "\\x1b]0;x\\x07");
  EXPECT_EQ(escape_terminal("a\xff\xc3"), "a\\xff\\xc3");
  EXPECT_EQ(escape_terminal("\xc2\x9b"), "\\xc2\\x9b");                    // C1 CSI
  EXPECT_EQ(escape_terminal("\xe2\x80\xae"), "\\xe2\\x80\\xae");           // right-to-left override
  EXPECT_EQ(escape_terminal("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(escape_terminal("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  EXPECT_EQ(escape_terminal("a\\b\n"), "a\\\\b\\x0a");
}

TEST(PercentEncode, ComesBackFromEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::string encoded = percent_encode(all);
  EXPECT_EQ(encoded.find_first_of(" \t\n"), std::string::npos);
  EXPECT_EQ(percent_decode(encoded), all);
  EXPECT_EQ(percent_decode(percent_encode("")), "");
}

TEST(PercentDecode, RefusesHalfASequence) {
  EXPECT_EQ(percent_decode("ab%4"), std::nullopt);
  EXPECT_EQ(percent_decode("%zz"), std::nullopt);
}

TEST(Split, KeepsEmptyPieces) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
}

TEST(ValidUtf8, EveryByteOfNoSequenceBecomesTheReplacementAndAllElseStays) {
  EXPECT_EQ(valid_utf8("plain \x1b \xc3\xa4"), "plain \x1b \xc3\xa4");
  EXPECT_EQ(valid_utf8("\xff"
                       "a\xed\xa0\x80"),
            "\xef\xbf\xbd"
            "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(valid_utf8("cut \xe2\x82"), "cut \xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace iovm
