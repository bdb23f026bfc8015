// SPDX-License-Identifier: Apache-2.0
//
// What was counted, and over what: options, alphabet, sequences, sets, volumes, origins.
#include <algorithm>
#include <tuple>

#include "base/format.h"
#include "model/model_fields.h"

namespace iovm::model {

using trace::ArchiveReader;
using trace::ArchiveWriter;

namespace {

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kOperationBytes = 30;
constexpr std::size_t kOriginBytes = 16 + 4 + 4 * 8;
constexpr std::size_t kVolumeRowBytes = 16;
constexpr std::size_t kPlaceRowBytes = 5 + 1 + 4 + 8;
constexpr std::size_t kMostAllowed = 4096;
constexpr std::uint8_t kAllMarks = 0x3f;
// Counts that can be added up.
constexpr std::uint64_t kMostAccesses = std::uint64_t{1} << 56;
constexpr std::uint64_t kMostStretches = std::uint64_t{1} << 40;

void put(ArchiveWriter& out, const DeviceType& type) {
  out.u8(static_cast<std::uint8_t>(type.bus)).u16(type.vendor).u16(type.number);
}

// False: a bus that no device has.
bool get(ArchiveReader& in, DeviceType& type) {
  std::uint8_t bus = in.u8();
  type.vendor = in.u16();
  type.number = in.u16();
  type.bus = static_cast<Bus>(bus);
  return bus <= static_cast<std::uint8_t>(Bus::pci);
}

void put(ArchiveWriter& out, const Operation& o) {
  put(out, o.device);
  out.u8(static_cast<std::uint8_t>(o.space)).u8(static_cast<std::uint8_t>(o.direction));
  out.u8(o.size).u8(o.marks).u32(o.index).u64(o.reg).u64(o.value);
}

// False: a field that no operation has.
bool get(ArchiveReader& in, Operation& o) {
  bool good = get(in, o.device);
  std::uint8_t space = in.u8();
  std::uint8_t direction = in.u8();
  o.size = in.u8();
  o.marks = in.u8();
  o.index = in.u32();
  o.reg = in.u64();
  o.value = in.u64();
  o.space = static_cast<Space>(space);
  o.direction = static_cast<trace::Direction>(direction);
  return good && space < kSpaces && direction <= 1 && (o.marks & ~kAllMarks) == 0;
}

Origin get_origin(ArchiveReader& in) {
  Origin origin;
  in.raw(std::as_writable_bytes(std::span(origin.id)));
  origin.source = in.text(kLongestText);
  origin.events = in.u64();
  origin.lost = in.u64();
  origin.first_time = in.u64();
  origin.last_time = in.u64();
  return origin;
}

// kNoSymbol only in front, symbols that exist, in order, counts that can be summed up.
Status check_ngrams(const Ngrams& ngrams, std::size_t symbols) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < ngrams.size(); ++i) {
    std::span<const Symbol> gram = ngrams.at(i);
    bool begun = false;
    for (Symbol symbol : gram) {
      if (symbol == kNoSymbol && !begun) continue;
      begun = true;
      bool exists = symbol == kOverflow || (symbol >= kFirstSymbol && symbol < symbols);
      if (!exists) return input_error(iovm::format("sequence {} has a wrong symbol", i));
    }
    if (!begun) return input_error(iovm::format("sequence {} is empty", i));
    if (i > 0 && !std::ranges::lexicographical_compare(ngrams.at(i - 1), gram)) {
      return input_error("sequences out of order");
    }
    if (ngrams.counts[i] == 0 || ngrams.counts[i] > kMostAccesses - total) {
      return input_error(iovm::format("sequence {} has a wrong count", i));
    }
    total += ngrams.counts[i];
  }
  return {};
}

}  // namespace

void put_options(ArchiveWriter& out, const Options& options) {
  out.u8(static_cast<std::uint8_t>(options.method)).u32(options.order);
  out.u8(static_cast<std::uint8_t>(options.stream)).u8(static_cast<std::uint8_t>(options.scheme));
  out.u8(static_cast<std::uint8_t>(options.session));
}

