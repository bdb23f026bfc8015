// SPDX-License-Identifier: Apache-2.0
//
// Public sequence data sets (system calls and the like) as a recording, so that the very same
// train, detect and eval can be judged on them: `import --from sequences`. One stream a line, whole
// numbers; number n of line L becomes a one-byte write to port n by the guest process with pid L
// and name "line-L". Times mean nothing there: they count up by one millisecond a number.
// Empty lines and lines that begin with '#' give no stream but count as lines.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "analyze/line_reader.h"
#include "base/result.h"
#include "trace/source.h"

namespace iovm::analyze {

class SequencesSource : public trace::EventSource {
 public:
  // `path` may be "-". Errors here name it; those of next() leave that to the caller.
  static Result<std::unique_ptr<SequencesSource>> open(const std::string& path);
  static Result<std::unique_ptr<SequencesSource>> from_text(std::string text);

  Result<std::span<const trace::Event>> next() override;
  const trace::Context& context() const override { return context_; }

 private:
  explicit SequencesSource(LineReader lines);
  static Result<std::unique_ptr<SequencesSource>> start(LineReader lines, std::string place);
  Status read_line(std::string_view line);
  Status begin_process();

  LineReader lines_;
  trace::Context context_;
  std::vector<trace::Event> events_;
  std::uint64_t time_ = 0;
};

}  // namespace iovm::analyze
