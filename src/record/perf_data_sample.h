// SPDX-License-Identifier: Apache-2.0
//
// What a perf sample holds and where depends on the sample_type of its event (any combination of
// bits), and which event it belongs to stands inside the sample. perf solves that by keeping the id
// at one place for all events of a file; so do we: IdPlace first, then the layout of that event.
// Records that are no samples carry a part of the same fields at their end, if sample_id_all is
// set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace iovm::record::perf {

struct SampleLayout {
  std::uint64_t sample_type = 0;  // SampleBit
  std::uint64_t read_format = 0;  // ReadBit
  bool id_all = false;
};

struct Sample {
  std::optional<std::int32_t> pid;
  std::optional<std::int32_t> tid;
  std::optional<std::uint64_t> time;
  std::optional<std::uint64_t> id;
  std::span<const std::byte> raw;  // empty: none
};

// The id of the event that a sample belongs to; nothing if its layout has none.
std::optional<std::uint64_t> sample_id(const SampleLayout& layout, std::span<const std::byte> body);
// The same for the other records.
std::optional<std::uint64_t> trailer_id(const SampleLayout& layout,
                                        std::span<const std::byte> body);

// Nothing: the record is shorter than its layout says.
std::optional<Sample> parse_sample(const SampleLayout& layout, std::span<const std::byte> body);
std::optional<Sample> parse_trailer(const SampleLayout& layout, std::span<const std::byte> body);

// Bytes that the trailer takes at a record's end.
std::size_t trailer_bytes(const SampleLayout& layout);

}  // namespace iovm::record::perf
