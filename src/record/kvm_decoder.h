// SPDX-License-Identifier: Apache-2.0
//
// Turns raw records of KVM's I/O tracepoints (kvm_pio, kvm_mmio, kvm_fast_mmio) into Events, by the
// field names of the format texts that the recording kernel gave: from tracefs on this host, or
// from inside a perf.data or trace.dat of another. libtraceevent reads a format once; what is left
// of it is a few offsets, and decoding a record is a handful of loads at them, with no look-up by
// name.
//
// What the kernel says and when: an OUT and a store are traced before the device sees them; an IN
// is traced when its value is known (after user space answered, if it had to be asked). A load that
// user space answers is traced twice, "unsatisfied-read" when it begins and "read" when it ends:
// ReadJoiner (record/read_joiner.h) makes one event of them. A string operation is one record that
// carries its count and its first element. kvm_userspace_exit, kvm_hypercall and kvm_msr are not
// taken: docs/decisions/0003-which-tracepoints.md says why.
//
// Formats and records may come from a hostile file: every offset is checked against the record.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trace/event.h"

namespace iovm::record {

// The tracepoints of the system "kvm" that KvmDecoder understands.
inline constexpr std::array<std::string_view, 3> kIoTracepoints = {"kvm_pio", "kvm_mmio",
                                                                   "kvm_fast_mmio"};

enum class Decoded : std::uint8_t {
  event,        // the event is whole
  read_begins,  // a load left for user space: whole but for its value, which a later record brings
  foreign,      // a record of a tracepoint that was not added: nothing is lost by leaving it
  malformed,    // a record of ours that cannot be decoded: a loss (cause source)
};

class KvmDecoder {
 public:
  // Takes a format text ("name: kvm_pio\nID: ..."); one that is none of kIoTracepoints is left
  // alone and gives false. The last format of a name counts.
  Result<bool> add_format(std::string_view text);
  // The same under another id: perf.data attributes and trace.dat files name it beside the text.
  Result<bool> add_format(std::string_view text, std::uint32_t id);

  // The ids (common_type) of what was added, in the order of adding.
  std::vector<std::uint32_t> ids() const;

  // `raw`: the tracepoint's payload, common fields included. Fills kind, direction, address, size,
  // value and count of `out`, and clears the rest; time, vm and vcpu are the caller's.
  Decoded decode(std::span<const std::byte> raw, trace::Event& out) const;

 private:
  struct Slot {  // a field's place in the record; size 0: not there
    std::uint16_t offset = 0;
    std::uint8_t size = 0;
  };
  struct Layout {
    std::uint32_t id = 0;
    trace::EventKind kind = trace::EventKind::pio;
    std::uint32_t length = 0;                     // a record must have this many bytes
    Slot address, size, count, value, direction;  // direction: pio's rw, mmio's type
  };
  static Result<Layout> parse(std::string_view name, std::string_view text);
  static std::uint64_t load(std::span<const std::byte> raw, Slot slot);
  static Decoded decode_pio(const Layout& layout, std::span<const std::byte> raw,
                            trace::Event& out);
  static Decoded decode_mmio(const Layout& layout, std::span<const std::byte> raw,
                             trace::Event& out);

  std::vector<Layout> layouts_;
};

}  // namespace iovm::record
