// SPDX-License-Identifier: Apache-2.0
#include "record/bpf_session.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/format.h"
#include "record/perf_cpu.h"
#include "record/proc_process.h"

namespace iovm::record {
namespace {

constexpr std::uint32_t kOwnSlots = 256;

void store(__u64& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

// What a vCPU lost and no record has told yet.
iovm_record loss_of(const iovm_vcpu_state& state) {
  iovm_record loss = {};
  loss.time = monotonic_ns();
  loss.address = state.gap_first;
  loss.value = state.gap;
  loss.tgid = state.tgid;
  loss.tid = state.tid;
  loss.count = state.gap_cause;
  loss.vcpu = static_cast<std::uint16_t>(state.vcpu);
  loss.present = IOVM_HAS_VALUE | (state.tgid != 0 ? IOVM_HAS_VCPU : 0);
  loss.kind = IOVM_LOSS;
  return loss;
}

}  // namespace

BpfSession::BpfSession(std::unique_ptr<BpfProgram> program, std::string proc_root)
    : proc_root_(std::move(proc_root)),
      program_(std::move(program)),
      own_((sizeof(iovm_ring) + kOwnSlots * sizeof(iovm_record)) / sizeof(std::uint64_t)) {
  auto& page = *reinterpret_cast<iovm_ring*>(own_.data());
  page.abi = IOVM_ABI_VERSION;
  page.record_size = sizeof(iovm_record);
  page.slots = kOwnSlots;
  page.data = sizeof(iovm_ring);
}

Result<std::unique_ptr<BpfSession>> BpfSession::open(const std::string& proc_root,
                                                     BpfProgram::Stops stops) {
  auto program = BpfProgram::load(stops);
  if (!program) return std::move(program).error();
  return std::unique_ptr<BpfSession>(new BpfSession(std::move(*program), proc_root));
}

std::optional<std::uint32_t> BpfSession::free_place() {
  if (!left_.empty()) {
    std::uint32_t place = left_.back();
    left_.pop_back();
    return place;
  }
  if (places_ == program_->guests().size()) return std::nullopt;
  return places_++;
}

Status BpfSession::add_vm(std::int32_t pid) {
  auto tgid = static_cast<std::uint32_t>(pid);
  auto start = ProcProcess(proc_root_, pid).started();
  if (!start) return {};  // it has ended
  auto known = vms_.find(tgid);
  if (known != vms_.end() && known->second.start == *start) return {};
  if (known != vms_.end()) remove_vm(pid);
  auto place = free_place();
  if (!place) {
    return host_error(
        format("VM of pid {}: source bpf records {} VMs at a time, and has them (record the others "
               "by another iovm record)",
               pid, program_->guests().size()));
  }
  std::atomic_ref(program_->guests()[*place].ranges).store(0, std::memory_order_release);
  vms_[tgid] = {*start, *place, 0};
  return program_->add_vm(tgid, vms_[tgid]);
}

void BpfSession::remove_vm(std::int32_t pid) {
  auto known = vms_.find(static_cast<std::uint32_t>(pid));
  if (known == vms_.end()) return;
  program_->remove_vm(known->first);
  left_.push_back(known->second.guest);
  vms_.erase(known);
}

Status BpfSession::add_all_vms() {
  program_->control().all_vms = 1;
  std::atomic_ref(program_->control().epoch).fetch_add(1);
  return {};
}

Status BpfSession::set_slot(const iovm_slot& slot) {
  auto vm = vms_.find(slot.tgid);
  if (vm == vms_.end())
    return host_error(format("VM of pid {}: it is not in the recording", slot.tgid));
  auto state = program_->state_of({vm->second.start, slot.tgid, slot.vcpu});
  if (!state) return host_error("too many vCPUs in one recording");
  iovm_vcpu_state& of = program_->states()[*state];
  store(of.preempt_count, slot.preempt_count);
  store(of.slot, slot.address);
  return {};
}

// The ranges go first and come last: in between there are no tasks.
Status BpfSession::set_guest(const iovm_guest& guest) {
  auto vm = vms_.find(guest.tgid);
  if (vm == vms_.end())
    return host_error(format("VM of pid {}: it is not in the recording", guest.tgid));
  iovm_guest& at = program_->guests()[vm->second.guest];
  std::atomic_ref(at.ranges).store(0, std::memory_order_release);
  iovm_guest quiet = guest;
  quiet.ranges = 0;
  at = quiet;
  std::atomic_ref(at.ranges).store(std::min<std::uint32_t>(guest.ranges, IOVM_MAX_RANGES),
                                   std::memory_order_release);
  return {};
}

Status BpfSession::set_stops(std::span<const trace::WriteMatch> writes) {
  return program_->set_stops(writes);
}

Status BpfSession::watch(int fd) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return errno_error("waiting for the BPF ring buffers");
}

Status BpfSession::open_waiting(std::uint32_t wake_ms) {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!epoll_ || !timer_) return errno_error("making an epoll and a timer");
  timespec every = {wake_ms / 1000, static_cast<long>(wake_ms % 1000) * 1'000'000};
  if (wake_ms == 0) every.tv_nsec = 1'000'000;
  itimerspec timer = {every, every};
  if (::timerfd_settime(timer_.get(), 0, &timer, nullptr) != 0)
    return errno_error("setting a timer");
  return watch(timer_.get());
}

