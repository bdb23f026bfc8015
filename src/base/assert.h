// SPDX-License-Identifier: Apache-2.0
//
// A broken promise of our own is a bug: it ends the process with exit code 70 and its place, in
// release builds too. Never for input: a file or a guest can be as wrong as it likes and gets an
// Error.
#pragma once

namespace iovm {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace iovm

// A macro, because the text of the condition is the message.
#define IOVM_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::iovm::assertion_failed(#condition, __FILE__, __LINE__))
