// SPDX-License-Identifier: Apache-2.0
#include "record/libvirt_names.h"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "base/fd.h"
#include "base/text.h"

namespace iovm::record {
namespace {

constexpr std::size_t kMaxDomains = 65536;
constexpr unsigned kListActive = 1;    // VIR_CONNECT_LIST_DOMAINS_ACTIVE
constexpr std::size_t kUuidText = 37;  // VIR_UUID_STRING_BUFLEN

// The few functions of libvirt that are used, looked up by name: its headers are not needed to
// build, its library is not needed to run.
struct Library {
  using ErrorFunction = void (*)(void*, void*);
  void* handle = nullptr;
  void* (*open_read_only)(const char*) = nullptr;
  int (*close)(void*) = nullptr;
  int (*list_all)(void*, void***, unsigned) = nullptr;
  const char* (*name_of)(void*) = nullptr;
  int (*uuid_of)(void*, char*) = nullptr;
  int (*free_domain)(void*) = nullptr;
  void (*set_error_function)(void*, ErrorFunction) = nullptr;

  template <typename Function>
  bool find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
    return function != nullptr;
  }
  // Stays loaded: libvirt keeps threads and thread-local data that survive no dlclose().
  bool load() {
    handle = ::dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
    return handle != nullptr && find(open_read_only, "virConnectOpenReadOnly") &&
           find(close, "virConnectClose") && find(list_all, "virConnectListAllDomains") &&
           find(name_of, "virDomainGetName") && find(uuid_of, "virDomainGetUUIDString") &&
           find(free_domain, "virDomainFree") && find(set_error_function, "virSetErrorFunc");
  }
};

std::int64_t pid_from(const std::string& run_directory, const std::string& name) {
  // The name becomes part of a path: one with a slash is not libvirt's.
  if (name.find('/') != std::string::npos) return -1;
  auto content = read_file(run_directory + "/" + name + ".pid", 64);
  if (!content) return -1;
  return parse_signed(trim(*content)).value_or(-1);
}

std::vector<LibvirtDomain> list_domains(const Library& library, void* connection,
                                        const std::string& run_directory) {
  std::vector<LibvirtDomain> found;
  void** domains = nullptr;
  int count = library.list_all(connection, &domains, kListActive);
  for (int i = 0; i < count; ++i) {
    LibvirtDomain domain;
    std::array<char, kUuidText> uuid{};
    if (const char* name = library.name_of(domains[i])) domain.name = name;
    if (library.uuid_of(domains[i], uuid.data()) == 0) domain.uuid = uuid.data();
    domain.pid = pid_from(run_directory, domain.name);
    library.free_domain(domains[i]);
    if (found.size() < kMaxDomains) found.push_back(std::move(domain));
  }
  std::free(domains);
  return found;
}

}  // namespace

std::vector<LibvirtDomain> libvirt_domains(const std::string& uri,
                                           const std::string& run_directory) {
  Library library;
  if (!library.load()) return {};
  library.set_error_function(nullptr, [](void*, void*) {});  // libvirt would print to stderr
  void* connection = library.open_read_only(uri.c_str());
  if (connection == nullptr) return {};
  std::vector<LibvirtDomain> found = list_domains(library, connection, run_directory);
  library.close(connection);
  return found;
}

}  // namespace iovm::record
