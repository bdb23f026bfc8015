// SPDX-License-Identifier: Apache-2.0
#include "model/device_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace iovm::model {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  DeviceText one{"test.dev", text};
  auto table = DeviceTable::parse({&one, 1});
  return table ? "" : table.error().message();
}

// All tables at once: they parse, no two name one device or one fixed address, and every fixed
// device has its number, a key of its own and registers.
TEST(DeviceTableTest, AllTablesAreWhole) {
  auto table = DeviceTable::parse(device_texts());
  ASSERT_TRUE(table) << table.error().message();
  std::set<std::string> keys;
  std::set<std::uint16_t> numbers;
  for (const DeviceRow& device : table->devices()) {
    EXPECT_FALSE(device.name.empty());
    for (const RegisterRow& r : device.registers) EXPECT_FALSE(r.name.empty()) << device.name;
    if (device.type.bus != Bus::pc) continue;
    EXPECT_TRUE(keys.insert(device.key).second) << device.key;
    EXPECT_FALSE(device.registers.empty()) << device.key;
    numbers.insert(device.type.number);
  }
  for (std::uint16_t n = 1; n <= static_cast<std::uint16_t>(PcDevice::ultrasound); ++n) {
    EXPECT_TRUE(numbers.contains(n)) << "PC device " << n << " is in no table";
  }
}

TEST(DeviceTableTest, EveryDataPortHasItsIndexAndEveryPhaseItsStatus) {
  const DeviceTable& table = DeviceTable::built_in();
  auto partner = [](const DeviceRow& device, const RegisterRow& row, std::set<Role> roles) {
    for (const RegisterRow& r : device.registers) {
      if (r.latch == row.latch && roles.contains(r.role)) return true;
    }
    return false;
  };
  for (const DeviceRow& d : table.devices()) {
    for (const RegisterRow& r : d.registers) {
      std::set<Role> wanted;
      if (r.role == Role::indexed) wanted = {Role::index, Role::toggle};
      if (r.role == Role::phased) wanted = {Role::status};
      if (r.role == Role::toggle) wanted = {Role::rearm};
      EXPECT_TRUE(wanted.empty() || partner(d, r, wanted)) << r.name;
      if (r.behind_index) {
        EXPECT_NE(table.find_register(d.type, r.space, r.first, 0, std::nullopt), nullptr)
            << r.name;
      }
    }
  }
}

TEST(DeviceTableTest, RegistersAreFoundByAddressIndexAndSize) {
  EXPECT_EQ(find_register(pc_device(PcDevice::floppy), Space::port, 0x3f5).role, Role::phased);
  EXPECT_EQ(find_register(pc_device(PcDevice::serial2), Space::port, 0x2fb).name, "line control");
  EXPECT_EQ(find_register(pc_device(PcDevice::cmos), Space::port, 0x71, 1, 0x0b).name,
            "status register B");
  EXPECT_FALSE(find_register(pc_device(PcDevice::cmos), Space::port, 0x71, 1, 0x7e).listed());
  DeviceType pcnet{Bus::pci, 0x1022, 0x2000}, ahci{Bus::pci, 0x8086, 0x2922},
      xhci{Bus::pci, 0x1b36, 0xd};
  EXPECT_EQ(find_register(pcnet, Space::bar0, 0x14, 4).role, Role::index);
  EXPECT_EQ(find_register(pcnet, Space::bar1, 0x14, 2).role, Role::data);
  EXPECT_EQ(find_register(ahci, Space::bar5, 0x198).name, "port 1 command (CMD)");
  EXPECT_EQ(find_register(xhci, Space::bar0, 0x2000).name, "command doorbell");
  EXPECT_EQ(find_register(xhci, Space::bar0, 0x2004).name, "device 1 doorbell");
}

