// SPDX-License-Identifier: Apache-2.0
//
// Where the attacks in recordings are: a text file that somebody wrote who knows it, one attack a
// line,
//
//   trace NAME first last [cr3=HEX] [code=HEX-HEX] [device=KEY] [user]
//
// so that alerts in a machine's mixed work can be held against each attack by itself (iovm-eval(1)
// documents it). `first` and `last` are event numbers as alerts and dumps have them; what is said
// after them narrows the accesses down within. "#" starts a comment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace iovm::analyze {

struct TruthAttack {
  std::string trace;  // a path, or its last part
  std::string name;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<std::uint64_t> cr3;  // the address space, as model::address_space has it
  std::optional<std::pair<std::uint64_t, std::uint64_t>> code;  // where its instructions lie
  std::optional<std::string> device;                            // model::device_key
  bool user = false;                                            // only what code in user space does

  bool is_in(std::string_view path) const;
};

// An input error with the line for anything else. `place` names the text in it.
Result<std::vector<TruthAttack>> parse_truth(std::string_view text, std::string_view place);

}  // namespace iovm::analyze
