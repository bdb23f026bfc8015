// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/format.h"
#include "base/text.h"

namespace iovm::cli {

struct CommandLine::State {
  State(const std::string& who, const Command& command) : app(command.summary, who), name(who) {}
  CLI::App app;
  // As a value, so that CLI11 takes it for the callback that it is and not for a target to assign
  // to.
  CLI::Option* add(const std::string& names, CLI::callback_t store, const std::string& help) {
    return app.add_option(names, std::move(store), help);
  }
  std::string name;
  std::vector<std::string> words;
  CLI::Option* last = nullptr;
};

namespace {

// CLI11 hands over the text and takes "false" for an error; our parsers say what would have been
// right.
template <typename Parse, typename Store>
CLI::callback_t checked(Parse parse, Store store) {
  return [parse, store](const CLI::results_t& texts) {
    auto parsed = parse(texts.back());
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    store(*parsed);
    return true;
  };
}

Result<std::uint64_t> parse_number(const std::string& text) {
  auto number = parse_unsigned(text);
  if (!number) return usage_error(format("\"{}\" is not a number", escape_terminal(text)));
  return *number;
}

}  // namespace

CommandLine::CommandLine(const std::string& who, const Command& command,
                         std::vector<std::string> words)
    : state_(std::make_unique<State>(who, command)) {
  state_->words = std::move(words);
  state_->app.set_help_flag("-h,--help", "print this help and exit");
  state_->app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

CommandLine::~CommandLine() = default;

CommandLine& CommandLine::positional(const std::string& name, std::string& target,
                                     const std::string& help) {
  state_->last = state_->app.add_option(name, target, help)->required()->type_name("");
  return *this;
}

CommandLine& CommandLine::positional(const std::string& name, std::vector<std::string>& targets,
                                     const std::string& help) {
  state_->last = state_->app.add_option(name, targets, help)->required()->type_name("");
  return *this;
}

CommandLine& CommandLine::option(const std::string& names, std::string& target,
                                 const std::string& value, const std::string& help) {
  state_->last = state_->app.add_option(names, target, help)->type_name(value);
  return *this;
}

CommandLine& CommandLine::option(const std::string& names, std::vector<std::string>& targets,
                                 const std::string& value, const std::string& help) {
  state_->last = state_->app.add_option(names, targets, help)
                     ->type_name(value)
                     ->expected(1)
                     ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                     ->allow_extra_args(false);
  return *this;
}

CommandLine& CommandLine::option(const std::string& names, std::optional<std::string>& target,
                                 const std::string& value, const std::string& help) {
  auto store = [&target](const CLI::results_t& texts) {
    target = texts.back();
    return true;
  };
  state_->last = state_->add(names, store, help)->type_name(value);
  return *this;
}

CommandLine& CommandLine::option(const std::string& names, std::uint64_t& target,
                                 const std::string& value, const std::string& help) {
  auto store = checked(parse_number, [&target](std::uint64_t number) { target = number; });
  state_->last = state_->add(names, store, help)->type_name(value);
  return *this;
}

CommandLine& CommandLine::option(const std::string& names, std::optional<std::uint64_t>& target,
                                 const std::string& value, const std::string& help) {
  auto store = checked(parse_number, [&target](std::uint64_t number) { target = number; });
  state_->last = state_->add(names, store, help)->type_name(value);
  return *this;
}

CommandLine& CommandLine::option(const std::string& names, double& target, const std::string& value,
                                 const std::string& help) {
  state_->last = state_->app.add_option(names, target, help)->type_name(value);
  return *this;
}

CommandLine& CommandLine::duration(const std::string& names,
                                   std::optional<std::chrono::nanoseconds>& target,
                                   const std::string& help) {
  auto parse = [](const std::string& text) { return parse_duration(text); };
  auto store = checked(parse, [&target](std::chrono::nanoseconds ns) { target = ns; });
  state_->last = state_->add(names, store, help)->type_name("DURATION");
  return *this;
}

CommandLine& CommandLine::size(const std::string& names, std::uint64_t& target,
                               const std::string& help) {
  auto parse = [](const std::string& text) { return parse_size(text); };
  auto store = checked(parse, [&target](std::uint64_t bytes) { target = bytes; });
  state_->last = state_->add(names, store, help)->type_name("SIZE");
  return *this;
}

CommandLine& CommandLine::choice(const std::string& names, std::string& target,
                                 const std::vector<std::string>& words, const std::string& help) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : "|") + word;
  auto check = [words, list](const std::string& text) {
    bool known = std::find(words.begin(), words.end(), text) != words.end();
    return known ? std::string() : format("\"{}\" is none of {}", escape_terminal(text), list);
  };
  state_->last = state_->app.add_option(names, target, help)
                     ->check(CLI::Validator(check, ""))
                     ->type_name(list);
  return *this;
}

CommandLine& CommandLine::flag(const std::string& names, bool& target, const std::string& help) {
  state_->last = state_->app.add_flag(names, target, help);
  return *this;
}

CommandLine& CommandLine::required() {
  state_->last->required();
  return *this;
}

CommandLine& CommandLine::optional() {
  state_->last->required(false);
  return *this;
}

CommandLine& CommandLine::several() {
  state_->last->expected(1, -1)->allow_extra_args(true);
  return *this;
}

std::optional<Result<ExitStatus>> CommandLine::parse() {
  std::vector<std::string> reversed(state_->words.rbegin(), state_->words.rend());
  try {
    state_->app.parse(std::move(reversed));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    std::string help = state_->app.help();
    std::fwrite(help.data(), 1, help.size(), stdout);
    return Result<ExitStatus>(ExitStatus::done);
  } catch (const CLI::ParseError& error) {
    return Result<ExitStatus>(
        usage_error(format("{} (see {} --help)", escape_terminal(error.what()), state_->name)));
  }
}

}  // namespace iovm::cli
