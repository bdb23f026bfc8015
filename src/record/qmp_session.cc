// SPDX-License-Identifier: Apache-2.0
#include "record/qmp_session.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kListening = 0x10000;  // a flag of /proc/net/unix
constexpr int kLooks = 5;
constexpr auto kPause = std::chrono::milliseconds(20);

// The socket as the VMM sees it, in its root and working directory; nothing in there leads out of
// it.
Result<UniqueFd> open_socket(const std::string& process, const std::string& path) {
  std::string whole = path;
  if (!path.starts_with('/')) {
    std::array<char, 4096> folder = {};
    ssize_t length = ::readlink((process + "/cwd").c_str(), folder.data(), folder.size());
    if (length < 0) return errno_error(process + "/cwd");
    whole =
        format("{}/{}", std::string_view(folder.data(), static_cast<std::size_t>(length)), path);
  }
  UniqueFd root(::open((process + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return errno_error(process + "/root");
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(
      static_cast<int>(::syscall(SYS_openat2, root.get(), whole.c_str(), &how, sizeof how)));
  if (!fd) return errno_error(escape_terminal(path));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISSOCK(status.st_mode))
    return host_error(format("{} is no socket", escape_terminal(path)));
  return fd;
}

// Whether somebody is connected to the socket bound as `path`, or waits to be.
Result<bool> is_taken(const std::string& process, std::string_view path) {
  auto table = read_file(process + "/net/unix", std::size_t{64} << 20);
  if (!table) return std::move(table).error();
  for (std::string_view line : split(*table, '\n')) {
    // "Num: RefCount Protocol Flags Type St Inode Path"
    if (!line.ends_with(path)) continue;
    std::string_view fields = line.substr(0, line.size() - path.size());
    if (!fields.ends_with(' ')) continue;
    std::vector<std::string_view> words;
    for (std::string_view word : split(fields, ' ')) {
      if (!word.empty()) words.push_back(word);
    }
    if (words.size() != 7) continue;  // a longer path that ends so
    auto flags = parse_unsigned("0x" + std::string(words[3]));
    if (!flags || (*flags & kListening) == 0) return true;
  }
  return false;
}

// Somebody who only asks, as we do, is gone in a moment.
Status wait_until_free(const std::string& process, std::string_view path, std::uint64_t deadline) {
  for (int look = 0; look < kLooks && monotonic_ns() < deadline; ++look) {
    if (look > 0) std::this_thread::sleep_for(kPause);
    auto taken = is_taken(process, path);
    if (!taken) return std::move(taken).error();
    if (!*taken) return {};
  }
  return host_error("somebody else is connected to it");
}

class Session {
 public:
  Session(UniqueFd fd, std::uint64_t deadline) : fd_(std::move(fd)), deadline_(deadline) {}

  // The next whole JSON object: QMP puts one a line, -qmp-pretty over many.
  Result<std::string> message() {
    for (;;) {
      if (auto text = whole_message()) return *std::move(text);
      if (auto more = receive(); !more) return std::move(more).error();
    }
  }
  // The answer to a command; events in between are none.
  Result<std::string> ask(std::string_view command) {
    std::string line = format("{{\"execute\":\"{}\"}}\n", command);
    // So few bytes fit into a socket that nothing was written to.
    if (::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
        static_cast<ssize_t>(line.size()))
      return errno_error(format("asking {}", command));
    for (;;) {
      auto text = message();
      if (!text) return text;
      auto json = JsonValue::parse(*text);
      if (!json) return input_error("an answer that is no JSON");
      if (json->member("return")) return text;
      if (auto error = json->member("error")) {
        auto why = error->member("desc") ? error->member("desc")->text() : std::nullopt;
        return input_error(
            format("{} was refused: {}", command, escape_terminal(why.value_or("-"))));
      }
    }
  }

 private:
  std::optional<std::string> whole_message();
  Status receive();

  UniqueFd fd_;
  std::uint64_t deadline_;
  std::string buffer_;
  std::size_t looked_ = 0;  // bytes of the buffer that were looked at
  std::size_t begin_ = 0;   // of the message
  std::size_t total_ = 0;
  std::size_t depth_ = 0;
  bool quoted_ = false;
  bool escaped_ = false;
};

std::optional<std::string> Session::whole_message() {
  for (; looked_ < buffer_.size(); ++looked_) {
    char c = buffer_[looked_];
    if (quoted_) {
      if (!escaped_ && c == '"') quoted_ = false;
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
      quoted_ = depth_ > 0;
    } else if (c == '{') {
      if (depth_++ == 0) begin_ = looked_;
    } else if (c == '}' && depth_ > 0 && --depth_ == 0) {
      std::string text = buffer_.substr(begin_, looked_ + 1 - begin_);
      buffer_.erase(0, looked_ + 1);
      looked_ = 0;
      return text;
    }
  }
  return std::nullopt;
}

Status Session::receive() {
  for (;;) {
    std::uint64_t now = monotonic_ns();
    if (now >= deadline_) return host_error("no answer in time");
    pollfd one = {fd_.get(), POLLIN, 0};
    int ready = ::poll(&one, 1, static_cast<int>((deadline_ - now) / 1'000'000 + 1));
    if (ready < 0 && errno != EINTR) return errno_error("waiting for QMP");
    if (ready > 0) break;
  }
  std::array<char, 65536> bytes;
  ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got < 0) return errno_error("reading QMP");
  if (got == 0) return host_error("the VMM hung up");
  total_ += static_cast<std::size_t>(got);
  if (total_ > kMostAnswer) return input_error("an answer without end");
  buffer_.append(bytes.data(), static_cast<std::size_t>(got));
  return {};
}

Result<UniqueFd> connect_to(const UniqueFd& socket_file, std::int32_t pid) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("making a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Of any length, and just what was looked at.
  std::string link = format("/proc/self/fd/{}", socket_file.get());
  std::memcpy(address.sun_path, link.c_str(), link.size() + 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return errno == EAGAIN ? host_error("others wait for it") : errno_error("connecting");
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return errno_error("asking who listens");
  if (peer.pid != pid) return host_error(format("pid {} listens there, not this VMM", peer.pid));
  return fd;
}

}  // namespace

Result<std::string> ask_qmp(const std::string& proc_root, std::int32_t pid, const std::string& path,
                            std::string_view command, std::uint64_t deadline) {
  std::string process = format("{}/{}", proc_root, pid);
  if (path.find('\n') != std::string::npos) return host_error("a path of two lines");
  auto socket_file = open_socket(process, path);
  if (!socket_file) return std::move(socket_file).error();
  if (auto is_free = wait_until_free(process, path, deadline); !is_free)
    return std::move(is_free).error();
  auto connected = connect_to(*socket_file, pid);
  if (!connected) return std::move(connected).error();
  Session session(std::move(*connected), deadline);
  auto greeting = session.message();
  if (!greeting) return greeting;
  auto json = JsonValue::parse(*greeting);
  if (!json || !json->member("QMP")) return input_error("what answers there is not QMP");
  if (auto ready = session.ask("qmp_capabilities"); !ready) return ready;
  return session.ask(command);
}

}  // namespace iovm::record
