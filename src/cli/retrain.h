// SPDX-License-Identifier: Apache-2.0
//
// Which recordings a model may go on learning from. What raised an alarm must not become normal by
// being trained on, unless somebody looked at it and says so by name.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace iovm::cli {

struct Judged {
  std::vector<std::string> good;  // no model raised an alert, or accepted by name
  struct Bad {
    std::string trace;
    std::string model;
    std::uint64_t alerts = 0;
  };
  std::vector<Bad> bad;
};

// Looks at every recording by every model; `accepted` are taken unseen. A recording can be read
// only once from standard input: "-" has to be among them.
Result<Judged> judge(const std::vector<std::string>& traces, const std::vector<std::string>& models,
                     const std::vector<std::string>& accepted);

}  // namespace iovm::cli
