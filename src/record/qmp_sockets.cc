// SPDX-License-Identifier: Apache-2.0
#include "record/qmp_sockets.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "record/qemu_options.h"

namespace iovm::record {
namespace {

constexpr std::string_view kLibvirtsMonitor = "charmonitor";
constexpr std::string_view kUnix = "unix:";

bool has_flag(const Pairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs) {
    if (key == name) return value == "on" || value == "yes" || value == "true";
    if (key.empty() && value == name) return true;
  }
  return false;
}

// The path of a unix socket that QEMU listens at, and that a path leads to.
std::optional<std::string> listening_path(const Pairs& pairs, std::string_view key, bool implied) {
  auto path = value_of(pairs, key, implied);
  if (!path || path->empty() || !has_flag(pairs, "server") || has_flag(pairs, "abstract")) {
    return std::nullopt;
  }
  return path;
}

// "unix:PATH,server=on,...", the value of -qmp.
std::optional<std::string> of_qmp(std::string_view value) {
  if (!value.starts_with(kUnix)) return std::nullopt;
  return listening_path(parse_pairs(value.substr(kUnix.size())), "path", true);
}

}  // namespace

QmpSockets qmp_sockets(std::span<const std::string> words) {
  QmpSockets found;
  std::map<std::string, std::string> chardevs;  // id -> path
  std::vector<std::string> controls;            // ids of chardevs that QMP is spoken over
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    // QEMU takes its options with one dash or two.
    std::string_view word = words[i];
    if (word.starts_with("--")) word.remove_prefix(1);
    const std::string& value = words[i + 1];
    if (word == "-qmp" || word == "-qmp-pretty") {
      if (auto path = of_qmp(value)) found.paths.push_back(*path);
    } else if (word == "-chardev") {
      Pairs pairs = parse_pairs(value);
      if (value_of(pairs, "backend", true) != "socket") continue;
      auto id = value_of(pairs, "id", false);
      auto path = listening_path(pairs, "path", false);
      if (id == kLibvirtsMonitor) found.libvirt = true;
      if (id && path) chardevs.emplace(*id, *path);
    } else if (word == "-mon") {
      Pairs pairs = parse_pairs(value);
      auto id = value_of(pairs, "chardev", true);
      if (id && value_of(pairs, "mode", false) == "control") controls.push_back(*id);
    }
  }
  for (const std::string& id : controls) {
    auto chardev = chardevs.find(id);
    if (id != kLibvirtsMonitor && chardev != chardevs.end()) found.paths.push_back(chardev->second);
  }
  if (found.paths.size() > kMostQmpSockets) found.paths.resize(kMostQmpSockets);
  return found;
}

}  // namespace iovm::record
