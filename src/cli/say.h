// SPDX-License-Identifier: Apache-2.0
//
// What a command says beside its data, on standard error, a line each:
//
//   constexpr Say say{"iovm record"};
//   say("source bpf");   // iovm record: source bpf
#pragma once

#include <string_view>

namespace iovm::cli {

struct Say {
  std::string_view who;
  void operator()(std::string_view text) const;
};

}  // namespace iovm::cli
