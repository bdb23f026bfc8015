// SPDX-License-Identifier: Apache-2.0
#include "analyze/nearest.h"

#include <gtest/gtest.h>

namespace iovm::analyze {
namespace {

using model::Operation;

Operation port(std::uint64_t reg, trace::Direction direction,
               std::optional<std::uint64_t> value = std::nullopt,
               model::PcDevice device = model::PcDevice::floppy) {
  Operation operation;
  operation.device = model::pc_device(device);
  operation.direction = direction;
  operation.size = 1;
  operation.reg = reg;
  if (value) operation.set(model::Mark::value), operation.value = *value;
  return operation;
}

const Operation kStatus = port(0x3f4, trace::Direction::read);
const Operation kCommand = port(0x3f5, trace::Direction::write, 0x8);
const Operation kWrong = port(0x3f5, trace::Direction::write, 0x8e);
const Operation kData = port(0x3f5, trace::Direction::write);
const Operation kDisk = port(0x1f7, trace::Direction::read, {}, model::PcDevice::ide_primary);

// Symbols 4 to 7: status, command, data, disk.
model::ModelData data_of(std::vector<std::pair<std::vector<model::Symbol>, std::uint64_t>> seen) {
  model::ModelData data;
  data.alphabet = {kStatus, kCommand, kData, kDisk};
  data.ngrams.length = 3;
  for (const auto& [symbols, count] : seen) {
    data.ngrams.symbols.insert(data.ngrams.symbols.end(), symbols.begin(), symbols.end());
    data.ngrams.counts.push_back(count);
  }
  return data;
}

// By names and in words, as alerts have it.
std::optional<NearestNormal> nearest_normal(const model::ModelData& data,
                                            const std::vector<Operation>& sequence) {
  std::vector<std::string> names;
  std::vector<std::string> texts;
  for (const Operation& operation : sequence) {
    names.push_back(model::short_name(operation));
    texts.push_back(model::describe(operation));
  }
  return NearestFinder(data).find(names, texts);
}

TEST(Nearest, AnotherValueIsNearerThanAnotherRegister) {
  auto data = data_of({{{4, 6, 6}, 90}, {{4, 5, 4}, 3}, {{4, 4, 5}, 2}});
  auto found = nearest_normal(data, std::vector{kStatus, kWrong, kStatus});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->count, 3U);
  ASSERT_EQ(found->steps.size(), 3U);
  EXPECT_TRUE(found->steps[0].same());
  EXPECT_FALSE(found->steps[1].same());
  EXPECT_EQ(found->steps[1].seen, model::describe(kWrong));
  EXPECT_EQ(found->steps[1].normal, model::describe(kCommand));
}

TEST(Nearest, AStepTooManyStandsAlone) {
  auto data = data_of({{{model::kNoSymbol, 4, 6}, 5}});
  auto found = nearest_normal(data, std::vector{kStatus, kDisk, kData});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->steps.size(), 3U);
  EXPECT_EQ(found->steps[1].seen, model::describe(kDisk));
  EXPECT_EQ(found->steps[1].normal, "");
}

TEST(Nearest, OfEquallyNearOnesTheMostFrequentWins) {
  auto data = data_of({{{4, 4, 6}, 5}, {{5, 4, 6}, 50}});
  auto found = nearest_normal(data, std::vector{kData, kStatus, kData});
  ASSERT_TRUE(found);
  // A value less is nearer than another register.
  EXPECT_EQ(found->count, 50U);
}

TEST(Nearest, ASequenceOfTrainingNeedsNoOther) {
  auto data = data_of({{{4, 5, 6}, 5}});
  EXPECT_FALSE(nearest_normal(data, std::vector{kStatus, kCommand, kData}));
}

TEST(Nearest, AnotherIndexIsNearerThanAnotherRegister) {
  auto config = [](std::uint32_t index, std::uint64_t reg) {
    Operation operation = port(reg, trace::Direction::write, 0, model::PcDevice::pci_config);
    operation.space = model::Space::config;
    operation.set(model::Mark::index);
    operation.index = index;
    return operation;
  };
  auto data = data_of({{{model::kNoSymbol, 4, 6}, 9}, {{model::kNoSymbol, 5, 6}, 1}});
  data.alphabet = {config(3, 4), config(4, 0x10), kDisk};
  auto found = nearest_normal(data, {config(4, 4), kDisk});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->steps[0].normal, model::describe(config(3, 4)));
}

TEST(Nearest, HostileNamesAreOnlyUnknownOnes) {
  auto data = data_of({{{4, 4, 6}, 5}});
  NearestFinder finder(data);
  for (std::string name : {"", ":", "[", "=", "fdc", "fdc:", "fdc:[:=@", "::::", "fdc:3f5:w1=[:"}) {
    std::vector<std::string> names = {model::short_name(kStatus), name};
    finder.find(names, names);
  }
  std::vector<std::string> names(100, model::short_name(kData));
  EXPECT_TRUE(finder.find(names, names));
  EXPECT_FALSE(finder.find(names, {}));
}

TEST(Nearest, ADeviceThatTrainingNeverSawHasNone) {
  auto data = data_of({{{4, 4, 6}, 5}});
  EXPECT_FALSE(nearest_normal(data, std::vector{kStatus, kDisk}));
  EXPECT_FALSE(nearest_normal(data, {}));
}

}  // namespace
}  // namespace iovm::analyze
