// SPDX-License-Identifier: Apache-2.0
#include "record/bpf_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/text.h"
#include "iovm.skel.h"
#include "record/bpf_arguments.h"
#include "record/bpf_stops.h"
#include "record/record_ring.h"

namespace iovm::record {
namespace {

std::string text_of(const std::string& path) {
  auto content = read_file(path, 1U << 20);
  return content ? *content : std::string();
}

// Which kind of KVM runs here; see regs.h of the program.
void find_kvm(const std::string& sys, const std::string& proc, iovm_bpf_settings& settings) {
  std::string cpuinfo = text_of(proc + "/cpuinfo");
  std::string_view flags = cpuinfo;
  std::size_t at = flags.find("\nflags");
  flags = at == std::string_view::npos ? "" : flags.substr(at + 1);
  flags = flags.substr(0, flags.find('\n'));
  auto words = split(flags, ' ');
  auto is = [&](std::string_view flag, const char* module) {
    return std::ranges::find(words, flag) != words.end() &&
           ::access((sys + "/module/" + module).c_str(), F_OK) == 0;
  };
  settings.svm = is("svm", "kvm_amd");
  settings.vmx = !settings.svm && is("vmx", "kvm_intel");
  settings.pvm =
      !settings.svm && !settings.vmx && ::access((sys + "/module/kvm_pvm").c_str(), F_OK) == 0;
}

// The verifier's own words: the last line that is no statistics.
std::string last_words(std::string_view log) {
  std::string_view last;
  for (std::string_view line : split(log, '\n')) {
    if (!trim(line).empty() && !line.starts_with("processed ")) last = trim(line);
  }
  return std::string(last);
}

Error cannot_load(int error, const std::string& sys, std::string_view log) {
  std::string lockdown = text_of(sys + "/kernel/security/lockdown");
  if (lockdown.find("[confidentiality]") != std::string::npos) {
    return host_error(
        "the kernel is locked down for confidentiality: no BPF program may read its memory (boot "
        "with lockdown=integrity or none)");
  }
  std::string words = last_words(log);
  if (!words.empty()) {
    return host_error(format("this kernel refuses iovm's BPF program: {} (use --source perf)",
                             escape_terminal(words)));
  }
  if (error == EPERM || error == EACCES) {
    return host_error(
        "no right to load a BPF program (run as root, or with CAP_BPF and CAP_PERFMON)");
  }
  if (error == ENOMEM) return host_error("no memory for the BPF program (raise ulimit -l)");
  return errno_error("loading the BPF program", error);
}

}  // namespace

struct BpfProgram::Object {
  ~Object() { iovm_bpf::destroy(skeleton); }

