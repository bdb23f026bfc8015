// SPDX-License-Identifier: Apache-2.0
//
// A QMP socket whose server does what a test says: one client, a script of answers, then it reads
// until the client is gone.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "base/fd.h"

namespace iovm::record {

inline constexpr std::string_view kGreeting =
    R"({"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}}, "capabilities": []}})"
    "\r\n";

class FakeQmp {
 public:
  // `serve` has the accepted connection; the client sees it closed when it returns.
  explicit FakeQmp(std::function<void(FakeQmp&)> serve) {
    std::string pattern = testing::TempDir() + "iovm-qmp-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    if (!serve) return;
    server_ = std::thread([this, serve] {
      client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client_) return;
      serve(*this);
      client_.reset();
    });
  }
  ~FakeQmp() {
    ::shutdown(listener_.get(), SHUT_RDWR);  // ends a server to whom nobody came
    if (server_.joinable()) server_.join();
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return folder_ + "/qmp.sock"; }
  // False once the client has gone.
  bool say(std::string_view text) {
    while (!text.empty()) {
      ssize_t sent = ::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // The next line that the client says; empty once it has gone.
  std::string hear() {
    std::string line;
    for (char c = 0; ::read(client_.get(), &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  void wait_for_its_end() {
    while (!hear().empty()) {
    }
  }

 private:
  std::string folder_;
  UniqueFd listener_;
  UniqueFd client_;
  std::thread server_;
};

}  // namespace iovm::record
