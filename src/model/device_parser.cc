// SPDX-License-Identifier: Apache-2.0
#include "model/device_parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/format.h"
#include "base/text.h"

namespace iovm::model {
namespace {

constexpr std::uint64_t kMaxTimes = 128;
constexpr std::uint8_t kMaxLatch = kLatches - 1;

struct SpaceName {
  std::string_view name;
  Space space;
};
constexpr SpaceName kSpaces[] = {
    {"bar0", Space::bar0},     {"bar1", Space::bar1},     {"bar2", Space::bar2},
    {"bar3", Space::bar3},     {"bar4", Space::bar4},     {"bar5", Space::bar5},
    {"port", Space::port},     {"memory", Space::memory}, {"config", Space::config},
    {"common", Space::common}, {"notify", Space::notify}, {"isr", Space::isr},
    {"devcfg", Space::devcfg}, {"msix", Space::msix},     {"pba", Space::pba}};

struct RoleName {
  std::string_view name;
  Role role;
};
constexpr RoleName kRoles[] = {
    {"data", Role::data},     {"command", Role::command}, {"index", Role::index},
    {"toggle", Role::toggle}, {"indexed", Role::indexed}, {"status", Role::status},
    {"rearm", Role::rearm},   {"phased", Role::phased},   {"window", Role::window}};

// Words separated by blanks; a quoted one may have blanks in it and keeps its first quote.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == ' ') {
      ++at;
      continue;
    }
    if (line[at] == '#') break;
    bool quoted = line[at] == '"';
    std::size_t end = std::min(line.find(quoted ? '"' : ' ', at + 1), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + (quoted ? 1 : 0);
  }
  return words;
}

