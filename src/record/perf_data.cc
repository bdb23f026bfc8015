// SPDX-License-Identifier: Apache-2.0
#include "record/perf_data.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "base/version.h"
#include "record/kvm_decoder.h"
#include "record/machine_order.h"
#include "record/machine_threads.h"
#include "record/perf_data_bytes.h"
#include "record/perf_data_format.h"
#include "record/perf_data_head.h"
#include "record/perf_data_records.h"

namespace iovm::record {
namespace {

using perf::Record;

constexpr std::string_view kHowToRecord =
    "record with: perf record -e kvm:kvm_pio,kvm:kvm_mmio,kvm:kvm_fast_mmio -p PID";
constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

Status refuse(std::span<const std::byte> magic) {
  std::string_view text = as_text(magic);
  if (text == perf::kMagicSwapped)
    return input_error("a perf.data of a big-endian machine; KVM/x86 is none");
  if (text != perf::kMagic) return input_error("this is not a perf.data file");
  return {};
}

std::string clock_name(std::optional<std::int32_t> clock) {
  if (!clock) return "perf (sched_clock of the recording host)";
  switch (*clock) {
    case CLOCK_MONOTONIC:
      return "monotonic";
    case CLOCK_MONOTONIC_RAW:
      return "monotonic_raw";
    case CLOCK_BOOTTIME:
      return "boottime";
    case CLOCK_REALTIME:
      return "realtime";
    default:
      return format("clock {}", *clock);
  }
}

}  // namespace

class PerfDataSource::Impl {
 public:
  explicit Impl(UniqueFd fd) : fd_(std::move(fd)) {
    context_.info.id = trace::random_id();
    context_.info.source = "perf.data";
    context_.info.tool = format("iovm {}", kVersion);
  }

  Status open();
  Result<std::span<const trace::Event>> next();
  const trace::Context& context() const { return context_; }

 private:
  Status open_file();
  Status open_pipe();
  Status begin_decoding();
  Status look_ahead();
  void tell_head();
  void tell_end();
  void note(std::string name, std::string value);

  Status take(const Record& record);
  Status take_header(const Record& record);
  void take_sample(const Record& record);
  void take_lost(const Record& record);
  void take_lost_samples(const Record& record);
  void take_comm(const Record& record);
  void lose(std::uint64_t time, std::uint16_t vm, std::optional<std::uint16_t> vcpu,
            trace::Loss loss);
  bool is_kvm(const perf::Attr& attr) const;

  UniqueFd fd_;
  perf::Head head_;
  std::optional<perf::RecordStream> records_;
  bool pipe_ = false;
  bool ended_ = false;
  std::optional<Error> failure_;  // to be told after the last event
  bool head_told_ = false;
  KvmDecoder decoder_;
  std::vector<std::uint32_t> ids_;
  std::size_t formats_added_ = 0;
  MachineThreads threads_;
  MachineOrder order_;
  trace::Context context_;
  std::uint64_t last_time_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t lost_told_ = 0;   // by LOST records, each in its place
  std::uint64_t lost_total_ = 0;  // by the counters that perf writes at the end
};

Status PerfDataSource::Impl::open() {
  std::array<std::byte, perf::kPipeHeadBytes> magic{};
  auto got = read_full(fd_.get(), magic);
  if (!got) return std::move(got).error();
  if (*got == 0) return input_error("this is an empty file; was perf record stopped by an error?");
  if (*got < magic.size()) return input_error("this is not a perf.data file: it is too short");
  auto refused = refuse(std::span(magic).first(8));
  if (!refused) return refused;
  ByteWalk walk(std::span<const std::byte>(magic).subspan(8));
  return walk.take<std::uint64_t>() == perf::kPipeHeadBytes ? open_pipe() : open_file();
}

Status PerfDataSource::Impl::open_pipe() {
  pipe_ = true;
  records_.emplace(fd_.get(), kNoLimit, perf::kPipeHeadBytes);
  return {};
}

Status PerfDataSource::Impl::open_file() {
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) {
    return input_error(
        "a perf.data file must be seekable, its head points to its end; give the file itself, or "
        "record with perf record -o -");
  }
  auto layout = perf::read_file_head(fd_.get(), head_);
  if (!layout) return std::move(layout).error();
  if (layout->unfinished && head_.formats.empty()) {
    return input_error(
        "perf record was killed before it wrote the formats of its events, without which they "
        "cannot be decoded; stop it with Ctrl-C or SIGTERM, or record with perf record -o -");
  }
  auto begun = begin_decoding();
  if (!begun) return begun;
  auto from_start = [&] {
    ::lseek(fd_.get(), static_cast<off_t>(layout->data.offset), SEEK_SET);
    records_.emplace(fd_.get(), layout->data.size, layout->data.offset);
  };
  from_start();
  auto looked = look_ahead();
  if (!looked) return looked;
  threads_.end_first_pass();
  if (threads_.needs_ranks()) note("vcpu numbers", "by the order of thread ids");
  from_start();
  return {};
}

