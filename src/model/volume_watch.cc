// SPDX-License-Identifier: Apache-2.0
#include "model/volume_watch.h"

#include <algorithm>
#include <cmath>

namespace iovm::model {
namespace {

constexpr std::uint64_t kRegionSectors = 2048;  // 1 MiB
constexpr std::size_t kOfAccesses = 2;          // quantities that count accesses come first
constexpr std::uint64_t kMostRegions = 65536 / kRegionSectors + 1;  // of one command

}  // namespace

VolumeLimits::VolumeLimits(const VolumeNorm& norm, double excess) {
  for (const auto& [kind, most] : norm.all()) {
    Amounts& limits = limits_[kind];
    for (std::size_t i = 0; i < kQuantities; ++i) {
      limits[i] = limit(static_cast<Quantity>(i), most[i], excess);
    }
  }
}

const Amounts* VolumeLimits::of(const StretchKind& kind) const {
  auto it = limits_.find(kind);
  return it == limits_.end() ? nullptr : &it->second;
}

void VolumeWatch::Regions::add(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t region = first; region <= last && region - first < kMostRegions; ++region) {
    std::uint64_t bit = region * 0x9e3779b97f4a7c15 >> 54;
    std::uint64_t mask = std::uint64_t{1} << bit % 64;
    if ((bits_[bit / 64] & mask) == 0) ++set_;
    bits_[bit / 64] |= mask;
  }
}

// What so many bits stand for, were regions thrown at them at random.
std::uint64_t VolumeWatch::Regions::count() const {
  constexpr double kAll = kBits;
  double free = std::max<double>(kAll - static_cast<double>(set_), 1);
  return static_cast<std::uint64_t>(std::lround(kAll * std::log(kAll / free)));
}

const VolumeWatch::Sight& VolumeWatch::look(const trace::Event& event, std::uint64_t number,
                                            DeviceIndex device,
                                            const std::vector<Device>& devices) {
  Row& r = row(device, devices);
  settle(r);
  Open* mine = own(r, event, device);
  begin(r.all, event, number);
  count(r.all.stretch, event);
  if (mine != nullptr) {
    begin(*mine, event, number);
    count(mine->stretch, event);
  }
  std::optional<DiskCommand> command;
  if (r.disk != nullptr) command = r.disk->channel.see(event);
  if (command) {
    count(r.all, *command, rewrites(*r.disk, *command, r.all.stretch));
    if (mine != nullptr) count(*mine, *command, rewrites(*r.disk, *command, mine->stretch));
    if (!command->write) remember(*r.disk, {*command, actor_of(event), event.time});
  }
  Sight& sight = sight_;
  sight = {};
  if (passes(r.all.stretch, command.has_value())) sight.passed = &r.all.stretch;
  sight.loud = r.all.stretch.loud || r.all.stretch.was_loud;
  if (mine != nullptr) {
    sight.own = &mine->stretch;
    // Who did it says more than that it was done.
    if (passes(mine->stretch, command.has_value())) sight.passed = &mine->stretch;
    sight.loud = sight.loud || mine->stretch.loud || mine->stretch.was_loud;
  }
  r.sight = sight;
  r.sight.passed = nullptr;
  give_room(r);
  return sight;
}

// The stretches take in what waits.
void VolumeWatch::settle(Row& r) {
  for (Open* open : {&r.all, r.own}) {
    if (r.waiting == 0 || open == nullptr) continue;
    open->stretch[Quantity::accesses] += r.waiting;
    open->stretch[Quantity::writes] += r.waiting_writes;
    open->stretch.last_time = r.time;
  }
  r.waiting = r.waiting_writes = r.room = 0;
}

// How long accesses of the same actor need not be looked at.
void VolumeWatch::give_room(Row& r) {
  r.room = ~std::uint64_t{0};
  r.until = ~std::uint64_t{0};
  for (const Open* open : {static_cast<const Open*>(&r.all), static_cast<const Open*>(r.own)}) {
    if (open == nullptr) continue;
    const Stretch& s = open->stretch;
    r.until = std::min(r.until, s.first_time + kStretchNs);
    if (s.limits == nullptr || s.loud) continue;
    for (std::size_t i = 0; i < kOfAccesses; ++i) {
      r.room = std::min(r.room, (*s.limits)[i] - s.amounts[i] - 1);
    }
  }
}

void VolumeWatch::lost(const trace::Event& loss) {
  for (const std::unique_ptr<Row>& row : rows_) {
    if (row == nullptr || row->disk == nullptr) continue;
    if (loss.vm == trace::kAllVms || loss.vm == row->vm) row->disk->channel.lost();
  }
}

void VolumeWatch::finish() {
  for (const std::unique_ptr<Row>& row : rows_) {
    if (row == nullptr) continue;
    settle(*row);
    end(row->all);
  }
  end_actors(~std::uint64_t{0});
  rows_.clear();
}

