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
#include "trace/op_column.h"
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

// Ops that differ in nothing but the address are one op with a column of addresses, if there are
// many of them and each is seldom used: a walk through memory. A register block keeps an op each,
// which costs less and decodes faster.
constexpr std::size_t kManyAddresses = 128;
constexpr std::size_t kSeldom = 8;

void sum_up(std::vector<std::uint32_t>& counts) {
  std::uint32_t sum = 0;
  for (std::uint32_t& count : counts) sum += std::exchange(count, sum);
}

}  // namespace

struct EventEncoder::State {
  State(int level, std::uint64_t ns) : compressor(level), resolution(ns) {}

  void merge_walks();
  void choose_walks(std::vector<std::uint32_t>& new_number);
  void group_by_op();
  void put_dictionary();
  void put_field(std::span<const std::uint64_t> numbers_of_ops);
  void put_op_numbers();
  bool put_times();
  void put_sections(bool coded);
  void clear();

  Compressor compressor;
  std::uint64_t resolution;

  OpNumbering ops;
  std::vector<std::uint16_t> numbers;  // op, by event
  std::vector<std::uint64_t> times;
  std::vector<std::uint64_t> values;

  bool walks = false;                      // some ops have a column of addresses
  std::vector<Op> dictionary_ops;          // the block's, after merging
  std::vector<std::uint64_t> addresses;    // by event, if walks
  OpNumbering classes;                     // ops without their address
  std::vector<std::uint32_t> group_start;  // by op: where its numbers stand in by_op; one more
  std::vector<std::uint32_t> group_next;
  std::vector<std::uint64_t> by_op;
  OpColumnWriter address_column;
  OpColumnWriter value_column;

  FieldNumbering numbering;
  std::vector<std::uint64_t> column;
  std::vector<std::uint64_t> codes;
  std::vector<std::uint64_t> fresh;
  std::vector<std::byte> dictionary;
  std::vector<std::byte> op_numbers;
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
  s.merge_walks();
  s.group_by_op();
  s.put_dictionary();
  s.put_op_numbers();
  bool coded = s.put_times();
  s.put_sections(coded);
  s.clear();
  return s.payload;
}

// Makes one op of those that differ in their addresses only, where choose_walks() says so.
void EventEncoder::State::merge_walks() {
  const std::vector<Op>& keys = ops.keys();
  std::vector<std::uint32_t> new_number;
  if (keys.size() >= kManyAddresses) choose_walks(new_number);
  walks = !new_number.empty();
  if (!walks) {
    dictionary_ops = keys;
    return;
  }
  addresses.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    addresses[i] = keys[numbers[i]][0];
    numbers[i] = static_cast<std::uint16_t>(new_number[numbers[i]]);
  }
}

// The new number of every op, and the ops by new number; or nothing, if all stay as they are.
void EventEncoder::State::choose_walks(std::vector<std::uint32_t>& new_number) {
  const std::vector<Op>& keys = ops.keys();
  classes.clear();
  std::vector<std::uint32_t> class_of(keys.size());
  std::vector<std::uint32_t> class_ops;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Op without = keys[i];
    without[0] = 0;
    class_of[i] = classes(without).value;
    class_ops.resize(classes.keys().size(), 0);
    class_ops[class_of[i]] += 1;
  }
  if (*std::max_element(class_ops.begin(), class_ops.end()) < kManyAddresses) return;
  std::vector<std::uint32_t> class_events(class_ops.size(), 0);
  for (std::uint16_t number : numbers) class_events[class_of[number]] += 1;
  constexpr std::uint32_t kNone = ~0U;
  std::vector<std::uint32_t> walk_number(class_ops.size(), kNone);
  dictionary_ops.clear();
  new_number.resize(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::uint32_t one = class_of[i];
    bool walk = class_ops[one] >= kManyAddresses && class_events[one] < class_ops[one] * kSeldom;
    if (!walk || walk_number[one] == kNone) {
      new_number[i] = static_cast<std::uint32_t>(dictionary_ops.size());
      dictionary_ops.push_back(keys[i]);
      if (walk) walk_number[one] = new_number[i];
    } else {
      new_number[i] = walk_number[one];
    }
  }
  if (dictionary_ops.size() == keys.size()) new_number.clear();
}

