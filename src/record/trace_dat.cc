// SPDX-License-Identifier: Apache-2.0
#include "record/trace_dat.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "base/version.h"
#include "record/kvm_decoder.h"
#include "record/machine_order.h"
#include "record/machine_threads.h"
#include "record/perf_data_bytes.h"
#include "record/trace_dat_child.h"
#include "record/vm_threads.h"

namespace iovm::record {
namespace {

using tracecmd::Message;
using tracecmd::MessageKind;

// Which VM a thread belongs to, as far as the comms tell; a group stands for the unknown process,
// with a number that no process has.
class Groups {
 public:
  // Threads by ascending tid, which is the order in which the child tells them.
  void add(std::int32_t tid, std::string_view comm) {
    auto vcpu = vcpu_of_comm(comm);
    if (vcpu && last_vcpu_ && *vcpu <= *last_vcpu_) --group_;
    if (vcpu) last_vcpu_ = vcpu;
    group_of_[tid] = vcpu ? group_ : kUnnumbered;
  }
  std::int32_t of(std::int32_t tid) const {
    auto found = group_of_.find(tid);
    return found == group_of_.end() ? kUnnumbered : found->second;
  }

 private:
  std::map<std::int32_t, std::int32_t> group_of_;
  static constexpr std::int32_t kUnnumbered = -1;
  std::optional<std::uint16_t> last_vcpu_;
  std::int32_t group_ = -2;
};

}  // namespace

class TraceDatSource::Impl {
 public:
  explicit Impl(tracecmd::Child child) : child_(std::move(child)) {
    context_.info.id = trace::random_id();
    context_.info.source = "trace.dat";
    context_.info.tool = format("iovm {}", kVersion);
    context_.info.notes.emplace_back("clock", "as trace-cmd was told (-C)");
  }

  Status begin();
  Result<std::span<const trace::Event>> next();
  const trace::Context& context() const { return context_; }

 private:
  Status take_beginning(const Message& message);
  void take_record(const Message& message);
  void take_missed(const Message& message);

  tracecmd::Child child_;
  KvmDecoder decoder_;
  Groups groups_;
  MachineThreads threads_;
  MachineOrder order_;
  trace::Context context_;
  std::uint64_t last_time_ = 0;
  bool ended_ = false;
  std::optional<Error> failure_;  // to be told after the last event
};

Status TraceDatSource::Impl::begin() {
  for (;;) {
    auto message = child_.next();
    if (!message) return std::move(message).error();
    if (!*message)
      return input_error("the file is damaged: libtracecmd ended in the middle of its head");
    if ((*message)->head.kind == MessageKind::ready) break;
    auto taken = take_beginning(**message);
    if (!taken) return taken;
  }
  if (decoder_.ids().empty()) {
    return input_error(
        "it holds no KVM I/O tracepoints; record with: trace-cmd record -e kvm:kvm_pio -e "
        "kvm:kvm_mmio -e kvm:kvm_fast_mmio");
  }
  threads_.end_first_pass();
  if (threads_.needs_ranks())
    context_.info.notes.emplace_back("vcpu numbers", "by the order of thread ids");
  return {};
}

Status TraceDatSource::Impl::take_beginning(const Message& message) {
  std::string_view text = as_text(message.payload);
  std::int32_t tid = message.head.tid;
  switch (message.head.kind) {
    case MessageKind::format: {
      auto added = decoder_.add_format(text);
      if (!added) return std::move(added).error();
      return {};
    }
    case MessageKind::thread:
      groups_.add(tid, text);
      threads_.comm(tid, text);
      threads_.note_io(groups_.of(tid), tid);
      return {};
    case MessageKind::refused:
      return input_error(format("{}", escape_terminal(text)));
    default:
      return input_error("the file is damaged: libtracecmd gave nonsense");
  }
}

Result<std::span<const trace::Event>> TraceDatSource::Impl::next() {
  for (;;) {
    std::span<const trace::Event> events = order_.take();
    if (!events.empty()) return events;
    if (ended_ && failure_) return *std::exchange(failure_, std::nullopt);
    if (ended_) return events;
    for (std::size_t i = 0; i < 4096 && !ended_; ++i) {
      auto message = child_.next();
      if (!message) return std::move(message).error();
      MessageKind kind = *message ? (*message)->head.kind : MessageKind::refused;
      if (kind == MessageKind::record) {
        take_record(**message);
      } else if (kind == MessageKind::missed) {
        take_missed(**message);
      } else {
        ended_ = true;
        // Anything but its own end is the file's doing: what was read stands, then a loss.
        if (kind != MessageKind::end) {
          order_.add(-1, Decoded::event,
                     trace::make_loss(last_time_, trace::kAllVms, std::nullopt,
                                      {trace::LossCause::damaged, 0}));
          failure_ = input_error("the file is damaged: libtracecmd could not read it to its end");
        }
      }
    }
    ended_ ? order_.end() : order_.end_of_round();
  }
}

void TraceDatSource::Impl::take_record(const Message& message) {
  std::int32_t tid = message.head.tid;
  last_time_ = std::max(last_time_, message.head.time);
  auto place = threads_.place(groups_.of(tid), tid, context_);
  trace::Event event;
  Decoded what = place ? decoder_.decode(message.payload, event) : Decoded::malformed;
  if (what == Decoded::foreign) return;
  if (what == Decoded::malformed) {
    order_.add(tid, Decoded::event,
               trace::make_loss(message.head.time, trace::kAllVms, std::nullopt,
                                {trace::LossCause::source, 1}));
    return;
  }
  event.time = message.head.time;
  event.vm = place->vm;
  if (place->vcpu) trace::set_vcpu(event, *place->vcpu);
  order_.add(tid, what, event);
}

void TraceDatSource::Impl::take_missed(const Message& message) {
  last_time_ = std::max(last_time_, message.head.time);
  order_.add(-1, Decoded::event,
             trace::make_loss(message.head.time, trace::kAllVms, std::nullopt,
                              {trace::LossCause::ring, message.head.count}));
}

Result<std::unique_ptr<TraceDatSource>> TraceDatSource::open(const std::string& path) {
  std::string place = escape_terminal(path);
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  if (::lseek(fd->get(), 0, SEEK_SET) != 0)
    return input_error(format("{}: a trace.dat must be a file, not a pipe", place));
  auto child = tracecmd::Child::start(*fd);
  if (!child) return std::move(child).error().in(place);
  auto impl = std::make_unique<Impl>(*std::move(child));
  auto begun = impl->begin();
  if (!begun) return std::move(begun).error().in(place);
  return std::unique_ptr<TraceDatSource>(new TraceDatSource(std::move(impl)));
}

TraceDatSource::TraceDatSource(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TraceDatSource::~TraceDatSource() = default;

Result<std::span<const trace::Event>> TraceDatSource::next() {
  return impl_->next();
}
const trace::Context& TraceDatSource::context() const {
  return impl_->context();
}

}  // namespace iovm::record