  iovm_bpf* skeleton = nullptr;
  std::optional<RingMemory> states;
  std::optional<RingMemory> guests;
  std::optional<RingMemory> left_stops;
  std::vector<iovm_stop_at> stops_at;  // the keys of the map
};

BpfProgram::BpfProgram(std::unique_ptr<Object> object) : object_(std::move(object)) {}
BpfProgram::~BpfProgram() = default;

Result<std::unique_ptr<BpfProgram>> BpfProgram::load(Stops stops, const std::string& sys,
                                                     const std::string& proc) {
  iovm_bpf_settings settings = {};
  find_kvm(sys, proc, settings);
  auto fast = find_arguments(sys + "/kernel/btf", settings);
  if (!fast) return std::move(fast).error();
  int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return errno_error("counting the CPUs", -cpus);
  settings.cpus = static_cast<std::uint32_t>(cpus);
  settings.stops = stops == Stops::some ? 1 : 0;

  libbpf_set_print(nullptr);  // errors are ours to tell
  std::vector<char> log(1U << 16);
  bpf_object_open_opts options = {};
  options.sz = sizeof options;
  options.kernel_log_buf = log.data();
  options.kernel_log_size = log.size();
  auto object = std::make_unique<Object>();
  iovm_bpf* skeleton = object->skeleton = iovm_bpf::open(&options);
  if (!skeleton) return errno_error("opening the BPF program");
  skeleton->rodata->settings = settings;
  skeleton->bss->control.next_state = settings.cpus;
  skeleton->bss->control.epoch = 1;
  bpf_program__set_autoload(skeleton->progs.see_fast_mmio, *fast);
  bpf_map__set_max_entries(skeleton->maps.cpus, settings.cpus);
  bpf_map__set_max_entries(skeleton->maps.rings, settings.cpus + 1);
  if (stops == Stops::some) {
    bpf_map__set_max_entries(skeleton->maps.stops, IOVM_BPF_MOST_STOPS);
    bpf_map__set_max_entries(skeleton->maps.left_stops, IOVM_BPF_MOST_STATES);
  }
  if (int error = iovm_bpf::load(skeleton); error != 0) {
    return cannot_load(-error, sys, log.data());
  }
  auto map = [](bpf_map* of, std::size_t bytes) {
    return RingMemory::map(bpf_map__fd(of), 0, bytes, PROT_READ | PROT_WRITE);
  };
  auto states = map(skeleton->maps.states, IOVM_BPF_MOST_STATES * sizeof(iovm_vcpu_state));
  if (!states) return std::move(states).error();
  auto guests = map(skeleton->maps.guests, IOVM_BPF_MOST_GUESTS * sizeof(iovm_guest));
  if (!guests) return std::move(guests).error();
  object->states = std::move(*states);
  object->guests = std::move(*guests);
  if (stops == Stops::some) {
    auto left = map(skeleton->maps.left_stops, IOVM_BPF_MOST_STATES * sizeof(iovm_left_stop));
    if (!left) return std::move(left).error();
    object->left_stops = std::move(*left);
  }
  return std::unique_ptr<BpfProgram>(new BpfProgram(std::move(object)));
}

std::string BpfProgram::lacks() const {
  if (settings().vmx) {
    return "on Intel CPUs no CPL, and RIP and CR3 only where KVM itself has read them: the rest is "
           "not in memory";
  }
  if (!settings().svm && !settings().pvm) return "no registers: this kind of KVM is not known";
  return settings().no_vmcb ? "no CPL: the types of kvm_amd are not there" : "";
}

Status BpfProgram::attach() {
  int error = iovm_bpf::attach(object_->skeleton);
  if (error == 0) return {};
  if (error == -ENOENT) return host_error("KVM's tracepoints are not there (is kvm loaded?)");
  return errno_error("putting the BPF program on KVM's tracepoints", -error);
}

Status BpfProgram::detach() {
  iovm_bpf::detach(object_->skeleton);
  // The kernel answers a change of a map of maps when no program can see the old one any more.
  auto ring = add_ring(settings().cpus, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
  if (!ring) return std::move(ring).error();
  return {};
}

Status BpfProgram::add_vm(std::uint32_t tgid, const iovm_bpf_vm& vm) {
  int map = bpf_map__fd(object_->skeleton->maps.vms);
  if (bpf_map_update_elem(map, &tgid, &vm, BPF_ANY) != 0) {
    return errno_error(format("VM of pid {}: telling the BPF program", tgid));
  }
  std::atomic_ref(control().epoch).fetch_add(1);
  return {};
}

void BpfProgram::remove_vm(std::uint32_t tgid) {
  bpf_map_delete_elem(bpf_map__fd(object_->skeleton->maps.vms), &tgid);
  std::atomic_ref(control().epoch).fetch_add(1);
}

std::optional<std::uint32_t> BpfProgram::state_of(const iovm_bpf_vcpu& vcpu) {
  int map = bpf_map__fd(object_->skeleton->maps.states_by_vcpu);
  std::uint32_t state = 0;
  if (bpf_map_lookup_elem(map, &vcpu, &state) == 0) return state;
  if (control().next_state >= IOVM_BPF_MOST_STATES) return std::nullopt;
  state = std::atomic_ref(control().next_state).fetch_add(1);
  bpf_map_update_elem(map, &vcpu, &state, BPF_NOEXIST);  // its thread may have been faster
  if (bpf_map_lookup_elem(map, &vcpu, &state) != 0) return std::nullopt;
  return state;
}

Result<UniqueFd> BpfProgram::add_ring(unsigned cpu, std::size_t bytes) {
  UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "iovm_ring", 0, 0,
                               static_cast<std::uint32_t>(bytes), nullptr));
  if (!ring) {
    if (errno != ENOMEM && errno != EPERM) return errno_error("making a BPF ring buffer");
    return host_error("no memory for the BPF ring buffers (use a smaller --buffer)");
  }
  int fd = ring.get();
  if (bpf_map_update_elem(bpf_map__fd(object_->skeleton->maps.rings), &cpu, &fd, BPF_ANY) != 0) {
    return errno_error("giving the BPF program its rings");
  }
  return ring;
}

// Old places go first: one that was taken out of the rules is not to stop anybody meanwhile.
Status BpfProgram::set_stops(std::span<const trace::WriteMatch> writes) {
  auto places = stop_places(writes);
  if (!places) return std::move(places).error();
  int map = bpf_map__fd(object_->skeleton->maps.stops);
  for (const iovm_stop_at& at : std::exchange(object_->stops_at, {})) {
    bpf_map_delete_elem(map, &at);
  }
  for (const StopPlace& place : *places) {
    if (bpf_map_update_elem(map, &place.at, &place.tests, BPF_ANY) != 0) {
      return errno_error("telling the BPF program where to stop VMs");
    }
    object_->stops_at.push_back(place.at);
  }
  return {};
}

std::span<iovm_left_stop> BpfProgram::left_stops() {
  if (!object_->left_stops) return {};
  auto* first = reinterpret_cast<iovm_left_stop*>(object_->left_stops->bytes().data());
  return {first, states().size()};
}

Result<std::uint64_t> BpfProgram::missed() const {
  std::uint64_t missed = 0;
  auto& programs = object_->skeleton->progs;
  for (const bpf_program* program : {programs.see_pio, programs.see_mmio, programs.see_fast_mmio}) {
    if (bpf_program__fd(program) < 0) continue;
    bpf_prog_info info = {};
    std::uint32_t bytes = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes) != 0) {
      return errno_error("asking for the BPF program's counters");
    }
    missed += info.recursion_misses;
  }
  return missed;
}

iovm_bpf_control& BpfProgram::control() {
  return object_->skeleton->bss->control;
}

const iovm_bpf_settings& BpfProgram::settings() const {
  return object_->skeleton->rodata->settings;
}

std::span<iovm_vcpu_state> BpfProgram::states() {
  auto* first = reinterpret_cast<iovm_vcpu_state*>(object_->states->bytes().data());
  std::uint32_t used = std::atomic_ref(control().next_state).load();
  return {first, std::min<std::size_t>(used, IOVM_BPF_MOST_STATES)};
}

std::span<iovm_guest> BpfProgram::guests() {
  return {reinterpret_cast<iovm_guest*>(object_->guests->bytes().data()), IOVM_BPF_MOST_GUESTS};
}

}  // namespace iovm::record
