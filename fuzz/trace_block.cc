// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the payload of an event block: the decoder refuses them or decodes them, within the
// memory that it has. The first two bytes say how many events the block's head claims; with the
// first bit of the third, the rest is cut into columns by the target, so that the fuzzer need not
// find lengths that add up.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "trace/bytes.h"
#include "trace/event_block.h"
#include "trace/event_columns.h"
#include "trace/sections.h"

using namespace iovm::trace;

namespace {

// Head and columns of lengths that the data chooses, all stored plain.
std::vector<std::byte> assembled(std::span<const std::byte> data) {
  if (data.size() < kColumnsHeadBytes + kSections * 2) return {};
  std::vector<std::byte> payload(data.begin(), data.begin() + kColumnsHeadBytes);
  data = data.subspan(kColumnsHeadBytes);
  std::array<std::uint32_t, kSections> sizes{};
  for (std::uint32_t& size : sizes) {
    size = load_le<std::uint16_t>(data.data());
    data = data.subspan(2);
  }
  payload.resize(kColumnsHeadBytes + kSectionTableBytes);
  for (std::size_t i = 0; i < kSections; ++i) {
    auto size = static_cast<std::uint32_t>(std::min<std::size_t>(sizes[i], data.size()));
    store_le(payload.data() + kColumnsHeadBytes + i * 8, size);
    store_le(payload.data() + kColumnsHeadBytes + i * 8 + 4, size);
    payload.insert(payload.end(), data.begin(), data.begin() + size);
    data = data.subspan(size);
  }
  return payload;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  static EventDecoder decoder;  // as a reader: one for all blocks, with the last one's memory
  std::span<const std::byte> data(reinterpret_cast<const std::byte*>(input), size);
  if (data.size() < 3) return 0;
  std::size_t entries = load_le<std::uint16_t>(data.data()) + std::size_t{1};
  bool assemble = (data[2] & std::byte{1}) != std::byte{0};
  data = data.subspan(3);
  std::vector<std::byte> payload(data.begin(), data.end());
  if (assemble) payload = assembled(data);
  if (!decoder.open(payload, entries)) return 0;
  std::vector<Event> batch(512);
  std::size_t given = 0;
  while (std::size_t count = decoder.decode(batch)) {
    given += count;
    for (const Event& event : std::span(batch).first(count)) {
      IOVM_ASSERT(static_cast<int>(event.kind) < kEventKinds);
      IOVM_ASSERT(!event.knows_process() || event.process < decoder.uses().processes);
    }
  }
  IOVM_ASSERT(given == entries);
  return 0;
}
