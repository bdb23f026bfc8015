// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "trace/bytes.h"
#include "trace/event_block.h"
#include "trace/event_columns.h"
#include "trace/format.h"
#include "trace/op.h"
#include "trace/op_column.h"
#include "trace/raw_bytes.h"
#include "trace/sections.h"
#include "trace/time_code.h"

namespace iovm::trace {
namespace {

Error bad(std::string_view what) {
  return input_error(std::string("an event block's ") + std::string(what));
}

// What the symbols of a block mean, for every byte that could stand there.
struct Symbol {
  std::uint64_t base = 0;
  std::uint64_t mask = 0;
  std::uint64_t length = 0;
};

}  // namespace

struct EventDecoder::State {
  Status read_head(std::span<const std::byte> payload, std::size_t count);
  Status read_dictionary(const SectionReader& sections);
  Status read_modes(std::span<const std::byte> rest);
  template <typename Put>
  Status read_field(std::span<const std::byte>& rest, Put put);
  Status read_op_numbers(const SectionReader& sections);
  Status read_times(const SectionReader& sections);
  Status read_plain_times(const SectionReader& sections);
  Status read_symbols(const SectionReader& sections);
  Status read_op_column(const SectionReader& sections, Section section,
                        const std::vector<OpPlan>& plans, OpColumnReader& reader);
  template <bool kCoded, bool kResidues, bool kAddresses>
  void decode(Event* out, std::size_t count);

  Decompressor decompressor;
  std::size_t entries = 0;
  std::size_t ops = 0;
  std::size_t symbols = 0;
  std::uint8_t time_mode = kTimeCoded;
  bool has_residues = false;
  std::uint64_t quantum = 1;

  std::size_t position = 0;   // events given
  std::uint64_t time = 0;     // of the last one given
  std::uint64_t bits_at = 0;  // of the bits used
  IndexUse use;

