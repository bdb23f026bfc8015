// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <span>

#include "analyze/file_facts.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/damage.h"
#include "cli/stdout.h"
#include "model/model_file.h"
#include "trace/file_head.h"

namespace iovm::cli {
namespace {

struct InfoOptions {
  std::string path;
  bool json = false;
};

// Whether a file says of itself that it is a model. What is no file of ours, and a pipe, goes on as
// a trace: the reader then says what it is instead.
Result<bool> is_model(const std::string& path) {
  if (path == "-") return false;
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  std::array<std::byte, 64> first{};
  auto got = read_full(fd->get(), first);
  if (!got) return std::move(got).error().in(escape_terminal(path));
  return trace::describe_content(std::span(first).first(*got)) == "an iovm model file";
}

Status tell_model(const InfoOptions& options) {
  auto data = model::read_model(options.path);
  if (!data) return std::move(data).error();
  struct stat status {};
  bool known = ::stat(options.path.c_str(), &status) == 0;
  analyze::ModelFacts facts{options.path, known ? static_cast<std::uint64_t>(status.st_size) : 0,
                            *std::move(data)};
  return print_out(options.json ? analyze::render_json(facts) : analyze::render_text(facts));
}

// A damaged trace is told about like any other, and then called damaged.
Status tell_trace(const InfoOptions& options) {
  auto facts = analyze::trace_facts(options.path);
  if (!facts) return std::move(facts).error();
  auto printed =
      print_out(options.json ? analyze::render_json(*facts) : analyze::render_text(*facts));
  if (!printed) return printed;
  auto damage = damage_error(options.path, facts->damage, "iovm dump prints what can be read");
  return damage ? Status(std::move(*damage)) : Status();
}

Result<ExitStatus> run_info(CommandLine& line) {
  InfoOptions options;
  line.positional("FILE", options.path, "a trace or model file, or - for a trace from a pipe");
  line.flag("--json", options.json, "print JSON");
  if (auto end = line.parse()) return *end;
  auto model = is_model(options.path);
  if (!model) return std::move(model).error();
  Status told = *model ? tell_model(options) : tell_trace(options);
  if (!told) return std::move(told).error();
  return ExitStatus::done;
}

}  // namespace

const Command kInfo{"info", "tell what a trace or model file holds", run_info};

}  // namespace iovm::cli
