// SPDX-License-Identifier: Apache-2.0
#include "record/libvirt_monitor.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "record/qmp_session.h"

namespace iovm::record {
namespace {

// The functions of libvirt that are used, looked up by name: its headers are not needed to build,
// its libraries are not needed to run.
struct Libvirt {
  void* (*open)(const char*) = nullptr;
  void* (*by_uuid)(void*, const char*) = nullptr;
  void* (*by_name)(void*, const char*) = nullptr;
  int (*monitor_command)(void*, const char*, char**, unsigned) = nullptr;
  const char* (*last_error)() = nullptr;
  void (*set_error_function)(void*, void (*)(void*, void*)) = nullptr;

  bool load(const LibvirtPlace& place) {
    void* library = ::dlopen(place.library.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* qemu =
        library == nullptr ? nullptr : ::dlopen(place.qemu_library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (qemu == nullptr) return false;
    return find(library, open, "virConnectOpen") &&
           find(library, by_uuid, "virDomainLookupByUUIDString") &&
           find(library, by_name, "virDomainLookupByName") &&
           find(library, last_error, "virGetLastErrorMessage") &&
           find(library, set_error_function, "virSetErrorFunc") &&
           find(qemu, monitor_command, "virDomainQemuMonitorCommand");
  }

 private:
  template <typename Function>
  static bool find(void* library, Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
  }
};

// The first byte that the child writes: what follows.
constexpr std::string_view kAnswer = "+", kRefusal = "-";

// In the child: an answer or a refusal with its reason, in that order.
std::pair<std::string_view, std::string> ask(const LibvirtPlace& place, const trace::VmInfo& vm,
                                             const std::string& command) {
  Libvirt libvirt;
  if (!libvirt.load(place)) return {kRefusal, "its library is not there"};
  libvirt.set_error_function(nullptr, [](void*, void*) {});  // libvirt would print to stderr
  auto refused = [&] {
    const char* why = libvirt.last_error();
    return std::pair(kRefusal, std::string(why != nullptr ? why : "it does not say why"));
  };
  void* connection = libvirt.open(place.uri.c_str());
  if (connection == nullptr) return refused();
  void* domain = vm.uuid.empty() ? nullptr : libvirt.by_uuid(connection, vm.uuid.c_str());
  if (domain == nullptr && !vm.name.empty()) domain = libvirt.by_name(connection, vm.name.c_str());
  if (domain == nullptr) return refused();
  char* answer = nullptr;
  if (libvirt.monitor_command(domain, command.c_str(), &answer, 0) != 0 || answer == nullptr)
    return refused();
  return {kAnswer, answer};  // the process ends: nothing is given back
}

[[noreturn]] void run_child(int out, pid_t parent, const LibvirtPlace& place,
                            const trace::VmInfo& vm, const std::string& command) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  for (int signal : {SIGINT, SIGTERM}) ::signal(signal, SIG_DFL);
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  auto [kind, text] = ask(place, vm, command);
  for (std::string_view part : {kind, std::string_view(text)}) {
    if (!write_full(out, std::as_bytes(std::span(part)))) ::_exit(1);
  }
  ::_exit(0);
}

// All that comes through the pipe until its end.
Result<std::string> read_until(int fd, std::uint64_t deadline) {
  std::string text;
  std::array<char, 65536> bytes;
  for (;;) {
    std::uint64_t now = monotonic_ns();
    if (now >= deadline) return host_error("no answer in time");
    pollfd one = {fd, POLLIN, 0};
    int ready = ::poll(&one, 1, static_cast<int>((deadline - now) / 1'000'000 + 1));
    if (ready < 0 && errno != EINTR) return errno_error("waiting for libvirt");
    if (ready <= 0) continue;
    ssize_t got = ::read(fd, bytes.data(), bytes.size());
    if (got < 0 && errno != EINTR) return errno_error("reading libvirt's answer");
    if (got == 0) return text;
    if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
    if (text.size() > kMostAnswer) return input_error("an answer without end");
  }
}

void end(pid_t child) {
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Result<std::string> ask_libvirt(const LibvirtPlace& place, const trace::VmInfo& vm,
                                std::string_view command, std::uint64_t deadline) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("making a pipe");
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  pid_t parent = ::getpid();
  pid_t child = ::fork();
  if (child < 0) return errno_error("starting a process for libvirt");
  if (child == 0) run_child(to_parent.get(), parent, place, vm, std::string(command));
  to_parent.reset();
  auto text = read_until(from_child.get(), deadline);
  end(child);
  if (!text) return text;
  if (text->starts_with(kAnswer)) return text->substr(kAnswer.size());
  if (text->starts_with(kRefusal))
    return host_error(escape_terminal(text->substr(kRefusal.size())));
  return host_error("its library ended the process that asked");
}

}  // namespace iovm::record
