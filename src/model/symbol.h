// SPDX-License-Identifier: Apache-2.0
//
// Operation: what an access means, independent of where the firmware put the device: which kind of
// device, which register, read or write, how wide, and, where the register's role says so, with
// which value. Two events of two boots that do the same thing are the same Operation.
//
// Symbol: the dense number of an Operation in an Alphabet, which is what chains are built of.
// Alphabets grow in the order of sight while events come in; a model keeps its own, sorted, so that
// equal training gives equal bytes. Both are bounded: a guest can make 2^64 different accesses, an
// alphabet takes kMaxSymbols of them and gives the rest the symbol kOverflow.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/assert.h"
#include "model/device.h"
#include "trace/event.h"

namespace iovm::model {

// Properties of an access beside its register.
enum class Mark : std::uint8_t {
  value = 1 << 0,     // Operation::value says something
  index = 1 << 1,     // Operation::index says something
  repeated = 1 << 2,  // a string operation of more than one element
  user = 1 << 3,      // done by code outside the guest's kernel and firmware
  doorbell = 1 << 4,  // answered in the kernel (fast MMIO): neither size nor value are known
  merged = 1 << 5,    // stands for a range of addresses: a window, a region of a large BAR, a page
};

// The index of configuration accesses that look for functions: to an identity, or to a function
// that has not answered. A scan of the buses asks for 65,536, and it is the same whoever is there.
inline constexpr std::uint32_t kAnyFunction = 0x10000;

struct Operation {
  DeviceType device;
  Space space = Space::port;
  trace::Direction direction = trace::Direction::read;
  std::uint8_t size = 0;  // bytes; 0 unknown
  std::uint8_t marks = 0;
  std::uint32_t index = 0;  // the selected register of an index/data pair; PCI configuration: bdf
  std::uint64_t reg = 0;    // counts from `space`; windows are folded to their first address
  std::uint64_t value = 0;

  bool has(Mark mark) const { return (marks & static_cast<std::uint8_t>(mark)) != 0; }
  void set(Mark mark) {
    marks = static_cast<std::uint8_t>(marks | static_cast<std::uint8_t>(mark));
  }

  friend auto operator<=>(const Operation&, const Operation&) = default;
};

// The access alone: without value and index.
Operation access_of(Operation operation);

// In words, on one line: "floppy controller: write 0x8e to data FIFO (0x3f5)". Safe on terminals.
std::string describe(const Operation& operation);
// The register alone: "data FIFO (0x3f5)", "BAR 2 + 0x10", "00:03.0 register 0x10".
std::string describe_register(const Operation& operation);
// Short and stable, for columns and JSON: "fdc:3f5:w1=8e".
std::string short_name(const Operation& operation);

using Symbol = std::uint32_t;

// Reserved symbols; operations start at kFirstSymbol.
inline constexpr Symbol kOverflow = 0;         // the alphabet is full
inline constexpr Symbol kUnknownDevice = 1;    // in a model: a device that training never saw
inline constexpr Symbol kUnknownRegister = 2;  // a known device, an access never seen on it
inline constexpr Symbol kUnknownValue = 3;  // a known access, a value or index never seen with it
inline constexpr Symbol kFirstSymbol = 4;
inline constexpr std::size_t kMaxSymbols = std::size_t{1} << 20;

// True for the reserved ones.
constexpr bool is_unknown(Symbol symbol) {
  return symbol < kFirstSymbol;
}

class Alphabet {
 public:
  Alphabet();

  // The symbol of the operation, new if need be; kOverflow when the alphabet is full.
  Symbol intern(const Operation& operation);
  std::optional<Symbol> find(const Operation& operation) const;
  // Only for symbols that intern gave (not reserved ones).
  const Operation& operation(Symbol symbol) const {
    IOVM_ASSERT(symbol >= kFirstSymbol && symbol < operations_.size());
    return operations_[symbol];
  }
  // One past the largest symbol given: arrays indexed by symbol have this many entries.
  std::size_t size() const { return operations_.size(); }

 private:
  void grow();

  std::vector<Operation> operations_;  // by symbol; the reserved ones are empty
  std::vector<Symbol> slots_;          // open addressing; 0 is free
};

}  // namespace iovm::model
