// SPDX-License-Identifier: Apache-2.0
#include "trace/compress.h"

#include <xxhash.h>
#include <zstd.h>

#include "base/assert.h"

namespace iovm::trace {

std::uint64_t checksum(std::span<const std::byte> data) {
  return XXH3_64bits(data.data(), data.size());
}

struct Compressor::State {
  struct Free {
    void operator()(ZSTD_CCtx* done) const { ZSTD_freeCCtx(done); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context{ZSTD_createCCtx()};
  std::vector<std::byte> room;  // grows only: never cleared, never given back
};

Compressor::Compressor(int level) : state_(std::make_unique<State>()) {
  IOVM_ASSERT(state_->context);
  std::size_t set = ZSTD_CCtx_setParameter(state_->context.get(), ZSTD_c_compressionLevel, level);
  IOVM_ASSERT(ZSTD_isError(set) == 0);
}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

std::size_t Compressor::append(std::span<const std::byte> data, std::vector<std::byte>& out) {
  std::vector<std::byte>& room = state_->room;
  std::size_t bound = ZSTD_compressBound(data.size());
  if (room.size() < bound) room.resize(bound);
  std::size_t done =
      ZSTD_compress2(state_->context.get(), room.data(), room.size(), data.data(), data.size());
  IOVM_ASSERT(ZSTD_isError(done) == 0);
  out.insert(out.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(done));
  return done;
}

struct Decompressor::State {
  struct Free {
    void operator()(ZSTD_DCtx* done) const { ZSTD_freeDCtx(done); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context{ZSTD_createDCtx()};
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {
  IOVM_ASSERT(state_->context);
}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

bool Decompressor::decompress(std::span<const std::byte> frame, std::span<std::byte> out) {
  std::size_t done = ZSTD_decompressDCtx(state_->context.get(), out.data(), out.size(),
                                         frame.data(), frame.size());
  return ZSTD_isError(done) == 0 && done == out.size();
}

}  // namespace iovm::trace
