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
#include "record/perf_data_bytes.h"
#include "record/perf_data_events.h"
#include "record/perf_data_format.h"
#include "record/perf_data_head.h"
#include "record/perf_data_records.h"

namespace iovm::record {
namespace {

using perf::Record;

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

Error no_tracepoints() {
  return input_error(
      "it holds no KVM I/O tracepoints; record with: perf record -e "
      "kvm:kvm_pio,kvm:kvm_mmio,kvm:kvm_fast_mmio -p PID");
}

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
  void note(std::string name, std::string value);
  Status take(const Record& record);
  Status take_header(const Record& record);
  Status skip_auxtrace(const Record& record);

  UniqueFd fd_;
  perf::Head head_;
  std::optional<perf::RecordStream> records_;
  trace::Context context_;
  perf::EventMaker maker_{head_, context_};
  bool pipe_ = false;
  bool head_told_ = false;
  bool ended_ = false;
  std::optional<Error> failure_;  // to be told after the last event
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
  if (maker_.end_first_pass()) note("vcpu numbers", "by the order of thread ids");
  from_start();
  return {};
}

Status PerfDataSource::Impl::begin_decoding() {
  auto learned = maker_.learn_formats();
  if (!learned) return learned;
  if (!maker_.knows_formats()) return no_tracepoints();
  tell_head();
  return {};
}

// The first pass of a file.
Status PerfDataSource::Impl::look_ahead() {
  for (;;) {
    auto record = records_->next();
    if (!record) return std::move(record).error();
    if (!*record) return {};
    maker_.look_at(**record);
    auto skipped = skip_auxtrace(**record);
    if (!skipped) return skipped;
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
    if (maker_.is_kvm(attr)) clock = attr.clock;
  }
  note("clock", clock_name(clock));
  if (head_.clock && clock == CLOCK_MONOTONIC && head_.clock->clock == CLOCK_MONOTONIC)
    info.utc_offset_ns = static_cast<std::int64_t>(head_.clock->wall_ns - head_.clock->clock_ns);
  note("perf version", head_.version);
  note("perf command", head_.command_line);
}

Result<std::span<const trace::Event>> PerfDataSource::Impl::next() {
  for (;;) {
    std::span<const trace::Event> events = maker_.order().take();
    if (!events.empty()) return events;
    if (ended_ && failure_) return *std::exchange(failure_, std::nullopt);
    if (ended_) return events;
    auto record = records_->next();
    if (!record) return std::move(record).error();
    if (*record) {
      auto taken = take(**record);
      if (!taken) return std::move(taken).error();
      continue;
    }
    ended_ = true;
    if (!maker_.knows_formats()) return no_tracepoints();
    bool damaged = records_->cut_short() || records_->trouble();
    if (damaged) {
      failure_ =
          input_error(records_->trouble().value_or("it ends inside a record: it was cut short"));
    }
    maker_.end(damaged);
  }
}

Status PerfDataSource::Impl::take(const Record& record) {
  maker_.take(record);
  if (auto skipped = skip_auxtrace(record); !skipped) return skipped;
  return pipe_ ? take_header(record) : Status();
}

// Of hardware tracers: a record that its data follow, however many they are.
Status PerfDataSource::Impl::skip_auxtrace(const Record& record) {
  if (record.type != perf::kAuxtrace) return {};
  return records_->skip_behind(ByteWalk(record.body).take<std::uint64_t>());
}

// What a pipe brings in place of a file's head.
Status PerfDataSource::Impl::take_header(const Record& record) {
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
