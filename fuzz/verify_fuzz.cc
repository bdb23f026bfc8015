// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a trace and as a case, to be verified: it ends, and what it calls whole has nothing
// wrong with it. The first byte decides whether checksums are put right first (they would stop a
// fuzzer at the door) and which of the two it is.
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "analyze/case_archive.h"
#include "base/assert.h"
#include "base/fd.h"
#include "repair.h"
#include "trace/verify.h"

using namespace iovm;
using namespace iovm::trace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::byte> file(size - 1);
  if (size > 1) std::memcpy(file.data(), input + 1, size - 1);
  if ((input[0] & 1) != 0) repair(file);
  UniqueFd memory(::memfd_create("file", 0));
  if (!write_full(memory.get(), file)) return 0;
  std::string path = "/proc/self/fd/" + std::to_string(memory.get());
  if ((input[0] & 2) == 0) {
    auto proof = verify_trace(path);
    IOVM_ASSERT(!proof || !proof->whole() || proof->covered <= proof->blocks);
    return 0;
  }
  auto proof = analyze::verify_case(path);
  IOVM_ASSERT(!proof || !proof->manifest.members.empty());
  std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.size() > analyze::kLargestManifest / 2) return 0;
  auto manifest = analyze::parse_manifest(text);
  if (manifest) IOVM_ASSERT(analyze::parse_manifest(analyze::render_json(*manifest)));
  return 0;
}
