// SPDX-License-Identifier: Apache-2.0
//
// A file that is there whole or not at all: it grows aside, in the same folder, and takes its place
// when it is done. What stood in that place stays until then. Dropped before that, it leaves
// nothing behind. It grows without a name, so even a killed process leaves nothing, where the file
// system has files without names (O_TMPFILE); else under a name of its own.
//
// Only plain files can be made that way: pipes and devices are refused. Where the place is a
// symbolic link, the file that it points to is replaced.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace iovm {

class FreshFile {
 public:
  static Result<FreshFile> create(const std::string& path);
  FreshFile(FreshFile&& other) noexcept = default;
  FreshFile& operator=(FreshFile&&) = delete;
  ~FreshFile();

  // Open for reading and writing.
  int fd() const { return fd_.get(); }
  // Puts it into its place.
  Status keep();

 private:
  FreshFile(UniqueFd fd, bool named, std::string aside, std::string path)
      : fd_(std::move(fd)), named_(named), aside_(std::move(aside)), path_(std::move(path)) {}

  UniqueFd fd_;  // none: kept, or moved from
  bool named_;   // stands under its name aside
  std::string aside_;
  std::string path_;
};

}  // namespace iovm
