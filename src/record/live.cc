// SPDX-License-Identifier: Apache-2.0
#include "record/live.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/version.h"
#include "record/bpf_session.h"
#include "record/kmod_device.h"
#include "record/perf_source.h"
#include "record/record_source.h"

namespace iovm::record {

Result<StopFlag> StopFlag::create() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return errno_error("making an eventfd");
  return StopFlag(std::move(fd));
}

void StopFlag::stop() const {
  std::uint64_t one = 1;
  static_cast<void>(!::write(fd_.get(), &one, sizeof one));
}

bool StopFlag::stopped() const {
  pollfd one = {fd_.get(), POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

std::string_view name_of(Engine engine) {
  switch (engine) {
    case Engine::perf:
      return "perf";
    case Engine::bpf:
      return "bpf";
    case Engine::kmod:
      break;
  }
  return "kmod";
}

void CaptureStats::count(std::span<const trace::Event> given) {
  for (const trace::Event& event : given) {
    if (event.kind == trace::EventKind::loss) {
      lost.add(loss_of(event));
    } else {
      ++events;
    }
  }
}

Result<std::span<const trace::Event>> LiveSource::next() {
  for (;;) {
    auto batch = next_within(std::chrono::hours(1));
    if (!batch) return std::move(batch).error();
    if (batch->ended || !batch->events.empty()) return batch->events;
  }
}

trace::TraceInfo live_trace_info(Engine engine) {
  trace::TraceInfo info;
  info.id = trace::random_id();
  info.source = name_of(engine);
  info.tool = format("iovm {}", kVersion);
  utsname name = {};
  if (::uname(&name) == 0) {
    info.host = name.nodename;
    info.kernel = name.release;
  }
  info.utc_offset_ns = utc_offset_ns();
  return info;
}

namespace {

template <typename Session>
Result<std::unique_ptr<LiveSource>> open_rings(const LiveRequest& request, const StopFlag& stop,
                                               Result<std::unique_ptr<Session>> session) {
  if (!session) return std::move(session).error();
  auto source = RecordSource::open(request, std::move(*session), stop);
  if (!source) return std::move(source).error();
  return std::unique_ptr<LiveSource>(std::move(*source));
}

Result<std::unique_ptr<LiveSource>> open_perf(const LiveRequest& request, const StopFlag& stop) {
  auto tracefs = Tracefs::find();
  if (!tracefs) return std::move(tracefs).error();
  auto source = PerfSource::open(request, *tracefs, stop);
  if (!source) return std::move(source).error();
  return std::unique_ptr<LiveSource>(std::move(*source));
}

Result<std::unique_ptr<LiveSource>> open_engine(Engine engine, const LiveRequest& request,
                                                const StopFlag& stop) {
  switch (engine) {
    case Engine::kmod:
      return open_rings(request, stop, KmodDevice::open());
    case Engine::bpf:
      return open_rings(request, stop,
                        BpfSession::open("/proc", request.stops ? BpfProgram::Stops::some
                                                                : BpfProgram::Stops::none));
    case Engine::perf:
      break;
  }
  return open_perf(request, stop);
}

}  // namespace

Result<std::unique_ptr<LiveSource>> open_live(const LiveRequest& request, const StopFlag& stop,
                                              std::vector<PassedOver>* passed_over) {
  if (request.stops) {
    if (request.engine.value_or(Engine::bpf) == Engine::bpf) {
      return open_engine(Engine::bpf, request, stop);
    }
    return host_error(
        format("source {} only watches: a VM is stopped in the exit by source bpf alone",
               name_of(*request.engine)));
  }
  if (request.engine) return open_engine(*request.engine, request, stop);
  for (Engine engine : {Engine::kmod, Engine::bpf}) {
    auto source = open_engine(engine, request, stop);
    // A VM that is not there is not there for any engine.
    if (source || source.error().fault() != Fault::host) return source;
    if (passed_over) passed_over->push_back({engine, source.error().message()});
  }
  return open_engine(Engine::perf, request, stop);
}

}  // namespace iovm::record
