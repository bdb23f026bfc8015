// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data_formats.h"

#include <cstdint>

#include "record/perf_data_bytes.h"

namespace iovm::record::perf {
namespace {

constexpr std::string_view kMagic("\x17\x08\x44tracing", 10);

// "header_page" and "header_event": ring layouts that perf samples do not use.
bool skip_header(ByteWalk& walk, std::string_view name) {
  if (walk.take_text() != name) return false;
  walk.skip(walk.take<std::uint64_t>());
  return !walk.failed();
}

// Each takes at least one byte of the data for each round, so a hostile count ends with the data.
void skip_ftrace_formats(ByteWalk& walk) {
  auto count = walk.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !walk.failed(); ++i) {
    walk.skip(walk.take<std::uint64_t>());
  }
}

void take_systems(ByteWalk& walk, std::string_view wanted, std::vector<std::string>& texts) {
  auto systems = walk.take<std::uint32_t>();
  for (std::uint32_t s = 0; s < systems && !walk.failed(); ++s) {
    std::string_view name = walk.take_text();
    auto count = walk.take<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && !walk.failed(); ++i) {
      std::string_view text = as_text(walk.take_bytes(walk.take<std::uint64_t>()));
      if (name == wanted && !walk.failed()) texts.emplace_back(text);
    }
  }
}

}  // namespace

Result<std::vector<std::string>> parse_tracing_data(std::span<const std::byte> data,
                                                    std::string_view system) {
  ByteWalk walk(data);
  if (as_text(walk.take_bytes(kMagic.size())) != kMagic)
    return input_error("its tracing data does not begin as perf writes it");
  walk.take_text();  // version
  bool big_endian = walk.take<std::uint8_t>() != 0;
  walk.skip(1 + 4);  // long and page sizes
  if (big_endian) return input_error("it was recorded on a big-endian machine; KVM/x86 is none");
  std::vector<std::string> texts;
  if (!skip_header(walk, "header_page") || !skip_header(walk, "header_event"))
    return input_error("its tracing data lacks the ring's headers");
  skip_ftrace_formats(walk);
  take_systems(walk, system, texts);
  // What follows (kernel symbols, printk formats, comms) is not needed.
  if (walk.failed()) return input_error("its tracing data is cut off");
  return texts;
}

}  // namespace iovm::record::perf
