// SPDX-License-Identifier: Apache-2.0
//
// One line of the events text (docs/events-text.md): its columns, and the parser that turns it into
// an Event. The parser goes through the line once and allocates nothing; what is wrong with a line
// is worked out only once it is known to be wrong.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "trace/event.h"

namespace iovm::analyze {

// The first nine are in every line, in this order; the others as a `# columns:` line names them.
enum class Column : std::uint8_t {
  time,
  vcpu,
  pid,
  comm,
  kind,
  direction,
  address,
  size,
  value,
  cr3,
  rip,
  count,
  vm,
  cpl,
  other,  // of a name that is not known here: skipped
};
inline constexpr std::size_t kFixedColumns = 9;
inline constexpr std::size_t kKnownColumns = 14;

// "t_ns", "vcpu", ... ; the column of an unknown name is `other`.
std::string_view name_of(Column column);
Column column_of(std::string_view name);

// The columns behind the nine, from the value of a `# columns:` line.
Result<std::vector<Column>> parse_columns(std::string_view names);

// A line as read. The process is still words and the VM still a number: what they stand for depends
// on the lines before.
struct EventLine {
  trace::Event event;
  std::int64_t pid = -1;
  std::string_view comm;  // as written; empty if it is "-"
};

// VM numbers are below it.
inline constexpr std::uint32_t kMostVms = 4096;

// Nothing on success, else the column and what was expected there.
std::optional<std::string> parse_event_line(std::string_view line, const std::vector<Column>& more,
                                            EventLine& out);

}  // namespace iovm::analyze
