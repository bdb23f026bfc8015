// SPDX-License-Identifier: Apache-2.0
#include "record/proc_process.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::size_t kSmallFile = 64U << 10;
constexpr std::size_t kCommandLineLimit = 1U << 20;
constexpr std::size_t kMapsLimit = 16U << 20;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

template <typename Number>
std::optional<Number> whole(std::string_view text, int base = 10) {
  Number number{};
  auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (failure != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

// The entries of a folder whose names are numbers, ascending, at most `limit`.
std::vector<std::int32_t> numbers_in(const Directory& directory, std::size_t limit) {
  std::vector<std::int32_t> numbers;
  while (const dirent* entry = ::readdir(directory.get())) {
    auto number = whole<std::int32_t>(entry->d_name);
    if (number && *number >= 0) numbers.push_back(*number);
    if (numbers.size() == limit) break;
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string link_target(const std::string& path) {
  std::array<char, 4096> target;
  ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

// The content, empty where it cannot be read.
std::string text_of(const std::string& path, std::size_t limit) {
  auto content = read_file(path, limit);
  return content ? *std::move(content) : std::string();
}

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

// "7f12-7f34 rw-p 0 00:00 0   /path" as an address range, if it is writable.
struct Range {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};
std::optional<Range> writable_range(std::string_view line) {
  std::size_t dash = line.find('-');
  std::size_t blank = line.find(' ');
  if (dash == std::string_view::npos || blank == std::string_view::npos || blank < dash)
    return std::nullopt;
  if (!line.substr(blank + 1).starts_with("rw")) return std::nullopt;
  auto from = whole<std::uint64_t>(line.substr(0, dash), 16);
  auto to = whole<std::uint64_t>(line.substr(dash + 1, blank - dash - 1), 16);
  if (!from || !to || *to < *from) return std::nullopt;
  return Range{*from, *to};
}

// How far /proc shows times of the boot clock too late: "boottime SECONDS NANOSECONDS".
std::uint64_t ticks_of_time_namespace(const std::string& path) {
  constexpr std::int64_t kTick = 10'000'000;  // ns, USER_HZ
  std::string offsets = text_of(path, kSmallFile);
  for (std::string_view line : split(offsets, '\n')) {
    if (!line.starts_with("boottime ")) continue;
    std::vector<std::string_view> words = split(trim(line.substr(9)), ' ');
    auto seconds = parse_signed(words.front());
    auto nanoseconds = parse_signed(words.back());
    if (!seconds || !nanoseconds) break;
    return static_cast<std::uint64_t>(*seconds * (1'000'000'000 / kTick) + *nanoseconds / kTick);
  }
  return 0;
}

}  // namespace

ProcProcess::ProcProcess(std::string_view proc_root, std::int32_t pid)
    : path_(format("{}/{}/", proc_root, pid)), pid_(pid) {}

std::optional<std::vector<Descriptor>> ProcProcess::descriptors() const {
  Directory directory(::opendir((path_ + "fd").c_str()));
  if (!directory) {
    if (errno == EACCES || errno == EPERM) return std::nullopt;
    return std::vector<Descriptor>();
  }
  std::vector<Descriptor> found;
  for (std::int32_t number : numbers_in(directory, 1U << 20)) {
    found.push_back({number, link_target(format("{}fd/{}", path_, number))});
  }
  return found;
}

std::vector<std::string> ProcProcess::command_line() const {
  std::string content = text_of(path_ + "cmdline", kCommandLineLimit);
  if (content.ends_with('\0')) content.pop_back();
  std::vector<std::string> words;
  if (content.empty()) return words;
  for (std::string_view word : split(content, '\0')) words.emplace_back(word);
  return words;
}

std::string ProcProcess::comm() const {
  return without_line_end(text_of(path_ + "comm", kSmallFile));
}

std::string ProcProcess::executable() const {
  constexpr std::string_view kDeleted = " (deleted)";
  std::string target = link_target(path_ + "exe");
  if (target.ends_with(kDeleted)) target.resize(target.size() - kDeleted.size());
  return target;
}

std::int32_t ProcProcess::parent() const {
  std::string status = text_of(path_ + "status", kSmallFile);
  for (std::string_view line : split(status, '\n')) {
    if (!line.starts_with("PPid:")) continue;
    return whole<std::int32_t>(trim(line.substr(5))).value_or(-1);
  }
  return -1;
}

std::optional<std::uint64_t> ProcProcess::started() const {
  std::string stat = text_of(path_ + "stat", kSmallFile);
  std::size_t name_ends = stat.rfind(')');  // a name can have any character
  if (name_ends == std::string::npos) return std::nullopt;
  std::vector<std::string_view> fields =
      split(trim(std::string_view(stat).substr(name_ends + 1)), ' ');
  constexpr std::size_t kStart = 22 - 3;  // field 22; the first here is field 3
  if (fields.size() <= kStart) return std::nullopt;
  auto start = whole<std::uint64_t>(fields[kStart]);
  if (!start) return std::nullopt;
  return *start - ticks_of_time_namespace(path_ + "../self/timens_offsets");
}

std::uint64_t ProcProcess::largest_mapping() const {
  std::string maps = text_of(path_ + "maps", kMapsLimit);
  std::uint64_t largest = 0;
  Range run;
  for (std::string_view line : split(maps, '\n')) {
    auto range = writable_range(line);
    if (!range) continue;
    // The kernel splits one mapping into several lines (madvise, protections): neighbours are one.
    run = range->from == run.to ? Range{run.from, range->to} : *range;
    largest = std::max(largest, run.to - run.from);
  }
  return largest;
}

std::vector<std::int32_t> ProcProcess::threads() const {
  Directory directory(::opendir((path_ + "task").c_str()));
  if (!directory) return {};
  return numbers_in(directory, kMaxThreads);
}

std::string ProcProcess::thread_comm(std::int32_t tid) const {
  return without_line_end(text_of(format("{}task/{}/comm", path_, tid), kSmallFile));
}

std::optional<BlockedCall> ProcProcess::blocked_call(std::int32_t tid) const {
  std::string text = text_of(format("{}task/{}/syscall", path_, tid), kSmallFile);
  std::vector<std::string_view> words = split(trim(text), ' ');
  BlockedCall call;
  if (words.size() < 4) return std::nullopt;  // "running"
  auto number = parse_signed(words[0]);
  if (!number) return std::nullopt;
  call.number = *number;
  for (std::size_t i = 0; i < 3; ++i) {
    auto argument = parse_unsigned(words[i + 1]);
    if (!argument) return std::nullopt;
    call.argument[i] = *argument;
  }
  // A worker that the kernel made out of that thread (KVM's "kvm-nx-lpage-re") shows the call in
  // which it was made, but has neither stack nor code in user space.
  if (words.size() == 9 && words[7] == "0x0" && words[8] == "0x0") return std::nullopt;
  return call;
}

std::optional<std::vector<std::int32_t>> list_pids(const std::string& proc_root) {
  Directory directory(::opendir(proc_root.c_str()));
  if (!directory) return std::nullopt;
  return numbers_in(directory, 1U << 22);
}

}  // namespace iovm::record
