// SPDX-License-Identifier: Apache-2.0
//
// What iovm uses of libvirt and libvirt-qemu, in one library: a connection does what its URI says.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Connection {
  std::string wish;
};
struct Domain {
  Connection* connection;
};

Domain* look_up(void* connection, const char* wanted, const char* known) {
  if (std::strcmp(wanted, known) != 0) return nullptr;
  return new Domain{static_cast<Connection*>(connection)};
}

char* copy(const std::string& text) {
  return ::strdup(text.c_str());
}

}  // namespace

extern "C" {

void* virConnectOpen(const char* uri) {
  if (std::strcmp(uri, "fake:nobody") == 0) return nullptr;
  return new Connection{uri};
}
void* virDomainLookupByUUIDString(void* connection, const char* uuid) {
  return look_up(connection, uuid, "6c2f1c3e-0a4b-4a2e-9d53-5e0d3b1f0001");
}
void* virDomainLookupByName(void* connection, const char* name) {
  return look_up(connection, name, "web-1");
}
const char* virGetLastErrorMessage() {
  return "fake libvirt\x1b refuses";
}
void virSetErrorFunc(void*, void (*)(void*, void*)) {}
int virDomainQemuMonitorCommand(void* domain, const char* command, char** answer, unsigned) {
  const std::string& wish = static_cast<Domain*>(domain)->connection->wish;
  if (wish == "fake:hang") ::pause();
  if (wish == "fake:crash") std::abort();
  if (wish == "fake:refuse") return -1;
  *answer = copy(wish == "fake:huge" ? std::string(std::size_t{64} << 20, 'x')
                                     : std::string("answer to ") + command);
  return 0;
}

}  // extern "C"
