// SPDX-License-Identifier: Apache-2.0
//
// Makes one event of the two records by which KVM tells of a load that user space answers:
// "unsatisfied-read" (it begins) and "read" (here is its value). The event stands where the load
// began and has the value that ended it. A vCPU does nothing else in between, so one open load for
// each thread is all there is to remember; which record ends which is told by thread and address.
//
// Events go in in stream order and come out in stream order: what follows an open load waits for
// it. Mostly that is microseconds. A VMM that answers late (it was stopped, it swaps) does not hold
// up the stream: after `patience` the load is taken out of its place and stands where its value
// came instead, and what waited goes on. A load that never ends (the VM was reset or died in it, or
// its second record was lost) comes out without a value. Nothing is ever dropped or doubled here.
//
// The live source and the imports of perf.data and trace.dat share it. Not for several threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "record/kvm_decoder.h"
#include "trace/event.h"

namespace iovm::record {

class ReadJoiner {
 public:
  explicit ReadJoiner(std::chrono::nanoseconds patience = std::chrono::milliseconds(100))
      : patience_(static_cast<std::uint64_t>(patience.count())) {}

  // An event (or loss) of host thread `tid`, its time, vm and vcpu set; `what` is decode()'s
  // answer, event or read_begins. Times must not go back.
  void add(std::int32_t tid, Decoded what, const trace::Event& event) {
    if (handed_ > 0) forget_handed();
    if (what == Decoded::read_begins) {
      begin(tid, event);
    } else if (open_.empty() || !end(tid, event)) {
      queue_.push_back(event);
    }
    last_ = event.time;
  }

  // What is in its final order by now; `now` is a time of the stream. Valid until the next call.
  std::span<const trace::Event> take(std::uint64_t now);
  // Everything: at the end of the stream, and where the thread that had a load open has ended.
  std::span<const trace::Event> take_all();

  // Events that add() was given and take() has not handed out: never many.
  std::size_t waiting() const { return queue_.size() - handed_; }

 private:
  static constexpr std::size_t kNotQueued = ~std::size_t{0};
  static constexpr std::size_t kMostWaiting = std::size_t{1} << 16;
  struct Open {
    std::int32_t tid;
    std::size_t place;  // in queue_, or kNotQueued: taken out
    trace::Event event;
  };

  void begin(std::int32_t tid, const trace::Event& event);
  bool end(std::int32_t tid, const trace::Event& event);
  void close(std::size_t which);
  void take_out(std::size_t which);
  void forget_handed();

  std::uint64_t patience_;
  std::vector<trace::Event> queue_;
  std::size_t handed_ = 0;  // of queue_'s front: handed out by the last take
  std::vector<Open> open_;
  std::uint64_t last_ = 0;  // time of the last event added
};

}  // namespace iovm::record
