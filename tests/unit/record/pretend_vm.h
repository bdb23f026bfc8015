// SPDX-License-Identifier: Apache-2.0
//
// A VM without KVM, for the live source on a host whose kvm tracepoints never fire. The "VMM" is a
// child process; a system call of it is its "exit": two tracepoints of system calls that do nothing
// (their first argument is invalid) are passed off as kvm_pio and kvm_mmio by format texts of our
// own, whose fields lie on the call's arguments. A /proc of our own shows the child as a VMM with
// one vCPU. Everything else is real: perf events, rings, threads, times, the end of the process.
#pragma once

#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "record/tracefs.h"
#include "record/vm.h"

namespace iovm::record {

// A folder that goes with its owner.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "iovm-test.XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_; }

 private:
  std::string path_;
};

// The tracing directory in which ioprio_get is kvm_pio and ioprio_set is kvm_mmio (hardly a program
// makes those calls); nothing where this process may not trace system calls.
inline std::optional<Tracefs> pretend_tracefs(const std::string& folder) {
  auto real = Tracefs::find();
  if (!real) return std::nullopt;
  auto make = [&](const char* name, const char* call, const char* fields) {
    std::ifstream in(real->root() + "/events/syscalls/sys_enter_" + call + "/id");
    int id = 0;
    if (!(in >> id)) return false;
    std::filesystem::create_directories(folder + "/events/kvm/" + name);
    std::ofstream(folder + "/events/kvm/" + name + "/format")
        << "name: " << name << "\nID: " << id << "\nformat:\n"
        << "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
        << fields << "\nprint fmt: \"\"\n";
    return true;
  };
  bool made = make("kvm_pio", "ioprio_get",
                   "\tfield:u8 size;\toffset:16;\tsize:1;\tsigned:0;\n"
                   "\tfield:u16 port;\toffset:24;\tsize:2;\tsigned:0;\n"
                   "\tfield:u16 val;\toffset:26;\tsize:2;\tsigned:0;\n"
                   "\tfield:u32 rw;\toffset:28;\tsize:4;\tsigned:0;\n") &&
              make("kvm_mmio", "ioprio_set",
                   "\tfield:u8 type;\toffset:16;\tsize:1;\tsigned:0;\n"
                   "\tfield:u64 gpa;\toffset:24;\tsize:8;\tsigned:0;\n"
                   "\tfield:u32 len;\toffset:32;\tsize:4;\tsigned:0;\n"
                   "\tfield:u32 val;\toffset:36;\tsize:4;\tsigned:0;\n");
  return made ? std::optional(Tracefs(folder)) : std::nullopt;
}

// In the child: one "exit".
inline void pretend_in(std::uint16_t port, std::uint16_t value) {
  ::syscall(SYS_ioprio_get, 0x101L, static_cast<long>(port) | static_cast<long>(value) << 16);
}
inline void pretend_mmio(int type, std::uint64_t gpa, std::uint32_t length, std::uint32_t value) {
  ::syscall(SYS_ioprio_set, 0x100L | type, static_cast<long>(gpa),
            static_cast<long>(length) | static_cast<long>(value) << 32);
}

class PretendVm {
 public:
  PretendVm(const std::string& proc, const std::string& name) : proc_(proc) {
    int to_child[2];
    int to_parent[2];
    if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(to_parent, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      live(to_child[0], to_parent[1]);
    }
    ::close(to_child[0]);
    ::close(to_parent[1]);
    command_ = to_child[1];
    answer_ = to_parent[0];
    show(name);
  }
  PretendVm(const PretendVm&) = delete;
  PretendVm& operator=(const PretendVm&) = delete;
  ~PretendVm() {
    end();
    ::close(command_);
    ::close(answer_);
  }

  std::int32_t pid() const { return pid_; }
  // Stays on that CPU from now on: one ring holds all its accesses.
  void stay_on_cpu(int cpu) const {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::sched_setaffinity(pid_, sizeof set, &set);
  }
  // Reads port 0x61 so many times, as fast as it goes; returns when done.
  void storm(std::uint32_t times) { order({0, times}); }
  // The same in a thread that did not exist before.
  void storm_of_new_thread(std::uint32_t times) { order({1, times}); }
  // So many loads that user space answers: two records each, value 7.
  void loads(std::uint32_t times) { order({2, times}); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  struct Order {
    std::uint32_t what;
    std::uint32_t times;
  };

  void order(Order order) {
    char done = 0;
    if (::write(command_, &order, sizeof order) < 0 || ::read(answer_, &done, 1) != 1) std::abort();
  }

  [[noreturn]] static void live(int commands, int answers) {
    auto reads = [](std::uint32_t times) {
      for (std::uint32_t i = 0; i < times; ++i) pretend_in(0x61, static_cast<std::uint16_t>(i));
    };
    for (Order order = {}; ::read(commands, &order, sizeof order) == sizeof order;) {
      if (order.what == 0) reads(order.times);
      if (order.what == 1) std::thread(reads, order.times).join();
      for (std::uint32_t i = 0; order.what == 2 && i < order.times; ++i) {
        pretend_mmio(0, 0xfed000f0, 4, 0);
        pretend_mmio(1, 0xfed000f0, 4, 7);
      }
      if (::write(answers, "", 1) != 1) break;
    }
    ::_exit(0);
  }

  // Puts the child into the /proc of our own as a QEMU of that name.
  void show(const std::string& name) {
    std::string root = proc_ + "/" + std::to_string(pid_);
    std::filesystem::create_directories(root + "/fd");
    std::filesystem::create_directories(root + "/task/" + std::to_string(pid_));
    std::ofstream(root + "/comm") << "qemu-system-x86\n";
    std::ofstream(root + "/cmdline")
        << std::string("qemu-system-x86_64\0-name\0", 25) << name << '\0';
    std::ofstream(root + "/status") << "PPid:\t1\n";
    std::ofstream(root + "/task/" + std::to_string(pid_) + "/comm") << "qemu-system-x86\n";
    std::filesystem::create_symlink("anon_inode:kvm-vm", root + "/fd/11");
    std::filesystem::create_symlink("anon_inode:kvm-vcpu:0", root + "/fd/20");
  }

  std::string proc_;
  pid_t pid_ = -1;
  int command_ = -1;
  int answer_ = -1;
};

}  // namespace iovm::record