Status PerfDataSource::Impl::begin_decoding() {
  for (; formats_added_ < head_.formats.size(); ++formats_added_) {
    auto added = decoder_.add_format(head_.formats[formats_added_]);
    if (!added) return std::move(added).error();
  }
  ids_ = decoder_.ids();
  if (ids_.empty()) return input_error(format("it holds no KVM I/O tracepoints; {}", kHowToRecord));
  tell_head();
  return {};
}

// The first pass of a file: which threads did I/O.
Status PerfDataSource::Impl::look_ahead() {
  for (;;) {
    auto record = records_->next();
    if (!record) return std::move(record).error();
    if (!*record) return {};
    if ((*record)->type == perf::kComm) take_comm(**record);
    if ((*record)->type == perf::kAuxtrace) {
      auto skipped = records_->skip_behind(ByteWalk((*record)->body).take<std::uint64_t>());
      if (!skipped) return skipped;
    }
    if ((*record)->type != perf::kSample) continue;
    const perf::Attr* attr = head_.attr_of_sample((*record)->body);
    if (attr == nullptr || !is_kvm(*attr)) continue;
    auto sample = perf::parse_sample(attr->layout, (*record)->body);
    if (sample) threads_.note_io(sample->pid.value_or(-1), sample->tid.value_or(-1));
  }
}

void PerfDataSource::Impl::note(std::string name, std::string value) {
  if (!value.empty()) context_.info.notes.emplace_back(std::move(name), std::move(value));
}

void PerfDataSource::Impl::tell_head() {
  if (head_told_) return;
  head_told_ = true;
  trace::TraceInfo& info = context_.info;
  info.host = head_.host;
  info.kernel = head_.kernel;
  std::optional<std::int32_t> clock;
  for (const perf::Attr& attr : head_.attrs()) {
    if (is_kvm(attr)) clock = attr.clock;
  }
  note("clock", clock_name(clock));
  if (head_.clock && clock == CLOCK_MONOTONIC && head_.clock->clock == CLOCK_MONOTONIC)
    info.utc_offset_ns = static_cast<std::int64_t>(head_.clock->wall_ns - head_.clock->clock_ns);
  note("perf version", head_.version);
  note("perf command", head_.command_line);
}

Result<std::span<const trace::Event>> PerfDataSource::Impl::next() {
  for (;;) {
    std::span<const trace::Event> events = order_.take();
    if (!events.empty()) return events;
    if (ended_ && failure_) return *std::exchange(failure_, std::nullopt);
    if (ended_) return events;
    auto record = records_->next();
    if (!record) return std::move(record).error();
    if (*record) {
      auto taken = take(**record);
      if (!taken) return std::move(taken).error();
    } else {
      ended_ = true;
      if (ids_.empty())
        return input_error(format("it holds no KVM I/O tracepoints; {}", kHowToRecord));
      tell_end();
      order_.end();
    }
  }
}

// What is wrong with the end of the recording stands there, as a loss, and is an error after it.
void PerfDataSource::Impl::tell_end() {
  if (lost_total_ > lost_told_)
    lose(last_time_, trace::kAllVms, std::nullopt,
         {trace::LossCause::ring, lost_total_ - lost_told_});
  if (!records_->cut_short() && !records_->trouble()) return;
  lose(last_time_, trace::kAllVms, std::nullopt, {trace::LossCause::damaged, 0});
  failure_ = input_error(records_->trouble().value_or("it ends inside a record: it was cut short"));
}

Status PerfDataSource::Impl::take(const Record& record) {
  switch (record.type) {
    case perf::kSample:
      take_sample(record);
      break;
    case perf::kComm:
      take_comm(record);
      break;
    case perf::kLost:
      take_lost(record);
      break;
    case perf::kLostSamples:
      take_lost_samples(record);
      break;
    case perf::kFinishedRound:
      order_.end_of_round();
      break;
    case perf::kAuxtrace:
      return records_->skip_behind(ByteWalk(record.body).take<std::uint64_t>());
    default:
      return take_header(record);
  }
  return {};
}

