// SPDX-License-Identifier: Apache-2.0
//
// What happens at an alarm beside telling it: a command is run, the VM is stopped, the events
// around are kept. Each is a Response; RespondingSink hands them the alert as soon as it is known,
// before it is printed: live when it opens, else when it is whole. What stopped the VM stands in
// the alert that the later ones get and that is told.
//
// The reader of the kernel's rings must not wait for a command or a monitor socket: such work goes
// to Workers, which are few, take few jobs in advance, and turn away what is more. What a response
// could not do it says by `Say`, and detection goes on.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "detect/alert_sink.h"

namespace iovm::detect {

// A line for the user; from any thread.
using Say = std::function<void(std::string_view)>;

class Response {
 public:
  virtual ~Response() = default;
  // Gives what it did to the VM.
  virtual Stop alarm(const Alert& alert) = 0;
};

class RespondingSink : public AlertSink {
 public:
  RespondingSink(AlertSink& next, std::vector<std::unique_ptr<Response>>& responses, bool live)
      : next_(next), responses_(responses), live_(live) {}

  Status opened(const Alert& alert) override;
  Status closed(const Alert& alert) override;

 private:
  Alert answered(const Alert& alert);

  AlertSink& next_;
  std::vector<std::unique_ptr<Response>>& responses_;
  bool live_;
  std::map<std::string, Stop> stopped_;  // by the id of an alert that is still open
};

// A few threads that do jobs one after the other.
class Workers {
 public:
  static constexpr std::size_t kThreads = 4;
  static constexpr std::size_t kWaiting = 64;  // jobs that may wait for a thread

  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  // Ends when every job that was taken has ended.
  ~Workers();

  // False if too many wait already.
  bool take(std::function<void()> job);

 private:
  void work();

  std::mutex lock_;
  std::condition_variable news_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;  // started as they are needed
  std::size_t idle_ = 0;
  bool end_ = false;
};

// Runs `sh -c COMMAND` with the alert as JSON on its standard input; what it prints goes to
// standard error. Nothing that a guest chose is in its arguments or environment. A command that
// runs longer than kLongestCommand is ended.
std::unique_ptr<Response> run_command(std::string command, Workers& workers, Say say);

// Stops the VMM by SIGSTOP, through a pidfd: nothing in the VM goes on, nothing is lost.
std::unique_ptr<Response> stop_vmm(Say say);

// Stops the VM by `stop` on the VMM's QMP socket.
std::unique_ptr<Response> stop_by_qmp(std::string socket, Workers& workers, Say say);

}  // namespace iovm::detect
