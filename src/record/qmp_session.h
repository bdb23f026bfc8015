// SPDX-License-Identifier: Apache-2.0
//
// One short talk with a QEMU over its QMP socket: greeting, qmp_capabilities, one question, gone.
// Only questions that change nothing are asked.
//
// A QMP socket serves one client at a time, and it is there for somebody else. So nobody is pushed
// aside: a socket to which somebody is connected (/proc/PID/net/unix tells) is left alone, and so
// is one that is not the VMM's own. A VMM may be hung or hostile: the talk ends at its deadline, or
// with kMostAnswer bytes, and nothing is said before the greeting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace iovm::record {

inline constexpr std::size_t kMostAnswer = std::size_t{4} << 20;  // bytes, all messages together

// The answer of the QEMU with that pid to a command without arguments: its whole message, as JSON
// text. `path` is as the VMM sees it; `deadline` in ns of the monotonic clock.
Result<std::string> ask_qmp(const std::string& proc_root, std::int32_t pid, const std::string& path,
                            std::string_view command, std::uint64_t deadline);

}  // namespace iovm::record
