// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <span>

#include "base/fd.h"
#include "base/format.h"
#include "detect/render.h"
#include "detect/response.h"

namespace iovm::detect {
namespace {

constexpr std::chrono::seconds kLongestCommand(60);

// The text as a file that is in memory only, at its beginning: unlike a pipe it takes any length at
// once, and a command that does not read it disturbs nobody.
Result<UniqueFd> as_file(const std::string& text) {
  UniqueFd fd(::memfd_create("iovm-alert", MFD_CLOEXEC));
  if (!fd) return errno_error("keeping the alert for a command");
  if (auto ok = write_full(fd.get(), std::as_bytes(std::span(text))); !ok) return Error(ok.error());
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) return errno_error("keeping the alert for a command");
  return fd;
}

// In a process group of its own, with the signals as at the start of any program.
Result<pid_t> spawn(const std::string& command, int input) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  if (::posix_spawn_file_actions_init(&files) != 0 || ::posix_spawnattr_init(&attributes) != 0) {
    return host_error("out of memory");
  }
  sigset_t none, normal;
  sigemptyset(&none);
  sigemptyset(&normal);
  for (int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) sigaddset(&normal, signal);
  ::posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &normal);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  std::string shell = "sh", option = "-c", text = command;
  std::array<char*, 4> words = {shell.data(), option.data(), text.data(), nullptr};
  pid_t pid = -1;
  int error = ::posix_spawn(&pid, "/bin/sh", &files, &attributes, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return errno_error("starting /bin/sh", error);
  return pid;
}

// How it ended, in words; nothing if all was well.
std::string wait_for(pid_t pid) {
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd end{handle.get(), POLLIN, 0};
  auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(kLongestCommand);
  int ready = -1;
  do {
    ready = ::poll(&end, 1, static_cast<int>(limit.count()));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (ready == 0)
    return iovm::format("ran longer than {} s and was ended", kLongestCommand.count());
  if (WIFSIGNALED(status)) return iovm::format("was ended by signal {}", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return iovm::format("ended with {}", WEXITSTATUS(status));
  return {};
}

class RunCommand : public Response {
 public:
  RunCommand(std::string command, Workers& workers, Say say)
      : command_(std::move(command)), workers_(workers), say_(std::move(say)) {}

  Stop alarm(const Alert& alert) override {
    bool taken = workers_.take(
        [command = command_, json = alert_json(alert), say = say_] { run(command, json, say); });
    if (!taken && left_out_.fetch_add(1) == 0)
      say_("--on-alert exec: too many commands wait; alerts are not handed on");
    return Stop::none;
  }
  ~RunCommand() override {
    std::uint64_t count = left_out_.load();
    if (count > 0) say_(iovm::format("--on-alert exec: {} alerts were not handed on", count));
  }

 private:
  static void run(const std::string& command, const std::string& json, const Say& say) {
    auto input = as_file(json);
    if (!input) return say(input.error().message());
    auto pid = spawn(command, input->get());
    if (!pid) return say(pid.error().message());
    if (std::string what = wait_for(*pid); !what.empty()) say("the command of --on-alert " + what);
  }

  std::string command_;
  Workers& workers_;
  Say say_;
  std::atomic<std::uint64_t> left_out_ = 0;  // recordings are looked at by several threads
};

}  // namespace

std::unique_ptr<Response> run_command(std::string command, Workers& workers, Say say) {
  return std::make_unique<RunCommand>(std::move(command), workers, std::move(say));
}

}  // namespace iovm::detect
