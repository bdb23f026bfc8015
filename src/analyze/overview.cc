// SPDX-License-Identifier: Apache-2.0
#include "analyze/overview.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/format.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::Field;

constexpr std::size_t kNoLane = ~std::size_t{0};

void add_lane(Lane& lane, const Lane& other) {
  lane.reads += other.reads;
  lane.writes += other.writes;
  lane.from_user_space += other.from_user_space;
  lane.largest = std::max(lane.largest, other.largest);
  lane.points = joined(lane.points, other.points);
}

auto by_weight = [](const auto& a, const auto& b) {
  return std::tuple(a.largest, a.events()) > std::tuple(b.largest, b.events());
};

}  // namespace

OverviewTaker::OverviewTaker(const trace::Context& context, const model::Tokenizer& tokenizer,
                             EventFilter filter)
    : context_(context), tokenizer_(tokenizer), matcher_(std::move(filter)) {
  out_.bucket_ns = 1000;
}

void OverviewTaker::scored(const detect::Scored& seen) {
  out_.scored = true;
  count(seen.event, seen.token, seen.window);
}

void OverviewTaker::see(const Event& event, const model::Token& token) {
  count(event, token, 0);
}

void OverviewTaker::lost(const Event& loss) {
  std::uint32_t bucket = bucket_of(loss.time);
  trace::LossTotals lost;
  lost.add(trace::loss_of(loss));
  out_.lost.add(trace::loss_of(loss));
  if (out_.losses.empty() || out_.losses.back().bucket < bucket) out_.losses.push_back({bucket, 0});
  out_.losses.back().lost += lost.all();
  ++number_;
}

void OverviewTaker::count(const Event& event, const model::Token& token, double surprise) {
  // Time runs for what the filter hides, too: the picture is of the whole recording.
  std::uint32_t bucket = bucket_of(event.time);
  bool wanted = matcher_.matches(context_, number_++, event, &tokenizer_.devices()[token.device],
                                 token.device);
  if (!wanted) return;
  std::size_t number = lane_of(token.device);
  Lane& lane = out_.lanes[number];
  bool user = !model::is_unknown(token.symbol) &&
              tokenizer_.alphabet().operation(token.symbol).has(model::Mark::user);
  LanePoint point{bucket, 1, static_cast<float>(surprise)};
  add_point(lane.points, point);
  streams_.add(number, event.process, point);
  ++(event.direction == trace::Direction::write ? lane.writes : lane.reads);
  lane.from_user_space += user ? 1 : 0;
  lane.largest = std::max(lane.largest, surprise);
  if (symbols_.size() <= token.symbol) symbols_.resize(token.symbol + std::size_t{1});
  ++symbols_[token.symbol];
  count_process(event, number, user, surprise);
  ++out_.events;
  out_.without_process += event.knows_process() ? 0 : 1;
  out_.without_rip += event.has(Field::rip) ? 0 : 1;
  out_.without_cr3 += event.has(Field::cr3) ? 0 : 1;
  out_.strings += event.has(Field::count) && event.count > 1 ? 1 : 0;
  out_.doorbells += event.kind == trace::EventKind::fast_mmio ? 1 : 0;
}

void OverviewTaker::count_process(const Event& event, std::size_t lane, bool user,
                                  double surprise) {
  if (event.knows_process() && known_.size() <= event.process)
    known_.resize(event.process + std::size_t{1});
  ProcessUse& use = event.knows_process() ? known_[event.process]
                                          : unknown_[event.process - trace::kFirstUnknown];
  if (use.events() == 0) use.first_time = event.time;
  use.last_time = std::max(use.last_time, event.time);
  ++(event.direction == trace::Direction::write ? use.writes : use.reads);
  use.from_user_space += user ? 1 : 0;
  use.largest = std::max(use.largest, surprise);
  std::uint64_t key = std::uint64_t{event.process} << 32 | lane;
  auto found = uses_.find(key);
  if (found != uses_.end()) {
    ++found->second;
  } else if (uses_.size() < kUses) {
    uses_.emplace(key, 1);
  }
}

// The last lane is of all devices that came too late for their own.
std::size_t OverviewTaker::lane_of(model::DeviceIndex device) {
  if (lanes_.size() <= device) lanes_.resize(device + std::size_t{1}, kNoLane);
  std::size_t& lane = lanes_[device];
  if (lane != kNoLane) return lane;
  lane = std::min(out_.lanes.size(), kFollowed);
  if (lane == kFollowed) ++out_.more_devices;
  if (out_.lanes.size() > kFollowed) return lane;
  const model::Device& known = tokenizer_.devices()[device];
  out_.lanes.emplace_back();
  if (lane == kFollowed) return lane;
  out_.lanes.back().device = model::describe(known);
  out_.lanes.back().type = known.type;
  out_.lanes.back().vm = known.vm;
  return lane;
}

std::uint32_t OverviewTaker::bucket_of(std::uint64_t time) {
  if (!began_) out_.start = out_.end = time;
  began_ = true;
  out_.end = std::max(out_.end, time);
  std::uint64_t after = time < out_.start ? 0 : time - out_.start;
  while (after / out_.bucket_ns >= kMaxBuckets) widen();
  auto bucket = static_cast<std::uint32_t>(after / out_.bucket_ns);
  out_.buckets = std::max(out_.buckets, bucket + 1);
  return bucket;
}

