// SPDX-License-Identifier: Apache-2.0
//
// The manifest of an evidence bundle: which files belong to a case, with size and SHA-256 of each,
// and where they come from. It is the first member of the bundle, as JSON; its own SHA-256 is what
// names the case: who has that from elsewhere can tell every byte of the rest.
//
//   {"format":"iovm-case","version":1,"tool":"iovm 0.1.0","created":"2026-...Z",
//    "trace":{"id":...,"events":N,"lost":N,"chain":"..."},
//    "members":[{"name":"trace.iovm","was":"web-1.iovm","bytes":N,"sha256":"..."},...]}
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"

namespace iovm::analyze {

inline constexpr std::string_view kManifestName = "manifest.json";
// What else a case may have; each once, the trace always.
inline constexpr std::array<std::string_view, 4> kCaseMembers = {"trace.iovm", "model.iovmm",
                                                                 "alerts.jsonl", "report.html"};
inline constexpr std::size_t kLargestManifest = 1U << 20;

struct CaseMember {
  std::string name;  // one of kCaseMembers
  std::string was;   // the name of the file that it was made of
  std::uint64_t bytes = 0;
  Sha256 digest = {};
};

struct CaseManifest {
  std::string tool;
  std::string created;   // UTC
  std::string trace_id;  // 32 hexadecimal digits
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
  std::optional<std::string> chain;  // the last link of the trace's chain, if it has one
  std::vector<CaseMember> members;
};

std::string render_json(const CaseManifest& manifest);

// Of foreign bytes: every name, size and digest is checked.
Result<CaseManifest> parse_manifest(std::string_view json);

}  // namespace iovm::analyze
