// SPDX-License-Identifier: Apache-2.0
#include "detect/response.h"

namespace iovm::detect {

Workers::~Workers() {
  {
    std::lock_guard guard(lock_);
    end_ = true;
  }
  news_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Workers::take(std::function<void()> job) {
  std::lock_guard guard(lock_);
  if (jobs_.size() >= kWaiting) return false;
  jobs_.push_back(std::move(job));
  if (idle_ < jobs_.size() && threads_.size() < kThreads) {
    threads_.emplace_back([this] { work(); });
  }
  news_.notify_one();
  return true;
}

void Workers::work() {
  std::unique_lock guard(lock_);
  for (;;) {
    ++idle_;
    news_.wait(guard, [this] { return end_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    guard.unlock();
    job();
    guard.lock();
  }
}

}  // namespace iovm::detect