std::optional<std::uint64_t> number(std::string_view text, int base = 16) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Span {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
std::optional<Span> span(std::string_view text) {
  std::size_t dash = text.find('-');
  auto first = number(text.substr(0, dash));
  auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return Span{*first, *last};
}

std::optional<std::string> quoted(std::string_view word) {
  if (word.size() < 2 || word.front() != '"') return std::nullopt;
  return std::string(word.substr(1));
}

class Parser {
 public:
  explicit Parser(std::vector<DeviceRow>& devices) : devices_(devices) {}

  void end_of_group() {
    current_.clear();
    in_registers_ = false;
  }
  // False if the line says nothing that is known.
  bool line(const std::vector<std::string_view>& words) {
    if (words[0] == "device") return device(words);
    in_registers_ = true;
    if (current_.empty()) return false;
    if (words[0] == "moves") return moves(words);
    if (words[0] == "units") return units(words);
    return words[0] == "part" ? part(words) : registers(words);
  }

 private:
  struct Current {
    std::size_t device = 0;
    std::uint64_t base = 0;  // of "at"
  };
  struct Repeat {
    std::uint64_t step = 0;
    std::uint64_t times = 1;
    std::uint64_t from = 0;  // number of the first
  };

  bool device(const std::vector<std::string_view>& words);
  bool registers(const std::vector<std::string_view>& words);
  static bool options(const std::vector<std::string_view>& words, RegisterRow& row, Repeat& repeat);
  bool moves(const std::vector<std::string_view>& words);
  bool part(const std::vector<std::string_view>& words);
  bool units(const std::vector<std::string_view>& words);
  bool add(const RegisterRow& row, const Repeat& repeat);

  std::vector<DeviceRow>& devices_;
  std::vector<Current> current_;  // whom registers are for
  bool in_registers_ = false;
};

std::optional<DeviceType> pci_type(std::string_view word) {
  std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto part = [](std::string_view text) {
    return text == "*" ? std::optional<std::uint64_t>(kAnyNumber) : number(text);
  };
  auto vendor = part(word.substr(0, colon)), device = part(word.substr(colon + 1));
  if (!vendor || !device || *vendor > 0xffff || *device > 0xffff) return std::nullopt;
  return DeviceType{Bus::pci, static_cast<std::uint16_t>(*vendor),
                    static_cast<std::uint16_t>(*device)};
}

bool Parser::device(const std::vector<std::string_view>& words) {
  DeviceRow row;
  Current now;
  if (words.size() == 4 && words[1] == "pci") {
    auto type = pci_type(words[2]);
    auto name = quoted(words[3]);
    if (!type || !name) return false;
    row.type = *type, row.name = *name;
  } else if ((words.size() == 5 || words.size() == 7) && words[1] == "pc") {
    auto type = number(words[2], 10);
    auto name = quoted(words[4]);
    if (!type || *type == 0 || *type >= kAnyNumber || !name) return false;
    row.type = {Bus::pc, 0, static_cast<std::uint16_t>(*type)};
    row.key = words[3], row.name = *name;
    if (words.size() == 7) {
      auto base = number(words[6]);
      if (words[5] != "at" || !base) return false;
      now.base = *base;
    }
  } else {
    return false;
  }
  // Named once: two tables never disagree about a device.
  if (std::ranges::count(devices_, row.type, &DeviceRow::type) != 0) return false;
  if (in_registers_) current_.clear();
  in_registers_ = false;
  now.device = devices_.size();
  devices_.push_back(std::move(row));
  current_.push_back(now);
  return true;
}

bool Parser::registers(const std::vector<std::string_view>& words) {
  if (words.size() < 4) return false;
  RegisterRow row;
  std::string_view place = words[1];
  if (std::size_t bracket = place.find('['); bracket != std::string_view::npos) {
    auto index = place.ends_with(']') ? span(place.substr(bracket + 1, place.size() - bracket - 2))
                                      : std::nullopt;
    if (!index || index->last > 0xffffffff) return false;
    row.behind_index = true;
    row.first_index = static_cast<std::uint32_t>(index->first);
    row.last_index = static_cast<std::uint32_t>(index->last);
    place = place.substr(0, bracket);
  }
  auto where = span(place);
  auto role = std::ranges::find(kRoles, words[2], &RoleName::name);
  auto name = quoted(words[3]);
  if (!where || role == std::end(kRoles) || !name) return false;
  row.first = where->first, row.last = where->last, row.role = role->role, row.name = *name;
  Repeat repeat;
  if (!options(words, row, repeat)) return false;
  for (std::string_view list = words[0]; !list.empty();) {
    std::string_view one = list.substr(0, list.find(','));
    list.remove_prefix(std::min(one.size() + 1, list.size()));
    auto space = std::ranges::find(kSpaces, one, &SpaceName::name);
    if (space == std::end(kSpaces)) return false;
    row.space = space->space;
    if (!add(row, repeat)) return false;
  }
  return true;
}

bool Parser::options(const std::vector<std::string_view>& words, RegisterRow& row, Repeat& repeat) {
  for (std::size_t i = 4; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return false;
    auto value = number(words[i + 1], words[i] == "times" || words[i] == "from" ? 10 : 16);
    if (!value) return false;
    if (words[i] == "mask") {
      row.value_mask = *value;
    } else if (words[i] == "latch" && *value <= kMaxLatch) {
      row.latch = static_cast<std::uint8_t>(*value);
    } else if (words[i] == "size" && *value <= 8) {
      row.size = static_cast<std::uint8_t>(*value);
    } else if (words[i] == "every") {
      repeat.step = *value;
    } else if (words[i] == "times" && *value >= 1 && *value <= kMaxTimes && repeat.step != 0) {
      repeat.times = *value;
    } else if (words[i] == "from" && *value <= kMaxTimes && repeat.times > 1) {
      repeat.from = *value;
    } else {
      return false;
    }
  }
  return true;
}

// False if it overlaps another row of the device other than by index or size.
bool Parser::add(const RegisterRow& row, const Repeat& repeat) {
  auto clashes = [](const RegisterRow& a, const RegisterRow& b) {
    if (a.space != b.space || a.first > b.last || b.first > a.last) return false;
    if (a.first != b.first) return true;
    if (a.behind_index != b.behind_index) return false;
    if (a.size != 0 && b.size != 0 && a.size != b.size) return false;
    return !a.behind_index || (a.first_index <= b.last_index && b.first_index <= a.last_index);
  };
  for (const Current& to : current_) {
    for (std::uint64_t i = 0; i < repeat.times; ++i) {
      RegisterRow one = row;
      one.first += to.base + i * repeat.step;
      one.last += to.base + i * repeat.step;
      std::size_t hash = one.name.find('#');
      if (hash != std::string::npos) one.name.replace(hash, 1, iovm::format("{}", repeat.from + i));
      auto& known = devices_[to.device].registers;
      if (std::ranges::any_of(known, [&](const auto& k) { return clashes(one, k); })) return false;
      known.push_back(std::move(one));
    }
  }
  return true;
}

bool Parser::moves(const std::vector<std::string_view>& words) {
  if (words.size() != 8 || words[2] != "mask" || words[4] != "size" || words[6] != "to") {
    return false;
  }
  auto reg = number(words[1]), mask = number(words[3]), size = number(words[5]),
       to = number(words[7]);
  if (!reg || *reg > 0xfc || !mask || *mask > 0xffff || !size || *size > 0x100 || !to) return false;
  if (*to > 0xffff) return false;
  for (const Current& current : current_) {
    devices_[current.device].moves.push_back(
        {static_cast<std::uint32_t>(*reg), static_cast<std::uint32_t>(*mask),
         static_cast<std::uint16_t>(*size), static_cast<std::uint16_t>(*to)});
  }
  return true;
}

bool Parser::part(const std::vector<std::string_view>& words) {
  if (words.size() != 5) return false;
  auto space = std::ranges::find(kSpaces, words[1], &SpaceName::name);
  auto bar = std::ranges::find(kSpaces, words[2], &SpaceName::name);
  auto where = span(words[4]);
  if (space == std::end(kSpaces) || space->space < Space::common) return false;
  if (bar == std::end(kSpaces) || bar->space > Space::bar5 || words[3] != "at" || !where) {
    return false;
  }
  for (const Current& current : current_) {
    devices_[current.device].parts.push_back({space->space, static_cast<std::uint8_t>(bar->space),
                                              where->first, where->last - where->first + 1});
  }
  return true;
}

bool Parser::units(const std::vector<std::string_view>& words) {
  if (words.size() != 8 || words[4] != "every" || words[6] != "times") return false;
  auto name = quoted(words[1]);
  auto space = std::ranges::find(kSpaces, words[2], &SpaceName::name);
  auto first = number(words[3]), step = number(words[5]), times = number(words[7], 10);
  if (!name || space == std::end(kSpaces) || !first || !step || *step == 0) return false;
  if (!times || *times < 1 || *times > kMaxTimes) return false;
  for (const Current& current : current_) {
    devices_[current.device].units = Units{*name, space->space, *first + current.base, *step,
                                           static_cast<std::uint32_t>(*times)};
  }
  return true;
}

}  // namespace

Status parse_devices(const DeviceText& text, std::vector<DeviceRow>& devices) {
  Parser parser(devices);
  std::string_view rest = text.text;
  for (std::size_t line = 1; !rest.empty(); ++line) {
    std::string_view one = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    std::vector<std::string_view> words = words_of(one);
    if (one.empty()) parser.end_of_group();
    if (words.empty() || parser.line(words)) continue;
    return input_error(iovm::format("{} line {}: \"{}\" is no line of a device table", text.name,
                                    line, escape_terminal(one)));
  }
  return {};
}

Result<DeviceTable> DeviceTable::parse(std::span<const DeviceText> texts) {
  DeviceTable table;
  for (const DeviceText& text : texts) {
    if (auto ok = parse_devices(text, table.devices_); !ok) return std::move(ok).error();
  }
  if (auto ok = table.index(); !ok) return std::move(ok).error();
  return table;
}

}  // namespace iovm::model
