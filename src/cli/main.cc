// SPDX-License-Identifier: Apache-2.0
//
// iovm: picks the command, runs it, prints its error once and turns it into the exit code.
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/commands.h"

namespace iovm::cli {
namespace {

std::span<const Command* const> commands() {
  static constexpr std::array<const Command*, 17> kCommands = {
      &kRecord, &kTrain, &kDetect,      &kExplain, &kEval,   &kRules, &kImport, &kExport, &kDump,
      &kInfo,   &kCut,   &kMergeTraces, &kVerify,  &kBundle, &kModel, &kList,   &kDoctor};
  return kCommands;
}

std::string list(std::span<const Command* const> commands) {
  std::string text;
  for (const Command* command : commands) {
    text += format("  {:<8} {}\n", command->name, command->summary);
  }
  return text;
}

std::string usage() {
  return "iovm - record a virtual machine's device I/O, learn what is normal, find what is not\n\n"
         "Usage: iovm COMMAND [OPTIONS]\n\nCommands:\n" +
         list(commands()) +
         "\niovm COMMAND --help tells a command's options; man iovm-COMMAND tells all.\n";
}

std::string usage(const Command& group) {
  return format(
      "{0}\n\nUsage: iovm {1} COMMAND [OPTIONS]\n\nCommands:\n{2}\n"
      "iovm {1} COMMAND --help tells a command's options; man iovm-{1} tells all.\n",
      group.summary, group.name, list(group.parts));
}

void print_out(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int fail(const std::string& who, const Error& error) {
  std::string line = format("{}: {}\n", who, error.message());
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
  return static_cast<int>(error.fault());
}

int run(const std::string& who, const Command& command, std::vector<std::string> words) {
  CommandLine line(who, command, std::move(words));
  auto status = command.run(line);
  if (!status) return fail(who, status.error());
  if (std::fflush(stdout) != 0) return fail(who, errno_error("writing standard output"));
  return static_cast<int>(*status);
}

bool asks_for_help(const std::string& word) {
  return word == "--help" || word == "-h" || word == "help";
}

// The first word names one of `commands`, or, in a group, the first two do. `who` is "iovm" and the
// words so far.
int dispatch(std::string who, std::span<const Command* const> commands, const std::string& usage,
             std::vector<std::string> words) {
  if (words.empty()) return fail(who, usage_error(format("no command given (see {} --help)", who)));
  std::string name = words.front();
  if (asks_for_help(name)) return print_out(usage), 0;
  words.erase(words.begin());
  for (const Command* command : commands) {
    if (command->name != name) continue;
    who += " " + name;
    if (command->parts.empty()) return run(who, *command, std::move(words));
    return dispatch(who, command->parts, cli::usage(*command), std::move(words));
  }
  return fail(who, usage_error(format("there is no command \"{}\" (see {} --help)",
                                      escape_terminal(name), who)));
}

int dispatch(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "--version") {
    return print_out(format("iovm {}\n", kVersion)), 0;
  }
  return dispatch("iovm", commands(), usage(), std::move(words));
}

}  // namespace
}  // namespace iovm::cli

int main(int argc, char** argv) {
  // A reader that goes away (iovm dump | head) is an error return of write(), not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return iovm::cli::dispatch(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const std::bad_alloc&) {
    return iovm::cli::fail("iovm", iovm::host_error("out of memory"));
  } catch (const std::exception& exception) {
    return iovm::cli::fail(
        "iovm", {iovm::Fault::bug, iovm::format("bug: {}; please report it", exception.what())});
  }
}