TEST(DeviceTableTest, WhatIsTheSameForAVendorIsFoundForItsDevices) {
  DeviceType block{Bus::pci, 0x1af4, 0x1042}, ivshmem{Bus::pci, 0x1af4, 0x1110};
  EXPECT_EQ(find_register(block, Space::common, 0x14).name, "device status");
  EXPECT_EQ(find_register(ivshmem, Space::bar0, 0xc).name, "doorbell");
  EXPECT_FALSE(find_register(ivshmem, Space::bar0, 0x12).listed());
  EXPECT_EQ(find_register(ivshmem, Space::msix, 0x1c).name, "MSI-X vector 1 control");
}

TEST(DeviceTableTest, PartsOfADeviceThatWorkByThemselvesAreNumbered) {
  DeviceType ahci{Bus::pci, 0x8086, 0x2922}, nvme{Bus::pci, 0x1b36, 0x0010};
  EXPECT_EQ(unit_of(ahci, Space::bar5, 0xff), 0U);
  EXPECT_EQ(unit_of(ahci, Space::bar5, 0x100), 1U);
  EXPECT_EQ(unit_of(ahci, Space::bar5, 0x1ff), 2U);
  EXPECT_EQ(unit_of(ahci, Space::bar5, 0x10ff), 32U);
  EXPECT_EQ(unit_of(ahci, Space::bar5, 0x1100), 0U);
  EXPECT_EQ(unit_of(ahci, Space::bar0, 0x100), 0U);
  EXPECT_EQ(unit_of(nvme, Space::bar0, 0x1008), 0U);
  EXPECT_EQ(unit_text(ahci, 4), "port 3");
}

TEST(DeviceTableTest, FixedDevicesAreFoundByTheirAddresses) {
  EXPECT_EQ(fixed_device(Space::port, 0x3f6), pc_device(PcDevice::ide_primary));
  EXPECT_EQ(fixed_device(Space::port, 0x3f5), pc_device(PcDevice::floppy));
  EXPECT_EQ(fixed_device(Space::memory, 0xfee00300), pc_device(PcDevice::local_apic));
  EXPECT_EQ(fixed_device(Space::memory, 0xb8000), pc_device(PcDevice::vga));
  EXPECT_EQ(fixed_device(Space::port, 0x1234).bus, Bus::none);
}

TEST(DeviceTableTest, AMistakeIsNamedWithItsLine) {
  EXPECT_THAT(error_of("device pc 1 a \"A\"\nport 10 dta \"x\"\n"), HasSubstr("test.dev line 2"));
}

TEST(DeviceTableTest, WhatCannotBeMeantIsRefused) {
  std::string device = "device pc 1 a \"A\"\n";
  EXPECT_EQ(error_of(device + "port 10-1f data \"x\"\nport 20 index \"y\" mask f\n"), "");
  EXPECT_EQ(error_of(device + "units \"part\" port 10 every 8 times 2\n"), "");
  for (const char* line :
       {"port 10 data\n", "prt 10 data \"x\"\n", "port 20-10 data \"x\"\n", "port 1g data \"x\"\n",
        "port 10 data \"x\" latch 8\n", "port 10 data \"x\" mask\n", "port 10[ data \"x\"\n",
        "port 10 data \"x\"\nport 10 data \"y\"\n", "port 10-1f data \"x\"\nport 18 data \"y\"\n",
        "port 10 data \"x\" every 2 times 129\n", "port 10 data \"x\" from 1\n",
        "device pc 1 b \"B\"\n", "moves 40 mask ff\n", "units part port 10 every 8 times 2\n",
        "units \"part\" prt 10 every 8 times 2\n", "units \"part\" port 10 every 0 times 2\n",
        "units \"part\" port 10 every 8 times 0\n", "units \"part\" port 10 every 8\n"}) {
    EXPECT_NE(error_of(device + line), "") << line;
  }
  EXPECT_NE(error_of("port 10 data \"x\"\n"), "");
  EXPECT_NE(error_of(device + "port 10 data \"x\"\ndevice pc 2 b \"B\"\nport 10 data \"x\"\n"), "");
}

}  // namespace
}  // namespace iovm::model
