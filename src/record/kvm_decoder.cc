// SPDX-License-Identifier: Apache-2.0
#include "record/kvm_decoder.h"

#include <event-parse.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "base/format.h"
#include "base/text.h"

namespace iovm::record {
namespace {

using trace::Direction;
using trace::EventKind;

constexpr std::size_t kTextLimit = 64U << 10;

// kvm_mmio's `type`, as arch/x86's KVM_TRACE_MMIO_*.
constexpr std::uint64_t kReadUnsatisfied = 0;
constexpr std::uint64_t kRead = 1;
constexpr std::uint64_t kWrite = 2;

struct FreeTep {
  void operator()(tep_handle* tep) const { tep_free(tep); }
};
using Tep = std::unique_ptr<tep_handle, FreeTep>;

std::string_view name_in(std::string_view text) {
  constexpr std::string_view kKey = "name: ";
  if (!text.starts_with(kKey)) return {};
  text.remove_prefix(kKey.size());
  return text.substr(0, text.find('\n'));
}

// The text with an empty print format: that is a C expression which nothing here needs, and whose
// parser recurses as deep as its text likes.
std::string without_print_format(std::string_view text) {
  return std::string(text.substr(0, text.find("print fmt:"))) + "print fmt: \"\"\n";
}

}  // namespace

Result<KvmDecoder::Layout> KvmDecoder::parse(std::string_view name, std::string_view text) {
  auto bad = [&](std::string_view why) {
    return input_error(iovm::format("the format of tracepoint kvm:{}: {}", name, why));
  };
  if (text.size() > kTextLimit) return bad("longer than any kernel's");
  if (text.find('\0') != text.npos) return bad("not a text");
  Tep tep(tep_alloc());
  if (!tep) return host_error("out of memory");
  tep_set_loglevel(TEP_LOG_NONE);
  std::string plain = without_print_format(text);
  if (tep_parse_event(tep.get(), plain.c_str(), plain.size(), "kvm") != TEP_ERRNO__SUCCESS) {
    return bad("not as the kernel writes it");
  }
  tep_event* event = tep_find_event_by_name(tep.get(), "kvm", std::string(name).c_str());
  if (!event || event->id < 0) return bad("not as the kernel writes it");

  Layout layout;
  layout.id = static_cast<std::uint32_t>(event->id);
  auto slot = [&](const char* field_name) {
    const tep_format_field* field = tep_find_any_field(event, field_name);
    bool fits = field && field->offset >= 0 && field->offset <= 4096 &&
                (field->size == 1 || field->size == 2 || field->size == 4 || field->size == 8);
    if (!fits) return Slot{};
    auto end = static_cast<std::uint32_t>(field->offset + field->size);
    layout.length = std::max(layout.length, end);
    return Slot{static_cast<std::uint16_t>(field->offset), static_cast<std::uint8_t>(field->size)};
  };
  if (name == "kvm_pio") {
    layout.kind = EventKind::pio;
    layout.direction = slot("rw");
    layout.address = slot("port");
    layout.size = slot("size");
    layout.count = slot("count");
    layout.value = slot("val");
    if (!layout.direction.size || !layout.address.size || !layout.size.size) {
      return bad("rw, port or size is missing");
    }
  } else if (name == "kvm_mmio") {
    layout.kind = EventKind::mmio;
    layout.direction = slot("type");
    layout.address = slot("gpa");
    layout.size = slot("len");
    layout.value = slot("val");
    if (!layout.direction.size || !layout.address.size || !layout.size.size) {
      return bad("type, gpa or len is missing");
    }
  } else {
    layout.kind = EventKind::fast_mmio;
    layout.address = slot("gpa");
    if (!layout.address.size) return bad("gpa is missing");
  }
  Slot type = slot("common_type");
  if (type.offset != 0 || type.size != 2) return bad("common_type is not its first two bytes");
  return layout;
}

Result<bool> KvmDecoder::add_format(std::string_view text) {
  std::string_view name = name_in(text);
  if (std::ranges::find(kIoTracepoints, name) == kIoTracepoints.end()) return false;
  auto layout = parse(name, text);
  if (!layout) return std::move(layout).error();
  std::erase_if(layouts_, [&](const Layout& old) { return old.kind == layout->kind; });
  layouts_.push_back(*layout);
  return true;
}

Result<bool> KvmDecoder::add_format(std::string_view text, std::uint32_t id) {
  auto added = add_format(text);
  if (added && *added) layouts_.back().id = id;
  return added;
}

std::vector<std::uint32_t> KvmDecoder::ids() const {
  std::vector<std::uint32_t> out;
  for (const Layout& layout : layouts_) out.push_back(layout.id);
  return out;
}

std::uint64_t KvmDecoder::load(std::span<const std::byte> raw, Slot slot) {
  const std::byte* from = raw.data() + slot.offset;
  auto fixed = [&]<typename T>(T value) {
    std::memcpy(&value, from, sizeof value);
    return static_cast<std::uint64_t>(value);
  };
  switch (slot.size) {
    case 1:
      return fixed(std::uint8_t{});
    case 2:
      return fixed(std::uint16_t{});
    case 4:
      return fixed(std::uint32_t{});
    case 8:
      return fixed(std::uint64_t{});
    default:
      return 0;
  }
}

Decoded KvmDecoder::decode_pio(const Layout& layout, std::span<const std::byte> raw,
                               trace::Event& out) {
  std::uint64_t size = load(raw, layout.size);
  std::uint64_t port = load(raw, layout.address);
  if ((size != 1 && size != 2 && size != 4) || port > 0xffff) return Decoded::malformed;
  out.kind = EventKind::pio;
  out.direction = load(raw, layout.direction) != 0 ? Direction::write : Direction::read;
  out.address = port;
  trace::set_size(out, static_cast<std::uint8_t>(size));
  if (layout.value.size != 0) trace::set_value(out, load(raw, layout.value));
  if (layout.count.size != 0) {
    trace::set_count(out, static_cast<std::uint32_t>(load(raw, layout.count)));
  }
  return Decoded::event;
}

Decoded KvmDecoder::decode_mmio(const Layout& layout, std::span<const std::byte> raw,
                                trace::Event& out) {
  std::uint64_t type = load(raw, layout.direction);
  std::uint64_t size = load(raw, layout.size);
  // Vector loads and stores have 16 to 64 bytes, parts of an access that crosses a page any number.
  if (type > kWrite || size == 0 || size > 64) return Decoded::malformed;
  out.kind = EventKind::mmio;
  out.direction = type == kWrite ? Direction::write : Direction::read;
  out.address = load(raw, layout.address);
  trace::set_size(out, static_cast<std::uint8_t>(size));
  trace::set_count(out, 1);
  if (type == kReadUnsatisfied) return Decoded::read_begins;
  static_assert(kRead < kWrite);
  if (layout.value.size != 0) trace::set_value(out, load(raw, layout.value));
  return Decoded::event;
}

Decoded KvmDecoder::decode(std::span<const std::byte> raw, trace::Event& out) const {
  std::uint16_t type = 0;
  if (raw.size() < sizeof type) return Decoded::malformed;
  std::memcpy(&type, raw.data(), sizeof type);
  for (const Layout& layout : layouts_) {
    if (layout.id != type) continue;
    if (raw.size() < layout.length) return Decoded::malformed;
    out = trace::Event{};
    if (layout.kind == EventKind::pio) return decode_pio(layout, raw, out);
    if (layout.kind == EventKind::mmio) return decode_mmio(layout, raw, out);
    out.kind = EventKind::fast_mmio;
    out.direction = Direction::write;
    out.address = load(raw, layout.address);
    trace::set_count(out, 1);
    return Decoded::event;
  }
  return Decoded::foreign;
}

}  // namespace iovm::record
