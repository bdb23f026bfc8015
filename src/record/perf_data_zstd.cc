// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data_zstd.h"

#include <zstd.h>

#include "base/format.h"

namespace iovm::record::perf {

struct ZstdStream::State {
  struct Free {
    void operator()(ZSTD_DStream* done) const { ZSTD_freeDStream(done); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream{ZSTD_createDStream()};
};

ZstdStream::ZstdStream() : state_(std::make_unique<State>()) {}
ZstdStream::~ZstdStream() = default;
ZstdStream::ZstdStream(ZstdStream&&) noexcept = default;
ZstdStream& ZstdStream::operator=(ZstdStream&&) noexcept = default;

Result<std::size_t> ZstdStream::unpack(std::span<const std::byte>& packed,
                                       std::span<std::byte> out) {
  if (!state_->stream) return host_error("out of memory");
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  std::size_t code = ZSTD_decompressStream(state_->stream.get(), &to, &in);
  if (ZSTD_isError(code) != 0)
    return input_error(format("a compressed record is damaged ({})", ZSTD_getErrorName(code)));
  packed = packed.subspan(in.pos);
  return to.pos;
}

}  // namespace iovm::record::perf
