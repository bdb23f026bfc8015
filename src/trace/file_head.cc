// SPDX-License-Identifier: Apache-2.0
#include "trace/file_head.h"

#include <algorithm>
#include <cstring>

#include "base/format.h"
#include "trace/bytes.h"
#include "trace/compress.h"

namespace iovm::trace {
namespace {

constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kCheckedBytes = 12;

std::string_view magic_of(FileType type) {
  return type == FileType::trace ? std::string_view("\x89iovmt\r\n", kMagicBytes)
                                 : std::string_view("\x89iovmm\r\n", kMagicBytes);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint32_t check_of(std::span<const std::byte> head) {
  return static_cast<std::uint32_t>(checksum(head.first(kCheckedBytes)));
}

struct Signature {
  std::string_view start;
  std::string_view what;
};

// What people hand in by mistake, by its first bytes.
constexpr std::array<Signature, 13> kSignatures = {{
    {{"PERFILE2", 8}, "a perf.data file"},
    {{"\x17\x08\x44tracing", 10}, "a trace-cmd trace.dat file"},
    {{"\x1f\x8b", 2}, "gzip-compressed data"},
    {{"\x28\xb5\x2f\xfd", 4}, "zstd-compressed data"},
    {{"\xfd\x37zXZ", 5}, "xz-compressed data"},
    {{"BZh", 3}, "bzip2-compressed data"},
    {{"PK\x03\x04", 4}, "a zip archive"},
    {{"\x7f\x45LF", 4}, "an ELF program or library"},
    {{"\xd4\xc3\xb2\xa1", 4}, "a pcap file"},
    {{"\x0a\x0d\x0d\x0a", 4}, "a pcapng file"},
    {{"SQLite format 3", 15}, "an SQLite database"},
    {{"QFI\xfb", 4}, "a qcow2 disk image"},
    {{"\xc1\x1f\xfc\xc1", 4}, "a CTF trace stream"},
}};

bool is_text(std::string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') ||
           c == 0x7f;
  });
}

// What to do about a file that is not what was asked for.
std::string_view next_step(std::string_view what, FileType wanted) {
  if (what == "an empty file")
    return "nothing was written to it; was its recording or training stopped by an error?";
  if (what.find("compressed") != std::string_view::npos) return "decompress it first";
  if (wanted == FileType::model) return "models are made by iovm train";
  if (what == "an iovm model file") return "give it with -m, and a recording here";
  return "traces are made by iovm record, and from other formats by iovm import";
}

Error wrong_file(std::span<const std::byte> first, FileType wanted) {
  std::string_view what = describe_content(first);
  std::string_view noun = wanted == FileType::trace ? "an iovm trace" : "an iovm model";
  return input_error(format("this is {}, not {}; {}", what, noun, next_step(what, wanted)));
}

}  // namespace

std::array<std::byte, kFileHeadBytes> encode_file_head(FileHead head) {
  std::array<std::byte, kFileHeadBytes> out{};
  std::memcpy(out.data(), magic_of(head.type).data(), kMagicBytes);
  store_le(out.data() + 8, head.version);
  store_le(out.data() + 12, check_of(out));
  return out;
}

Result<FileHead> parse_file_head(std::span<const std::byte> first, FileType wanted,
                                 std::uint16_t newest) {
  if (first.size() < kFileHeadBytes || !text_of(first).starts_with(magic_of(wanted)))
    return wrong_file(first, wanted);
  if (load_le<std::uint32_t>(first.data() + 12) != check_of(first))
    return input_error("its head is damaged (the check of the first 16 bytes fails)");
  auto version = load_le<std::uint16_t>(first.data() + 8);
  if (version > newest || version == 0) {
    return input_error(
        format("it has format version {}, and this iovm reads up to {}; read it with a newer iovm",
               version, newest));
  }
  if (load_le<std::uint16_t>(first.data() + 10) != 0)
    return input_error(
        "its head has flags that this iovm does not know; read it with a newer iovm");
  return FileHead{wanted, version};
}

std::string_view describe_content(std::span<const std::byte> first) {
  std::string_view bytes = text_of(first.first(std::min<std::size_t>(first.size(), 64)));
  if (bytes.empty()) return "an empty file";
  for (FileType type : {FileType::trace, FileType::model}) {
    bool trace = type == FileType::trace;
    if (bytes.size() >= kFileHeadBytes && bytes.starts_with(magic_of(type)))
      return trace ? "an iovm trace file" : "an iovm model file";
    if (bytes.size() < kFileHeadBytes &&
        magic_of(type).substr(0, bytes.size()) == bytes.substr(0, kMagicBytes) && bytes.size() > 1)
      return "the first bytes of an iovm file";
  }
  for (const Signature& signature : kSignatures)
    if (bytes.starts_with(signature.start)) return signature.what;
  if (is_text(bytes)) return "a text file";
  bool zero = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
  return zero ? "a file that begins with zeros" : "data of no known kind";
}

}  // namespace iovm::trace
