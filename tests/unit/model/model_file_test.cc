// SPDX-License-Identifier: Apache-2.0
#include "model/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/format.h"
#include "trace/file_head.h"
#include "trace/frame.h"

namespace iovm::model {
namespace {

using testing::HasSubstr;

class ModelFileTest : public testing::Test {
 protected:
  ModelFileTest() {
    Operation read{.device = pc_device(PcDevice::cmos), .size = 1, .reg = 0x71};
    Operation write = read;
    write.direction = trace::Direction::write;
    data.alphabet = {read, write};
    data.options.order = 1;
    data.ngrams = {2, {kFirstSymbol, kFirstSymbol + 1, kNoSymbol, kFirstSymbol}, {7, 1}};
    data.ngrams = canonical(data.ngrams);
    data.origins = {{.source = "events", .events = 8, .first_time = 5, .last_time = 9}};
    data.calibration = {
        .events = 4, .duration_ns = 3, .sessions = 1, .blocks = 9, .largest = {8, 2}};
    data.calibration.scale = {.bits_mean = 1, .bits_sd = 2, .set_mean = 0.5, .set_sd = 0.25};
    data.calibration.scores = {3.5, -1};
    data.sets = {{{kFirstSymbol}, 2}, {{kFirstSymbol, kFirstSymbol + 1}, 1}};
    data.volumes = {{{read.device, Whose::actor}, Quantity::accesses, 3, 2},
                    {{read.device, Whose::device}, Quantity::accesses, 9, 1}};
    data.places = {{read.device, {CodeClass::kernel, 0x1ffffe}, 4},
                   {read.device, {CodeClass::module, 0xffe}, 3}};
    data.calibration.unseen[2] = 5;
    data.calibration.strange[4] = 3;
    data.allowed = {"device:cmos", "process:hwclock"};
    data.threshold.value = 6 * kOneBit;
  }
  std::string error_of(const std::vector<std::byte>& file) {
    auto got = decode_model(file);
    return got ? "" : got.error().message();
  }
  std::string error_of_data() { return error_of(encode_model(data)); }

