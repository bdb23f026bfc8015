// SPDX-License-Identifier: Apache-2.0
//
// Metadata as a sequence of plain fields over Boost.Serialization's binary archive (without its
// header and without class information, so the bytes are fixed: integers little-endian, a text is
// its length in 4 bytes and then its bytes). Boost throws; nothing here does: a field that is not
// there or too long makes the reader fail once and for all, and its fields read as zero from then
// on, so that a decoder reads everything and asks ok() at the end - and at every count before it
// loops.
//
//   ArchiveWriter out;                      ArchiveReader in(bytes);
//   out.u32(7).text("qemu");                std::uint32_t n = in.u32(); std::string s =
//   in.text(64); write(encode_frame(out.bytes()));       if (!in.finished()) return
//   input_error("...");
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace iovm::trace {

class ArchiveWriter {
 public:
  ArchiveWriter();
  ~ArchiveWriter();

  ArchiveWriter& u8(std::uint8_t value);
  ArchiveWriter& u16(std::uint16_t value);
  ArchiveWriter& u32(std::uint32_t value);
  ArchiveWriter& u64(std::uint64_t value);
  ArchiveWriter& i64(std::int64_t value);
  ArchiveWriter& f64(double value);
  ArchiveWriter& text(std::string_view value);
  // The bytes alone, without a length: the reader must know how many.
  ArchiveWriter& raw(std::span<const std::byte> value);

  // What was written so far.
  std::vector<std::byte> bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class ArchiveReader {
 public:
  // Reads from `input`, which must outlive the reader.
  explicit ArchiveReader(std::span<const std::byte> input);
  ~ArchiveReader();

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  std::int64_t i64();
  double f64();
  // A text longer than `limit` is a failure, found before memory is taken.
  std::string text(std::size_t limit);
  void raw(std::span<std::byte> out);

  // A count (u32) of things that take at least `least_bytes` each in what is left: a failure, and
  // 0, if they cannot be there. So a loop over it, and a reserve(), cost no more than the input
  // does.
  std::uint32_t count(std::size_t least_bytes);

  std::size_t left() const;
  bool ok() const;                                       // no field failed yet
  bool finished() const { return ok() && left() == 0; }  // and nothing is left over

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace iovm::trace
