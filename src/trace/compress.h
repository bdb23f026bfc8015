// SPDX-License-Identifier: Apache-2.0
//
// zstd and XXH3 as iovm uses them: one-shot, into memory that the caller owns, with contexts that
// are made once and used for every block. The only place that knows either library. Both classes
// belong to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace iovm::trace {

// XXH3-64, seed 0.
std::uint64_t checksum(std::span<const std::byte> data);

class Compressor {
 public:
  explicit Compressor(int level);
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Appends one zstd frame (its content size inside, no checksum of its own) to `out`; the bytes
  // appended.
  std::size_t append(std::span<const std::byte> data, std::vector<std::byte>& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  // Whether `frame` is one whole zstd frame that holds exactly out.size() bytes; they are in `out`
  // then.
  bool decompress(std::span<const std::byte> frame, std::span<std::byte> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace iovm::trace
