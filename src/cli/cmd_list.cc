// SPDX-License-Identifier: Apache-2.0
//
// iovm list: what is there to record. The table is for people: every name is escaped, and a column
// is as wide as its widest cell; --json has the same as values.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "record/vm.h"

namespace iovm::cli {
namespace {

struct ListOptions {
  bool json = false;
};

constexpr std::size_t kColumns = 6;
using Row = std::array<std::string, kColumns>;

Row row_of(const record::Vm& vm) {
  auto or_dash = [](const std::string& text) {
    return text.empty() ? std::string("-") : escape_terminal(text);
  };
  return {or_dash(vm.info.vmm),          std::to_string(vm.info.pid),
          or_dash(vm.info.name),         or_dash(vm.info.uuid),
          std::to_string(vm.info.vcpus), vm.info.memory == 0 ? "-" : describe_size(vm.info.memory)};
}

// Columns on a terminal: characters, not bytes. (Double-width ones are taken for one.)
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string render_table(const std::vector<Row>& rows) {
  Row head = {"VMM", "PID", "NAME", "UUID", "VCPUS", "MEMORY"};
  constexpr std::array<bool, kColumns> kToTheRight = {false, true, false, false, true, true};
  std::array<std::size_t, kColumns> width{};
  for (std::size_t i = 0; i < kColumns; ++i) {
    width[i] = width_of(head[i]);
    for (const Row& row : rows) width[i] = std::max(width[i], width_of(row[i]));
  }
  std::string text;
  auto add = [&](const Row& row) {
    std::string line;
    for (std::size_t i = 0; i < kColumns; ++i) {
      std::string padding(width[i] - width_of(row[i]), ' ');
      line += kToTheRight[i] ? padding + row[i] : row[i] + padding;
      if (i + 1 < kColumns) line += "  ";
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add(head);
  for (const Row& row : rows) add(row);
  return text;
}

std::string render_json(const record::VmList& list) {
  JsonWriter json;
  json.begin_object().key("vms").begin_array();
  for (const record::Vm& vm : list.vms) {
    json.begin_object().member("vmm", vm.info.vmm).member("pid", vm.info.pid);
    json.member("name", vm.info.name).member("uuid", vm.info.uuid);
    json.member("memory", vm.info.memory).key("vcpus").begin_array();
    for (const record::Vcpu& vcpu : vm.vcpus) {
      json.begin_object().member("id", static_cast<unsigned>(vcpu.index)).key("tid");
      vcpu.tid < 0 ? json.null() : json.value(vcpu.tid);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().member("unreadable_processes", std::uint64_t{list.unreadable}).end_object();
  return json.take() + "\n";
}

void put(std::FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

Result<ExitStatus> run_list(CommandLine& line) {
  ListOptions options;
  line.flag("--json", options.json, "print JSON");
  if (auto end = line.parse()) return *end;

  auto list = record::list_vms(record::ProcRoot());
  if (!list) return std::move(list).error();
  if (options.json) {
    put(stdout, render_json(*list));
    return ExitStatus::done;
  }
  if (!list->vms.empty()) {
    std::vector<Row> rows;
    for (const record::Vm& vm : list->vms) rows.push_back(row_of(vm));
    put(stdout, render_table(rows));
  }
  if (list->unreadable > 0) {
    put(stderr, format("iovm list: {} processes could not be looked into and may be VMs: run as "
                       "root\n",
                       list->unreadable));
  } else if (list->vms.empty()) {
    put(stderr, "iovm list: no VM is running under KVM on this host (see iovm doctor)\n");
  }
  return ExitStatus::done;
}

}  // namespace

const Command kList{"list", "list the running virtual machines", run_list};

}  // namespace iovm::cli
