// SPDX-License-Identifier: Apache-2.0
//
// Checksums would stop a fuzzer at the door of a trace: the right ones, and the links of the chain,
// are put wherever a block's head stands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "trace/bytes.h"
#include "trace/compress.h"
#include "trace/file_head.h"
#include "trace/format.h"

namespace iovm::trace {

inline void repair(std::vector<std::byte>& file) {
  auto head = encode_file_head({FileType::trace, kTraceVersion});
  if (file.size() >= head.size()) std::copy(head.begin(), head.end(), file.begin());
  std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (std::size_t at = text.find(kSync); at != text.npos; at = text.find(kSync, at + 1)) {
    if (file.size() - at < kBlockHeadBytes) break;
    std::byte* block = file.data() + at;
    std::size_t payload = load_le<std::uint32_t>(block + 12);
    if (payload <= file.size() - at - kBlockHeadBytes) {
      std::span<std::byte> content(block + kBlockHeadBytes, payload);
      // A chain block's last 32 bytes are the digest of the rest.
      if (block[8] == std::byte{3} && payload > sizeof(Sha256)) {
        Sha256 link = sha256(content.first(payload - sizeof(Sha256)));
        std::memcpy(block + kBlockHeadBytes + payload - sizeof link, link.data(), sizeof link);
      }
      store_le(block + 16, checksum(content));
    }
    store_le(block + kBlockHeadBytes - 8, checksum({block, kBlockHeadBytes - 8}));
  }
}

}  // namespace iovm::trace
