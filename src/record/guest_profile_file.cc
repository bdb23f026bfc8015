// SPDX-License-Identifier: Apache-2.0
#include "record/guest_profile_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::size_t kLongestName = 128;

std::string folder_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

bool is_ours(const struct stat& status) {
  constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
  return status.st_uid == ::geteuid() && (status.st_mode & kOthersWrite) == 0;
}

Status check_folder(const std::string& folder) {
  struct stat status = {};
  if (::lstat(folder.c_str(), &status) != 0) return errno_error(folder);
  if (!S_ISDIR(status.st_mode) || !is_ours(status))
    return host_error(format("{}: others can write it, or it is not ours", folder));
  return {};
}

}  // namespace

std::string profile_path(const std::string& folder, const std::string& proc_root,
                         const trace::VmInfo& vm) {
  const std::string& name = vm.uuid.empty() ? vm.name : vm.uuid;
  struct stat vmm = {};
  if (name.empty() || ::stat(format("{}/{}", proc_root, vm.pid).c_str(), &vmm) != 0) return {};
  std::string safe;
  for (char c : percent_encode(name)) safe += c == '/' ? "%2F" : std::string(1, c);
  if (safe.size() > kLongestName) return {};
  return format("{}/{}-{}.profile", folder, vmm.st_uid, safe);
}

Result<KernelProfile> load_profile(const std::string& path) {
  if (path.empty()) return input_error("none is kept of a VM without a name");
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ENOENT) return input_error("none is kept yet");
  if (!fd) return errno_error(path);
  if (auto checked = check_folder(folder_of(path)); !checked) return std::move(checked).error();
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || !is_ours(status))
    return host_error(format("{}: others can write it, or it is not ours", path));
  std::string text(KernelProfile::kMostBytes + 1, '\0');
  auto read = read_full(fd.get(), std::as_writable_bytes(std::span(text)));
  if (!read) return std::move(read).error().in(path);
  text.resize(*read);
  auto profile = KernelProfile::parse(text);
  if (!profile) return std::move(profile).error().in(path);
  return profile;
}

Status save_profile(const std::string& path, const KernelProfile& profile) {
  std::string folder = folder_of(path);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return errno_error(folder);
  if (auto checked = check_folder(folder); !checked) return checked;
  std::string fresh = path + ".XXXXXX";
  UniqueFd fd(::mkostemp(fresh.data(), O_CLOEXEC));
  if (!fd) return errno_error(fresh);
  std::string text = profile.text();
  auto written = write_full(fd.get(), std::as_bytes(std::span(text)));
  if (written && ::rename(fresh.c_str(), path.c_str()) == 0) return {};
  int error = errno;
  ::unlink(fresh.c_str());
  return written ? Status(errno_error("replacing " + path, error)) : written;
}

}  // namespace iovm::record