  ModelData data;
};

TEST_F(ModelFileTest, GivesBackWhatWasWritten) {
  auto got = decode_model(encode_model(data));
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(*got, data);
}

TEST_F(ModelFileTest, MarksAndSpacesThatNobodyKnowsAreRefused) {
  data.alphabet[1].marks = 0x20;
  data.alphabet[1].space = Space::pba;
  EXPECT_EQ(error_of_data(), "");
  data.alphabet[1].marks = 0x40;
  EXPECT_NE(error_of_data(), "");
  data.alphabet[1].marks = 0;
  data.alphabet[1].space = static_cast<Space>(kSpaces);
  EXPECT_NE(error_of_data(), "");
}

TEST_F(ModelFileTest, EqualModelsAreEqualBytes) {
  EXPECT_EQ(encode_model(data), encode_model(*decode_model(encode_model(data))));
}

TEST_F(ModelFileTest, EveryTruncationIsAnError) {
  std::vector<std::byte> file = encode_model(data);
  while (!file.empty()) {
    file.pop_back();
    EXPECT_NE(error_of(file), "") << file.size();
  }
}

TEST_F(ModelFileTest, EveryFlippedByteIsAnError) {
  std::vector<std::byte> good = encode_model(data);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{0x20};
    EXPECT_NE(error_of(bad), "") << i;
  }
}

TEST_F(ModelFileTest, BytesBehindTheEndAreAnError) {
  std::vector<std::byte> file = encode_model(data);
  file.push_back(std::byte{0});
  EXPECT_THAT(error_of(file), HasSubstr("behind its end"));
}

TEST_F(ModelFileTest, SaysWhatAnotherFileIs) {
  std::string text = "this is a text and no model at all, not even nearly\n";
  auto bytes = std::as_bytes(std::span(text));
  EXPECT_THAT(error_of({bytes.begin(), bytes.end()}), HasSubstr("text file"));
  auto head = trace::encode_file_head({trace::FileType::trace, 1});
  EXPECT_THAT(error_of({head.begin(), head.end()}), HasSubstr("trace"));
  EXPECT_THAT(error_of({}), HasSubstr("empty"));
}

TEST_F(ModelFileTest, RefusesALaterVersion) {
  auto head = trace::encode_file_head({trace::FileType::model, kModelVersion + 1});
  EXPECT_THAT(error_of({head.begin(), head.end()}), HasSubstr("version"));
}

TEST_F(ModelFileTest, RefusesOperationsOutOfOrder) {
  std::swap(data.alphabet[0], data.alphabet[1]);
  EXPECT_THAT(error_of_data(), HasSubstr("out of order"));
}

TEST_F(ModelFileTest, RefusesSymbolsThatDoNotExist) {
  data.ngrams.symbols.back() = kFirstSymbol + 2;
  EXPECT_THAT(error_of_data(), HasSubstr("wrong symbol"));
  data.ngrams.symbols.back() = kUnknownValue;
  EXPECT_THAT(error_of_data(), HasSubstr("wrong symbol"));
}

TEST_F(ModelFileTest, RefusesCountsThatCannotBeSummedUp) {
  data.ngrams.counts = {~std::uint64_t{0}, 2};
  EXPECT_THAT(error_of_data(), HasSubstr("wrong count"));
  data.ngrams.counts = {0, 2};
  EXPECT_THAT(error_of_data(), HasSubstr("wrong count"));
}

TEST_F(ModelFileTest, RefusesUnsortedSequences) {
  std::swap_ranges(data.ngrams.symbols.begin(), data.ngrams.symbols.begin() + 2,
                   data.ngrams.symbols.begin() + 2);
  EXPECT_THAT(error_of_data(), HasSubstr("out of order"));
}

TEST_F(ModelFileTest, RefusesASampleLargerThanItsNumber) {
  data.calibration.blocks = 1;
  data.calibration.unseen = data.calibration.strange = {};
  EXPECT_THAT(error_of_data(), HasSubstr("sample"));
}

TEST_F(ModelFileTest, RefusesSetsThatAreNotCanonical) {
  auto good = data.sets;
  for (SessionSets bad : {SessionSets{{{kFirstSymbol + 1, kFirstSymbol}, 1}},
                          SessionSets{{{kFirstSymbol}, 0}}, SessionSets{{{}, 1}},
                          SessionSets{{{kFirstSymbol + 2}, 1}}, SessionSets{good[1], good[0]}}) {
    data.sets = bad;
    EXPECT_THAT(error_of_data(), HasSubstr("set of a session"));
  }
}

TEST_F(ModelFileTest, RefusesAmountsThatAreNotCanonical) {
  VolumeRow good = data.volumes[0];
  VolumeRow other = data.volumes[1];
  std::vector<Volumes> wrong = {{other, good}, {good, good}};
  for (VolumeRow bad : {good, good, good, good}) wrong.push_back({bad});
  wrong[2][0].count = 0;
  wrong[3][0].step = 0;
  wrong[4][0].quantity = static_cast<Quantity>(kQuantities);
  wrong[5][0].kind.whose = static_cast<Whose>(2);
  for (const Volumes& volumes : wrong) {
    data.volumes = volumes;
    EXPECT_THAT(error_of_data(), HasSubstr("amount of work"));
  }
}

TEST_F(ModelFileTest, RefusesMoreBlocksWithUnseenAccessesThanBlocks) {
  data.calibration.unseen[0] = 5;
  EXPECT_THAT(error_of_data(), HasSubstr("unseen accesses"));
}

TEST_F(ModelFileTest, RefusesAScaleOfZeroAndScoresOutOfOrder) {
  data.calibration.scale.set_sd = 0;
  EXPECT_THAT(error_of_data(), HasSubstr("sample of sessions"));
  data.calibration.scale.set_sd = 1;
  data.calibration.scores = {1, 2};
  EXPECT_THAT(error_of_data(), HasSubstr("sample of sessions"));
}

// A frame that says it has four thousand million operations.
TEST_F(ModelFileTest, TakesNoMemoryForACountThatCannotBeThere) {
  std::vector<std::byte> content(12, std::byte{0xff});
  content[0] = std::byte{0};                            // markov
  content[1] = std::byte{5};                            // order, 4 bytes
  for (std::size_t i = 2; i < 8; ++i) content[i] = {};  // stream, symbols, session
  auto head = trace::encode_file_head({trace::FileType::model, kModelVersion});
  std::vector<std::byte> file(head.begin(), head.end());
  std::vector<std::byte> frame = trace::encode_frame(content);
  file.insert(file.end(), frame.begin(), frame.end());
  EXPECT_THAT(error_of(file), HasSubstr("damaged"));
}

TEST_F(ModelFileTest, PlacesOfCodeThatNoAddressHasAreRefused) {
  EXPECT_EQ(error_of_data(), "");
  Places good = data.places;
  data.places[1].place.offset = 0x1000;
  EXPECT_THAT(error_of_data(), HasSubstr("place of code 1 is wrong"));
  data.places = good;
  data.places[0].place.code = CodeClass::user;
  EXPECT_THAT(error_of_data(), HasSubstr("place of code 0"));
  data.places = good;
  data.places[1].count = 0;
  EXPECT_THAT(error_of_data(), HasSubstr("place of code 1"));
  data.places = {good[1], good[0]};
  EXPECT_THAT(error_of_data(), HasSubstr("place of code 1"));
  data.places = {good[0], good[0]};
  EXPECT_THAT(error_of_data(), HasSubstr("place of code 1"));
}

// Files as versions of iovm wrote them: see docs/model-format.md.
TEST_F(ModelFileTest, ReadsTheGoldenFileAndWritesItAgain) {
  auto got = read_model(IOVM_TEST_DATA "/model/good-v4.iovmm");
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->options.stream, StreamKind::process);
  EXPECT_EQ(got->options.session, SessionView::combined);
  EXPECT_EQ(got->alphabet.size(), 5u);
  EXPECT_EQ(got->volumes.size(), 8u);
  EXPECT_EQ(got->places.size(), 4u);
  EXPECT_EQ(got->sets.size(), 2u);
  EXPECT_EQ(got->allowed, std::vector<std::string>{"device:cmos"});
  EXPECT_EQ(*decode_model(encode_model(*got)), *got);
}

