// SPDX-License-Identifier: Apache-2.0
//
// Adds the accesses of one recording up to stretches (model/volume.h): for each device those of
// everybody and those of each actor, an actor being a guest process, or an address space where the
// process is not known. A stretch begins with its first access and takes what comes within a
// minute. The same watch serves training, which takes the stretches when they are over, and
// detection, which is told at once when one passes its limits.
//
// Speed: as long as the same actor works on a device, its minute goes on and no limit is near, an
// access is counted beside the stretches, in a handful of instructions; they take it in when one of
// these ends (settle).
//
// Bounded: of actors at most kMaxActorStretches are kept, those that acted last; of a disk's reads
// the last kMaxReads. Times and amounts alone decide, never batches. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/actor.h"
#include "model/disk_commands.h"
#include "model/tokenizer.h"
#include "model/volume.h"

namespace iovm::model {

struct Stretch {
  StretchKind kind;
  std::uint64_t actor = 0;  // model/actor.h; 0: everybody's
  std::uint64_t first_event = 0;
  std::uint64_t first_time = 0;
  std::uint64_t last_time = 0;
  Amounts amounts = {};
  const Amounts* limits = nullptr;  // an amount that reaches its limit is an alarm; nullptr: none
  bool loud = false;                // one has
  bool was_loud = false;            // and one had in the minute before

  std::uint64_t& operator[](Quantity quantity) {
    return amounts[static_cast<std::size_t>(quantity)];
  }
};

// The least amounts that are an alarm, by kind of stretch.
class VolumeLimits {
 public:
  VolumeLimits() = default;
  VolumeLimits(const VolumeNorm& norm, double excess);

  const Amounts* of(const StretchKind& kind) const;

 private:
  std::map<StretchKind, Amounts> limits_;
};

class VolumeWatch {
 public:
  static constexpr std::size_t kMaxActorStretches = 2048;
  static constexpr std::size_t kMaxReads = 1024;

  // What an access did to the stretches it belongs to.
  struct Sight {
    const Stretch* passed = nullptr;  // the one that it brought to a limit
    const Stretch* own = nullptr;     // its actor's; nothing if nobody knows who acts
    bool loud = false;                // one of them is, or was just before
  };

  // `limits` must outlive the watch. Stretches that are over are given to `ended`, if there is one.
  explicit VolumeWatch(const VolumeLimits* limits = nullptr, std::vector<Stretch>* ended = nullptr)
      : limits_(limits), ended_(ended) {}

  // An access, the recording's `number`th event, to the device of that index.
  // What it gives holds until the next access.
  const Sight& see(const trace::Event& event, std::uint64_t number, DeviceIndex device,
                   const std::vector<Device>& devices) {
    if (device < rows_.size() && rows_[device] != nullptr) {
      Row& row = *rows_[device];
      bool goes_on = row.room > 0 && event.time < row.until && actor_of(event) == row.actor;
      if (goes_on && (row.disk == nullptr || !AtaChannel::minds(event))) {
        --row.room;
        ++row.waiting;
        row.waiting_writes += event.direction == trace::Direction::write ? 1 : 0;
        row.time = event.time;
        return row.sight;
      }
    }
    return look(event, number, device, devices);
  }
  // What disks were told before is no longer known.
  void lost(const trace::Event& loss);
  // The end: all stretches are over.
  void finish();

 private:
  struct Key {
    std::uint64_t actor = 0;
    DeviceIndex device = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return static_cast<std::size_t>((key.actor ^ key.device) * 0x9e3779b97f4a7c15 >> 16);
    }
  };
  // The different regions of a disk that a stretch touched, counted by a bit for each, hashed.
  class Regions {
   public:
    void add(std::uint64_t first, std::uint64_t last);
    std::uint64_t count() const;

   private:
    static constexpr std::size_t kBits = 1024;
    std::array<std::uint64_t, kBits / 64> bits_ = {};
    std::size_t set_ = 0;
  };
  struct Open {
    Stretch stretch;
    std::unique_ptr<Regions> regions;  // of a disk
  };
  struct Read {
    DiskCommand command;
    std::uint64_t actor = 0;
    std::uint64_t time = 0;
  };
  struct Disk {
    AtaChannel channel;
    std::vector<Read> reads;  // the last ones, a ring
    std::size_t at = 0;
  };
  struct Row {
    std::uint16_t vm = 0;
    Open all;
    std::uint64_t actor = 0;  // who acted last, and what it has done
    Open* own = nullptr;
    // Accesses of that actor that the stretches have not taken in yet, the last one's time, how
    // many more there may be and until when, and what each of them is told.
    std::uint64_t waiting = 0;
    std::uint64_t waiting_writes = 0;
    std::uint64_t time = 0;
    std::uint64_t room = 0;
    std::uint64_t until = 0;
    Sight sight;
    std::unique_ptr<Disk> disk;
  };

  const Sight& look(const trace::Event& event, std::uint64_t number, DeviceIndex device,
                    const std::vector<Device>& devices);
  static void settle(Row& row);
  static void give_room(Row& row);
  Row& row(DeviceIndex device, const std::vector<Device>& devices);
  Open* own(Row& row, const trace::Event& event, DeviceIndex device);
  void begin(Open& open, const trace::Event& event, std::uint64_t number);
  void end(const Open& open);
  void make_room();
  void end_actors(std::uint64_t time);
  static void count(Stretch& stretch, const trace::Event& event);
  static void count(Open& open, const DiskCommand& command, bool rewrites);
  static bool rewrites(const Disk& disk, const DiskCommand& command, const Stretch& stretch);
  static void remember(Disk& disk, const Read& read);
  static bool passes(Stretch& stretch, bool command);

  const VolumeLimits* limits_;
  Sight sight_;  // of what was looked at last
  std::vector<Stretch>* ended_;
  std::vector<std::unique_ptr<Row>> rows_;  // by device
  std::unordered_map<Key, std::unique_ptr<Open>, Hash> actors_;
};

}  // namespace iovm::model
