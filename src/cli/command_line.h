// SPDX-License-Identifier: Apache-2.0
//
// One command's words: the command declares what it takes into its own plain struct, then parses.
// CLI11 does the work behind it (command_line.cc includes it and nothing else does), with iovm's
// rules on top: CLI11's own exit codes become 2, errors name the next step, durations and sizes
// have units.
//
//   Result<ExitStatus> run_info(CommandLine& line) {
//     InfoOptions options;
//     line.positional("TRACE", options.path, "a trace or model file, or -");
//     line.flag("--json", options.json, "print JSON");
//     if (auto end = line.parse()) return *end;   // --help was shown, or the words were wrong
//     ...
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace iovm::cli {

enum class ExitStatus : int { done = 0, alerts = 1 };  // every other code is an Error's Fault

struct Command;

class CommandLine {
 public:
  // `who`: what the command is called with, "iovm model merge".
  CommandLine(const std::string& who, const Command& command, std::vector<std::string> words);
  ~CommandLine();

  // Required words without a dash, in the order of declaration.
  CommandLine& positional(const std::string& name, std::string& target, const std::string& help);
  CommandLine& positional(const std::string& name, std::vector<std::string>& targets,
                          const std::string& help);

  // names: "-o,--output". `value` is the placeholder in --help. A vector takes the option
  // repeatedly.
  CommandLine& option(const std::string& names, std::string& target, const std::string& value,
                      const std::string& help);
  CommandLine& option(const std::string& names, std::vector<std::string>& targets,
                      const std::string& value, const std::string& help);
  CommandLine& option(const std::string& names, std::optional<std::string>& target,
                      const std::string& value, const std::string& help);
  CommandLine& option(const std::string& names, std::uint64_t& target, const std::string& value,
                      const std::string& help);
  CommandLine& option(const std::string& names, std::optional<std::uint64_t>& target,
                      const std::string& value, const std::string& help);
  CommandLine& option(const std::string& names, double& target, const std::string& value,
                      const std::string& help);
  CommandLine& duration(const std::string& names, std::optional<std::chrono::nanoseconds>& target,
                        const std::string& help);
  CommandLine& size(const std::string& names, std::uint64_t& target, const std::string& help);
  // One of a few words; --help and the error list them.
  CommandLine& choice(const std::string& names, std::string& target,
                      const std::vector<std::string>& words, const std::string& help);
  CommandLine& flag(const std::string& names, bool& target, const std::string& help);
  // Makes the last declared option or positional needed or not (options are optional, positionals
  // needed).
  CommandLine& required();
  CommandLine& optional();
  // Lets the last declared option take several words at once: --normal a.iovm b.iovm.
  CommandLine& several();

  // Nothing: go on. Else the command ends here: help was printed (done), or the words are wrong (an
  // Error).
  std::optional<Result<ExitStatus>> parse();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One row of the table in main.cc; or a group of commands (iovm model merge), which then has
// nothing to run itself.
struct Command {
  std::string name;
  std::string summary;  // the first line of --help and the NAME line of its man page
  Result<ExitStatus> (*run)(CommandLine&);
  std::span<const Command* const> parts = {};
};

}  // namespace iovm::cli