Status get_options(ArchiveReader& in, Options& options) {
  std::uint8_t method = in.u8();
  options.order = in.u32();
  std::uint8_t stream = in.u8();
  std::uint8_t scheme = in.u8();
  std::uint8_t session = in.u8();
  if (method >= kMethods || stream >= kStreamKinds || scheme > 1 || session >= kSessionViews ||
      options.order == 0 || options.order > kMaxOrder) {
    return input_error("options that this version does not know");
  }
  options.method = static_cast<Method>(method);
  options.stream = static_cast<StreamKind>(stream);
  options.scheme = static_cast<Scheme>(scheme);
  options.session = static_cast<SessionView>(session);
  return {};
}

void put_alphabet(ArchiveWriter& out, const std::vector<Operation>& alphabet) {
  out.u32(static_cast<std::uint32_t>(alphabet.size()));
  for (const Operation& operation : alphabet) put(out, operation);
}

Status get_alphabet(ArchiveReader& in, std::vector<Operation>& alphabet) {
  std::uint32_t size = in.count(kOperationBytes);
  if (size > kMaxSymbols - kFirstSymbol) return input_error("too many operations");
  alphabet.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    if (!get(in, alphabet[i])) return input_error(iovm::format("operation {} is wrong", i));
    if (i > 0 && !(alphabet[i - 1] < alphabet[i])) return input_error("operations out of order");
  }
  return {};
}

void put_ngrams(ArchiveWriter& out, const Ngrams& ngrams) {
  out.u32(static_cast<std::uint32_t>(ngrams.size()));
  for (Symbol symbol : ngrams.symbols) out.u32(symbol);
  for (std::uint64_t count : ngrams.counts) out.u64(count);
}

Status get_ngrams(ArchiveReader& in, ModelData& data) {
  Ngrams& ngrams = data.ngrams;
  ngrams.length = data.options.context() + 1;
  std::uint32_t size = in.count(ngrams.length * 4 + 8);
  if (size > kMaxNgrams) return input_error("too many sequences");
  ngrams.symbols.resize(std::size_t{size} * ngrams.length);
  ngrams.counts.resize(size);
  for (Symbol& symbol : ngrams.symbols) symbol = in.u32();
  for (std::uint64_t& count : ngrams.counts) count = in.u64();
  if (!in.ok()) return input_error("it ends too early");
  return check_ngrams(ngrams, data.symbols());
}

void put_sets(ArchiveWriter& out, const SessionSets& sets) {
  out.u32(static_cast<std::uint32_t>(sets.size()));
  for (const SessionSet& set : sets) {
    out.u64(set.count).u32(static_cast<std::uint32_t>(set.symbols.size()));
    for (Symbol symbol : set.symbols) out.u32(symbol);
  }
}

Status get_sets(ArchiveReader& in, ModelData& data) {
  Error wrong = input_error("a wrong set of a session");
  std::uint32_t size = in.count(16);
  if (size > kMaxSets) return input_error("too many sets of sessions");
  std::size_t room = kMaxSetSymbols;
  for (std::uint32_t i = 0; i < size; ++i) {
    SessionSet set;
    set.count = in.u64();
    std::uint32_t symbols = in.count(4);
    if (set.count == 0 || set.count > std::uint64_t{1} << 40 || symbols == 0 || symbols > room) {
      return wrong;
    }
    room -= symbols;
    set.symbols.resize(symbols);
    for (Symbol& symbol : set.symbols) symbol = in.u32();
    bool ascending =
        std::ranges::adjacent_find(set.symbols, std::greater_equal<>()) == set.symbols.end();
    Symbol last = set.symbols.back();
    if (!ascending || last >= data.symbols()) return wrong;
    if (!data.sets.empty() && !(data.sets.back().symbols < set.symbols)) return wrong;
    data.sets.push_back(std::move(set));
  }
  return {};
}

