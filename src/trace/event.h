// SPDX-License-Identifier: Apache-2.0
//
// Event: the one in-memory form of "the guest touched a device", which everything after the record
// path knows. Sources make it, the trace file keeps it, the tokenizer reads it; nothing else
// crosses the folders. It is plain data of one cache line (64 bytes), so that a batch of thousands
// stays in L2.
//
// What the kernel could not give is marked absent (Event::has), never zero: a guest's CR3 of 0 is a
// fact, an absent CR3 is not. The field of an absent value is 0 in memory so that equal events are
// equal bytes.
//
// A loss is an event too (design: a gap is a boundary). It stands in the stream where the missing
// events would have stood, and every consumer resets there what the loss touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace iovm::trace {

enum class EventKind : std::uint8_t {
  pio,        // IN, OUT and their string forms: kvm:kvm_pio
  mmio,       // a load or store that KVM emulated: kvm:kvm_mmio
  fast_mmio,  // a doorbell that KVM answered from its ioeventfd bus: kvm:kvm_fast_mmio (no value,
              // no size)
  loss,       // events are missing here; see Loss
};
inline constexpr int kEventKinds = 4;

enum class Direction : std::uint8_t { read, write };

// What of an event is known; bits of Event::present.
enum class Field : std::uint8_t {
  value = 1 << 0,
  size = 1 << 1,
  count = 1 << 2,
  vcpu = 1 << 3,
  rip = 1 << 4,
  cr3 = 1 << 5,
  cpl = 1 << 6,
};

// Why a process is unknown; stored in Event::process in place of an index.
enum class Unknown : std::uint32_t {
  not_recorded = 0xffffffff,     // the source does not give processes
  not_resolved = 0xfffffffe,     // the resolver had no answer for this event
  guest_not_ready = 0xfffffffd,  // firmware or an early kernel: there are no processes yet
};
inline constexpr std::uint32_t kFirstUnknown = 0xfffffff0;

// The VM of a loss that touched every VM of the recording.
inline constexpr std::uint16_t kAllVms = 0xffff;

struct Event {
  std::uint64_t time = 0;     // ns, CLOCK_MONOTONIC of the host
  std::uint64_t address = 0;  // port number, or guest-physical address
  std::uint64_t value = 0;    // first element, as the guest wrote it or got it
  std::uint64_t rip = 0;
  std::uint64_t cr3 = 0;    // as the CPU held it, PCID and all
  std::uint32_t count = 0;  // elements of a string operation, 1 for a plain one
  std::uint32_t process =
      static_cast<std::uint32_t>(Unknown::not_recorded);  // index in Context::processes, or Unknown
  std::uint16_t vcpu = 0;                                 // KVM's vCPU id
  std::uint16_t vm = 0;                                   // index in Context::vms
  EventKind kind = EventKind::pio;
  Direction direction = Direction::read;
  std::uint8_t size = 0;  // bytes of one element: 1, 2, 4, 8
  std::uint8_t cpl = 0;
  std::uint8_t present = 0;      // bits of Field
  std::uint8_t spare[3] = {};    // 0
  std::uint32_t stopped_by = 0;  // the VMM was stopped at it: WriteMatch::number. Of live events
                                 // only, no file keeps it

  bool has(Field field) const { return (present & static_cast<std::uint8_t>(field)) != 0; }
  void mark(Field field) {
    present = static_cast<std::uint8_t>(present | static_cast<std::uint8_t>(field));
  }
  bool knows_process() const { return process < kFirstUnknown; }

  friend bool operator==(const Event&, const Event&) = default;
};
static_assert(sizeof(Event) == 64);

// Sets a field and marks it present, in one step.
inline void set_value(Event& e, std::uint64_t v) {
  e.value = v, e.mark(Field::value);
}
inline void set_size(Event& e, std::uint8_t v) {
  e.size = v, e.mark(Field::size);
}
inline void set_count(Event& e, std::uint32_t v) {
  e.count = v, e.mark(Field::count);
}
inline void set_vcpu(Event& e, std::uint16_t v) {
  e.vcpu = v, e.mark(Field::vcpu);
}
inline void set_rip(Event& e, std::uint64_t v) {
  e.rip = v, e.mark(Field::rip);
}
inline void set_cr3(Event& e, std::uint64_t v) {
  e.cr3 = v, e.mark(Field::cr3);
}
inline void set_cpl(Event& e, std::uint8_t v) {
  e.cpl = v, e.mark(Field::cpl);
}

// Who dropped it.
enum class LossCause : std::uint8_t {
  ring,     // the kernel's ring was full: the reader was too slow for it
  source,   // the source itself: a record it could not make, decode or attribute to a place
  damaged,  // the trace file: a block that is missing or does not check
};
inline constexpr int kLossCauses = 3;

struct Loss {
  LossCause cause = LossCause::ring;
  std::uint64_t count = 0;  // 0: how many is not known
};

// A loss event: at `time`, of one VM (or kAllVms), of one vCPU or (nothing) of any.
Event make_loss(std::uint64_t time, std::uint16_t vm, std::optional<std::uint16_t> vcpu, Loss loss);
// What a loss event says; only for kind loss.
Loss loss_of(const Event& event);

// Events missing, by cause; a loss of unknown size counts as one.
struct LossTotals {
  std::uint64_t ring = 0;
  std::uint64_t source = 0;
  std::uint64_t damaged = 0;

  void add(Loss loss);
  void add(const LossTotals& other) {
    ring += other.ring;
    source += other.source;
    damaged += other.damaged;
  }
  std::uint64_t all() const { return ring + source + damaged; }
};

std::string_view name_of(
    EventKind kind);  // "pio", "mmio", "fast", "loss": the words of the events text
std::string_view name_of(LossCause cause);  // "ring", "source", "damaged"
std::string_view name_of(Unknown reason);   // a short phrase
std::optional<EventKind> event_kind(std::string_view name);

}  // namespace iovm::trace
