// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <optional>
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

// An op is a class (all of it but the address) and a place (the class's number and the address).
// Two look-ups cost less than one: there are few classes, so theirs stays in the nearest cache.
using Class = std::array<std::uint64_t, kOpFields - 1>;
struct Place {
  std::uint64_t address = 0;
  std::uint64_t class_number = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

std::uint64_t hash_class(const Class& key) {
  std::uint64_t rest = key[2] ^ key[3] << 32 ^ key[4] * 0x9e3779b97f4a7c15U ^ key[5] << 24;
  return mix(std::rotl(key[1], 32) ^ rest, key[0]);
}
std::uint64_t hash_place(const Place& key) {
  return mix(key.address, key.class_number);
}
std::uint64_t hash_number(const std::uint64_t& number) {
  return mix(number, 0);
}

using ClassNumbering = Numbering<Class, hash_class>;
using PlaceNumbering = Numbering<Place, hash_place>;
using FieldNumbering = Numbering<std::uint64_t, hash_number>;

// A class that runs through many addresses and seldom uses one again is a walk through memory: it
// is one op with a column of addresses. A register block keeps an op for each register, which costs
// less and decodes faster.
constexpr std::uint32_t kManyAddresses = 128;
constexpr std::uint32_t kSeldom = 8;

struct ClassUse {
  std::uint32_t events = 0;
  std::uint32_t addresses = 0;
  bool walk = false;     // its addresses are not numbered any more,
  std::uint16_t op = 0;  // and this is its op
};

void sum_up(std::vector<std::uint32_t>& counts) {
  std::uint32_t sum = 0;
  for (std::uint32_t& count : counts) sum += std::exchange(count, sum);
}

}  // namespace

struct EventEncoder::State {
  State(int level, std::uint64_t ns) : compressor(level), resolution(ns) {}

  std::uint16_t op_number(const Event& event);
  void settle_ops();
  void group_by_op();
  void put_dictionary();
  void put_field(std::span<const std::uint64_t> numbers_of_ops);
  void put_op_numbers();
  bool put_times();
  void put_sections(bool coded);
  void clear();

  Compressor compressor;
  std::uint64_t resolution;

  ClassNumbering classes;
  PlaceNumbering places;  // an op each, of those that are no walk's
  std::vector<ClassUse> class_uses;
  std::vector<std::uint16_t> numbers;  // op, by event
  std::vector<std::uint64_t> times;
  std::vector<std::uint64_t> addresses;
  std::vector<std::uint64_t> values;

  bool walks = false;              // some ops have a column of addresses
  std::vector<Op> dictionary_ops;  // the block's
  std::vector<std::uint16_t> new_number;
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
    s.numbers.push_back(s.op_number(event));
    s.addresses.push_back(event.address);
    s.times.push_back(s.resolution == 1 ? event.time : event.time - event.time % s.resolution);
    s.values.push_back(event.value);
  }
  return taken.size();
}

std::span<const std::byte> EventEncoder::finish() {
  State& s = *state_;
  IOVM_ASSERT(!s.numbers.empty());
  s.settle_ops();
  s.group_by_op();
  s.put_dictionary();
  s.put_op_numbers();
  bool coded = s.put_times();
  s.put_sections(coded);
  s.clear();
  return s.payload;
}

std::uint16_t EventEncoder::State::op_number(const Event& event) {
  Op op = op_of(event);
  Class key;
  std::copy(op.begin() + 1, op.end(), key.begin());
  auto [class_number, fresh_class] = classes(key);
  if (fresh_class) class_uses.push_back({});
  ClassUse& use = class_uses[class_number];
  use.events += 1;
  if (use.walk) return use.op;
  auto [number, fresh_place] = places({event.address, class_number});
  use.addresses += fresh_place ? 1 : 0;
  use.walk = use.addresses >= kManyAddresses && use.events < use.addresses * kSeldom;
  use.op = static_cast<std::uint16_t>(number);
  walks |= use.walk;
  return use.op;
}

// The dictionary's ops; the places that a walk used before it was known as one become one op.
void EventEncoder::State::settle_ops() {
  dictionary_ops.clear();
  new_number.clear();
  std::vector<std::optional<std::uint16_t>> walk_op(class_uses.size());
  for (const Place& place : places.keys()) {
    auto next = static_cast<std::uint16_t>(dictionary_ops.size());
    auto& walk = walk_op[place.class_number];
    new_number.push_back(walk.value_or(next));
    if (walk) continue;
    if (class_uses[place.class_number].walk) walk = next;
    Op op;
    op[0] = place.address;
    const Class& rest = classes.keys()[place.class_number];
    std::copy(rest.begin(), rest.end(), op.begin() + 1);
    dictionary_ops.push_back(op);
  }
  if (!walks) return;
  for (std::uint16_t& number : numbers) number = new_number[number];
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
  classes.clear();
  places.clear();
  class_uses.clear();
  walks = false;
  numbers.clear();
  times.clear();
  addresses.clear();
  values.clear();
}

}  // namespace iovm::trace
