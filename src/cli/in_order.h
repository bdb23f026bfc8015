// SPDX-License-Identifier: Apache-2.0
//
// Independent pieces of work on all cores, their results in order: work(i) runs on any thread,
// done(i) on the caller's, for i = 0, 1, 2 ... as soon as that piece is finished. So what is
// printed does not depend on the number of threads. The finished pieces that wait for
// their turn are bounded.
#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"

namespace iovm::cli {

// Stops at the first error of done(), which it returns; pieces that run are waited for.
Status in_order(std::size_t pieces, std::size_t threads,
                const std::function<void(std::size_t)>& work,
                const std::function<Status(std::size_t)>& done);

// How many threads there should be: one for each core, no more than pieces.
std::size_t usual_threads(std::size_t pieces);

}  // namespace iovm::cli
