// SPDX-License-Identifier: Apache-2.0
//
// What a command says of a damaged recording, once it has done what it could with the rest: one
// error (exit code 3) in the same words everywhere.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "trace/reader.h"

namespace iovm::cli {

// Nothing if there is no damage. `rest`: what became of the rest, "the rest is printed".
std::optional<Error> damage_error(std::string_view path, std::span<const trace::Damage> damage,
                                  std::string_view rest);

}  // namespace iovm::cli
