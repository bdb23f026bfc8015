// SPDX-License-Identifier: Apache-2.0
//
// The device tables, parsed: devices by name, registers by role, which configuration registers
// move a fixed part of the PC, where structures lie of which no capability told, and which parts of
// a device work by themselves. The tables are text (devices/README.md tells its lines), compiled in
// and parsed once, at the first question; a mistake in one is a failed test, and a broken promise
// at run time.
//
// Lookups are for the first sight of an address only; the tokenizer remembers the answers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/device.h"

namespace iovm::model {

// A table's text, by the name of its file.
struct DeviceText {
  std::string_view name;
  std::string_view text;
};
std::span<const DeviceText> device_texts();

inline constexpr std::uint16_t kAnyNumber = 0xffff;  // of a PCI vendor or device in the tables

struct RegisterRow {
  Space space = Space::port;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool behind_index = false;  // the row is of what an index selects, from first_index on
  std::uint32_t first_index = 0;
  std::uint32_t last_index = 0;
  std::uint8_t size = 0;  // only accesses of that many bytes; 0 all
  std::uint8_t latch = 0;
  Role role = Role::data;
  std::uint64_t value_mask = ~std::uint64_t{0};
  std::string name;
};

// A configuration register that places a fixed part of the PC.
struct Move {
  std::uint32_t config_register = 0;
  std::uint32_t mask = 0;
  std::uint16_t size = 0;  // ports
  std::uint16_t to = 0;    // the port that the first of them is in the tables
};

// Where in a BAR a structure lies as long as no capability was seen to say it.
struct Part {
  Space space = Space::common;
  std::uint8_t bar = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// Parts of a device that work by themselves and at the same time, each with a block of registers of
// its own: the ports of a disk controller, which a kernel drives from a thread each. So what they
// do has an order by part only.
struct Units {
  std::string name;  // "port"
  Space space = Space::port;
  std::uint64_t first = 0;
  std::uint64_t step = 0;
  std::uint32_t times = 0;
};

struct DeviceRow {
  DeviceType type;
  std::string key;                     // of a PCI device empty: its key is vendor:device
  std::string name;                    // in words
  std::vector<RegisterRow> registers;  // by space, first
  std::vector<Move> moves;
  std::vector<Part> parts;
  std::optional<Units> units;
};

class DeviceTable {
 public:
  static Result<DeviceTable> parse(std::span<const DeviceText> texts);

  // The one that is compiled in.
  static const DeviceTable& built_in();

  const std::vector<DeviceRow>& devices() const { return devices_; }
  // The very row of the type; wildcards are not looked at.
  const DeviceRow* find(const DeviceType& type) const;
  // The register's row; the device's own rows first, then its vendor's, then every PCI device's.
  // `size` 0: of any size. With an index only rows behind an index, without one only others.
  const RegisterRow* find_register(const DeviceType& type, Space space, std::uint64_t number,
                                   std::uint8_t size, std::optional<std::uint32_t> index) const;
  // Whose register that is: the number of the unit, from 1; 0 the device's as a whole.
  std::uint32_t unit(const DeviceType& type, Space space, std::uint64_t number) const;
  // The fixed device at a port or address.
  DeviceType fixed_device(Space space, std::uint64_t address) const;

 private:
  struct Range {
    Space space = Space::port;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    DeviceType device;
  };

  Status index();

  std::vector<DeviceRow> devices_;  // by type
  std::vector<Range> fixed_;        // by space, first; they do not overlap
};

}  // namespace iovm::model
