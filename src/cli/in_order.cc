// SPDX-License-Identifier: Apache-2.0
#include "cli/in_order.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace iovm::cli {
namespace {

// Pieces that may be finished before their turn, for each thread: next to one that is forty times
// as long as the others nobody waits.
constexpr std::size_t kAhead = 32;

// Who takes the next piece, and which are finished.
class Queue {
 public:
  Queue(std::size_t pieces, std::size_t ahead) : finished_(pieces, false), ahead_(ahead) {}

  // The next piece; none when all are taken or it was stopped.
  bool take(std::size_t& piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(
        lock, [&] { return stopped_ || taken_ == finished_.size() || taken_ < told_ + ahead_; });
    if (stopped_ || taken_ == finished_.size()) return false;
    piece = taken_++;
    return true;
  }
  void finish(std::size_t piece) {
    std::lock_guard lock(mutex_);
    finished_[piece] = true;
    changed_.notify_all();
  }
  void wait_for(std::size_t piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_[piece]; });
  }
  void tell(std::size_t told) {
    std::lock_guard lock(mutex_);
    told_ = told;
    changed_.notify_all();
  }
  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> finished_;
  std::size_t ahead_;
  std::size_t taken_ = 0;
  std::size_t told_ = 0;
  bool stopped_ = false;
};

}  // namespace

Status in_order(std::size_t pieces, std::size_t threads,
                const std::function<void(std::size_t)>& work,
                const std::function<Status(std::size_t)>& done) {
  Queue queue(pieces, kAhead * threads);
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (std::size_t piece = 0; queue.take(piece); queue.finish(piece)) work(piece);
    });
  }
  Status status;
  for (std::size_t piece = 0; piece < pieces && status; ++piece) {
    queue.wait_for(piece);
    status = done(piece);
    queue.tell(piece + 1);
  }
  queue.stop();
  return status;
}

std::size_t usual_threads(std::size_t pieces) {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1,
                                 std::max<std::size_t>(pieces, 1));
}

}  // namespace iovm::cli