VolumeWatch::Row& VolumeWatch::row(DeviceIndex device, const std::vector<Device>& devices) {
  if (device >= rows_.size()) rows_.resize(device + 1);
  if (rows_[device] == nullptr) {
    rows_[device] = std::make_unique<Row>();
    rows_[device]->vm = devices[device].vm;
    rows_[device]->all.stretch.kind = {devices[device].type, Whose::device};
    if (is_ata_channel(devices[device].type)) rows_[device]->disk = std::make_unique<Disk>();
  }
  return *rows_[device];
}

// The actor's stretch at the device; nothing if nobody knows who acts.
VolumeWatch::Open* VolumeWatch::own(Row& row, const trace::Event& event, DeviceIndex device) {
  std::uint64_t actor = actor_of(event);
  if (actor == 0) {
    row.actor = 0;
    row.own = nullptr;
    return nullptr;
  }
  if (row.own != nullptr && row.actor == actor) return row.own;
  auto it = actors_.find({actor, device});
  if (it == actors_.end()) {
    if (actors_.size() >= kMaxActorStretches) make_room();
    it = actors_.emplace(Key{actor, device}, std::make_unique<Open>()).first;
    Stretch& stretch = it->second->stretch;
    stretch.kind = {row.all.stretch.kind.device, Whose::actor};
    stretch.actor = actor;
  }
  row.actor = actor;
  row.own = it->second.get();
  return row.own;
}

// The stretch that the access belongs to: the one that goes on, or a new one.
void VolumeWatch::begin(Open& open, const trace::Event& event, std::uint64_t number) {
  Stretch& s = open.stretch;
  bool used = s[Quantity::accesses] > 0;
  if (!used || event.time >= s.first_time + kStretchNs) {
    if (used) end(open);
    s.was_loud = s.loud && event.time < s.last_time + kStretchNs;
    s.loud = false;
    s.amounts = {};
    s.first_event = number;
    s.first_time = event.time;
    s.limits = limits_ != nullptr ? limits_->of(s.kind) : nullptr;
    open.regions.reset();
  }
  s.last_time = event.time;
}

void VolumeWatch::end(const Open& open) {
  if (ended_ != nullptr && open.stretch.amounts[0] > 0) ended_->push_back(open.stretch);
}

// The half of the actors that did nothing for the longest time are forgotten.
void VolumeWatch::make_room() {
  for (const std::unique_ptr<Row>& row : rows_) {
    if (row != nullptr) settle(*row);
  }
  std::vector<std::uint64_t> times;
  for (const auto& [key, open] : actors_) times.push_back(open->stretch.last_time);
  auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  end_actors(*middle);
}

// Of all that acted last at that time or before, in an order that does not depend on the hash.
void VolumeWatch::end_actors(std::uint64_t time) {
  for (const std::unique_ptr<Row>& row : rows_) {
    if (row == nullptr) continue;
    settle(*row);
    row->own = nullptr;
  }
  std::vector<const Open*> gone;
  for (const auto& [key, open] : actors_) {
    if (open->stretch.last_time <= time) gone.push_back(open.get());
  }
  std::ranges::sort(gone, {}, [](const Open* o) { return o->stretch.first_event; });
  for (const Open* open : gone) end(*open);
  std::erase_if(actors_,
                [time](const auto& item) { return item.second->stretch.last_time <= time; });
}

void VolumeWatch::count(Stretch& stretch, const trace::Event& event) {
  ++stretch[Quantity::accesses];
  if (event.direction == trace::Direction::write) ++stretch[Quantity::writes];
}

void VolumeWatch::count(Open& open, const DiskCommand& command, bool rewrites) {
  Stretch& s = open.stretch;
  s[command.write ? Quantity::sectors_written : Quantity::sectors_read] += command.sectors;
  if (open.regions == nullptr) open.regions = std::make_unique<Regions>();
  open.regions->add(command.first / kRegionSectors,
                    (command.first + command.sectors - 1) / kRegionSectors);
  s[Quantity::regions] = open.regions->count();
  if (rewrites) ++s[Quantity::rewrites];
}

bool VolumeWatch::rewrites(const Disk& disk, const DiskCommand& command, const Stretch& stretch) {
  if (!command.write) return false;
  std::uint64_t end = command.first + command.sectors;
  return std::ranges::any_of(disk.reads, [&](const Read& read) {
    return (stretch.actor == 0 || read.actor == stretch.actor) && read.time >= stretch.first_time &&
           read.command.first < end && command.first < read.command.first + read.command.sectors;
  });
}

void VolumeWatch::remember(Disk& disk, const Read& read) {
  if (disk.reads.size() < kMaxReads) {
    disk.reads.push_back(read);
  } else {
    disk.reads[disk.at++ % kMaxReads] = read;
  }
}

// True if it has just reached a limit. Most accesses are no disk command, and count as accesses
// alone.
bool VolumeWatch::passes(Stretch& stretch, bool command) {
  if (stretch.limits == nullptr || stretch.loud) return false;
  std::size_t end = command ? kQuantities : kOfAccesses;
  for (std::size_t i = 0; i < end; ++i) {
    if (stretch.amounts[i] >= (*stretch.limits)[i]) return stretch.loud = true;
  }
  return false;
}

}  // namespace iovm::model
