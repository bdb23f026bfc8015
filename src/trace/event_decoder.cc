// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "trace/bytes.h"
#include "trace/event_block.h"
#include "trace/event_columns.h"
#include "trace/format.h"
#include "trace/op.h"
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

// Where the next value of an op stands. A constant one never moves on.
struct ValueCursor {
  std::uint32_t position = 0;
  std::uint32_t stride = 0;
  std::uint64_t mask = 0;
};

}  // namespace

struct EventDecoder::State {
  Status read_head(std::span<const std::byte> payload, std::size_t count);
  Status read_dictionary(const SectionReader& sections);
  Status read_field(std::span<const std::byte>& rest, std::vector<std::uint64_t>& column);
  Status read_op_numbers(const SectionReader& sections);
  Status read_times(const SectionReader& sections);
  Status read_plain_times(const SectionReader& sections);
  Status read_symbols(const SectionReader& sections);
  Status read_values(const SectionReader& sections);
  void place_group(std::size_t op, std::size_t count, const std::byte* planes, std::byte* at);
  template <bool kCoded, bool kResidues>
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
  std::vector<ValueCursor> cursors;
  std::vector<std::uint8_t> modes;
  std::vector<std::uint64_t> starts;
  std::vector<std::uint64_t> column;
  std::vector<std::uint64_t> known;
  std::vector<std::uint32_t> counts;
  std::array<Symbol, kMostSymbols> table;
  std::vector<std::uint16_t> numbers;
  std::vector<std::byte> dictionary;
  std::vector<std::byte> number_planes;
  std::vector<std::byte> time_table;
  std::vector<std::byte> time_symbols;
  std::vector<std::byte> residues;
  std::vector<std::byte> bits;
  std::vector<std::byte> value_planes;
  std::vector<std::byte> values;
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
  if (auto done = s.read_values(*sections); !done) return done;
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
  bool possible = ops >= 1 && ops <= count && symbols <= kMostSymbols && time_mode <= kTimeCoded &&
                  payload[7] == std::byte{0};
  if (!possible) return bad("head is wrong");
  return {};
}

Status EventDecoder::State::read_dictionary(const SectionReader& sections) {
  constexpr std::size_t kMostPerOp = kDictionaryFields * 10 + 1;
  if (sections.size(Section::dictionary) > ops * kMostPerOp) return bad("dictionary is too large");
  if (!sections.unpack(Section::dictionary, decompressor, dictionary))
    return bad("dictionary does not unpack");
  auto rest = std::span<const std::byte>(dictionary).first(sections.size(Section::dictionary));
  std::vector<Op> all(ops);
  for (std::size_t field = 0; field < kOpFields; ++field) {
    if (auto done = read_field(rest, column); !done) return done;
    for (std::size_t i = 0; i < ops; ++i) all[i][field] = column[i];
  }
  if (auto done = read_field(rest, starts); !done) return done;
  if (rest.size() != ops) return bad("dictionary has the wrong length");
  modes.resize(ops);
  templates.resize(ops);
  use = {};
  for (std::size_t i = 0; i < ops; ++i) {
    modes[i] = static_cast<std::uint8_t>(rest[i]);
    if (!is_possible(all[i]) || !is_value_mode(modes[i]))
      return bad("dictionary holds what no event can be");
    templates[i] = event_of(all[i]);
    if (templates[i].knows_process())
      use.processes = std::max(use.processes, std::uint64_t{templates[i].process} + 1);
    if (templates[i].vm != kAllVms) use.vms = std::max(use.vms, std::uint32_t{templates[i].vm} + 1);
  }
  return {};
}

