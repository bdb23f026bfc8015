// SPDX-License-Identifier: Apache-2.0
#include "analyze/sequences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::analyze {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& text) {
  auto source = SequencesSource::from_text(text);
  if (!source) return source.error().message();
  for (;;) {
    auto batch = (*source)->next();
    if (!batch) return batch.error().message();
    if (batch->empty()) return "";
  }
}

TEST(Sequences, EachLineIsAProcessThatWritesItsNumbersAsPorts) {
  auto source = SequencesSource::from_text("6 63 65535 \n\n# rest\n0\t7\n");
  ASSERT_TRUE(source);
  auto first = (*source)->next();
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 3U);
  EXPECT_EQ((*first)[1].address, 63U);
  EXPECT_EQ((*first)[1].direction, trace::Direction::write);
  EXPECT_EQ((*first)[1].size, 1U);
  EXPECT_FALSE((*first)[1].has(trace::Field::value));
  EXPECT_LT((*first)[1].time, (*first)[2].time);
  auto second = (*source)->next();
  ASSERT_TRUE(second);
  ASSERT_EQ(second->size(), 2U);
  const trace::Context& context = (*source)->context();
  EXPECT_EQ(context.processes.at((*second)[0].process).pid, 4);
  EXPECT_EQ(context.processes.at((*second)[0].process).comm, "line-4");
  EXPECT_EQ(context.processes.size(), 2U);
  auto end = (*source)->next();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->empty());
}

TEST(Sequences, AnErrorNamesTheLineAndTheWord) {
  EXPECT_THAT(error_of("1 2\n3 x\n"), HasSubstr("line 2: expected whole numbers"));
  EXPECT_THAT(error_of("65536\n"), HasSubstr("found \"65536\""));
  EXPECT_THAT(error_of("-1\n"), HasSubstr("found \"-1\""));
}

TEST(Sequences, AnEmptyFileIsAnError) {
  EXPECT_THAT(error_of(""), HasSubstr("empty"));
}

}  // namespace
}  // namespace iovm::analyze
