// SPDX-License-Identifier: Apache-2.0
#include "record/guest_vmcoreinfo.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::string_view kStart = "OSRELEASE=";
constexpr std::size_t kNoteText = 24;  // offset of the text in the ELF note
constexpr std::size_t kHead = kNoteText + kStart.size();
constexpr std::size_t kMaxText = 4096;    // VMCOREINFO_BYTES is a page
constexpr std::size_t kMaxSymbols = 256;  // a page holds fewer
constexpr std::size_t kMaxWord = 128;

std::optional<std::uint64_t> number(std::string_view text, int base) {
  if (base == 16 && text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t v = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

// "NAME" of "KIND(NAME)".
std::optional<std::string_view> inside(std::string_view key, std::string_view kind) {
  if (!key.starts_with(kind) || !key.ends_with(')')) return std::nullopt;
  key.remove_prefix(kind.size());
  if (key.empty() || key.front() != '(') return std::nullopt;
  return key.substr(1, key.size() - 2);
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWord &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

struct Parser {
  VmcoreInfo info;
  bool has_phys_base = false;

  void take_number(std::string_view name, std::string_view value) {
    if (name == "phys_base") {
      if (auto v = parse_signed(value)) info.phys_base = *v, has_phys_base = true;
    } else if (name == "pgtable_l5_enabled") {
      info.five_levels = value == "1";
    } else if (name == "sme_mask") {
      info.sme_mask = number(value, 10).value_or(0);
    }
  }

  void take(std::string_view key, std::string_view value) {
    if (key == "OSRELEASE" && is_word(value)) info.release = value;
    if (key == "BUILD-ID" && is_word(value)) info.build_id = value;
    if (key == "PAGESIZE") info.page_size = number(value, 10).value_or(0);
    if (auto name = inside(key, "NUMBER")) take_number(*name, value);
    if (auto name = inside(key, "SYMBOL"); name && info.symbols.size() < kMaxSymbols)
      if (auto v = number(value, 16)) info.symbols.emplace(*name, *v);
  }
};

// The text at an address: as much of its page's rest and the next page as can be read, to its end.
std::optional<std::string> text_at(const GuestMemory& memory, std::uint64_t hva) {
  std::string text(kMaxText, '\0');
  std::span<std::byte> bytes = std::as_writable_bytes(std::span(text));
  if (!memory.read_host(hva, bytes)) {
    text.resize(kPage - hva % kPage);
    if (!memory.read_host(hva, std::as_writable_bytes(std::span(text)))) return std::nullopt;
  }
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

// Looks at pages and remembers what was found.
class Scan {
 public:
  Scan(const GuestMemory& memory, TakeVmcoreInfo take) : memory_(memory), take_(std::move(take)) {}

  // The resident of `count` pages from `base` on.
  void look_at(std::uint64_t base, std::size_t count) {
    std::vector<bool> resident = memory_.resident(base, count);
    pages_.clear();
    for (std::size_t i = 0; i < count; ++i)
      if (resident[i]) pages_.push_back(base + i * kPage);
    heads_.resize(pages_.size() * kHead);
    memory_.read_heads(pages_, kHead, heads_);
    looked_at_ += pages_.size();
    for (std::size_t i = 0; i < pages_.size() && !done_; ++i) {
      std::string_view head(reinterpret_cast<const char*>(heads_.data()) + i * kHead, kHead);
      if (head.starts_with(kStart)) found_at(pages_[i]);
      if (head.ends_with(kStart)) found_at(pages_[i] + kNoteText);
    }
  }
  bool done() const { return done_; }
  std::uint64_t looked_at() const { return looked_at_; }

 private:
  void found_at(std::uint64_t hva) {
    auto text = text_at(memory_, hva);
    if (done_ || !text || !seen_.insert(std::hash<std::string>()(*text)).second) return;
    auto info = parse_vmcoreinfo(*text);
    if (!info) return;
    info->hva = hva;
    done_ = take_(*info);
  }

  const GuestMemory& memory_;
  TakeVmcoreInfo take_;
  std::unordered_set<std::size_t> seen_;  // hashes; one for each page at most
  std::vector<std::uint64_t> pages_;
  std::vector<std::byte> heads_;
  std::uint64_t looked_at_ = 0;
  bool done_ = false;
};

}  // namespace

std::optional<std::uint64_t> VmcoreInfo::symbol(std::string_view name) const {
  auto found = symbols.find(name);
  if (found == symbols.end()) return std::nullopt;
  return found->second;
}

std::optional<VmcoreInfo> parse_vmcoreinfo(std::string_view text) {
  Parser parser;
  for (std::string_view line : split(text.substr(0, kMaxText), '\n')) {
    std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    parser.take(line.substr(0, equals), line.substr(equals + 1));
  }
  VmcoreInfo& info = parser.info;
  if (info.release.empty() || info.page_size != kPage || !parser.has_phys_base) return std::nullopt;
  if (!info.symbol("init_top_pgt") && !info.symbol("swapper_pg_dir")) return std::nullopt;
  return std::move(info);
}

std::uint64_t scan_for_vmcoreinfo(const GuestMemory& memory, const RamMapping& mapping,
                                  const SearchLimits& limits, const TakeVmcoreInfo& take) {
  constexpr std::size_t kChunk = 4096;          // pages: 16 MiB
  constexpr std::uint64_t kLikely = 64U << 20;  // above a hole; looked at first
  Scan scan(memory, [&](const VmcoreInfo& info) {
    return std::ranges::find(limits.rejected, info.hva) == limits.rejected.end() && take(info);
  });
  auto look = [&](std::uint64_t from, std::uint64_t end) {
    for (; from < end && !scan.done() && !limits.stop(); from += kChunk * kPage)
      scan.look_at(mapping.start + from, std::min<std::size_t>(kChunk, (end - from) / kPage));
  };
  for (std::uint64_t hole : holes_in(mapping)) look(hole, std::min(hole + kLikely, mapping.size));
  look(0, mapping.size);
  return scan.looked_at();
}

}  // namespace iovm::record