Result<std::vector<RecordRing>> BpfSession::start(std::uint32_t slots, std::uint32_t wake_ms) {
  auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::uint64_t bytes = std::bit_ceil(std::max(slots * sizeof(iovm_record), page));
  auto online = online_cpus();
  if (!online) return std::move(online).error();
  if (auto opened = open_waiting(wake_ms); !opened) return std::move(opened).error();
  std::vector<RecordRing> rings;
  for (unsigned cpu : *online) {
    auto fd = program_->add_ring(cpu, bytes);
    if (!fd) return std::move(fd).error();
    auto ring = RecordRing::map_bpf(fd->get(), bytes);
    if (!ring) return std::move(ring).error();
    if (auto watched = watch(fd->get()); !watched) return std::move(watched).error();
    rings.push_back(std::move(*ring));
    rings_.push_back(std::move(*fd));
  }
  auto own = RecordRing::over_kmod(std::as_writable_bytes(std::span(own_)));
  if (!own) return std::move(own).error();
  program_->control().wake_every = static_cast<std::uint32_t>(rings.front().slots() / 4 + 1);
  rings.push_back(std::move(*own));
  if (auto attached = program_->attach(); !attached) return std::move(attached).error();
  return rings;
}

void BpfSession::woken() {
  std::array<epoll_event, 16> events;
  static_cast<void>(::epoll_wait(epoll_.get(), events.data(), events.size(), 0));
  std::uint64_t ticks = 0;
  static_cast<void>(!::read(timer_.get(), &ticks, sizeof ticks));
  tell_left_stops();
}

Status BpfSession::stop() {
  return program_->detach();
}

// Into the session's own ring; whether there was room.
bool BpfSession::tell(const iovm_record& record) {
  auto& page = *reinterpret_cast<iovm_ring*>(own_.data());
  if (page.head - page.tail >= page.slots) return false;
  std::byte* slots = std::as_writable_bytes(std::span(own_)).data() + page.data;
  std::memcpy(slots + page.head % page.slots * sizeof record, &record, sizeof record);
  ++page.head;
  return true;
}

void BpfSession::tell_left_stops() {
  for (iovm_left_stop& left : program_->left_stops()) {
    std::atomic_ref waits(left.waits);
    if (waits.load(std::memory_order_acquire) == 0) continue;
    if (tell(left.record)) waits.store(0, std::memory_order_release);
  }
}

Result<unsigned> BpfSession::flush() {
  unsigned left = 0;
  tell_left_stops();
  for (iovm_left_stop& stop : program_->left_stops()) left += stop.waits;
  for (iovm_vcpu_state& state : program_->states()) {
    if (state.gap == 0) continue;
    if (tell(loss_of(state))) {
      state.gap = 0;
    } else {
      ++left;
    }
  }
  return left;
}

Result<RingSession::Totals> BpfSession::totals() {
  auto missed = program_->missed();
  if (!missed) return std::move(missed).error();
  Totals totals;
  totals.dropped = *missed;
  for (const iovm_vcpu_state& state : program_->states()) {
    totals.records += state.records;
    for (std::uint64_t dropped : state.dropped) totals.dropped += dropped;
  }
  return totals;
}

}  // namespace iovm::record
