// SPDX-License-Identifier: Apache-2.0
//
// The zstd stream inside a perf.data of `perf record -z`: its frames run on from one compressed
// record to the next, so the state outlives a record. What comes out of a call is limited by the
// room given, however much a hostile stream would unpack to.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"

namespace iovm::record::perf {

class ZstdStream {
 public:
  ZstdStream();
  ~ZstdStream();
  ZstdStream(ZstdStream&&) noexcept;
  ZstdStream& operator=(ZstdStream&&) noexcept;

  // Unpacks from the front of `packed` (which shrinks) into `out`; the bytes written.
  Result<std::size_t> unpack(std::span<const std::byte>& packed, std::span<std::byte> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace iovm::record::perf
