// SPDX-License-Identifier: Apache-2.0
#include "record/trace_dat_child.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace iovm::record::tracecmd {
namespace {

constexpr rlim_t kMostMemory = rlim_t{1} << 30;
constexpr uid_t kNobody = 65534;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // their shadow memory is terabytes of address space
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

// From here on the process can read what it has open, use memory, and little else.
void give_up_rights() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit memory{kMostMemory, kMostMemory};
  if (!kSanitized) ::setrlimit(RLIMIT_AS, &memory);
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::setrlimit(RLIMIT_NPROC, &none);
  if (::geteuid() != 0) return;
  // All of the ids, or the process ends: a half-dropped right is not dropped.
  if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
      ::setresuid(kNobody, kNobody, kNobody) != 0)
    ::_exit(1);
}

[[noreturn]] void run_child(int file, int out) {
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  give_up_rights();
  ::_exit(read_trace_dat(file, out));
}

}  // namespace

Result<Child> Child::start(const UniqueFd& file) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("making a pipe");
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  pid_t pid = ::fork();
  if (pid < 0) return errno_error("starting a process for libtracecmd");
  if (pid == 0) run_child(file.get(), to_parent.get());
  return Child(std::move(from_child), pid);
}

Child::Child(Child&& other) noexcept
    : pipe_(std::move(other.pipe_)),
      pid_(std::exchange(other.pid_, -1)),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      end_(other.end_) {}

Child::~Child() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Whether that many bytes are at hand, reading if they are not.
Result<bool> Child::have(std::size_t bytes) {
  if (begin_ > 0 && end_ - begin_ < bytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < bytes) {
    ssize_t got = ::read(pipe_.get(), buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("reading from libtracecmd's process");
    if (got == 0) return false;
    end_ += static_cast<std::size_t>(got);
  }
  return true;
}

Result<std::optional<Message>> Child::next() {
  auto at_hand = have(sizeof(MessageHead));
  if (!at_hand) return std::move(at_hand).error();
  if (!*at_hand) return std::optional<Message>();
  Message message;
  std::memcpy(&message.head, buffer_.data() + begin_, sizeof message.head);
  if (message.head.bytes > kMostPayload || message.head.kind > MessageKind::refused)
    return std::optional<Message>();
  at_hand = have(sizeof(MessageHead) + message.head.bytes);
  if (!at_hand) return std::move(at_hand).error();
  if (!*at_hand) return std::optional<Message>();
  message.payload =
      std::span<const std::byte>(buffer_).subspan(begin_ + sizeof(MessageHead), message.head.bytes);
  begin_ += sizeof(MessageHead) + message.head.bytes;
  return std::optional<Message>(message);
}

}  // namespace iovm::record::tracecmd
