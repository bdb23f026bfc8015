// SPDX-License-Identifier: Apache-2.0
//
// iovm doctor: prints the diagnosis of record/doctor.h. That no source works is an error (exit 4)
// which is said after the diagnosis, so that scripts need not read it.
#include <cstdio>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "record/doctor.h"
#include "record/doctor_text.h"

namespace iovm::cli {
namespace {

struct DoctorOptions {
  std::optional<std::string> vm;
  bool json = false;
};

Result<ExitStatus> run_doctor(CommandLine& line) {
  DoctorOptions options;
  line.option("--vm", options.vm, "NAME", "check this VM too: a name, UUID or pid");
  line.flag("--json", options.json, "print JSON");
  if (auto end = line.parse()) return *end;

  record::HostRoots roots;
  record::HostProbes probes = record::real_probes();
  auto diagnosis = options.vm ? record::diagnose(roots, probes, *options.vm)
                              : Result<record::Diagnosis>(record::diagnose(roots, probes));
  if (!diagnosis) return std::move(diagnosis).error();
  std::string text =
      options.json ? record::render_json(*diagnosis) : record::render_text(*diagnosis);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (diagnosis->works()) return ExitStatus::done;
  return host_error("no source works here; what is missing, and what mends it, is above");
}

}  // namespace

const Command kDoctor{"doctor", "check what this host can record, and how to get the rest",
                      run_doctor};

}  // namespace iovm::cli
