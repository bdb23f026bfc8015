// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "detect/response.h"

namespace iovm::detect {
namespace {

std::string vm_text(const Alert& alert) {
  return iovm::format(
      "VM {} (pid {})",
      alert.stream.vm_name.empty() ? "without a name" : escape_terminal(alert.stream.vm_name),
      alert.stream.vmm_pid);
}

// Whether the process has a VM: a pid that was given again since is nobody's to stop.
bool holds_vm(std::int64_t pid) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator it(iovm::format("/proc/{}/fd", pid), error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (fs::read_symlink(it->path(), gone).string() == "anon_inode:kvm-vm") return true;
  }
  return false;
}

class StopVmm : public Response {
 public:
  explicit StopVmm(Say say) : say_(std::move(say)) {}

  Stop alarm(const Alert& alert) override {
    std::int64_t pid = alert.stream.vmm_pid;
    if (pid <= 0) {
      say_("--on-alert pause: the VMM of " + vm_text(alert) + " is not known");
      return Stop::none;
    }
    // First the handle, then the look: it is this very process that is stopped.
    UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
    if (!handle || !holds_vm(pid)) {
      say_("--on-alert pause: " + vm_text(alert) + " is gone");
      return Stop::none;
    }
    if (::syscall(SYS_pidfd_send_signal, handle.get(), SIGSTOP, nullptr, 0) != 0) {
      say_(errno_error("--on-alert pause: stopping " + vm_text(alert)).message());
      return Stop::none;
    }
    say_(iovm::format("{} is stopped (kill -CONT {} lets it go on)", vm_text(alert), pid));
    return Stop::signal;
  }

 private:
  Say say_;
};

// A conversation by lines of JSON, with a limit of time on every read and write.
class Qmp {
 public:
  static Result<Qmp> connect(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return usage_error("the socket's path is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    Qmp out;
    out.fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    timeval limit{3, 0};
    ::setsockopt(out.fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(out.fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const auto* a = reinterpret_cast<const sockaddr*>(&address);
    if (!out.fd_ || ::connect(out.fd_.get(), a, sizeof address) != 0) {
      return errno_error("connecting to " + escape_terminal(path));
    }
    if (auto greeting = out.line(); !greeting) return std::move(greeting).error();
    return out;
  }

  // Until the answer: events may come before it.
  Status run(const std::string& command) {
    std::string text = "{\"execute\":\"" + command + "\"}\n";
    if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size())) {
      return errno_error("writing to the monitor");
    }
    for (int lines = 0; lines < 1000; ++lines) {
      auto answer = line();
      if (!answer) return std::move(answer).error();
      auto json = JsonValue::parse(*answer);
      if (!json) return std::move(json).error();
      if (json->member("return")) return {};
      if (json->member("error")) return host_error("the VMM refused " + command);
    }
    return host_error("the VMM did not answer " + command);
  }

 private:
  Result<std::string> line() {
    constexpr std::size_t kLongest = std::size_t{1} << 20;
    std::size_t end = text_.find('\n');
    while (end == std::string::npos && text_.size() < kLongest) {
      std::array<char, 4096> piece;
      ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return errno_error("reading from the monitor", got == 0 ? ECONNRESET : errno);
      text_.append(piece.data(), static_cast<std::size_t>(got));
      end = text_.find('\n');
    }
    if (end == std::string::npos) return input_error("the monitor's answer is too long");
    std::string out = text_.substr(0, end);
    text_.erase(0, end + 1);
    return out;
  }

  UniqueFd fd_;
  std::string text_;
};

Status qmp_stop(const std::string& path) {
  auto qmp = Qmp::connect(path);
  if (!qmp) return std::move(qmp).error();
  if (auto ok = qmp->run("qmp_capabilities"); !ok) return ok;
  return qmp->run("stop");
}

class StopByQmp : public Response {
 public:
  StopByQmp(std::string path, Workers& workers, Say say)
      : path_(std::move(path)), workers_(workers), say_(std::move(say)) {}

  Stop alarm(const Alert& alert) override {
    bool taken = workers_.take([path = path_, say = say_, vm = vm_text(alert)] {
      auto ok = qmp_stop(path);
      say(ok ? vm + " is stopped (cont in its monitor lets it go on)"
             : "--on-alert pause: " + ok.error().message());
    });
    if (!taken) say_("--on-alert pause: too many commands wait");
    return taken ? Stop::monitor : Stop::none;
  }

 private:
  std::string path_;
  Workers& workers_;
  Say say_;
};

}  // namespace

std::unique_ptr<Response> stop_vmm(Say say) {
  return std::make_unique<StopVmm>(std::move(say));
}

std::unique_ptr<Response> stop_by_qmp(std::string socket, Workers& workers, Say say) {
  return std::make_unique<StopByQmp>(std::move(socket), workers, std::move(say));
}

}  // namespace iovm::detect
