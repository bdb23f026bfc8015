// SPDX-License-Identifier: Apache-2.0
//
// What kind of device stands behind an address, and what each of its registers is for. A device
// type is the same on every boot and every machine: a part of the PC's chip set that always sits at
// the same ports, or a PCI function known by vendor and device number, wherever the firmware put
// its BARs. All knowledge about devices is lines of tables (devices/): a new device is new lines,
// never new code.
//
// The role of a register decides how much of an access becomes part of its symbol (measured: values
// belong at command, index and control registers only; everywhere else they drown the sequence).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace iovm::model {

enum class Bus : std::uint8_t {
  none,  // no device that the tracker or the table knows: a bare address
  pc,    // a fixed part of the PC; see PcDevice
  pci,   // a PCI function, by vendor and device number
};

// The fixed parts of a PC. The numbers are in model files: never renumber, only append.
enum class PcDevice : std::uint16_t {
  none = 0,
  pic_master = 1,
  pic_slave = 2,
  pit = 3,
  keyboard = 4,  // the 8042
  cmos = 5,
  dma = 6,
  floppy = 7,
  ide_primary = 8,
  ide_secondary = 9,
  serial1 = 10,
  serial2 = 11,
  serial3 = 12,
  serial4 = 13,
  parallel1 = 14,
  parallel2 = 15,
  vga = 16,
  pci_config = 17,
  fw_cfg = 18,
  acpi = 19,
  acpi_hotplug = 20,
  debug_console = 21,
  post_code = 22,
  system_control = 23,  // 0x61, 0x92, 0xcf9, ELCR
  local_apic = 24,
  io_apic = 25,
  hpet = 26,
  sound_blaster = 27,
  adlib = 28,
  midi = 29,
  game_port = 30,
  vmware_backdoor = 31,
  rom = 32,
  tpm = 33,
  debug_exit = 34,
  smi = 35,
  ne2000 = 36,
  pvpanic = 37,
  isa_pnp = 38,
  super_io = 39,
  smbus = 40,
  cs4231a = 41,
  ultrasound = 42,
};

struct DeviceType {
  Bus bus = Bus::none;
  std::uint16_t vendor = 0;  // PCI; 0 else
  std::uint16_t number = 0;  // PCI: device number; pc: PcDevice

  friend auto operator<=>(const DeviceType&, const DeviceType&) = default;
};

constexpr DeviceType pc_device(PcDevice device) {
  return {Bus::pc, 0, static_cast<std::uint16_t>(device)};
}

// "floppy controller", "Intel 82540EM network controller (e1000)", "PCI device 1234:5678",
// "unassigned address".
std::string device_name(const DeviceType& type);
// One word for options and tables: "fdc", "ide0", "8086:100e", "unassigned".
std::string device_key(const DeviceType& type);

// Bus, device and function: "00:03.0".
std::string function_text(std::uint32_t bdf);

// Where a register number counts from.
enum class Space : std::uint8_t {
  bar0,  // ... bar5: offset in the BAR
  bar1,
  bar2,
  bar3,
  bar4,
  bar5,
  port,    // the port number itself
  memory,  // the guest-physical address itself
  config,  // a register of the PCI configuration space; the function (bdf) is the index
  common,  // virtio 1.x structures, wherever the capability puts them in the BARs: common
  notify,  // ... queue notify
  isr,     // ... interrupt status
  devcfg,  // ... device configuration
  msix,    // the MSI-X table, wherever the capability puts it
  pba,     // its pending bits
};
inline constexpr int kSpaces = 15;

// "port", "bar0", "common", ...
std::string_view name_of(Space space);

// What an access to the register says.
enum class Role : std::uint8_t {
  data,     // the value says nothing about the order of things
  command,  // the value written is what is being done
  index,    // the value written selects the register behind a data port
  indexed,  // the data port of an index register: named by what was selected
  toggle,   // index and data by turns at one address
  rearm,    // like data; a read makes the toggle of its latch expect an index
  status,   // like data; a read also latches the phase of a phased register (floppy: MSR)
  phased,   // a write is data if the status read just before says busy, else a command (floppy:
            // FIFO)
  window,   // memory behind an address range: folded to one register per range
};

inline constexpr std::size_t kLatches = 8;  // of a device: what was selected, by pair

// A register as the rest of the program sees it.
struct Register {
  std::string_view name;  // "data FIFO"; empty for a register that no table has
  Role role = Role::data;
  std::uint64_t first = 0;  // register number of the line's first address; windows fold to it
  std::uint64_t value_mask = ~std::uint64_t{0};  // the bits of a value that belong to the symbol
  std::uint8_t latch = 0;                        // which index or status latch of the device
  bool listed() const { return !name.empty(); }
};

// The register of a device, with a role for every one; `number` counts from `space`. `size` is the
// access's (0: not known). With an index: the register behind a data port, if a table has it.
Register find_register(const DeviceType& type, Space space, std::uint64_t number,
                       std::uint8_t size = 0, std::optional<std::uint32_t> index = std::nullopt);

// The part of the device whose register that is, where parts of it work by themselves: from 1; 0
// else.
std::uint32_t unit_of(const DeviceType& type, Space space, std::uint64_t number);
// "port 3", of a unit from 1 on.
std::string unit_text(const DeviceType& type, std::uint32_t unit);

// The fixed device at a port or guest-physical address, or Bus::none.
DeviceType fixed_device(Space space, std::uint64_t address);

}  // namespace iovm::model
