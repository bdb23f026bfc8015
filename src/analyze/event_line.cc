// SPDX-License-Identifier: Apache-2.0
#include "analyze/event_line.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;

struct ColumnRow {
  std::string_view name;
  std::string_view expected;
};

constexpr std::array<ColumnRow, kKnownColumns> kColumns = {{
    {"t_ns", "a decimal number of nanoseconds"},
    {"vcpu", "a decimal number up to 65535, or -"},
    {"pid", "a decimal number, or -1"},
    {"comm", "a name with white space and % as %NN, or -"},
    {"kind", "pio, mmio, fast or loss"},
    {"dir", "r or w (- for a loss)"},
    {"addr", "a hexadecimal number with 0x (a port up to 0xffff; a loss's cause 0x0 to 0x2)"},
    {"size", "1 to 8, or -"},
    {"value", "a hexadecimal number with 0x, or -"},
    {"cr3", "a hexadecimal number with 0x, or -"},
    {"rip", "a hexadecimal number with 0x, or -"},
    {"count", "a decimal number up to 4294967295, or -"},
    {"vm", "a decimal number up to 4095 (or * for a loss)"},
    {"cpl", "0 to 3, or -"},
}};

constexpr unsigned kNoDigit = 255;
constexpr std::array<std::uint8_t, 256> make_hex_digits() {
  std::array<std::uint8_t, 256> digits{};
  for (std::size_t c = 0; c < digits.size(); ++c) {
    std::size_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : kNoDigit;
    digits[c] = static_cast<std::uint8_t>(digit);
  }
  return digits;
}
constexpr auto kHexDigits = make_hex_digits();

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// The fields of one line, from left to right. Every reader takes one field and says whether it was
// what it should be; `start` is then where it began.
class Cursor {
 public:
  explicit Cursor(std::string_view line) : p_(line.data()), end_(line.data() + line.size()) {}

  // To the next field; false at the end of the line.
  bool begin() {
    while (p_ < end_ && is_blank(*p_)) ++p_;
    start_ = p_;
    return p_ < end_;
  }

  bool absent() {
    if (*p_ != '-' || (p_ + 1 < end_ && !is_blank(p_[1]))) return false;
    ++p_;
    return true;
  }

  bool decimal(std::uint64_t most, std::uint64_t& out) {
    std::uint64_t number = 0;
    const char* digits = p_;
    for (; p_ < end_ && p_ - digits < 19; ++p_) {
      auto digit = static_cast<unsigned>(*p_ - '0');
      if (digit > 9) break;
      number = number * 10 + digit;
    }
    if (p_ < end_ && p_ - digits == 19 && !is_blank(*p_)) {
      auto [rest, failure] = std::from_chars(digits, end_, number);
      if (failure != std::errc()) return false;
      p_ = rest;
    }
    out = number;
    return p_ > digits && at_border() && number <= most;
  }

  bool hexadecimal(std::uint64_t& out) {
    if (end_ - p_ < 3 || p_[0] != '0' || p_[1] != 'x') return false;
    const char* digits = p_ += 2;
    std::uint64_t number = 0;
    for (; p_ < end_; ++p_) {
      unsigned digit = kHexDigits[static_cast<unsigned char>(*p_)];
      if (digit == kNoDigit) break;
      number = number << 4 | digit;
    }
    out = number;
    return p_ > digits && p_ - digits <= 16 && at_border();
  }

  std::string_view word() {
    while (p_ < end_ && !is_blank(*p_)) ++p_;
    return {start_, static_cast<std::size_t>(p_ - start_)};
  }

  // The field that began last, whole.
  std::string_view field() {
    p_ = start_;
    return word();
  }

 private:
  bool at_border() const { return p_ == end_ || is_blank(*p_); }

  const char* p_;
  const char* end_;
  const char* start_ = nullptr;
};

bool read_pid(Cursor& cursor, std::int64_t& pid) {
  std::uint64_t number = 0;
  if (cursor.decimal(std::numeric_limits<std::int64_t>::max(), number)) {
    pid = static_cast<std::int64_t>(number);
    return true;
  }
  pid = -1;
  return cursor.field() == "-1";
}

bool read_kind(Cursor& cursor, EventKind& kind) {
  auto found = trace::event_kind(cursor.word());
  if (found) kind = *found;
  return found.has_value();
}

bool read_direction(Cursor& cursor, Event& event) {
  std::string_view word = cursor.word();
  event.direction = word == "w" ? trace::Direction::write : trace::Direction::read;
  return word == "w" || word == "r" || event.kind == EventKind::loss;
}

bool read_address(Cursor& cursor, Event& event) {
  if (event.kind == EventKind::loss && cursor.absent()) {
    event.address = static_cast<std::uint64_t>(trace::LossCause::source);
    return true;
  }
  if (!cursor.hexadecimal(event.address)) return false;
  if (event.kind == EventKind::pio) return event.address <= 0xffff;
  return event.kind != EventKind::loss || event.address < trace::kLossCauses;
}

bool read_vm(Cursor& cursor, Event& event) {
  std::uint64_t number = 0;
  if (cursor.decimal(kMostVms - 1, number)) {
    event.vm = static_cast<std::uint16_t>(number);
    return true;
  }
  event.vm = trace::kAllVms;
  return cursor.field() == "*" && event.kind == EventKind::loss;
}

