// SPDX-License-Identifier: Apache-2.0
//
// The records of a perf.data, one after the other, from a file's data section or a pipe. Compressed
// records are unpacked on the way: what comes out is the stream as the kernel wrote it. Memory is
// two buffers of fixed size.
//
// A record that the end of the file cuts is the normal end of a recording that was cut short. A
// record whose length cannot be right is the end too, since nothing marks where the next begins:
// trouble() then says what and where. An Error is the reading itself that failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/perf_data_zstd.h"

namespace iovm::record::perf {

struct Record {
  std::uint32_t type = 0;
  std::uint16_t misc = 0;
  std::span<const std::byte> body;  // without the 8 bytes of head; until the next call
};

class RecordStream {
 public:
  // Reads from the descriptor's place on, at most `limit` bytes; the descriptor is the caller's.
  RecordStream(int fd, std::uint64_t limit, std::uint64_t offset);

  // Nothing: the end.
  Result<std::optional<Record>> next();

  // The bytes behind a record that carries more than a record can hold (tracing data).
  Result<std::vector<std::byte>> read_behind(std::uint64_t bytes);
  Status skip_behind(std::uint64_t bytes);

  bool cut_short() const { return cut_short_; }
  const std::optional<std::string>& trouble() const { return trouble_; }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

  // Bytes that were read or unpacked, and how far they are used up.
  struct Buffer {
    std::vector<std::byte> bytes;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::span<const std::byte> rest() const {
      return std::span<const std::byte>(bytes).subspan(begin, end - begin);
    }
    void make_room();
  };

  std::optional<Record> take_record(Buffer& buffer);
  Result<bool> refill();  // false: there is no more
  void begin_compressed(const Record& record);
  void unpack_more();
  void set_trouble(std::string_view what);

  int fd_;
  std::uint64_t left_;    // of the limit, not yet read
  std::uint64_t offset_;  // in the file, of what is read next
  Buffer outer_;
  Buffer inner_;                       // unpacked
  std::span<const std::byte> packed_;  // of the current compressed record, not yet unpacked
  std::optional<ZstdStream> zstd_;
  bool cut_short_ = false;
  std::optional<std::string> trouble_;
};

}  // namespace iovm::record::perf
