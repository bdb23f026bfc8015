// SPDX-License-Identifier: Apache-2.0
//
// Text in and out. In: the durations, sizes and numbers that users type and that text formats hold.
// Out: names that come from a guest or a foreign file are hostile (escape sequences, broken UTF-8,
// markup) and pass through one of the encoders before anybody sees them. JSON has its own writer
// (base/json.h), which does the same for itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace iovm {

// The whole text as a number: decimal, or hexadecimal after 0x. Nothing else may stand around it.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);
std::optional<std::int64_t> parse_signed(std::string_view text);

// "250ms", "30s", "5m", "1h", "2d", "800us", "10ns"; a bare number is seconds. Fractions are
// allowed ("1.5s").
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// "64K", "8M", "2G", "1T" (powers of 1024) or plain bytes.
Result<std::uint64_t> parse_size(std::string_view text);

// A duration for people: "12.3 s", "850 ms", "2 min 5 s".
std::string describe_duration(std::chrono::nanoseconds duration);
// A size for people: "3.4 MiB".
std::string describe_size(std::uint64_t bytes);

// "1 alert", "16 alerts"; `several` where it is not `one` with an s.
std::string counted(std::uint64_t count, std::string_view one, std::string_view several = {});

// Valid printable UTF-8 stays; control characters (C0, DEL, C1), broken UTF-8 and bidirectional
// overrides become \xNN, a backslash becomes "\\": safe on any terminal.
std::string escape_terminal(std::string_view text);

// The same text as valid UTF-8: every byte that belongs to no valid sequence becomes U+FFFD.
std::string valid_utf8(std::string_view text);

// White space, control characters, bytes >= 0x80 and '%' become %NN. An empty text becomes "%".
std::string percent_encode(std::string_view text);
// The reverse. Nothing where a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);

// Pieces between separators; empty pieces are kept.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);

}  // namespace iovm
