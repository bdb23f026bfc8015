// SPDX-License-Identifier: Apache-2.0
#include "analyze/attack_truth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::analyze {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  auto parsed = parse_truth(text, "truth.txt");
  return parsed ? "" : parsed.error().message();
}

TEST(AttackTruth, ALineNamesRecordingAttackAndEventsAndWhatNarrowsThemDown) {
  auto parsed = parse_truth(
      "# whose attacks these are\n\na01.iovm venom 43462 46867 cr3=0xf6e0123 user  # by a process\n"
      "a05.iovm\trmw 1 2 device=1af4:1001 code=ffffffffc0a1d000-0xffffffffc0a1dfff cr3=f6e0000\r\n",
      "truth.txt");
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_EQ(parsed->size(), 2U);
  const TruthAttack& venom = parsed->front();
  EXPECT_EQ(venom.name, "venom");
  EXPECT_EQ(venom.first, 43462U);
  EXPECT_EQ(venom.last, 46867U);
  EXPECT_EQ(venom.cr3, 0xf6e0000U);
  EXPECT_TRUE(venom.user);
  EXPECT_FALSE(venom.device);
  EXPECT_FALSE(venom.code);
  EXPECT_EQ(parsed->back().device, "1af4:1001");
  EXPECT_EQ(parsed->back().code, std::pair(0xffffffffc0a1d000U, 0xffffffffc0a1dfffU));
}

TEST(AttackTruth, ARecordingIsKnownByItsPathOrTheLastPartOfIt) {
  TruthAttack attack;
  attack.trace = "a01.iovm";
  EXPECT_TRUE(attack.is_in("a01.iovm"));
  EXPECT_TRUE(attack.is_in("/somewhere/a01.iovm"));
  EXPECT_FALSE(attack.is_in("/somewhere/b-a01.iovm"));
}

TEST(AttackTruth, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_THAT(error_of("a venom 1\n"),
              HasSubstr("truth.txt:1: expected trace, name, first and last"));
  EXPECT_THAT(error_of("\na venom one 2\n"),
              HasSubstr("truth.txt:2: expected the number of an event, found \"one\""));
  EXPECT_THAT(error_of("a venom 1 two\n"), HasSubstr("found \"two\""));
  EXPECT_THAT(error_of("a venom 9 2\n"), HasSubstr("the last event (2) is before the first (9)"));
  EXPECT_THAT(error_of("a venom 1 2 cr3=xyz\n"), HasSubstr("hexadecimal number after cr3="));
  EXPECT_THAT(error_of("a venom 1 2 device=\n"),
              HasSubstr("expected cr3=HEX, code=HEX-HEX, device=KEY or user"));
  for (const char* code : {"", "12", "12-", "-12", "1x-2", "20-10"}) {
    EXPECT_THAT(error_of(std::string("a venom 1 2 code=") + code + "\n"),
                HasSubstr("expected code=HEX-HEX, the lower address first"));
  }
  EXPECT_THAT(error_of("a venom 1 2 \x1b[31m\n"), HasSubstr("\\x1b"));
}

}  // namespace
}  // namespace iovm::analyze
