// SPDX-License-Identifier: Apache-2.0
#include "model/model_file.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "trace/archive.h"
#include "trace/file_head.h"
#include "trace/frame.h"

namespace iovm::model {
namespace {

using trace::ArchiveReader;
using trace::ArchiveWriter;

constexpr std::size_t kLargestModel = std::size_t{1} << 28;
constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kOperationBytes = 30;
constexpr std::size_t kOriginBytes = 16 + 4 + 4 * 8;
constexpr std::size_t kMostAllowed = 4096;
constexpr std::uint8_t kAllMarks = 0x3f;

void put(ArchiveWriter& out, const Operation& o) {
  out.u8(static_cast<std::uint8_t>(o.device.bus)).u16(o.device.vendor).u16(o.device.number);
  out.u8(static_cast<std::uint8_t>(o.space)).u8(static_cast<std::uint8_t>(o.direction));
  out.u8(o.size).u8(o.marks).u32(o.index).u64(o.reg).u64(o.value);
}

// False: a field that no operation has.
bool get(ArchiveReader& in, Operation& o) {
  std::uint8_t bus = in.u8();
  o.device.vendor = in.u16();
  o.device.number = in.u16();
  std::uint8_t space = in.u8();
  std::uint8_t direction = in.u8();
  o.size = in.u8();
  o.marks = in.u8();
  o.index = in.u32();
  o.reg = in.u64();
  o.value = in.u64();
  o.device.bus = static_cast<Bus>(bus);
  o.space = static_cast<Space>(space);
  o.direction = static_cast<trace::Direction>(direction);
  return bus <= static_cast<std::uint8_t>(Bus::pci) && space < kSpaces && direction <= 1 &&
         (o.marks & ~kAllMarks) == 0;
}

void put(ArchiveWriter& out, const Origin& origin) {
  out.raw(std::as_bytes(std::span(origin.id))).text(origin.source.substr(0, kLongestText));
  out.u64(origin.events).u64(origin.lost).u64(origin.first_time).u64(origin.last_time);
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

void put_calibration(ArchiveWriter& out, const ModelData& data) {
  const Calibration& c = data.calibration;
  out.u64(c.events).u64(c.duration_ns).u64(c.sessions).u64(c.blocks);
  out.u32(c.unseen).u32(static_cast<std::uint32_t>(c.largest.size()));
  for (Bits bits : c.largest) out.u32(bits);
  out.f64(c.scale.bits_mean).f64(c.scale.bits_sd).f64(c.scale.set_mean).f64(c.scale.set_sd);
  out.u32(static_cast<std::uint32_t>(c.scores.size()));
  for (double score : c.scores) out.f64(score);
  const Threshold& t = data.threshold;
  out.u32(t.value).u8(t.supported ? 1 : 0).f64(t.promise.alarms).u64(t.promise.per);
  out.u8(static_cast<std::uint8_t>(t.promise.unit)).f64(t.expected).f64(t.session).u32(t.unseen);
}

Status get_session_sample(ArchiveReader& in, Calibration& c) {
  SessionScale& scale = c.scale;
  scale.bits_mean = in.f64();
  scale.bits_sd = in.f64();
  scale.set_mean = in.f64();
  scale.set_sd = in.f64();
  bool good = std::isfinite(scale.bits_mean) && std::isfinite(scale.set_mean) &&
              std::isfinite(scale.bits_sd) && std::isfinite(scale.set_sd) && scale.bits_sd > 0 &&
              scale.set_sd > 0;
  std::uint32_t sample = in.count(8);
  if (!good || sample > kMaxSessionSample) return input_error("a wrong sample of sessions");
  c.scores.resize(sample);
  for (double& score : c.scores) score = in.f64();
  good = std::ranges::all_of(c.scores, [](double s) { return std::isfinite(s); }) &&
         std::ranges::is_sorted(c.scores, std::greater<>());
  if (!good) return input_error("a sample of sessions out of order");
  return {};
}

Status get_calibration(ArchiveReader& in, ModelData& data) {
  Calibration& c = data.calibration;
  c.events = in.u64();
  c.duration_ns = in.u64();
  c.sessions = in.u64();
  c.blocks = in.u64();
  c.unseen = in.u32();
  std::uint32_t sample = in.count(4);
  if (sample > kMaxSample || sample > c.blocks) return input_error("a wrong calibration sample");
  c.largest.resize(sample);
  for (Bits& bits : c.largest) bits = in.u32();
  if (!std::ranges::is_sorted(c.largest, std::greater<>())) {
    return input_error("a calibration sample out of order");
  }
  if (auto ok = get_session_sample(in, c); !ok) return ok;
  Threshold& t = data.threshold;
  t.value = in.u32();
  t.supported = in.u8() != 0;
  t.promise.alarms = in.f64();
  t.promise.per = in.u64();
  std::uint8_t unit = in.u8();
  t.promise.unit = static_cast<Promise::Unit>(unit);
  t.expected = in.f64();
  t.session = in.f64();
  t.unseen = in.u32();
  bool good = unit <= 2 && !std::isnan(t.session) && t.unseen > 0 &&
              std::isfinite(t.promise.alarms) && t.promise.alarms > 0 && t.promise.per > 0 &&
              std::isfinite(t.expected) && t.expected >= 0;
  if (!good) return input_error("a wrong threshold");
  return {};
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
    constexpr std::uint64_t kMost = std::uint64_t{1} << 56;
    if (ngrams.counts[i] == 0 || ngrams.counts[i] > kMost - total) {
      return input_error(iovm::format("sequence {} has a wrong count", i));
    }
    total += ngrams.counts[i];
  }
  return {};
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

Status get_allowed(ArchiveReader& in, std::vector<std::string>& allowed) {
  std::uint32_t size = in.count(4);
  if (size > kMostAllowed) return input_error("too many allowed names");
  for (std::uint32_t i = 0; i < size; ++i) allowed.push_back(in.text(kLongestText));
  bool ascending = std::ranges::adjacent_find(allowed, std::greater_equal<>()) == allowed.end();
  if (!ascending) return input_error("allowed names out of order");
  return {};
}

Status get_fields(ArchiveReader& in, ModelData& data) {
  if (auto ok = get_options(in, data.options); !ok) return ok;
  if (auto ok = get_alphabet(in, data.alphabet); !ok) return ok;
  if (auto ok = get_ngrams(in, data); !ok) return ok;
  if (auto ok = get_sets(in, data); !ok) return ok;
  if (auto ok = get_allowed(in, data.allowed); !ok) return ok;
  std::uint32_t origins = in.count(kOriginBytes);
  for (std::uint32_t i = 0; i < origins && in.ok(); ++i) data.origins.push_back(get_origin(in));
  if (auto ok = get_calibration(in, data); !ok) return ok;
  if (!in.finished()) return input_error("it ends too early, or goes on behind its end");
  return {};
}

}  // namespace

std::vector<std::byte> encode_model(const ModelData& data) {
  IOVM_ASSERT(data.ngrams.length == data.options.context() + 1);
  ArchiveWriter out;
  out.u8(static_cast<std::uint8_t>(data.options.method)).u32(data.options.order);
  out.u8(static_cast<std::uint8_t>(data.options.stream));
  out.u8(static_cast<std::uint8_t>(data.options.scheme));
  out.u8(static_cast<std::uint8_t>(data.options.session));
  out.u32(static_cast<std::uint32_t>(data.alphabet.size()));
  for (const Operation& operation : data.alphabet) put(out, operation);
  out.u32(static_cast<std::uint32_t>(data.ngrams.size()));
  for (Symbol symbol : data.ngrams.symbols) out.u32(symbol);
  for (std::uint64_t count : data.ngrams.counts) out.u64(count);
  put_sets(out, data.sets);
  out.u32(static_cast<std::uint32_t>(data.allowed.size()));
  for (const std::string& name : data.allowed) out.text(name);
  out.u32(static_cast<std::uint32_t>(data.origins.size()));
  for (const Origin& origin : data.origins) put(out, origin);
  put_calibration(out, data);
  auto head = trace::encode_file_head({trace::FileType::model, kModelVersion});
  std::vector<std::byte> file(head.begin(), head.end());
  std::vector<std::byte> frame = trace::encode_frame(out.bytes());
  file.insert(file.end(), frame.begin(), frame.end());
  return file;
}

Result<ModelData> decode_model(std::span<const std::byte> file) {
  auto head = trace::parse_file_head(file.first(std::min<std::size_t>(file.size(), 64)),
                                     trace::FileType::model, kModelVersion);
  if (!head) return std::move(head).error();
  if (head->version != kModelVersion) {
    return input_error(
        iovm::format("it has format version {}, and this iovm reads version {} (train "
                     "it again)",
                     head->version, kModelVersion));
  }
  std::span<const std::byte> rest = file.subspan(trace::kFileHeadBytes);
  auto frame = trace::decode_frame(rest, kLargestModel);
  if (!frame) return std::move(frame).error().in("the model is damaged (train it again)");
  if (frame->bytes != rest.size()) {
    return input_error("the model is damaged: there is something behind its end");
  }
  ArchiveReader in(frame->content);
  ModelData data;
  if (auto ok = get_fields(in, data); !ok) {
    return Error(ok.error()).in("the model is damaged (train it again)");
  }
  return data;
}

Status write_model(const std::string& path, const ModelData& data) {
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  if (auto ok = write_full(fd->get(), encode_model(data)); !ok) {
    return Error(ok.error()).in(iovm::format("writing {}", escape_terminal(path)));
  }
  return {};
}

Result<ModelData> read_model(const std::string& path) {
  std::string place = iovm::format("model {}", escape_terminal(path));
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  std::vector<std::byte> file;
  constexpr std::size_t kStep = 1U << 20;
  for (std::size_t had = 0;; had = file.size()) {
    file.resize(had + kStep);
    auto got = read_full(fd->get(), std::span(file).subspan(had));
    if (!got) return std::move(got).error().in(place);
    file.resize(had + *got);
    if (*got < kStep) break;
    if (file.size() > kLargestModel) return input_error("larger than any model").in(place);
    if (had == 0) {
      // What is no model is not read to its end.
      auto head =
          trace::parse_file_head(std::span(file).first(64), trace::FileType::model, kModelVersion);
      if (!head) return std::move(head).error().in(place);
    }
  }
  auto data = decode_model(file);
  if (!data) return std::move(data).error().in(place);
  return data;
}

}  // namespace iovm::model
