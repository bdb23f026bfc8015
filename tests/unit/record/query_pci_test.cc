// SPDX-License-Identifier: Apache-2.0
#include "record/query_pci.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/fd.h"
#include "base/format.h"
#include "trace/format.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string function(std::string_view regions, std::string_view more = "") {
  return format(R"({{"bus":0,"slot":3,"function":0,"id":{{"vendor":32902,"device":4110}},)"
                R"("class_info":{{"class":512}},"regions":[{}]{}}})",
                regions, more);
}
std::string answer(std::string_view functions) {
  return format(R"({{"return":[{{"bus":0,"devices":[{}]}}]}})", functions);
}
std::vector<trace::PciFunction> functions_of(std::string_view functions) {
  auto layout = parse_query_pci(answer(functions), "QMP");
  return layout ? layout->functions : std::vector<trace::PciFunction>();
}
std::vector<trace::PciRegion> regions_of(std::string_view regions) {
  auto functions = functions_of(function(regions));
  return functions.empty() ? std::vector<trace::PciRegion>() : functions[0].regions;
}

// qemu-system-x86_64 7.2 -machine q35 with SeaBIOS, a virtio disk behind a root port, e1000,
// rtl8139, and an ne2000 behind a PCI bridge.
TEST(QueryPciTest, TheAnswerOfARealQemu) {
  auto text = read_file(std::string(IOVM_TEST_DATA) + "/qmp/query-pci-q35.json");
  ASSERT_TRUE(text);
  auto layout = parse_query_pci(*text, "QMP");
  ASSERT_TRUE(layout) << layout.error().message();
  EXPECT_EQ(layout->from, "QMP");
  auto at = [&](std::uint16_t place) {
    auto found = std::ranges::find(layout->functions, place, &trace::PciFunction::place);
    return found == layout->functions.end() ? trace::PciFunction() : *found;
  };
  trace::PciFunction e1000{.place = 0x10, .vendor = 0x8086, .device = 0x100e, .class_code = 0x200};
  e1000.regions = {{0, true, false, 4268228608, 0x20000},
                   {1, false, false, 53504, 64},
                   {6, true, false, 0, 0x40000}};
  EXPECT_EQ(at(0x10), e1000);
  EXPECT_EQ(at(0x08).class_code, 0x604);
  EXPECT_EQ(at(0x08).secondary, 1);
  EXPECT_EQ(at(0x100).device, 0x1042);
  EXPECT_THAT(at(0x100).regions, ElementsAre(trace::PciRegion{1, true, false, 4265607168, 4096},
                                             trace::PciRegion{4, true, true, 4271898624, 16384}));
  EXPECT_EQ(at(0x218).device, 0x8029);
  EXPECT_EQ(at(0x00).device, 0x29c0);
}

TEST(QueryPciTest, WhatARegionLacksOrCannotHaveLeavesItOut) {
  EXPECT_THAT(regions_of(R"({"bar":0,"type":"io","size":64,"address":49152})"), SizeIs(1));
  for (const char* region :
       {R"({"type":"io","size":64,"address":49152})", R"({"bar":7,"type":"io","size":64})",
        R"({"bar":-1,"type":"io","size":64})", R"({"bar":0,"type":"dma","size":64})",
        R"({"bar":0,"type":"io","size":-64})", R"({"bar":0,"type":"io","size":1e30})",
        R"({"bar":0,"type":"io"})", "[]", "7", "null"}) {
    EXPECT_THAT(regions_of(region), IsEmpty()) << region;
  }
}

TEST(QueryPciTest, ABarThatIsNowhereHasAddressZero) {
  auto regions = regions_of(R"({"bar":0,"type":"memory","size":4096,"address":-1})");
  ASSERT_THAT(regions, SizeIs(1));
  EXPECT_EQ(regions[0].address, 0U);
}

TEST(QueryPciTest, WhatAFunctionLacksLeavesItOut) {
  for (const char* json : {R"({"slot":3,"function":0,"id":{"vendor":1,"device":2}})",
                           R"({"bus":256,"slot":3,"function":0,"id":{"vendor":1,"device":2}})",
                           R"({"bus":0,"slot":32,"function":0,"id":{"vendor":1,"device":2}})",
                           R"({"bus":0,"slot":3,"function":8,"id":{"vendor":1,"device":2}})",
                           R"({"bus":0,"slot":3,"function":0,"id":{"vendor":65536,"device":2}})",
                           R"({"bus":0,"slot":3,"function":0})", "3", "[]"}) {
    EXPECT_THAT(functions_of(json), IsEmpty()) << json;
  }
}

TEST(QueryPciTest, MoreThanATraceHoldsIsCutOff) {
  std::string regions, functions;
  for (int i = 0; i < 50; ++i)
    regions += (i == 0 ? "" : ",") + std::string(R"({"bar":0,"type":"io","size":64})");
  for (int i = 0; i < 2000; ++i) functions += (i == 0 ? "" : ",") + function(regions);
  auto found = functions_of(functions);
  EXPECT_THAT(found, SizeIs(trace::kMostPciFunctions));
  EXPECT_THAT(found[0].regions, SizeIs(trace::kMostPciRegions));
}

TEST(QueryPciTest, BridgesBehindBridgesEndSomewhere) {
  std::string nested = function("");
  for (int i = 0; i < 2000; ++i)
    nested = function("", R"(,"pci_bridge":{"bus":{"secondary":1},"devices":[)" + nested + "]}");
  EXPECT_THAT(functions_of(nested), SizeIs(256));
}

TEST(QueryPciTest, WhatIsNoAnswerIsAnError) {
  for (const char* text : {"", "{", "[]", "{}", R"({"return":7})", R"({"return":[]})",
                           R"({"return":[{"devices":{}}]})", R"({"return":[[[]]]})"}) {
    EXPECT_FALSE(parse_query_pci(text, "QMP")) << text;
  }
}

}  // namespace
}  // namespace iovm::record
