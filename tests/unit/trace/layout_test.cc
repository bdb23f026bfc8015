// SPDX-License-Identifier: Apache-2.0
//
// PCI layouts in VM records: what is written comes back, what cannot be is refused, and files of
// before and of readers of before agree with it.
#include "trace/archive.h"
#include "trace/context_block.h"
#include "trace/format.h"
#include "trace/frame.h"
#include "unit/trace/trace_test.h"

namespace iovm::trace {
namespace {

using testing::HasSubstr;

PciLayout some_layout() {
  PciFunction bridge{.place = 0x0008, .vendor = 0x1b36, .device = 1, .class_code = 0x0604};
  bridge.secondary = 1, bridge.subordinate = 2;
  PciFunction nic{.place = 0x0118, .vendor = 0x8086, .device = 0x100e, .class_code = 0x0200};
  nic.regions = {{0, true, false, 0xfeb80000, 0x20000},
                 {1, false, false, 0xc000, 0x40},
                 {4, true, true, 0xfffffffffffff000, 0x1000},
                 {kRomRegion, true, false, 0, 0x40000}};
  return {"QMP", {bridge, nic}};
}

// The content of a context block with one VM, whose record ends with what `put_rest` puts there.
template <typename Put>
std::vector<std::byte> block_with_vm(Put put_rest) {
  ArchiveWriter record;
  record.u8(3).text("web-1").text("").text("qemu").i64(1).u32(1).u64(0);
  put_rest(record);
  ArchiveWriter out;
  std::vector<std::byte> bytes = record.bytes();
  out.u32(0).u32(0).u32(0).u32(1).u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
  return encode_frame(out.bytes());
}

using LayoutTest = TraceTest;

TEST_F(LayoutTest, ALayoutTravelsWithItsVm) {
  context_.vms[1].pci = some_layout();
  ReadBack back = read_bytes(written(pci_scan(10)));
  EXPECT_EQ(back.error, "");
  EXPECT_EQ(back.context, context_);
}

TEST_F(LayoutTest, AsManyFunctionsAsThereMayBeComeBack) {
  PciFunction full = some_layout().functions[1];
  full.regions.resize(kMostPciRegions);
  context_.vms[0].pci = {"QMP", std::vector<PciFunction>(kMostPciFunctions, full)};
  EXPECT_EQ(read_bytes(written(pci_scan(10))).context, context_);
}

TEST_F(LayoutTest, WhatIsTooMuchIsNotWritten) {
  PciFunction full = some_layout().functions[1];
  full.regions.resize(kMostPciRegions + 5);
  context_.vms[0].pci = {"QMP", std::vector<PciFunction>(kMostPciFunctions + 5, full)};
  PciLayout back = read_bytes(written(pci_scan(10))).context.vms[0].pci;
  ASSERT_EQ(back.functions.size(), kMostPciFunctions);
  EXPECT_EQ(back.functions[0].regions.size(), kMostPciRegions);
}

TEST_F(LayoutTest, FieldsBehindALayoutAreReadOver) {
  Context context;
  auto block =
      block_with_vm([](ArchiveWriter& out) { out.text("QMP").u32(0).text("later").u8(9); });
  EXPECT_TRUE(apply_context(block, context));
  EXPECT_EQ(context.vms[0].pci.from, "QMP");
}

TEST_F(LayoutTest, CountsThatTheRecordCannotHoldAreRefusedBeforeMemoryIsTaken) {
  Context context;
  for (std::uint32_t count : {1U, 1025U, 0xffffffffU}) {
    auto functions = block_with_vm([&](ArchiveWriter& out) { out.text("QMP").u32(count); });
    EXPECT_FALSE(apply_context(functions, context)) << count;
    auto regions = block_with_vm([&](ArchiveWriter& out) {
      out.text("QMP").u32(1).u16(0).u16(1).u16(2).u16(3).u8(0).u8(0).u32(count);
    });
    EXPECT_FALSE(apply_context(regions, context)) << count;
  }
}

TEST_F(LayoutTest, MoreFunctionsThanThereMayBeAreRefused) {
  Context context;
  auto block = block_with_vm([](ArchiveWriter& out) {
    out.text("QMP").u32(kMostPciFunctions + 1);
    for (std::size_t i = 0; i <= kMostPciFunctions; ++i)
      out.u16(0).u16(1).u16(2).u16(3).u8(0).u8(0).u32(0);
  });
  auto applied = apply_context(block, context);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message(), HasSubstr("more than 1024 PCI functions"));
}

TEST_F(LayoutTest, TheGoldenFileHasItsLayout) {
  ReadBack back = read(std::string(IOVM_TEST_DATA) + "/trace/good-layout.iovm");
  EXPECT_EQ(back.error, "");
  EXPECT_EQ(back.events.size(), 2U);
  ASSERT_EQ(back.context.vms.size(), 1U);
  EXPECT_EQ(back.context.vms[0].pci, some_layout());
}

TEST_F(LayoutTest, TheBadGoldenFileLosesItsVmTableAndSaysSo) {
  ReadBack back = read(std::string(IOVM_TEST_DATA) + "/trace/bad-layout.iovm");
  ASSERT_EQ(back.damage.size(), 1U);
  EXPECT_THAT(back.damage[0].why, HasSubstr("longer than its record"));
  EXPECT_EQ(back.without_losses().size(), 2U);
  EXPECT_EQ(back.context.vms[0].name, "");
}

}  // namespace
}  // namespace iovm::trace