void put_volumes(ArchiveWriter& out, const Volumes& volumes) {
  out.u32(static_cast<std::uint32_t>(volumes.size()));
  for (const VolumeRow& row : volumes) {
    put(out, row.kind.device);
    out.u8(static_cast<std::uint8_t>(row.kind.whose)).u8(static_cast<std::uint8_t>(row.quantity));
    out.u8(row.step).u64(row.count);
  }
}

Status get_volumes(ArchiveReader& in, Volumes& volumes) {
  std::uint32_t size = in.count(kVolumeRowBytes);
  if (size > kMaxVolumeRows) return input_error("too many amounts of work");
  for (std::uint32_t i = 0; i < size; ++i) {
    VolumeRow row;
    bool good = get(in, row.kind.device);
    std::uint8_t whose = in.u8();
    std::uint8_t quantity = in.u8();
    row.step = in.u8();
    row.kind.whose = static_cast<Whose>(whose);
    row.quantity = static_cast<Quantity>(quantity);
    good = good && whose <= 1 && quantity < kQuantities && row.step > 0;
    row.count = in.u64();
    if (!volumes.empty()) {
      VolumeRow last = volumes.back();
      last.count = row.count;
      good = good && last < row;
    }
    good = good && row.count > 0 && row.count <= kMostStretches;
    if (!good) return input_error(iovm::format("amount of work {} is wrong", i));
    volumes.push_back(row);
  }
  return {};
}

void put_places(ArchiveWriter& out, const Places& places) {
  out.u32(static_cast<std::uint32_t>(places.size()));
  for (const PlaceRow& row : places) {
    put(out, row.device);
    out.u8(static_cast<std::uint8_t>(row.place.code)).u32(row.place.offset).u64(row.count);
  }
}

Status get_places(ArchiveReader& in, Places& places) {
  std::uint32_t size = in.count(kPlaceRowBytes);
  if (size > kMaxPlaces) return input_error("too many places of code");
  for (std::uint32_t i = 0; i < size; ++i) {
    PlaceRow row;
    bool good = get(in, row.device);
    auto code = static_cast<CodeClass>(in.u8());
    row.place.offset = in.u32();
    row.count = in.u64();
    // A place is one that an address can have.
    auto place = place_of(code, row.place.offset);
    row.place.code = code;
    good = good && place == row.place && row.count > 0 && row.count <= kMostAccesses;
    if (good && !places.empty()) {
      const PlaceRow& last = places.back();
      good = std::tie(last.device, last.place) < std::tie(row.device, row.place);
    }
    if (!good) return input_error(iovm::format("place of code {} is wrong", i));
    places.push_back(row);
  }
  return {};
}

void put_allowed(ArchiveWriter& out, const std::vector<std::string>& allowed) {
  out.u32(static_cast<std::uint32_t>(allowed.size()));
  for (const std::string& name : allowed) out.text(name);
}

Status get_allowed(ArchiveReader& in, std::vector<std::string>& allowed) {
  std::uint32_t size = in.count(4);
  if (size > kMostAllowed) return input_error("too many allowed names");
  for (std::uint32_t i = 0; i < size; ++i) allowed.push_back(in.text(kLongestText));
  bool ascending = std::ranges::adjacent_find(allowed, std::greater_equal<>()) == allowed.end();
  if (!ascending) return input_error("allowed names out of order");
  return {};
}

void put_origins(ArchiveWriter& out, const std::vector<Origin>& origins) {
  out.u32(static_cast<std::uint32_t>(origins.size()));
  for (const Origin& origin : origins) {
    out.raw(std::as_bytes(std::span(origin.id))).text(origin.source.substr(0, kLongestText));
    out.u64(origin.events).u64(origin.lost).u64(origin.first_time).u64(origin.last_time);
  }
}

Status get_origins(ArchiveReader& in, std::vector<Origin>& origins) {
  std::uint32_t size = in.count(kOriginBytes);
  for (std::uint32_t i = 0; i < size && in.ok(); ++i) origins.push_back(get_origin(in));
  return {};
}

}  // namespace iovm::model
