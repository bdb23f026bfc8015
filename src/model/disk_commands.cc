// SPDX-License-Identifier: Apache-2.0
#include "model/disk_commands.h"

namespace iovm::model {
namespace {

// Offsets in the command block.
constexpr std::size_t kCount = 2, kLow = 3, kMiddle = 4, kHigh = 5, kDrive = 6, kCommand = 7;
constexpr std::uint64_t kSecondDrive = std::uint64_t{1} << 63;

struct Kind {
  bool write = false;
  bool wide = false;  // 48-bit address, 16-bit count
};

std::optional<Kind> kind_of(std::uint8_t command) {
  switch (command) {
    case 0x20:  // READ SECTORS, and without retries
    case 0x21:
    case 0xc4:  // READ MULTIPLE
    case 0xc8:  // READ DMA
    case 0xc9:
      return Kind{false, false};
    case 0x24:  // the same with 48 bits
    case 0x25:
    case 0x29:
      return Kind{false, true};
    case 0x30:  // WRITE SECTORS
    case 0x31:
    case 0xc5:  // WRITE MULTIPLE
    case 0xca:  // WRITE DMA
    case 0xcb:
      return Kind{true, false};
    case 0x34:
    case 0x35:
    case 0x39:
    case 0x3d:  // WRITE DMA FUA
      return Kind{true, true};
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_ata_channel(const DeviceType& type) {
  return type == pc_device(PcDevice::ide_primary) || type == pc_device(PcDevice::ide_secondary);
}

std::uint64_t AtaChannel::address(bool wide) const {
  auto at = [&](std::size_t i, bool before) {
    return std::uint64_t{before ? registers_[i].before : registers_[i].now};
  };
  std::uint64_t out = at(kLow, false) | at(kMiddle, false) << 8 | at(kHigh, false) << 16;
  if (wide) return out | at(kLow, true) << 24 | at(kMiddle, true) << 32 | at(kHigh, true) << 40;
  return out | (at(kDrive, false) & 0xf) << 24;
}

std::uint64_t AtaChannel::count(bool wide) const {
  std::uint64_t low = registers_[kCount].now;
  if (!wide) return low == 0 ? 256 : low;
  std::uint64_t both = low | std::uint64_t{registers_[kCount].before} << 8;
  return both == 0 ? 65536 : both;
}

std::optional<DiskCommand> AtaChannel::see(const trace::Event& event) {
  // The control ports, 0x206 above, are not among the eight.
  bool block =
      event.kind == trace::EventKind::pio && (event.address & ~std::uint64_t{0x87}) == 0x170;
  if (!block || event.direction != trace::Direction::write || !event.has(trace::Field::value)) {
    return std::nullopt;
  }
  std::size_t offset = event.address & 7;
  auto value = static_cast<std::uint8_t>(event.value);
  if (offset != kCommand) {
    registers_[offset] = {value, registers_[offset].now};
    return std::nullopt;
  }
  auto kind = kind_of(value);
  if (!kind) return std::nullopt;
  bool second = (registers_[kDrive].now & 0x10) != 0;
  return DiskCommand{kind->write, address(kind->wide) | (second ? kSecondDrive : 0),
                     count(kind->wide)};
}

}  // namespace iovm::model
