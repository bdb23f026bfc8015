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
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context{ZSTD_createCCtx()};
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
  std::size_t before = out.size();
  out.resize(before + ZSTD_compressBound(data.size()));
  std::size_t done = ZSTD_compress2(state_->context.get(), out.data() + before, out.size() - before,
                                    data.data(), data.size());
  IOVM_ASSERT(ZSTD_isError(done) == 0);
  out.resize(before + done);
  return done;
}

struct Decompressor::State {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
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
