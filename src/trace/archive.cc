// SPDX-License-Identifier: Apache-2.0
#include "trace/archive.h"

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <exception>
#include <streambuf>

#include "base/assert.h"

namespace iovm::trace {
namespace {

constexpr unsigned kPlain =
    boost::archive::no_header | boost::archive::no_codecvt | boost::archive::no_tracking;

// Collects what the archive writes.
class VectorBuffer : public std::streambuf {
 public:
  std::vector<std::byte> bytes;

 protected:
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    auto* first = reinterpret_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), first, first + count);
    return count;
  }
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof()))
      bytes.push_back(static_cast<std::byte>(c));
    return traits_type::not_eof(c);
  }
};

// Lets the archive read from memory that is never written (streambuf wants non-const pointers).
class SpanBuffer : public std::streambuf {
 public:
  explicit SpanBuffer(std::span<const std::byte> input) {
    auto* first = const_cast<char*>(reinterpret_cast<const char*>(input.data()));
    setg(first, first, first + input.size());
  }
  std::size_t left() const { return static_cast<std::size_t>(egptr() - gptr()); }
};

}  // namespace

struct ArchiveWriter::State {
  VectorBuffer buffer;
  boost::archive::binary_oarchive archive{buffer, kPlain};
};

ArchiveWriter::ArchiveWriter() : state_(std::make_unique<State>()) {}
ArchiveWriter::~ArchiveWriter() = default;

ArchiveWriter& ArchiveWriter::u8(std::uint8_t value) {
  state_->archive << value;
  return *this;
}
ArchiveWriter& ArchiveWriter::u16(std::uint16_t value) {
  state_->archive << value;
  return *this;
}
ArchiveWriter& ArchiveWriter::u32(std::uint32_t value) {
  state_->archive << value;
  return *this;
}
ArchiveWriter& ArchiveWriter::u64(std::uint64_t value) {
  state_->archive << value;
  return *this;
}
ArchiveWriter& ArchiveWriter::i64(std::int64_t value) {
  state_->archive << value;
  return *this;
}
ArchiveWriter& ArchiveWriter::f64(double value) {
  state_->archive << value;
  return *this;
}
ArchiveWriter& ArchiveWriter::text(std::string_view value) {
  IOVM_ASSERT(value.size() <= UINT32_MAX);
  u32(static_cast<std::uint32_t>(value.size()));
  return raw(std::as_bytes(std::span(value)));
}
ArchiveWriter& ArchiveWriter::raw(std::span<const std::byte> value) {
  if (!value.empty()) state_->archive.save_binary(value.data(), value.size());
  return *this;
}

std::vector<std::byte> ArchiveWriter::bytes() const {
  return state_->buffer.bytes;
}

struct ArchiveReader::State {
  explicit State(std::span<const std::byte> input) : buffer(input) {}
  SpanBuffer buffer;
  boost::archive::binary_iarchive archive{buffer, kPlain};
  bool ok = true;

  template <typename T>
  T take() {
    T value{};
    if (!ok || buffer.left() < sizeof value) {
      ok = false;
      return value;
    }
    try {
      archive >> value;
    } catch (const std::exception&) {
      ok = false;
      value = T{};
    }
    return value;
  }
};

ArchiveReader::ArchiveReader(std::span<const std::byte> input)
    : state_(std::make_unique<State>(input)) {}
ArchiveReader::~ArchiveReader() = default;

std::uint8_t ArchiveReader::u8() {
  return state_->take<std::uint8_t>();
}
std::uint16_t ArchiveReader::u16() {
  return state_->take<std::uint16_t>();
}
std::uint32_t ArchiveReader::u32() {
  return state_->take<std::uint32_t>();
}
std::uint64_t ArchiveReader::u64() {
  return state_->take<std::uint64_t>();
}
std::int64_t ArchiveReader::i64() {
  return state_->take<std::int64_t>();
}
double ArchiveReader::f64() {
  return state_->take<double>();
}

std::string ArchiveReader::text(std::size_t limit) {
  std::size_t size = u32();
  if (size > limit || size > left()) state_->ok = false;
  if (!ok()) return {};
  std::string value(size, '\0');
  raw(std::as_writable_bytes(std::span(value)));
  return value;
}

void ArchiveReader::raw(std::span<std::byte> out) {
  if (out.size() > left()) state_->ok = false;
  if (!ok() || out.empty()) return;
  try {
    state_->archive.load_binary(out.data(), out.size());
  } catch (const std::exception&) {
    state_->ok = false;
  }
}

std::uint32_t ArchiveReader::count(std::size_t least_bytes) {
  std::uint32_t value = u32();
  IOVM_ASSERT(least_bytes > 0);
  if (value > left() / least_bytes) state_->ok = false;
  return ok() ? value : 0;
}

std::size_t ArchiveReader::left() const {
  return state_->buffer.left();
}
bool ArchiveReader::ok() const {
  return state_->ok;
}

}  // namespace iovm::trace
