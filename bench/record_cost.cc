// SPDX-License-Identifier: Apache-2.0
//
// What recording costs, against perf record: the CPU time that each access costs the VM, and the
// CPU time of the recorder. On a host without KVM, by a pretend VM whose exits are system calls
// (tests/unit/record/pretend_vm.h); record_cost.sh does the same with real guests. See record.md.
//
//   record_cost [ACCESSES [RUNS]]
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "../tests/unit/record/pretend_vm.h"
#include "record/perf_source.h"
#include "record/record_session.h"

namespace iovm::record {
namespace {

struct Cost {
  double vm_ns = 0;        // CPU time of the VM for each access
  double recorder_ms = 0;  // CPU time of the recorder in all
  double bytes = 0;        // of the file
};

double cpu_ns(pid_t pid) {
  clockid_t clock = {};
  timespec now = {};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &now) != 0) std::abort();
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double reap_ms(pid_t pid) {
  rusage use = {};
  int status = 0;
  ::wait4(pid, &status, 0, &use);
  // perf ends by the signal that stopped it.
  bool good = status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
  if (!good) std::fprintf(stderr, "a recorder ended with status %d\n", status);
  auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(use.ru_utime) + ms(use.ru_stime);
}

// The recorder as `iovm record` runs it, in a process of its own; the pipe's end stops it.
[[noreturn]] void record(const LiveRequest& request, const Tracefs& tracefs,
                         const std::string& path, int ready, int end) {
  auto stop = StopFlag::create();
  auto source = PerfSource::open(request, tracefs, *stop);
  if (!source) {
    std::fprintf(stderr, "record_cost: %s\n", source.error().message().c_str());
    std::_Exit(1);
  }
  auto writer = trace::TraceWriter::create(path, (*source)->context().info);
  RecordSession session(**source, *stop, **writer, {});
  std::thread stopper([&] {
    char byte = 0;
    static_cast<void>(!::read(end, &byte, 1));
    stop->stop();
  });
  static_cast<void>(!::write(ready, "", 1));
  auto reason = session.run([](const Progress&) {});
  stopper.join();
  bool whole = reason && (*writer)->stats().lost.all() == 0;
  std::_Exit(whole ? 0 : 1);
}

class Bench {
 public:
  explicit Bench(std::uint32_t accesses) : accesses_(accesses) {
    auto tracefs = pretend_tracefs(folder_.path() + "/tracing");
    if (!tracefs) {
      std::fprintf(stderr, "record_cost: no right to trace system calls\n");
      std::exit(4);
    }
    tracefs_ = *tracefs;
    std::filesystem::create_directories(proc());
  }

  Cost nothing(std::uint32_t times) {
    PretendVm vm(proc(), "bench");
    return {storm(vm, times), 0, 0};
  }
  Cost iovm(std::uint32_t times) {
    PretendVm vm(proc(), "bench");
    LiveRequest request;
    request.proc.path = proc();
    request.vms = {std::to_string(vm.pid())};
    int ready[2];
    int end[2];
    if (::pipe(ready) != 0 || ::pipe(end) != 0) std::abort();
    std::string path = folder_.path() + "/out.iovm";
    pid_t recorder = ::fork();
    if (recorder == 0) record(request, tracefs_, path, ready[1], end[0]);
    char byte = 0;
    static_cast<void>(!::read(ready[0], &byte, 1));
    Cost cost = {storm(vm, times), 0, 0};
    static_cast<void>(!::write(end[1], "", 1));
    cost.recorder_ms = reap_ms(recorder);
    cost.bytes = static_cast<double>(std::filesystem::file_size(path));
    for (int fd : {ready[0], ready[1], end[0], end[1]}) ::close(fd);
    return cost;
  }
  Cost perf(std::uint32_t times) {
    PretendVm vm(proc(), "bench");
    std::string path = folder_.path() + "/perf.data";
    pid_t recorder = ::fork();
    if (recorder == 0) {
      if (!std::freopen("/dev/null", "w", stderr)) std::abort();
      ::execlp("perf", "perf", "record", "-q", "-e",
               "syscalls:sys_enter_ioprio_get,syscalls:sys_enter_ioprio_set", "-o", path.c_str(),
               "-p", std::to_string(vm.pid()).c_str(), static_cast<char*>(nullptr));
      std::_Exit(127);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    Cost cost = {storm(vm, times), 0, 0};
    ::kill(recorder, SIGINT);
    cost.recorder_ms = reap_ms(recorder);
    cost.bytes = static_cast<double>(std::filesystem::file_size(path));
    return cost;
  }
  std::uint32_t accesses() const { return accesses_; }

 private:
  std::string proc() const { return folder_.path() + "/proc"; }
  static double storm(PretendVm& vm, std::uint32_t times) {
    double before = cpu_ns(vm.pid());
    vm.storm(times);
    return (cpu_ns(vm.pid()) - before) / std::max(times, 1U);
  }

  ScratchFolder folder_;
  Tracefs tracefs_{""};
  std::uint32_t accesses_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void run(std::uint32_t accesses, int runs) {
  Bench bench(accesses);
  std::map<std::string, std::vector<Cost>> costs;
  for (int i = 0; i < runs; ++i) {  // in turns, so that a slow minute hits all alike
    costs["nothing"].push_back(bench.nothing(accesses));
    costs["perf"].push_back(bench.perf(accesses));
    costs["iovm"].push_back(bench.iovm(accesses));
    costs["perf, 0"].push_back(bench.perf(0));
    costs["iovm, 0"].push_back(bench.iovm(0));
  }
  auto of = [&](const std::string& arm, double Cost::*field) {
    std::vector<double> values;
    for (const Cost& cost : costs[arm]) values.push_back(cost.*field);
    return median(values);
  };
  std::printf("%u accesses, median of %d\n", accesses, runs);
  std::printf("%-8s %16s %22s %20s %14s\n", "", "VM: ns/access", "recorder: ns/access",
              "recorder at rest: ms", "bytes/access");
  double base = of("nothing", &Cost::vm_ns);
  for (const char* arm : {"perf", "iovm"}) {
    double rest = of(std::string(arm) + ", 0", &Cost::recorder_ms);
    std::printf("%-8s %+16.0f %22.0f %20.0f %14.1f\n", arm, of(arm, &Cost::vm_ns) - base,
                (of(arm, &Cost::recorder_ms) - rest) * 1e6 / accesses, rest,
                of(arm, &Cost::bytes) / accesses);
  }
  std::printf("(an access without a recorder: %.0f ns)\n", base);
}

}  // namespace
}  // namespace iovm::record

int main(int argc, char** argv) {
  int accesses = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  int runs = argc > 2 ? std::atoi(argv[2]) : 5;
  if (accesses <= 0 || runs <= 0) {
    std::fprintf(stderr, "usage: record_cost [ACCESSES [RUNS]]\n");
    return 2;
  }
  iovm::record::run(static_cast<std::uint32_t>(accesses), runs);
  return 0;
}
