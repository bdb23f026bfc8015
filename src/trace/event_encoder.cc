// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "trace/bytes.h"
#include "trace/event_block.h"
#include "trace/event_columns.h"
#include "trace/format.h"
#include "trace/numbering.h"
#include "trace/op.h"
#include "trace/sections.h"
#include "trace/time_code.h"

namespace iovm::trace {
namespace {

std::uint64_t hash_op(const Op& op) {
  std::uint64_t rest = op[3] ^ op[4] << 32 ^ op[5] * 0x9e3779b97f4a7c15U ^ op[6] << 24;
  return mix(op[0] ^ std::rotl(op[2], 32), op[1] ^ rest);
}
std::uint64_t hash_number(const std::uint64_t& number) {
  return mix(number, 0);
}

using OpNumbering = Numbering<Op, hash_op>;
using FieldNumbering = Numbering<std::uint64_t, hash_number>;

// How the values of one op are kept.
struct ValuePlan {
  std::uint8_t mode = kConstantValue;
  std::uint64_t start = 0;  // the constant, or what the first difference is from
};

std::size_t width_for(std::uint64_t largest) {
  auto bytes = static_cast<std::size_t>(std::bit_width(largest) + 7) / 8;
  return std::max<std::size_t>(std::bit_ceil(bytes), 1);
}

}  // namespace

struct EventEncoder::State {
  State(int level, std::uint64_t ns) : compressor(level), trial(1), resolution(ns) {}

  void order_by_op();
  void put_dictionary();
  void put_field(std::span<const std::uint64_t> column);
  void put_op_numbers();
  void put_values();
  ValuePlan plan(std::span<const std::uint64_t> group);
  std::size_t trial_size(std::span<const std::uint64_t> numbers, std::size_t width);

  Compressor compressor;
  Compressor trial;
  std::uint64_t resolution;

  OpNumbering ops;
  FieldNumbering numbering;
  std::vector<std::uint16_t> numbers;  // op, by event
  std::vector<std::uint64_t> times;
  std::vector<std::uint64_t> values;

