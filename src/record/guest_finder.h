// SPDX-License-Identifier: Apache-2.0
//
// Looks for a VM's guest kernel in a thread of its own, so that nobody who handles events waits for
// it: a search reads for up to seconds, and a guest that is still booting has to be asked again and
// again. It tries until it finds one, for some time several times a second, then ever more seldom,
// since it may be no Linux; take() hands it over. look_again() starts anew, after a reboot of the
// guest, and hurry() is for signs that it boots. A search ends after kLongest, whatever a
// guest has left in its memory to be tried, and soon when the finder is destroyed.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "record/guest_kernel.h"

namespace iovm::record {

struct FoundGuest {
  std::unique_ptr<GuestMemory> memory;
  KernelSearch search;  // its kernel reads `memory`
};

// One search, now. The error: there is no such process, or no right to look into it. `profile` is
// the path of the VM's profile (guest_profile_file.h), which is used if it is good; none: empty.
Result<FoundGuest> find_guest(const std::string& proc_root, pid_t vmm, std::uint64_t memory_size,
                              const std::string& profile = {}, const SearchLimits& limits = {});
// The same, and the profile is kept if it is new.
Result<FoundGuest> find_guest_and_keep(const std::string& proc_root, pid_t vmm,
                                       std::uint64_t memory_size, const std::string& profile,
                                       const SearchLimits& limits);

class GuestFinder {
 public:
  static constexpr std::chrono::seconds kLongest{60};

  // find_guest() of some VM, mostly.
  using Find = std::function<Result<FoundGuest>(const SearchLimits&)>;
  explicit GuestFinder(Find find);
  ~GuestFinder();
  GuestFinder(const GuestFinder&) = delete;
  GuestFinder& operator=(const GuestFinder&) = delete;

  // The kernel, once, when it is found; null until then.
  std::unique_ptr<FoundGuest> take();
  void look_again();
  void hurry();
  // The same as look_again(), passing over the kernel that was found, which nobody runs on: the
  // rest of a former boot. It is tried again when nothing else is found.
  void look_for_another(const GuestKernel& wrong);
  // Returns when the first search has ended, whatever came of it; at the latest after `patience`.
  void wait_for_first_search(std::chrono::nanoseconds patience);
  // Why nothing is found yet; empty if nothing was tried, or it is found.
  std::string why_not() const;

 private:
  void run();
  void search();

  Find find_;

  mutable std::mutex mutex_;  // of all that follows
  std::condition_variable wake_;
  std::unique_ptr<FoundGuest> found_;
  std::string why_not_;
  std::vector<std::uint64_t> rejected_;
  bool searched_ = false;  // at least once
  bool wanted_ = true;
  bool hurry_ = true;
  std::atomic<bool> stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace iovm::record
