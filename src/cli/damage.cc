// SPDX-License-Identifier: Apache-2.0
#include "cli/damage.h"

#include "base/format.h"
#include "base/text.h"

namespace iovm::cli {

std::optional<Error> damage_error(std::string_view path, std::span<const trace::Damage> damage,
                                  std::string_view rest) {
  if (damage.empty()) return std::nullopt;
  const trace::Damage& first = damage.front();
  return input_error(format("{}: damaged in {}, the first at byte {} ({} bytes skipped: {}); {}",
                            escape_terminal(path), counted(damage.size(), "place"), first.offset,
                            first.bytes, escape_terminal(first.why), rest));
}

}  // namespace iovm::cli