  std::vector<std::uint32_t> group_start;  // by op: where its values stand in by_op; one more
  std::vector<std::uint64_t> by_op;        // the values, op by op
  std::vector<std::uint64_t> differences;
  std::vector<ValuePlan> plans;  // by op
  std::vector<std::uint64_t> column;
  std::vector<std::uint64_t> fresh;
  std::vector<std::byte> dictionary;
  std::vector<std::byte> op_numbers;
  std::vector<std::byte> value_bytes;
  std::vector<std::byte> scratch;
  std::vector<std::byte> table;
  TimeCoder coder;
  TimeCode time;
  std::vector<std::byte> payload;
};

EventEncoder::EventEncoder(int compression_level, std::uint64_t time_resolution_ns)
    : state_(std::make_unique<State>(compression_level,
                                     std::max<std::uint64_t>(time_resolution_ns, 1))) {}
EventEncoder::~EventEncoder() = default;

std::size_t EventEncoder::entries() const {
  return state_->numbers.size();
}

std::size_t EventEncoder::add(std::span<const Event> events) {
  State& s = *state_;
  std::span<const Event> taken = events.first(std::min(events.size(), kMostEntries - entries()));
  for (const Event& event : taken) {
    s.numbers.push_back(static_cast<std::uint16_t>(s.ops(op_of(event)).value));
    s.times.push_back(s.resolution == 1 ? event.time : event.time - event.time % s.resolution);
    s.values.push_back(event.value);
  }
  return taken.size();
}

std::span<const std::byte> EventEncoder::finish() {
  State& s = *state_;
  IOVM_ASSERT(!s.numbers.empty());
  s.order_by_op();
  s.put_values();
  s.put_dictionary();
  s.put_op_numbers();
  bool coded = s.coder.encode(s.times, s.times[0], s.time);
  s.table.clear();
  if (coded) {
    for (std::uint8_t length : s.time.length) s.table.push_back(static_cast<std::byte>(length));
    put_planes(s.time.base, 8, s.table);
  } else {
    for (std::size_t i = s.times.size(); i-- > 1;) s.times[i] -= s.times[i - 1];
    std::uint64_t first = std::exchange(s.times[0], 0);
    s.time = TimeCode{};
    put_planes(s.times, 8, s.time.symbols);
    s.times[0] = first;
  }
  s.payload.assign(kColumnsHeadBytes, std::byte{0});
  store_le(s.payload.data(), static_cast<std::uint32_t>(s.ops.keys().size()));
  store_le(s.payload.data() + 4, static_cast<std::uint16_t>(s.time.base.size()));
  s.payload[6] = static_cast<std::byte>(coded ? kTimeCoded : kTimePlain);
  store_le(s.payload.data() + 8, s.time.quantum);
  store_le(s.payload.data() + 16, s.times[0]);
  SectionWriter sections(s.compressor, s.payload);
  sections.add(s.dictionary);
  sections.add(s.op_numbers);
  sections.add(s.table);
  sections.add(s.time.symbols);
  sections.add(s.time.residues);
  sections.add(s.time.bits, true);
  sections.add(s.value_bytes);
  s.ops.clear();
  s.numbers.clear();
  s.times.clear();
  s.values.clear();
  return s.payload;
}

// A counting sort of the values by op; within an op they keep their order.
void EventEncoder::State::order_by_op() {
  group_start.assign(ops.keys().size() + 1, 0);
  for (std::uint16_t number : numbers) group_start[number + 1U] += 1;
  for (std::size_t i = 1; i < group_start.size(); ++i) group_start[i] += group_start[i - 1];
  by_op.resize(values.size());
  std::vector<std::uint32_t> next(group_start.begin(), group_start.end() - 1);
  for (std::size_t i = 0; i < values.size(); ++i) by_op[next[numbers[i]]++] = values[i];
}

void EventEncoder::State::put_values() {
  value_bytes.clear();
  plans.clear();
  for (std::size_t op = 0; op + 1 < group_start.size(); ++op) {
    auto group = std::span<const std::uint64_t>(by_op).subspan(
        group_start[op], group_start[op + 1] - group_start[op]);
    plans.push_back(plan(group));
    if (plans.back().mode == kConstantValue) continue;
    std::size_t width = value_width(plans.back().mode);
    put_planes(is_difference(plans.back().mode) ? differences : group, width, value_bytes);
  }
}

// The cheapest way for one op's values; if that is differences, they are in `differences` then.
ValuePlan EventEncoder::State::plan(std::span<const std::uint64_t> group) {
  std::uint64_t largest = 0;
  std::uint64_t changes = 0;
  for (std::uint64_t value : group) {
    largest |= value;
    changes |= value ^ group[0];
  }
  if (changes == 0) return {kConstantValue, group[0]};
  std::size_t width = width_for(largest);
  differences.resize(group.size());
  differences[0] = 0;
  for (std::size_t i = 1; i < group.size(); ++i) differences[i] = group[i] - group[i - 1];
  // Trying both on the first few says enough.
  std::size_t few = std::min<std::size_t>(group.size(), 2048);
  constexpr std::size_t kWorthTrying = 16;
  bool try_it = group.size() >= kWorthTrying;
  bool better = try_it && trial_size(std::span(differences).first(few), width) <
                              trial_size(group.first(few), width);
  if (!better) return {value_mode(width, false), 0};
  return {value_mode(width, true), group[0]};
}

std::size_t EventEncoder::State::trial_size(std::span<const std::uint64_t> some,
                                            std::size_t width) {
  scratch.clear();
  put_planes(some, width, scratch);
  std::vector<std::byte> out;
  return trial.append(scratch, out);
}

void EventEncoder::State::put_dictionary() {
  dictionary.clear();
  for (std::size_t field = 0; field < kOpFields; ++field) {
    column.clear();
    for (const Op& op : ops.keys()) column.push_back(op[field]);
    put_field(column);
  }
  column.clear();
  for (const ValuePlan& one : plans) column.push_back(one.start);
  put_field(column);
  for (const ValuePlan& one : plans) dictionary.push_back(static_cast<std::byte>(one.mode));
}

// How many distinct numbers ago each was seen last, 0 for a new one; and the new ones' differences.
void EventEncoder::State::put_field(std::span<const std::uint64_t> numbers_of_ops) {
  numbering.clear();
  fresh.clear();
  std::vector<std::uint64_t> codes;
  codes.reserve(numbers_of_ops.size());
  std::uint64_t last = 0;
  for (std::uint64_t number : numbers_of_ops) {
    std::size_t known = numbering.keys().size();
    auto [index, is_fresh] = numbering(number);
    codes.push_back(is_fresh ? 0 : known - index);
    if (!is_fresh) continue;
    fresh.push_back(number - last);
    last = number;
  }
  put_planes(codes, 2, dictionary);
  put_planes(fresh, 8, dictionary);
}

void EventEncoder::State::put_op_numbers() {
  bool wide = ops.keys().size() > 256;
  std::size_t count = numbers.size();
  op_numbers.resize(count * (wide ? 2 : 1));
  for (std::size_t i = 0; i < count; ++i) op_numbers[i] = static_cast<std::byte>(numbers[i]);
  if (!wide) return;
  for (std::size_t i = 0; i < count; ++i)
    op_numbers[count + i] = static_cast<std::byte>(numbers[i] >> 8);
}

}  // namespace iovm::trace
