// SPDX-License-Identifier: Apache-2.0
//
// A guest's physical memory, as its VMM process holds it: a few slots, each a run of guest-physical
// addresses at a host-virtual one. It is read through /proc/PID/mem, opened once: the descriptor
// stays with that address space, so a pid that is reused after the VMM's end cannot be read by
// mistake (process_vm_readv takes the pid anew each time). The guest is never paused; what is read
// can change under the reader, and everything above this file expects that.
//
// All guest memory is the attacker's. A read outside the slots, or of memory that the VMM has given
// back, fails; it is never an error worth stopping for, hence bool and not Result.
//
// Reading a page that the guest never touched lets the host's kernel map its zero page there; no
// memory is allocated for it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace iovm::record {

struct GuestSlot {
  std::uint64_t gpa = 0;
  std::uint64_t hva = 0;  // in the VMM; in an image, the offset in it
  std::uint64_t size = 0;

  friend bool operator==(const GuestSlot&, const GuestSlot&) = default;
};

// Slots by gpa that do not overlap. A wrong set is a bug of the caller's.
class GuestSlots {
 public:
  GuestSlots() = default;
  explicit GuestSlots(std::vector<GuestSlot> slots);

  const std::vector<GuestSlot>& all() const { return slots_; }
  // Where [gpa, gpa + size) lies in the VMM; nothing if not wholly in one slot.
  std::optional<std::uint64_t> hva_of(std::uint64_t gpa, std::uint64_t size) const;
  std::optional<std::uint64_t> gpa_of(std::uint64_t hva) const;

 private:
  std::vector<GuestSlot> slots_;
};

class GuestMemory {
 public:
  explicit GuestMemory(GuestSlots slots) : slots_(std::move(slots)) {}
  virtual ~GuestMemory() = default;

  const GuestSlots& slots() const { return slots_; }
  void set_slots(GuestSlots slots) { slots_ = std::move(slots); }

  // False: not RAM, or not readable now; `out` is then unspecified.
  bool read(std::uint64_t gpa, std::span<std::byte> out) const;
  // The same by the VMM's addresses, for who knows no slots yet.
  virtual bool read_host(std::uint64_t hva, std::span<std::byte> out) const = 0;
  // For each page of [hva, hva + 4096 * pages) whether it may hold anything; used to pass over
  // memory that the guest never touched. All true where that cannot be known.
  virtual std::vector<bool> resident(std::uint64_t hva, std::size_t pages) const;
  // The first `size` bytes of each of `pages` (host addresses) into `out`, one behind the other; a
  // page that cannot be read gives zeros.
  virtual void read_heads(std::span<const std::uint64_t> pages, std::size_t size,
                          std::span<std::byte> out) const;

  template <typename T>
  std::optional<T> value(std::uint64_t gpa) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T v;
    if (!read(gpa, std::as_writable_bytes(std::span(&v, 1)))) return std::nullopt;
    return v;
  }

 private:
  GuestSlots slots_;
};

// The memory of a running VMM.
class ProcessMemory : public GuestMemory {
 public:
  // Errors: no such process, no right (needs CAP_SYS_PTRACE or the VMM's user).
  static Result<std::unique_ptr<ProcessMemory>> open(const std::string& proc_root, pid_t pid);

  bool read_host(std::uint64_t hva, std::span<std::byte> out) const override;
  std::vector<bool> resident(std::uint64_t hva, std::size_t pages) const override;
  void read_heads(std::span<const std::uint64_t> pages, std::size_t size,
                  std::span<std::byte> out) const override;

 private:
  ProcessMemory(pid_t pid, UniqueFd mem, UniqueFd pagemap)
      : GuestMemory(GuestSlots()), pid_(pid), mem_(std::move(mem)), pagemap_(std::move(pagemap)) {}

  pid_t pid_;
  UniqueFd mem_;
  UniqueFd pagemap_;  // may be missing
};

// Memory from bytes: captured images, synthetic guests, fuzzing. Host address = offset.
class ImageMemory : public GuestMemory {
 public:
  ImageMemory(std::vector<std::byte> bytes, GuestSlots slots)
      : GuestMemory(std::move(slots)), bytes_(std::move(bytes)) {}

  bool read_host(std::uint64_t hva, std::span<std::byte> out) const override;
  std::span<std::byte> bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace iovm::record