// A counting sort of values and addresses by op; within an op they keep their order.
void EventEncoder::State::group_by_op() {
  group_start.assign(dictionary_ops.size() + 1, 0);
  for (std::uint16_t number : numbers) group_start[number] += 1;
  sum_up(group_start);
  auto fill = [&](const std::vector<std::uint64_t>& all, OpColumnWriter& writer) {
    by_op.resize(all.size());
    group_next = group_start;
    for (std::size_t i = 0; i < all.size(); ++i) by_op[group_next[numbers[i]]++] = all[i];
    writer.clear();
    for (std::size_t op = 0; op + 1 < group_start.size(); ++op)
      writer.add(std::span<const std::uint64_t>(by_op).subspan(
          group_start[op], group_start[op + 1] - group_start[op]));
  };
  fill(values, value_column);
  address_column.clear();
  if (walks) fill(addresses, address_column);
}

void EventEncoder::State::put_dictionary() {
  dictionary.clear();
  for (std::size_t field = 0; field < kOpFields; ++field) {
    column.clear();
    if (field == 0 && walks)
      for (const OpPlan& plan : address_column.plans()) column.push_back(plan.start);
    else
      for (const Op& op : dictionary_ops) column.push_back(op[field]);
    put_field(column);
  }
  column.clear();
  for (const OpPlan& plan : value_column.plans()) column.push_back(plan.start);
  put_field(column);
  for (std::size_t i = 0; i < dictionary_ops.size(); ++i)
    dictionary.push_back(
        static_cast<std::byte>(walks ? address_column.plans()[i].mode : kConstantMode));
  for (const OpPlan& plan : value_column.plans())
    dictionary.push_back(static_cast<std::byte>(plan.mode));
}

// How many distinct numbers ago each was new, 0 for a new one; and the new ones' differences.
void EventEncoder::State::put_field(std::span<const std::uint64_t> numbers_of_ops) {
  numbering.clear();
  fresh.clear();
  codes.clear();
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
  bool wide = dictionary_ops.size() > 256;
  std::size_t count = numbers.size();
  op_numbers.resize(count * (wide ? 2 : 1));
  for (std::size_t i = 0; i < count; ++i) op_numbers[i] = static_cast<std::byte>(numbers[i]);
  if (!wide) return;
  for (std::size_t i = 0; i < count; ++i)
    op_numbers[count + i] = static_cast<std::byte>(numbers[i] >> 8);
}

// True if the times are coded, false if they are plain.
bool EventEncoder::State::put_times() {
  table.clear();
  if (coder.encode(times, times[0], time)) {
    for (std::uint8_t length : time.length) table.push_back(static_cast<std::byte>(length));
    put_planes(time.base, 8, table);
    return true;
  }
  column.assign(times.begin(), times.end());
  for (std::size_t i = column.size(); i-- > 1;) column[i] -= column[i - 1];
  column[0] = 0;
  time = TimeCode{};
  put_planes(column, 8, time.symbols);
  return false;
}

void EventEncoder::State::put_sections(bool coded) {
  payload.assign(kColumnsHeadBytes, std::byte{0});
  store_le(payload.data(), static_cast<std::uint32_t>(dictionary_ops.size()));
  store_le(payload.data() + 4, static_cast<std::uint16_t>(time.base.size()));
  payload[6] = static_cast<std::byte>(coded ? kTimeCoded : kTimePlain);
  store_le(payload.data() + 8, time.quantum);
  store_le(payload.data() + 16, times[0]);
  SectionWriter sections(compressor, payload);
  sections.add(dictionary);
  sections.add(op_numbers);
  sections.add(table);
  sections.add(time.symbols);
  sections.add(time.residues);
  sections.add(time.bits, true);
  sections.add(address_column.bytes());
  sections.add(value_column.bytes());
}

void EventEncoder::State::clear() {
  ops.clear();
  numbers.clear();
  times.clear();
  values.clear();
}

}  // namespace iovm::trace
