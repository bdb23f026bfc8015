// SPDX-License-Identifier: Apache-2.0
//
// What a disk is told to do, where registers show it: the reads and writes of an ATA channel, with
// their sectors. The address and the count stand in six registers that the driver fills before it
// writes the command, twice where they take 48 bits. PIO and DMA commands alike; where the data go
// does not matter. (AHCI, NVMe and virtio keep their commands in memory: there only doorbells
// show.)
//
// One AtaChannel follows one channel with its two drives. The guest may write what it likes: every
// number of it is bounded by the registers' width.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "model/device.h"
#include "trace/event.h"

namespace iovm::model {

struct DiskCommand {
  bool write = false;
  std::uint64_t first = 0;    // sector; the second drive's have bit 63 set
  std::uint64_t sectors = 0;  // 1 to 65536
};

// True if the device is a channel whose commands AtaChannel understands.
bool is_ata_channel(const DeviceType& type);

class AtaChannel {
 public:
  // An access to the channel; the command, if it gives one that reads or writes sectors.
  std::optional<DiskCommand> see(const trace::Event& event);
  // Whether an access to the channel can say anything: a write, but not of data.
  static bool minds(const trace::Event& event) {
    return event.direction == trace::Direction::write && (event.address & 7) != 0;
  }
  // Registers that were written before are no longer known.
  void lost() { *this = {}; }

 private:
  // What was last written to it, and before that.
  struct Register {
    std::uint8_t now = 0;
    std::uint8_t before = 0;
  };
  std::uint64_t address(bool wide) const;
  std::uint64_t count(bool wide) const;

  std::array<Register, 8> registers_ = {};
};

}  // namespace iovm::model
