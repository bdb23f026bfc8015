// SPDX-License-Identifier: Apache-2.0
//
// An evidence bundle as a file: a tar archive, of which zstd may be made, with the manifest first
// and the members behind it, all in the folder "iovm-case". libarchive reads and writes it.
//
// To verify one takes no disk and no more memory than the manifest and a block of the trace: the
// members stream through the hash, the trace through its own verification too, and nothing is
// unpacked. Archives are hostile: tar and zstd are the only formats that are
// tried, a member that the manifest does not have, or that is no plain file, is a finding and is
// not read, and of each member no byte is read beyond what the manifest says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/case_manifest.h"
#include "base/result.h"
#include "trace/verify.h"

namespace iovm::analyze {

// A file that goes into a case.
struct CaseFile {
  std::string name;  // one of kCaseMembers
  std::string path;
};

// Size and digest of each file.
Result<std::vector<CaseMember>> describe_files(const std::vector<CaseFile>& files);

// Writes the case to `path` ("-": standard output), compressed if it ends with .zst; what is left
// of it after an error is removed. A file that is not what the manifest says is an error. Returns
// the digest of the manifest.
Result<Sha256> write_case(const std::string& path, const CaseManifest& manifest,
                          const std::vector<CaseFile>& files);

struct CaseProof {
  CaseManifest manifest;
  Sha256 digest = {};                      // of the manifest: the name of the case
  std::optional<trace::TraceProof> trace;  // nothing: it is not there, or no trace
  std::vector<std::string> findings;       // "model.iovmm: is not what the manifest says"

  bool whole() const { return findings.empty(); }
};

// `path` may be "-". An error is for what is no case; everything else is a finding.
Result<CaseProof> verify_case(const std::string& path);

// Whether a file looks like one, by its first bytes; a file that cannot be read does not.
bool looks_like_a_case(const std::string& path);

}  // namespace iovm::analyze