// One number an op: how many distinct ones ago it was new, or 0 and then a new one.
Status EventDecoder::State::read_field(std::span<const std::byte>& rest,
                                       std::vector<std::uint64_t>& out) {
  if (rest.size() < ops * 2) return bad("dictionary is cut short");
  std::vector<std::uint16_t> codes(ops);
  join_planes(rest.data(), ops, 2, reinterpret_cast<std::byte*>(codes.data()));
  rest = rest.subspan(ops * 2);
  auto fresh = static_cast<std::size_t>(std::count(codes.begin(), codes.end(), 0));
  if (rest.size() < fresh * 8) return bad("dictionary is cut short");
  known.resize(fresh);
  join_planes(rest.data(), fresh, 8, reinterpret_cast<std::byte*>(known.data()));
  rest = rest.subspan(fresh * 8);
  for (std::size_t i = 1; i < fresh; ++i) known[i] += known[i - 1];
  out.resize(ops);
  std::size_t seen = 0;
  for (std::size_t i = 0; i < ops; ++i) {
    if (codes[i] > seen) return bad("dictionary refers to what is not there");
    out[i] = known[seen - codes[i]];
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
  counts.assign(ops * 2, 0);
  std::size_t i = 0;
  for (; i + 1 < entries; i += 2) {
    counts[numbers[i] * std::size_t{2}] += 1;
    counts[numbers[i + 1] * std::size_t{2} + 1] += 1;
  }
  if (i < entries) counts[numbers[i] * std::size_t{2}] += 1;
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
      !sections.unpack(Section::time_symbols, decompressor, value_planes))
    return bad("times do not unpack");
  time_symbols.resize(entries * 8);
  join_planes(value_planes.data(), entries, 8, time_symbols.data());
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

// Lays the values out op by op, in the width of each, so that decoding only walks along them.
Status EventDecoder::State::read_values(const SectionReader& sections) {
  std::size_t stored = 0;
  std::size_t laid_out = 0;
  cursors.resize(ops);
  for (std::size_t op = 0; op < ops; ++op) {
    std::size_t width = value_width(modes[op]);
    std::size_t count = counts[op * 2] + counts[op * 2 + 1];
    stored += width * count;
    auto mask =
        width == 0 || width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * width)) - 1;
    cursors[op] = {static_cast<std::uint32_t>(laid_out), static_cast<std::uint32_t>(width), mask};
    laid_out += width == 0 ? 8 : width * count;
  }
  if (sections.size(Section::values) != stored ||
      !sections.unpack(Section::values, decompressor, value_planes))
    return bad("values do not unpack");
  if (values.size() < laid_out + sizeof(std::uint64_t))
    values.resize(laid_out + sizeof(std::uint64_t));
  const std::byte* planes = value_planes.data();
  for (std::size_t op = 0; op < ops; ++op) {
    std::size_t count = counts[op * 2] + counts[op * 2 + 1];
    place_group(op, count, planes, values.data() + cursors[op].position);
    planes += value_width(modes[op]) * count;
  }
  return {};
}

void EventDecoder::State::place_group(std::size_t op, std::size_t count, const std::byte* planes,
                                      std::byte* at) {
  std::size_t width = value_width(modes[op]);
  if (width == 0) {
    store_le(at, starts[op]);
    return;
  }
  join_planes(planes, count, width, at);
  if (!is_difference(modes[op])) return;
  auto add_up = [&]<typename T>(T sum) {
    for (std::size_t i = 0; i < count; ++i) {
      sum = static_cast<T>(sum + load_le<T>(at + i * sizeof(T)));
      store_le(at + i * sizeof(T), sum);
    }
  };
  if (width == 1) add_up(static_cast<std::uint8_t>(starts[op]));
  if (width == 2) add_up(static_cast<std::uint16_t>(starts[op]));
  if (width == 4) add_up(static_cast<std::uint32_t>(starts[op]));
  if (width == 8) add_up(starts[op]);
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
  if (s.time_mode == kTimePlain)
    s.decode<false, false>(out.data(), count);
  else if (s.has_residues)
    s.decode<true, true>(out.data(), count);
  else
    s.decode<true, false>(out.data(), count);
  s.position += count;
  return count;
}

// The loop that all reading goes through. open() has checked every number it uses.
template <bool kCoded, bool kResidues>
void EventDecoder::State::decode(Event* out, std::size_t count) {
  const std::uint16_t* number = numbers.data() + position;
  const std::byte* symbol = time_symbols.data() + (kCoded ? position : position * 8);
  const std::byte* residue = kResidues ? residues.data() + position : nullptr;
  const std::byte* low_bits = bits.data();
  const std::byte* all_values = values.data();
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
    ValueCursor& cursor = cursors[op];
    event.value = load_le<std::uint64_t>(all_values + cursor.position) & cursor.mask;
    cursor.position += cursor.stride;
  }
  time = now;
  bits_at = at;
}

}  // namespace iovm::trace
