// SPDX-License-Identifier: Apache-2.0
#include "trace/op_column.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "trace/bytes.h"
#include "trace/sections.h"

namespace iovm::trace {
namespace {

// The log2 of the bytes that hold every number whose bits are in `all`.
std::uint8_t width_log(std::uint64_t all) {
  unsigned bits = static_cast<unsigned>(std::bit_width(all));
  return bits <= 8 ? 0 : bits <= 16 ? 1 : bits <= 32 ? 2 : 3;
}

// How many bytes differ from their neighbour in the same plane: what a compressor has to work on.
std::size_t changes(std::span<const std::uint64_t> numbers) {
  std::size_t count = 0;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    std::uint64_t change = numbers[i] ^ numbers[i - 1];
    for (; change != 0; change >>= 8) count += (change & 0xff) != 0;
  }
  return count;
}

template <typename T>
void add_up(T sum, std::size_t count, std::byte* at) {
  for (std::size_t i = 0; i < count; ++i, at += sizeof(T)) {
    sum = static_cast<T>(sum + load_le<T>(at));
    store_le(at, sum);
  }
}

void place(const OpPlan& plan, std::size_t count, const std::byte* planes, std::byte* at) {
  std::size_t width = width_of(plan.mode);
  if (width == 0) return store_le(at, plan.start);
  join_planes(planes, count, width, at);
  if ((plan.mode & kDifferenceMode) == 0) return;
  if (width == 1) return add_up(static_cast<std::uint8_t>(plan.start), count, at);
  if (width == 2) return add_up(static_cast<std::uint16_t>(plan.start), count, at);
  if (width == 4) return add_up(static_cast<std::uint32_t>(plan.start), count, at);
  return add_up(plan.start, count, at);
}

}  // namespace

void OpColumnWriter::clear() {
  plans_.clear();
  bytes_.clear();
}

void OpColumnWriter::add(std::span<const std::uint64_t> numbers) {
  IOVM_ASSERT(!numbers.empty());
  std::uint64_t all = 0;
  std::uint64_t changed = 0;
  for (std::uint64_t number : numbers) {
    all |= number;
    changed |= number ^ numbers[0];
  }
  if (changed == 0) {
    plans_.push_back({kConstantMode, numbers[0]});
    return;
  }
  std::uint8_t log = width_log(all);
  std::size_t width = std::size_t{1} << log;
  std::uint64_t mask = width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * width)) - 1;
  differences_.resize(numbers.size());
  differences_[0] = 0;
  for (std::size_t i = 1; i < numbers.size(); ++i)
    differences_[i] = (numbers[i] - numbers[i - 1]) & mask;
  bool counted_up = changes(differences_) * 5 < changes(numbers) * 4;
  plans_.push_back(counted_up ? OpPlan{static_cast<std::uint8_t>(kDifferenceMode | log), numbers[0]}
                              : OpPlan{static_cast<std::uint8_t>(kPlainMode | log), 0});
  put_planes(counted_up ? std::span<const std::uint64_t>(differences_) : numbers, width, bytes_);
}

bool OpColumnReader::set(std::span<const OpPlan> plans, std::span<const std::uint32_t> counts,
                         std::size_t size) {
  std::size_t stored = 0;
  std::size_t position = 0;
  cursors_.resize(plans.size());
  for (std::size_t op = 0; op < plans.size(); ++op) {
    std::size_t width = width_of(plans[op].mode);
    auto mask =
        width == 0 || width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * width)) - 1;
    cursors_[op] = {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(width), mask};
    stored += width * counts[op];
    position += width == 0 ? sizeof(std::uint64_t) : width * counts[op];
  }
  // A number is loaded 8 bytes wide, so the last ones need something behind them.
  if (numbers_.size() < position + sizeof(std::uint64_t))
    numbers_.resize(position + sizeof(std::uint64_t));
  return stored == size;
}

void OpColumnReader::lay_out(std::span<const OpPlan> plans, std::span<const std::uint32_t> counts,
                             std::span<const std::byte> column) {
  const std::byte* planes = column.data();
  for (std::size_t op = 0; op < plans.size(); ++op) {
    place(plans[op], counts[op], planes, numbers_.data() + cursors_[op].position);
    planes += width_of(plans[op].mode) * counts[op];
  }
}

}  // namespace iovm::trace
