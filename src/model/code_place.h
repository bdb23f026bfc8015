// SPDX-License-Identifier: Apache-2.0
//
// Where the code that drives a device lies: the part of its address that is the same in every boot.
// A guest does its I/O from some hundred places, and code that a rootkit brings does not lie at
// them, however well it copies a driver's accesses: a second symbol beside the first.
//
// What stays. Linux moves its kernel's text by steps of CONFIG_PHYSICAL_ALIGN, 2 MiB unless
// somebody chose less (arch/x86/boot/compressed/kaslr.c), and modules by pages, as every kernel
// does that loads code at run time. So 21 bits of an address in the text are kept, and 12 of any
// other in the kernel's half. Measured on two boots each of three machines: no place of the second
// boot was new but for paths of drivers that the first had not gone. Firmware has no places: it
// moves with the size of the memory and changes with the host's, and runs before there is anybody
// to attack. User space has none either: it must not act at all (detect/user_access.h).
//
// What reads and writes a window (video memory, a large BAR) drives nothing: memory is copied from
// many places.
//
// Limits: a module that calls the kernel's own ioread8 or pci_write_config acts from a place that
// is known, and one in a hundred addresses of a module lies at a page offset that is known.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/code_class.h"
#include "model/symbol.h"

namespace iovm::model {

struct CodePlace {
  CodeClass code = CodeClass::kernel;  // kernel, module or other
  std::uint32_t offset = 0;            // kernel: in 2 MiB; module and other: in the page

  friend auto operator<=>(const CodePlace&, const CodePlace&) = default;
};
inline constexpr std::uint32_t kTextStep = 0x200000;
inline constexpr std::uint32_t kCodePage = 0x1000;

// Of code of that class at that address; nothing for classes that have no places.
std::optional<CodePlace> place_of(CodeClass code, std::uint64_t rip);
// "kernel text at offset 0x1d650c of 2 MiB", "module code at page offset 0x4bc".
std::string describe(const CodePlace& place);

// True if the operation drives its device, rather than copies memory.
inline bool drives(const Operation& operation) {
  return !operation.has(Mark::merged) || operation.space == Space::config;
}

// So often training saw that kind of device driven from there.
struct PlaceRow {
  DeviceType device;
  CodePlace place;
  std::uint64_t count = 0;

  friend auto operator<=>(const PlaceRow&, const PlaceRow&) = default;
};
// Ascending by device and place, none twice.
using Places = std::vector<PlaceRow>;
inline constexpr std::size_t kMaxPlaces = std::size_t{1} << 16;

Places merged(const Places& a, const Places& b);
bool contains(const Places& places, const DeviceType& device, const CodePlace& place);
// The rows of one kind of device.
std::vector<PlaceRow> places_of(const Places& places, const DeviceType& device);
bool knows(const Places& places, const DeviceType& device);

// By which class it is known whether a guest runs the kernel of `places`: the text of the kernel,
// whose places are hardly hit by chance, if it has any.
bool tells_the_kernel(const Places& places, CodeClass code);

}  // namespace iovm::model
