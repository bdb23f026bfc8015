// SPDX-License-Identifier: Apache-2.0
//
// A trace held against its hash chain: which block is not the one that was written, which is gone,
// stands elsewhere or was added, and whether the end is there. It goes through the file once and
// keeps no more than the blocks between two links.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "trace/byte_input.h"

namespace iovm::trace {

enum class Tampering : std::uint8_t {
  damaged,    // does not even match its checksum
  altered,    // matches its checksum, and is not the block that was written
  removed,    // was written, and is not there
  reordered,  // stands at another place
  added,      // was never written
  broken,     // the chain itself does not hold
  truncated,  // the end is missing
};
std::string_view name_of(Tampering kind);

struct Finding {
  Tampering kind = Tampering::damaged;
  std::uint64_t offset = 0;  // in the file: there, or where it should be
  std::string what;          // "block 12 is not the one that was written"
};

struct TraceProof {
  bool chained = false;  // there is a chain
  std::uint64_t blocks = 0;
  std::uint64_t covered = 0;  // blocks that are what the chain says
  std::uint64_t events = 0;   // without losses, in all blocks that are there
  Sha256 link = {};           // the last link seen
  std::vector<Finding> findings;
  std::uint64_t more_findings = 0;  // beyond the first kMostFindings
  static constexpr std::size_t kMostFindings = 1000;

  // Everything is covered, nothing is wrong.
  bool whole() const { return chained && findings.empty(); }
};

// `path` may be "-". An error is for what is no trace; everything else is a finding.
Result<TraceProof> verify_trace(const std::string& path);
// A trace within something else; `place` is for messages.
Result<TraceProof> verify_trace(ByteInput input, const std::string& place);

}  // namespace iovm::trace
