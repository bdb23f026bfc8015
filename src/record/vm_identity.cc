// SPDX-License-Identifier: Apache-2.0
#include "record/vm_identity.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "record/qemu_options.h"

namespace iovm::record {
namespace {

constexpr std::size_t kMaxName = 1024;
constexpr std::uint64_t kMiB = 1U << 20;

using Words = std::span<const std::string>;

// The value of the last of `names` among the words, as "--name value" or "--name=value".
std::optional<std::string_view> option(Words words, std::span<const std::string_view> names) {
  std::optional<std::string_view> found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    for (std::string_view name : names) {
      if (word == name && i + 1 < words.size()) found = words[i + 1];
      if (name.starts_with("--") && word.starts_with(name) && word.substr(name.size(), 1) == "=")
        found = word.substr(name.size() + 1);
    }
  }
  return found;
}

template <typename... Names>
std::optional<std::string_view> option(Words words, Names... names) {
  std::array<std::string_view, sizeof...(Names)> list = {names...};
  return option(words, std::span<const std::string_view>(list));
}

// "512", "2G", "1.5g", "0x200M" with the unit that a bare number has; 0 if it is none of that.
std::uint64_t memory_of(std::string_view text, std::uint64_t bare_unit) {
  constexpr std::string_view kUnits = "bkmgtpe";
  double number = 0;
  const char* end = text.data() + text.size();
  const char* rest = text.data();
  if (text.starts_with("0x") || text.starts_with("0X")) {
    std::uint64_t whole = 0;
    auto parsed = std::from_chars(rest + 2, end, whole, 16);
    if (parsed.ec != std::errc()) return 0;
    number = static_cast<double>(whole);
    rest = parsed.ptr;
  } else {
    auto parsed = std::from_chars(rest, end, number, std::chars_format::fixed);
    if (parsed.ec != std::errc() || !(number >= 0)) return 0;
    rest = parsed.ptr;
  }
  double unit = static_cast<double>(bare_unit);
  if (rest != end) {
    std::size_t power =
        kUnits.find(static_cast<char>(std::tolower(static_cast<unsigned char>(*rest))));
    if (power == std::string_view::npos) return 0;
    unit = static_cast<double>(std::uint64_t{1} << (10 * power));
    std::string_view tail(rest + 1, static_cast<std::size_t>(end - rest - 1));
    if (!tail.empty() && tail != "B" && tail != "iB") return 0;
  }
  return number * unit < 0x1p62 ? static_cast<std::uint64_t>(number * unit) : 0;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view base_name(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// "/run/vms/web-1.sock" names web-1; a socket that is called as its program is (api.sock,
// firecracker.socket) is named by its folder, unless that is one that everybody shares.
std::string name_of_socket(std::string_view path) {
  constexpr std::array<std::string_view, 7> kGeneric = {
      "api", "clh-api", "ch", "cloud-hypervisor", "firecracker", "crosvm", "socket"};
  constexpr std::array<std::string_view, 7> kShared = {"run", "tmp",     "var", "root",
                                                       "",    "private", "user"};
  auto is_in = [](const auto& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  };
  std::string_view name = base_name(path);
  for (std::string_view ending : {".socket", ".sock", "-socket"}) {
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  }
  if (!is_in(kGeneric, name)) return std::string(name);
  std::size_t slash = path.rfind('/');
  std::string_view folder =
      slash == std::string_view::npos ? std::string_view() : base_name(path.substr(0, slash));
  return is_in(kShared, folder) || is_in(kGeneric, folder) ? std::string() : std::string(folder);
}

void identify_qemu(Words words, VmIdentity& vm) {
  if (auto text = option(words, "-name", "--name"))
    vm.name = value_of(parse_pairs(*text), "guest", true).value_or("");
  if (auto text = option(words, "-uuid", "--uuid")) vm.uuid = lower(*text);
  if (auto text = option(words, "-m", "--m")) {
    if (auto size = value_of(parse_pairs(*text), "size", true)) vm.memory = memory_of(*size, kMiB);
  } else {
    vm.memory = 128 * kMiB;  // QEMU's default
  }
}

void identify_cloud_hypervisor(Words words, VmIdentity& vm) {
  if (auto text = option(words, "--api-socket")) {
    vm.name = name_of_socket(value_of(parse_pairs(*text), "path", true).value_or(""));
  }
  if (auto text = option(words, "--platform"))
    vm.uuid = lower(value_of(parse_pairs(*text), "uuid", false).value_or(""));
  if (auto text = option(words, "--memory"))
    vm.memory = memory_of(value_of(parse_pairs(*text), "size", false).value_or(""), 1);
}

void identify_firecracker(Words words, VmIdentity& vm) {
  constexpr std::string_view kUnnamed = "anonymous-instance";  // Firecracker's own default
  if (auto id = option(words, "--id"); id && *id != kUnnamed) {
    vm.name = *id;
  } else if (auto path = option(words, "--api-sock")) {
    vm.name = name_of_socket(*path);
  }
}

void identify_crosvm(Words words, VmIdentity& vm) {
  if (auto name = option(words, "--name")) {
    vm.name = *name;
  } else if (auto path = option(words, "-s", "--socket")) {
    vm.name = name_of_socket(*path);
  }
  if (auto text = option(words, "-m", "--mem"))
    vm.memory = memory_of(value_of(parse_pairs(*text), "size", true).value_or(""), kMiB);
}

void identify_kvmtool(Words words, VmIdentity& vm) {
  if (auto name = option(words, "-n", "--name")) vm.name = *name;
  if (auto text = option(words, "-m", "--mem")) vm.memory = memory_of(*text, kMiB);
}

struct Vmm {
  std::string_view program;  // the executable's name starts with, or (exact) is
  bool exact;
  std::string_view vmm;
  void (*identify)(Words, VmIdentity&);
};

constexpr std::array kVmms = {
    Vmm{"qemu", false, "qemu", identify_qemu},
    Vmm{"kvm", true, "qemu", identify_qemu},
    Vmm{".qemu", false, "qemu", identify_qemu},
    Vmm{"cloud-hypervisor", false, "cloud-hypervisor", identify_cloud_hypervisor},
    Vmm{"firecracker", false, "firecracker", identify_firecracker},
    Vmm{"crosvm", false, "crosvm", identify_crosvm},
    Vmm{"lkvm", false, "kvmtool", identify_kvmtool},
    Vmm{"kvmtool", false, "kvmtool", identify_kvmtool},
};

const Vmm* vmm_of(std::string_view program) {
  for (const Vmm& vmm : kVmms) {
    if (vmm.exact ? program == vmm.program : program.starts_with(vmm.program)) return &vmm;
  }
  return nullptr;
}

}  // namespace

VmIdentity identify_vm(std::string_view executable, Words words, std::string_view comm) {
  std::array<std::string_view, 3> programs = {
      base_name(executable), words.empty() ? std::string_view() : base_name(words[0]), comm};
  VmIdentity vm;
  for (std::string_view program : programs) {
    if (vm.vmm.empty()) vm.vmm = program.substr(0, kMaxName);
    if (const Vmm* known = vmm_of(program)) {
      vm.vmm = known->vmm;
      known->identify(words.empty() ? words : words.subspan(1), vm);
      break;
    }
  }
  if (vm.name.size() > kMaxName) vm.name.resize(kMaxName);
  if (vm.uuid.size() > kMaxName) vm.uuid.resize(kMaxName);
  return vm;
}

}  // namespace iovm::record
