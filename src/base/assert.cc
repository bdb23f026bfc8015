// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

#include "base/result.h"
#include "base/version.h"

namespace iovm {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "iovm %s: bug: %s does not hold (%s:%d); please report this line\n",
               kVersion, condition, file, line);
  std::_Exit(static_cast<int>(Fault::bug));
}

}  // namespace iovm