// Reads a decimal or hexadecimal field into an event by one of its setters; "-" leaves it absent.
template <typename Value>
bool read_decimal(Cursor& cursor, Event& event, std::uint64_t most, void (*set)(Event&, Value)) {
  std::uint64_t number = 0;
  if (cursor.absent()) return true;
  if (!cursor.decimal(most, number)) return false;
  set(event, static_cast<Value>(number));
  return true;
}

bool read_hexadecimal(Cursor& cursor, Event& event, void (*set)(Event&, std::uint64_t)) {
  std::uint64_t number = 0;
  if (cursor.absent()) return true;
  if (!cursor.hexadecimal(number)) return false;
  set(event, number);
  return true;
}

bool read_size(Cursor& cursor, Event& event) {
  return read_decimal(cursor, event, 8, trace::set_size) &&
         (event.size > 0 || !event.has(trace::Field::size));
}

bool read_column(Column column, Cursor& cursor, EventLine& line) {
  Event& event = line.event;
  switch (column) {
    case Column::time:
      return cursor.decimal(std::numeric_limits<std::uint64_t>::max(), event.time);
    case Column::vcpu:
      return read_decimal(cursor, event, 0xffff, trace::set_vcpu);
    case Column::pid:
      return read_pid(cursor, line.pid);
    case Column::comm:
      line.comm = cursor.absent() ? std::string_view() : cursor.word();
      return true;
    case Column::kind:
      return read_kind(cursor, event.kind);
    case Column::direction:
      return read_direction(cursor, event);
    case Column::address:
      return read_address(cursor, event);
    case Column::size:
      return read_size(cursor, event);
    case Column::value:
      return read_hexadecimal(cursor, event, trace::set_value);
    case Column::cr3:
      return read_hexadecimal(cursor, event, trace::set_cr3);
    case Column::rip:
      return read_hexadecimal(cursor, event, trace::set_rip);
    case Column::count:
      return read_decimal(cursor, event, 0xffffffff, trace::set_count);
    case Column::vm:
      return read_vm(cursor, event);
    case Column::cpl:
      return read_decimal(cursor, event, 3, trace::set_cpl);
    case Column::other:
      cursor.word();
      return true;
  }
  return false;
}

std::string wrong_field(Column column, std::string_view found) {
  constexpr std::size_t kShown = 40;
  const ColumnRow& row = kColumns[static_cast<std::size_t>(column)];
  return format("{}: expected {}, found \"{}\"", row.name, row.expected,
                escape_terminal(found.substr(0, kShown)));
}

std::string wrong_number_of_fields(std::size_t found, std::size_t expected) {
  return format("{} fields, expected {}; a \"# columns:\" line names those behind the first nine",
                found, expected);
}

}  // namespace

std::string_view name_of(Column column) {
  return column == Column::other ? "other" : kColumns[static_cast<std::size_t>(column)].name;
}

Column column_of(std::string_view name) {
  auto found = std::find_if(kColumns.begin(), kColumns.end(),
                            [name](const ColumnRow& row) { return row.name == name; });
  return static_cast<Column>(found - kColumns.begin());
}

Result<std::vector<Column>> parse_columns(std::string_view names) {
  constexpr std::size_t kMost = 64;
  std::vector<Column> columns;
  Cursor cursor(names);
  while (cursor.begin() && columns.size() < kMost) {
    Column column = column_of(cursor.word());
    bool again = std::find(columns.begin(), columns.end(), column) != columns.end();
    if (again && column != Column::other)
      return input_error(format("columns: \"{}\" stands there twice", name_of(column)));
    columns.push_back(column);
  }
  for (std::size_t i = 0; i < kFixedColumns; ++i) {
    if (i < columns.size() && columns[i] == static_cast<Column>(i)) continue;
    return input_error(
        "columns: expected \"t_ns vcpu pid comm kind dir addr size value\" as the first nine");
  }
  if (cursor.begin()) return input_error(format("columns: more than {}", kMost));
  columns.erase(columns.begin(), columns.begin() + kFixedColumns);
  return columns;
}

std::optional<std::string> parse_event_line(std::string_view line, const std::vector<Column>& more,
                                            EventLine& out) {
  out = EventLine();
  Cursor cursor(line);
  std::size_t expected = kFixedColumns + more.size();
  for (std::size_t i = 0; i < expected; ++i) {
    if (!cursor.begin()) return wrong_number_of_fields(i, expected);
    Column column = i < kFixedColumns ? static_cast<Column>(i) : more[i - kFixedColumns];
    if (!read_column(column, cursor, out)) return wrong_field(column, cursor.field());
  }
  std::size_t found = expected;
  for (; cursor.begin(); ++found) cursor.word();
  if (found > expected) return wrong_number_of_fields(found, expected);
  if (out.event.kind != EventKind::loss) return std::nullopt;
  // A loss is its time, place, cause and count; the other columns mean nothing in it.
  const Event& e = out.event;
  auto vcpu = e.has(trace::Field::vcpu) ? std::optional(e.vcpu) : std::nullopt;
  out.event = trace::make_loss(e.time, e.vm, vcpu, trace::loss_of(e));
  return std::nullopt;
}

}  // namespace iovm::analyze
