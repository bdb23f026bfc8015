// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace iovm {
namespace {

TEST(JsonWriter, WritesInTheOrderGiven) {
  JsonWriter json;
  json.begin_object()
      .member("b", 1)
      .key("a")
      .begin_array()
      .value("x")
      .null()
      .value(true)
      .end_array()
      .end_object();
  EXPECT_EQ(json.take(), R"({"b":1,"a":["x",null,true]})");
}

TEST(JsonWriter, StartsAnewAfterTake) {
  JsonWriter json;
  json.begin_object().end_object();
  EXPECT_EQ(json.take(), "{}");
  json.begin_array().end_array();
  EXPECT_EQ(json.take(), "[]");
}

TEST(JsonWriter, MakesHostileTextHarmless) {
  JsonWriter json;
  json.begin_array().value("\x1b[2J\"\\\xff\xc3(ü").end_array();
  EXPECT_EQ(json.take(), "[\"\\u001B[2J\\\"\\\\\xef\xbf\xbd\xef\xbf\xbd(ü\"]");
}

TEST(JsonWriter, HasNoNumberForInfinity) {
  JsonWriter json;
  json.begin_array().value(std::numeric_limits<double>::infinity()).value(0.5).end_array();
  EXPECT_EQ(json.take(), "[null,0.5]");
}

TEST(JsonValue, FindsWhatIsThereAndNothingElse) {
  auto json = JsonValue::parse(R"({"a":{"b":[1,2.5,"x",true]},"n":18446744073709551615})");
  ASSERT_TRUE(json);
  auto list = json->member("a")->member("b");
  ASSERT_EQ(list->size(), 4U);
  EXPECT_EQ(list->at(0).whole(), 1U);
  EXPECT_EQ(list->at(1).number(), 2.5);
  EXPECT_EQ(list->at(1).whole(), std::nullopt);
  EXPECT_EQ(list->at(2).text(), "x");
  EXPECT_EQ(list->at(3).flag(), true);
  EXPECT_EQ(json->member("n")->whole(), ~std::uint64_t{0});
  EXPECT_FALSE(json->member("c"));
  EXPECT_FALSE(list->at(0).member("a"));
}

TEST(JsonValue, SaysWhereTheTextIsWrong) {
  auto json = JsonValue::parse("{\"a\":}");
  ASSERT_FALSE(json);
  EXPECT_NE(json.error().message().find("at byte 5"), std::string::npos) << json.error().message();
}

TEST(JsonValue, AMillionBracketsDoNotOverflowTheStack) {
  EXPECT_FALSE(JsonValue::parse(std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace iovm