  std::vector<Event> templates;  // by op
  bool walks = false;            // some ops have a column of addresses
  std::vector<OpPlan> address_plans;
  std::vector<OpPlan> value_plans;
  OpColumnReader addresses;
  OpColumnReader values;
  std::vector<std::uint16_t> codes;
  std::vector<std::uint64_t> known;
  std::vector<std::uint32_t> counts;  // events, by op
  std::vector<std::uint32_t> odd_counts;
  bool possible = true;  // what the dictionary said so far can be
  std::array<Symbol, kMostSymbols> table;
  RawVector<std::uint16_t> numbers;
  RawBytes dictionary;
  RawBytes number_planes;
  RawBytes time_table;
  RawBytes time_symbols;
  RawBytes residues;
  RawBytes bits;
  RawBytes planes;
};

EventDecoder::EventDecoder() : state_(std::make_unique<State>()) {}
EventDecoder::~EventDecoder() = default;

Status EventDecoder::open(std::span<const std::byte> payload, std::size_t entries) {
  State& s = *state_;
  s.entries = 0;
  s.position = 0;
  if (auto done = s.read_head(payload, entries); !done) return done;
  auto sections = SectionReader::parse(payload.subspan(kColumnsHeadBytes));
  if (!sections) return bad("columns do not add up");
  if (auto done = s.read_dictionary(*sections); !done) return done;
  if (auto done = s.read_op_numbers(*sections); !done) return done;
  if (auto done = s.read_times(*sections); !done) return done;
  if (auto done = s.read_op_column(*sections, Section::values, s.value_plans, s.values); !done)
    return done;
  if (auto done = s.read_op_column(*sections, Section::addresses, s.address_plans, s.addresses);
      !done)
    return done;
  s.entries = entries;
  return {};
}

Status EventDecoder::State::read_head(std::span<const std::byte> payload, std::size_t count) {
  if (payload.size() < kColumnsHeadBytes || count == 0 || count > kMostEntries)
    return bad("head is cut short");
  ops = load_le<std::uint32_t>(payload.data());
  symbols = load_le<std::uint16_t>(payload.data() + 4);
  time_mode = static_cast<std::uint8_t>(payload[6]);
  quantum = load_le<std::uint64_t>(payload.data() + 8);
  time = load_le<std::uint64_t>(payload.data() + 16);
  bits_at = 0;
  entries = count;
  bool good = ops >= 1 && ops <= count && symbols <= kMostSymbols && time_mode <= kTimeCoded &&
              payload[7] == std::byte{0};
  if (!good) return bad("head is wrong");
  return {};
}

// Puts each field of the ops where the templates have it.
Status EventDecoder::State::read_dictionary(const SectionReader& sections) {
  std::size_t size = sections.size(Section::dictionary);
  if (size > ops * kMostPerOp) return bad("dictionary is too large");
  if (!sections.unpack(Section::dictionary, decompressor, dictionary))
    return bad("dictionary does not unpack");
  auto rest = std::span<const std::byte>(dictionary).first(size);
  templates.resize(ops);
  address_plans.resize(ops);
  value_plans.resize(ops);
  possible = true;
  for (std::size_t field = 0; field < kOpFields; ++field) {
    auto done = read_field(rest, [&](std::size_t op, std::uint64_t number) {
      possible &= put_field(templates[op], static_cast<OpField>(field), number);
    });
    if (!done) return done;
  }
  auto done = read_field(
      rest, [&](std::size_t op, std::uint64_t number) { value_plans[op].start = number; });
  if (!done) return done;
  if (rest.size() != ops * kDictionaryModes) return bad("dictionary has the wrong length");
  return read_modes(rest);
}

Status EventDecoder::State::read_modes(std::span<const std::byte> rest) {
  use = {};
  walks = false;
  for (std::size_t i = 0; i < ops; ++i) {
    const Event& event = templates[i];
    address_plans[i] = {static_cast<std::uint8_t>(rest[i]), event.address};
    value_plans[i].mode = static_cast<std::uint8_t>(rest[ops + i]);
    possible &= is_mode(address_plans[i].mode) && is_mode(value_plans[i].mode);
    walks |= address_plans[i].mode != kConstantMode;
    if (event.knows_process()) use.processes = std::max(use.processes, event.process + 1UL);
    if (event.vm != kAllVms) use.vms = std::max(use.vms, event.vm + 1U);
  }
  if (!possible) return bad("dictionary holds what no event can be");
  return {};
}

// One number an op: how many distinct ones ago it was new, or 0 and then a new one.
template <typename Put>
Status EventDecoder::State::read_field(std::span<const std::byte>& rest, Put put) {
  if (rest.size() < ops * 2) return bad("dictionary is cut short");
  codes.resize(ops);
  join_planes(rest.data(), ops, 2, reinterpret_cast<std::byte*>(codes.data()));
  rest = rest.subspan(ops * 2);
  auto fresh = static_cast<std::size_t>(std::count(codes.begin(), codes.end(), 0));
  if (rest.size() < fresh * 8) return bad("dictionary is cut short");
  known.resize(fresh);
  join_planes(rest.data(), fresh, 8, reinterpret_cast<std::byte*>(known.data()));
  rest = rest.subspan(fresh * 8);
  for (std::size_t i = 1; i < fresh; ++i) known[i] += known[i - 1];
  std::size_t seen = 0;
  for (std::size_t i = 0; i < ops; ++i) {
    if (codes[i] > seen) return bad("dictionary refers to what is not there");
    put(i, known[seen - codes[i]]);
    seen += codes[i] == 0 ? 1 : 0;
  }
  return {};
}

// Also counts each op's events, which says where its values begin.
Status EventDecoder::State::read_op_numbers(const SectionReader& sections) {
  bool wide = ops > 256;
  if (sections.size(Section::op_numbers) != entries * (wide ? 2 : 1) ||
      !sections.unpack(Section::op_numbers, decompressor, number_planes))
    return bad("op numbers do not unpack");
  numbers.resize(entries);
  if (wide)
    join_planes(number_planes.data(), entries, 2, reinterpret_cast<std::byte*>(numbers.data()));
  else
    for (std::size_t i = 0; i < entries; ++i)
      numbers[i] = static_cast<std::uint16_t>(number_planes[i]);
  if (*std::max_element(numbers.begin(), numbers.end()) >= ops)
    return bad("op numbers are beyond the dictionary");
  // Two counters an op, taken in turn: one that is incremented again at once makes the CPU wait.
  counts.assign(ops, 0);
  odd_counts.assign(ops, 0);
  std::size_t i = 0;
  for (; i + 1 < entries; i += 2) {
    counts[numbers[i]] += 1;
    odd_counts[numbers[i + 1]] += 1;
  }
  if (i < entries) counts[numbers[i]] += 1;
  for (std::size_t op = 0; op < ops; ++op) counts[op] += odd_counts[op];
  return {};
}

Status EventDecoder::State::read_times(const SectionReader& sections) {
  has_residues = sections.size(Section::time_residues) > 0;
  if (time_mode == kTimePlain) return read_plain_times(sections);
  if (sections.size(Section::time_table) != symbols * 9 || symbols == 0 ||
      !sections.unpack(Section::time_table, decompressor, time_table))
    return bad("time table does not unpack");
  std::array<std::uint64_t, kMostSymbols> bases{};
  join_planes(time_table.data() + symbols, symbols, 8, reinterpret_cast<std::byte*>(bases.data()));
  for (std::size_t i = 0; i < symbols; ++i) {
    auto length = static_cast<std::uint64_t>(time_table[i]);
    if (length > kMostBits) return bad("time table is wrong");
    table[i] = {bases[i], (std::uint64_t{1} << length) - 1, length};
  }
  return read_symbols(sections);
}

Status EventDecoder::State::read_plain_times(const SectionReader& sections) {
  bool alone = symbols == 0 && !has_residues && sections.size(Section::time_table) == 0 &&
               sections.size(Section::time_bits) == 0;
  if (!alone || sections.size(Section::time_symbols) != entries * 8 ||
      !sections.unpack(Section::time_symbols, decompressor, planes))
    return bad("times do not unpack");
  time_symbols.resize(entries * 8);
  join_planes(planes.data(), entries, 8, time_symbols.data());
  return {};
}

Status EventDecoder::State::read_symbols(const SectionReader& sections) {
  if (sections.size(Section::time_symbols) != entries ||
      !sections.unpack(Section::time_symbols, decompressor, time_symbols))
    return bad("time symbols do not unpack");
  if (has_residues && (sections.size(Section::time_residues) != entries ||
                       !sections.unpack(Section::time_residues, decompressor, residues)))
    return bad("time residues do not unpack");
  if (!sections.unpack(Section::time_bits, decompressor, bits, sizeof(std::uint64_t)))
    return bad("time bits do not unpack");
  std::uint64_t used = 0;
  std::uint8_t largest = 0;
  for (std::size_t i = 0; i < entries; ++i) {
    auto symbol = static_cast<std::uint8_t>(time_symbols[i]);
    largest = std::max(largest, symbol);
    used += table[symbol].length;
  }
  if (largest >= symbols || (used + 7) / 8 != sections.size(Section::time_bits))
    return bad("time symbols and bits do not match");
  return {};
}

Status EventDecoder::State::read_op_column(const SectionReader& sections, Section section,
                                           const std::vector<OpPlan>& plans,
                                           OpColumnReader& reader) {
  std::size_t size = sections.size(section);
  if (!reader.set(plans, counts, size) || !sections.unpack(section, decompressor, planes))
    return bad("values or addresses do not unpack");
  reader.lay_out(plans, counts, std::span(planes).first(size));
  return {};
}

IndexUse EventDecoder::uses() const {
  return state_->use;
}

void EventDecoder::forget_processes(std::uint32_t known) {
  for (Event& event : state_->templates)
    if (event.knows_process() && event.process >= known)
      event.process = static_cast<std::uint32_t>(Unknown::not_resolved);
}

std::size_t EventDecoder::decode(std::span<Event> out) {
  State& s = *state_;
  std::size_t count = std::min(out.size(), s.entries - s.position);
  auto with = [&]<bool kCoded, bool kResidues>() {
    if (s.walks)
      s.decode<kCoded, kResidues, true>(out.data(), count);
    else
      s.decode<kCoded, kResidues, false>(out.data(), count);
  };
  if (s.time_mode == kTimePlain)
    with.operator()<false, false>();
  else if (s.has_residues)
    with.operator()<true, true>();
  else
    with.operator()<true, false>();
  s.position += count;
  return count;
}

// The loop that all reading goes through. open() has checked every number it uses.
template <bool kCoded, bool kResidues, bool kAddresses>
void EventDecoder::State::decode(Event* out, std::size_t count) {
  const std::uint16_t* number = numbers.data() + position;
  const std::byte* symbol = time_symbols.data() + (kCoded ? position : position * 8);
  const std::byte* residue = kResidues ? residues.data() + position : nullptr;
  const std::byte* low_bits = bits.data();
  auto next = [](OpCursor& cursor, const std::byte* numbers_of_ops) {
    std::uint64_t result = load_le<std::uint64_t>(numbers_of_ops + cursor.position) & cursor.mask;
    cursor.position += cursor.stride;
    return result;
  };
  std::uint64_t now = time;
  std::uint64_t at = bits_at;
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t op = number[i];
    Event& event = out[i];
    event = templates[op];
    if constexpr (kCoded) {
      const Symbol& code = table[static_cast<std::uint8_t>(symbol[i])];
      std::uint64_t low = load_le<std::uint64_t>(low_bits + (at >> 3)) >> (at & 7) & code.mask;
      at += code.length;
      now += code.base + quantum * low;
      if constexpr (kResidues)
        now += static_cast<std::uint64_t>(std::int64_t{static_cast<std::int8_t>(residue[i])});
    } else {
      now += load_le<std::uint64_t>(symbol + i * 8);
    }
    event.time = now;
    event.value = next(values.cursors()[op], values.numbers());
    if constexpr (kAddresses) event.address = next(addresses.cursors()[op], addresses.numbers());
  }
  time = now;
  bits_at = at;
}

}  // namespace iovm::trace