// What a pipe brings in place of a file's head.
Status PerfDataSource::Impl::take_header(const Record& record) {
  if (!pipe_) return {};
  ByteWalk walk(record.body);
  if (record.type == perf::kHeaderAttr) {
    // The attribute says its own length; its ids fill the rest.
    walk.skip(4);
    std::uint64_t length = walk.take<std::uint32_t>();
    if (walk.failed() || length < 64 || length > record.body.size())
      return input_error("an event attribute is cut off");
    return head_.add_attr(record.body.first(length), record.body.subspan(length));
  }
  if (record.type == perf::kHeaderFeature) {
    auto feature = walk.take<std::uint64_t>();
    if (feature < perf::kFeatures && feature != perf::kFeatureTracingData)
      head_.add_feature(static_cast<unsigned>(feature), walk.take_bytes(walk.left()));
    return {};
  }
  if (record.type != perf::kTracingData) return {};
  std::uint64_t bytes = walk.take<std::uint32_t>();
  if (bytes > perf::kMostTracingData)
    return input_error("its tracing data is larger than any real one");
  auto data = records_->read_behind((bytes + 7) / 8 * 8);
  if (!data) return std::move(data).error();
  auto added = head_.add_tracing_data(*data);
  return added ? begin_decoding() : added;
}

bool PerfDataSource::Impl::is_kvm(const perf::Attr& attr) const {
  return attr.type == perf::kTypeTracepoint &&
         std::find(ids_.begin(), ids_.end(), attr.config) != ids_.end();
}

void PerfDataSource::Impl::lose(std::uint64_t time, std::uint16_t vm,
                                std::optional<std::uint16_t> vcpu, trace::Loss loss) {
  order_.add(-1, Decoded::event, trace::make_loss(time, vm, vcpu, loss));
}

void PerfDataSource::Impl::take_sample(const Record& record) {
  const perf::Attr* attr = head_.attr_of_sample(record.body);
  if (attr != nullptr && !is_kvm(*attr)) return;
  auto sample = attr == nullptr ? std::nullopt : perf::parse_sample(attr->layout, record.body);
  if (!sample) {
    lose(last_time_, trace::kAllVms, std::nullopt, {trace::LossCause::source, 1});
    return;
  }
  ++samples_;
  std::uint64_t time = sample->time.value_or(last_time_);
  std::int32_t tid = sample->tid.value_or(-1);
  last_time_ = std::max(last_time_, time);
  auto place = threads_.place(sample->pid.value_or(-1), tid, context_);
  trace::Event event;
  Decoded what = place ? decoder_.decode(sample->raw, event) : Decoded::malformed;
  // The attribute says that it is ours: a payload of another tracepoint is none at all.
  if (what == Decoded::malformed || what == Decoded::foreign) {
    lose(time, place ? place->vm : trace::kAllVms, place ? place->vcpu : std::nullopt,
         {trace::LossCause::source, 1});
  } else {
    event.time = time;
    event.vm = place->vm;
    if (place->vcpu) trace::set_vcpu(event, *place->vcpu);
    order_.add(tid, what, event);
  }
}

// A full ring tells how many of its records are missing, of whichever event and thread.
void PerfDataSource::Impl::take_lost(const Record& record) {
  ByteWalk walk(record.body);
  walk.skip(8);  // id
  auto count = walk.take<std::uint64_t>();
  if (walk.failed() || count == 0) return;
  std::uint64_t time = last_time_;
  if (const perf::Attr* attr = head_.attr_of_trailer(record.body)) {
    auto trailer = perf::parse_trailer(attr->layout, record.body.subspan(16));
    if (trailer && trailer->time) time = *trailer->time;
  }
  lost_told_ += count;
  last_time_ = std::max(last_time_, time);
  lose(time, trace::kAllVms, std::nullopt, {trace::LossCause::ring, count});
}

// perf's counters of lost samples, written at its end: they count again what LOST records told, and
// what no LOST record came to tell any more.
void PerfDataSource::Impl::take_lost_samples(const Record& record) {
  if ((record.misc & perf::kMiscLostByBpf) != 0) return;
  ByteWalk walk(record.body);
  auto count = walk.take<std::uint64_t>();
  if (!walk.failed() && lost_total_ <= kNoLimit - count) lost_total_ += count;
}

void PerfDataSource::Impl::take_comm(const Record& record) {
  ByteWalk walk(record.body);
  auto pid = walk.take<std::int32_t>();
  auto tid = walk.take<std::int32_t>();
  std::string_view name = walk.take_text();
  if (!walk.failed()) threads_.comm(pid, tid, name);
}

Result<std::unique_ptr<PerfDataSource>> PerfDataSource::open(UniqueFd fd) {
  auto impl = std::make_unique<Impl>(std::move(fd));
  auto opened = impl->open();
  if (!opened) return std::move(opened).error();
  return std::unique_ptr<PerfDataSource>(new PerfDataSource(std::move(impl)));
}

Result<std::unique_ptr<PerfDataSource>> PerfDataSource::open(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  auto source = open(*std::move(fd));
  if (!source) return std::move(source).error().in(escape_terminal(path));
  return source;
}

PerfDataSource::PerfDataSource(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PerfDataSource::~PerfDataSource() = default;

Result<std::span<const trace::Event>> PerfDataSource::next() {
  return impl_->next();
}
const trace::Context& PerfDataSource::context() const {
  return impl_->context();
}

}  // namespace iovm::record