void OverviewTaker::widen() {
  out_.bucket_ns *= 2;
  out_.buckets = (out_.buckets + 1) / 2;
  for (Lane& lane : out_.lanes) halve(lane.points);
  streams_.halve();
  std::vector<LossPoint> wide;
  for (const LossPoint& point : out_.losses) {
    if (wide.empty() || wide.back().bucket < point.bucket / 2)
      wide.push_back({point.bucket / 2, 0});
    wide.back().lost += point.lost;
  }
  out_.losses = std::move(wide);
}

// What was done to the registers of each kind of device, values left aside.
void OverviewTaker::take_registers() {
  std::map<model::DeviceType, std::map<std::string, std::uint64_t>> tallies;
  for (std::size_t i = model::kFirstSymbol; i < symbols_.size(); ++i) {
    if (symbols_[i] == 0) continue;
    const model::Operation& done = tokenizer_.alphabet().operation(static_cast<model::Symbol>(i));
    std::string_view verb = done.direction == trace::Direction::write ? "write" : "read";
    tallies[done.device][format("{} {}", verb, model::describe_register(done))] += symbols_[i];
  }
  for (Lane& lane : out_.lanes) {
    for (const auto& [text, events] : tallies[lane.type]) lane.registers.push_back({text, events});
    std::ranges::stable_sort(lane.registers, std::greater<>(), &RegisterUse::events);
    lane.registers.resize(std::min(lane.registers.size(), kRegisters));
  }
}

// The weightiest lanes stay, the others become one. Gives the new place of each.
std::vector<std::size_t> OverviewTaker::keep_first_lanes() {
  bool shared = out_.more_devices > 0;  // the last lane is of several devices already
  std::size_t count = out_.lanes.size();
  std::size_t kept = shared || count > kLanes + 1 ? std::min(kLanes, count) : count;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(
      order.begin(), order.end() - (shared ? 1 : 0),
      [this](std::size_t a, std::size_t b) { return by_weight(out_.lanes[a], out_.lanes[b]); });
  std::vector<std::size_t> places(count);
  std::vector<Lane> lanes;
  Lane others;
  for (std::size_t i = 0; i < count; ++i) {
    places[order[i]] = std::min(i, kept);
    if (i < kept) {
      lanes.push_back(std::move(out_.lanes[order[i]]));
    } else {
      add_lane(others, out_.lanes[order[i]]);
    }
  }
  if (count > kept) {
    out_.more_devices += count - kept - (shared ? 1 : 0);
    others.device = format("{} other devices", out_.more_devices);
    lanes.push_back(std::move(others));
  }
  out_.lanes = std::move(lanes);
  return places;
}

void OverviewTaker::take_processes(std::span<const std::size_t> places) {
  std::unordered_map<std::uint32_t, std::vector<ProcessUse::Device>> devices;
  for (const auto& [key, events] : uses_) {
    auto& list = devices[static_cast<std::uint32_t>(key >> 32)];
    std::size_t lane = places[key & 0xffffffff];
    auto found = std::ranges::find(list, lane, &ProcessUse::Device::lane);
    if (found == list.end()) found = list.insert(list.end(), {lane, 0});
    found->events += events;
  }
  auto take = [&](ProcessUse use, std::size_t number) {
    if (use.events() == 0) return;
    use.process = static_cast<std::uint32_t>(number);
    use.devices = std::move(devices[use.process]);
    std::ranges::sort(use.devices, [](const auto& a, const auto& b) {
      return std::tuple(b.events, a.lane) < std::tuple(a.events, b.lane);
    });
    out_.processes.push_back(std::move(use));
  };
  for (std::size_t i = 0; i < known_.size(); ++i) take(known_[i], i);
  for (std::size_t i = 0; i < unknown_.size(); ++i) take(unknown_[i], trace::kFirstUnknown + i);
  std::ranges::stable_sort(out_.processes, by_weight);
  if (out_.processes.size() <= kProcesses) return;
  out_.more_processes = out_.processes.size() - kProcesses;
  out_.processes.resize(kProcesses);
}

Overview OverviewTaker::finish() {
  take_registers();
  out_.streams = streams_.take();
  for (StreamLane& stream : out_.streams) {
    if (!stream.others) stream.device = out_.lanes[stream.lane].device;
  }
  take_processes(keep_first_lanes());
  return std::move(out_);
}

Result<Overview> take_overview(trace::EventSource& source, const EventFilter& filter) {
  auto batch = source.next();
  if (!batch) return std::move(batch).error();
  bool numbers = source.context().info.source == "sequences";
  model::Tokenizer tokenizer(numbers ? model::Scheme::addresses : model::Scheme::devices);
  OverviewTaker taker(source.context(), tokenizer, filter);
  for (; batch && !batch->empty(); batch = source.next()) {
    tokenizer.know(source.context().vms);
    for (const Event& event : *batch) {
      if (event.kind != trace::EventKind::loss) {
        taker.see(event, tokenizer(event));
        continue;
      }
      tokenizer.lost(event);
      taker.lost(event);
    }
  }
  if (!batch) return std::move(batch).error();
  return taker.finish();
}

Result<Overview> take_overview(trace::EventSource& source, const EventFilter& filter,
                               detect::Detector& detector) {
  OverviewTaker taker(source.context(), detector.tokenizer(), filter);
  detector.watch(taker);
  for (;;) {
    auto batch = source.next();
    if (!batch) return std::move(batch).error();
    if (batch->empty()) break;
    for (const Event& event : *batch) {
      if (event.kind == trace::EventKind::loss) taker.lost(event);
      if (auto fed = detector.feed(source.context(), std::span(&event, 1)); !fed)
        return std::move(fed).error();
    }
  }
  if (auto ended = detector.finish(source.context()); !ended) return std::move(ended).error();
  return taker.finish();
}

}  // namespace iovm::analyze
