// SPDX-License-Identifier: Apache-2.0
#include "record/guest_finder.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.h"
#include "record/guest_profile_file.h"

namespace iovm::record {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kShortestPause{200};
constexpr std::chrono::seconds kHurried{60};  // a boot takes less
constexpr std::chrono::seconds kLongestPause{60};

}  // namespace

Result<FoundGuest> find_guest(const std::string& proc_root, pid_t vmm, std::uint64_t memory_size,
                              const std::string& profile, const SearchLimits& limits) {
  auto memory = ProcessMemory::open(proc_root, vmm);
  if (!memory) return std::move(memory).error();
  auto mappings = find_ram(proc_root, vmm, memory_size);
  if (!mappings) return std::move(mappings).error();
  KnownProfile known;
  auto loaded = load_profile(profile);
  if (loaded)
    known.profile = std::move(*loaded);
  else
    known.why_not = escape_terminal(loaded.error().message());
  FoundGuest found{std::move(*memory), {}};
  found.search = find_guest_kernel(*found.memory, *mappings, limits, known);
  return found;
}

Result<FoundGuest> find_guest_and_keep(const std::string& proc_root, pid_t vmm,
                                       std::uint64_t memory_size, const std::string& profile,
                                       const SearchLimits& limits) {
  auto found = find_guest(proc_root, vmm, memory_size, profile, limits);
  // Where it cannot be kept the next search takes longer; the doctor tells.
  if (found && found->search.to_keep && !profile.empty())
    static_cast<void>(save_profile(profile, *found->search.to_keep));
  return found;
}

GuestFinder::GuestFinder(Find find) : find_(std::move(find)), thread_([this] { run(); }) {}

GuestFinder::~GuestFinder() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::unique_ptr<FoundGuest> GuestFinder::take() {
  std::lock_guard lock(mutex_);
  return std::move(found_);
}

void GuestFinder::look_again() {
  {
    std::lock_guard lock(mutex_);
    found_.reset();
    wanted_ = true;
    hurry_ = true;
  }
  wake_.notify_all();
}

void GuestFinder::hurry() {
  {
    std::lock_guard lock(mutex_);
    hurry_ = true;
  }
  wake_.notify_all();
}

void GuestFinder::look_for_another(const GuestKernel& wrong) {
  {
    std::lock_guard lock(mutex_);
    rejected_.push_back(wrong.text_at);
  }
  look_again();
}

void GuestFinder::wait_for_first_search(std::chrono::nanoseconds patience) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, patience, [this] { return searched_; });
}

std::string GuestFinder::why_not() const {
  std::lock_guard lock(mutex_);
  return why_not_;
}

// While it is hurried, a fifth of the time goes into searching at most; later ever less.
void GuestFinder::run() {
  std::unique_lock lock(mutex_);
  Clock::time_point hurried;
  Clock::duration pause{};
  while (!stop_) {
    if (!wanted_) {
      wake_.wait(lock, [this] { return stop_ || wanted_; });
      continue;
    }
    Clock::time_point began = Clock::now();
    if (std::exchange(hurry_, false)) hurried = began;
    lock.unlock();
    search();
    lock.lock();
    if (!wanted_) continue;
    Clock::time_point now = Clock::now();
    bool in_time = now < hurried + kHurried;
    pause = in_time ? std::max<Clock::duration>(4 * (now - began), kShortestPause)
                    : std::min<Clock::duration>(2 * pause, kLongestPause);
    Clock::time_point next = now + pause;
    wake_.wait_until(lock, next, [this, in_time] { return stop_ || (hurry_ && !in_time); });
  }
}

void GuestFinder::search() {
  auto end = Clock::now() + kLongest;
  SearchLimits limits;
  limits.stop = [this, end] { return stop_ || Clock::now() > end; };
  {
    std::lock_guard lock(mutex_);
    limits.rejected = rejected_;
  }
  auto found = find_(limits);
  std::lock_guard lock(mutex_);
  searched_ = true;
  wake_.notify_all();
  if (!found) {
    why_not_ = found.error().message();
    return;
  }
  why_not_ = found->search.why_not;
  if (!found->search.kernel) return rejected_.clear();
  found_ = std::make_unique<FoundGuest>(std::move(*found));
  wanted_ = false;
}

}  // namespace iovm::record