TEST_F(ModelFileTest, RefusesGoldenFilesThatAreOldOrDamaged) {
  for (int version : {1, 2, 3}) {
    auto old = read_model(iovm::format(IOVM_TEST_DATA "/model/old-v{}.iovmm", version));
    ASSERT_FALSE(old);
    EXPECT_THAT(old.error().message(),
                HasSubstr(iovm::format("version {}, and this iovm reads version 4", version)));
  }
  auto flipped = read_model(IOVM_TEST_DATA "/model/flipped-v4.iovmm");
  ASSERT_FALSE(flipped);
  EXPECT_THAT(flipped.error().message(), HasSubstr("damaged"));
}

TEST_F(ModelFileTest, MergedModelsKnowTheOperationsOfBoth) {
  ModelData other = data;
  other.alphabet[0].reg = 0x70;
  std::ranges::sort(other.alphabet);
  auto sum = merge(data, other);
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->alphabet.size(), 3u);
  EXPECT_EQ(sum->origins.size(), 2u);
  ASSERT_EQ(sum->volumes.size(), 2u);
  EXPECT_EQ(sum->volumes[0].count, 4u);
  ASSERT_EQ(sum->places.size(), 2u);
  EXPECT_EQ(sum->places[0].count, 8u);
  EXPECT_TRUE(decode_model(encode_model(*sum)));
  EXPECT_EQ(merge(other, data)->ngrams, sum->ngrams);
  EXPECT_EQ(sum->sets.size(), 4u);
  EXPECT_EQ(merge(other, data)->sets, sum->sets);
}

TEST_F(ModelFileTest, ModelsOfDifferentOptionsAreNotMerged) {
  ModelData other = data;
  other.options.stream = StreamKind::vcpu;
  EXPECT_FALSE(merge(data, other));
}

TEST(PromiseTest, TakesTimesAndEvents) {
  EXPECT_EQ(describe(*parse_promise("1/day")), "1/day");
  EXPECT_EQ(describe(*parse_promise("0.5/week")), "0.5/week");
  EXPECT_EQ(parse_promise("2/12h")->per, 12 * 3600 * 1000000000ULL);
  EXPECT_EQ(parse_promise("5/1M")->per, 1000000u);
  EXPECT_EQ(parse_promise("5/1M")->unit, Promise::Unit::events);
}

TEST(PromiseTest, TakesAShareOfSessions) {
  EXPECT_EQ(describe(*parse_promise("0.1%")), "0.1% of sessions");
  EXPECT_EQ(parse_promise("5%")->unit, Promise::Unit::sessions);
  for (const char* text : {"%", "0%", "-1%", "100%", "nan%", "1%%"}) {
    EXPECT_FALSE(parse_promise(text)) << text;
  }
}

TEST(PromiseTest, RefusesWhatIsNoRate) {
  for (const char* text : {"", "1", "/day", "1/", "0/day", "-1/day", "nan/day", "inf/day", "1/0s",
                           "1/fortnight", "1/day/day", "1/99999999999999999999"}) {
    EXPECT_FALSE(parse_promise(text)) << text;
  }
}

// Ten blocks: the sample has the largest three, 30, 20 and 20.
TEST(PValueTest, IsTheShareOfBlocksThatScoreAsHigh) {
  Calibration c{.blocks = 10, .largest = {30, 20, 20}};
  EXPECT_DOUBLE_EQ(p_value(c, 31), 1 / 11.);
  EXPECT_DOUBLE_EQ(p_value(c, 30), 2 / 11.);
  EXPECT_DOUBLE_EQ(p_value(c, 20), 4 / 11.);
  EXPECT_DOUBLE_EQ(p_value(c, 19), 1.);  // below the sample nothing finer is known
}

TEST(PValueTest, OfASessionCountsTheSessionItself) {
  Calibration c{.scores = {3, 2, 2, 1}};
  EXPECT_DOUBLE_EQ(session_p_value(c, 4), 1 / 5.);
  EXPECT_DOUBLE_EQ(session_p_value(c, 2), 4 / 5.);
  EXPECT_DOUBLE_EQ(session_p_value(c, 0), 1.);
  EXPECT_DOUBLE_EQ(session_p_value({}, 9), 1.);
}

}  // namespace
}  // namespace iovm::model
