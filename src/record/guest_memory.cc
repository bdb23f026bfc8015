// SPDX-License-Identifier: Apache-2.0
#include "record/guest_memory.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/format.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kPage = 4096;

UniqueFd open_part(const std::string& proc_root, pid_t pid, const char* part) {
  return UniqueFd(::open(format("{}/{}/{}", proc_root, pid, part).c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

GuestSlots::GuestSlots(std::vector<GuestSlot> slots) : slots_(std::move(slots)) {
  std::sort(slots_.begin(), slots_.end(),
            [](const GuestSlot& a, const GuestSlot& b) { return a.gpa < b.gpa; });
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    IOVM_ASSERT(slots_[i].gpa + slots_[i].size >= slots_[i].gpa);
    IOVM_ASSERT(i == 0 || slots_[i - 1].gpa + slots_[i - 1].size <= slots_[i].gpa);
  }
}

std::optional<std::uint64_t> GuestSlots::hva_of(std::uint64_t gpa, std::uint64_t size) const {
  for (const GuestSlot& slot : slots_) {
    if (gpa < slot.gpa) break;
    std::uint64_t offset = gpa - slot.gpa;
    if (offset < slot.size && size <= slot.size - offset) return slot.hva + offset;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> GuestSlots::gpa_of(std::uint64_t hva) const {
  for (const GuestSlot& slot : slots_)
    if (hva >= slot.hva && hva - slot.hva < slot.size) return slot.gpa + (hva - slot.hva);
  return std::nullopt;
}

bool GuestMemory::read(std::uint64_t gpa, std::span<std::byte> out) const {
  auto hva = slots_.hva_of(gpa, out.size());
  return hva && read_host(*hva, out);
}

std::vector<bool> GuestMemory::resident(std::uint64_t, std::size_t pages) const {
  return std::vector<bool>(pages, true);
}

void GuestMemory::read_heads(std::span<const std::uint64_t> pages, std::size_t size,
                             std::span<std::byte> out) const {
  IOVM_ASSERT(out.size() >= pages.size() * size);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    std::span<std::byte> head = out.subspan(i * size, size);
    if (!read_host(pages[i], head)) std::fill(head.begin(), head.end(), std::byte{0});
  }
}

Result<std::unique_ptr<ProcessMemory>> ProcessMemory::open(const std::string& proc_root,
                                                           pid_t pid) {
  UniqueFd mem = open_part(proc_root, pid, "mem");
  if (!mem) {
    int error = errno;
    if (error == ENOENT) return input_error(format("no process {} is there any more", pid));
    if (error == EACCES || error == EPERM)
      return host_error(format(
          "no right to read the memory of process {}: run as root, or with CAP_SYS_PTRACE", pid));
    return errno_error(format("opening the memory of process {}", pid), error);
  }
  return std::unique_ptr<ProcessMemory>(
      new ProcessMemory(pid, std::move(mem), open_part(proc_root, pid, "pagemap")));
}

bool ProcessMemory::read_host(std::uint64_t hva, std::span<std::byte> out) const {
  while (!out.empty()) {
    ssize_t n = ::pread(mem_.get(), out.data(), out.size(), static_cast<off_t>(hva));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    hva += static_cast<std::uint64_t>(n);
    out = out.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::vector<bool> ProcessMemory::resident(std::uint64_t hva, std::size_t pages) const {
  std::vector<bool> result(pages, true);
  if (!pagemap_) return result;
  std::vector<std::uint64_t> entries(std::min<std::size_t>(pages, 65536));
  for (std::size_t done = 0; done < pages;) {
    std::size_t count = std::min(entries.size(), pages - done);
    ssize_t n = ::pread(pagemap_.get(), entries.data(), count * sizeof(entries[0]),
                        static_cast<off_t>((hva / kPage + done) * sizeof(entries[0])));
    if (n <= 0) return result;
    count = static_cast<std::size_t>(n) / sizeof(entries[0]);
    // Bit 63: in memory; bit 62: swapped out (then it is not looked at: reading would fetch it).
    for (std::size_t i = 0; i < count; ++i) result[done + i] = (entries[i] >> 63) != 0;
    done += count;
    if (count == 0) break;
  }
  return result;
}

// One system call for many pages: 4 GiB of pages one by one would take seconds.
void ProcessMemory::read_heads(std::span<const std::uint64_t> pages, std::size_t size,
                               std::span<std::byte> out) const {
  constexpr std::size_t kBatch = 512;  // below IOV_MAX
  IOVM_ASSERT(out.size() >= pages.size() * size);
  std::array<iovec, kBatch> remote;
  for (std::size_t done = 0; done < pages.size();) {
    std::size_t count = std::min(kBatch, pages.size() - done);
    for (std::size_t i = 0; i < count; ++i)
      remote[i] = {reinterpret_cast<void*>(pages[done + i]), size};  // NOLINT: iovec's type
    iovec local = {out.data() + done * size, count * size};
    ssize_t n = ::process_vm_readv(pid_, &local, 1, remote.data(), count, 0);
    std::size_t whole = n > 0 ? static_cast<std::size_t>(n) / size : 0;
    if (whole < count) {  // the first that cannot be read ends the call: pass over it
      std::span<std::byte> head = out.subspan((done + whole) * size, size);
      std::fill(head.begin(), head.end(), std::byte{0});
      ++whole;
    }
    done += whole;
  }
}

bool ImageMemory::read_host(std::uint64_t hva, std::span<std::byte> out) const {
  if (hva > bytes_.size() || out.size() > bytes_.size() - hva) return false;
  std::memcpy(out.data(), bytes_.data() + hva, out.size());
  return true;
}

}  // namespace iovm::record
