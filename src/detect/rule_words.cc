// SPDX-License-Identifier: Apache-2.0
#include "detect/rule_words.h"

#include "base/format.h"
#include "base/text.h"

namespace iovm::detect {
namespace {

bool blank(char c) {
  return c == ' ' || c == '\t';
}

std::optional<std::size_t> control_character(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    auto byte = static_cast<unsigned char>(line[i]);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return i;
  }
  return std::nullopt;
}

// What a fault says of a word, short and safe on terminals.
std::string shown(const Word& word) {
  constexpr std::size_t kLongest = 40;
  std::string text(word.text.substr(0, kLongest));
  if (word.text.size() > kLongest) text += "...";
  return iovm::format("\"{}\"", escape_terminal(text));
}

}  // namespace

std::string describe(std::string_view file, const RuleFault& fault) {
  return iovm::format("{}:{}:{}: {}", escape_terminal(file), fault.line, fault.column, fault.what);
}

std::optional<RuleFault> Words::cut(std::string_view line, std::uint32_t number, Words& out) {
  out = Words();
  out.line_ = number;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (auto at = control_character(line)) {
    return RuleFault{number, static_cast<std::uint32_t>(*at + 1),
                     "expected text, found a control character"};
  }
  for (std::size_t at = 0; at < line.size();) {
    if (blank(line[at])) {
      ++at;
      continue;
    }
    if (line[at] == '#') break;
    auto column = static_cast<std::uint32_t>(at + 1);
    if (line[at] == '"') {
      std::size_t end = line.find('"', at + 1);
      if (end == std::string_view::npos) {
        return RuleFault{number, column, "expected a closing \" before the end of the line"};
      }
      out.words_.push_back({line.substr(at + 1, end - at - 1), column, true});
      at = end + 1;
    } else {
      std::size_t end = at;
      while (end < line.size() && !blank(line[end]) && line[end] != '"') ++end;
      out.words_.push_back({line.substr(at, end - at), column, false});
      at = end;
    }
    out.end_ = static_cast<std::uint32_t>(at + 1);
  }
  return std::nullopt;
}

RuleFault Words::fault(std::string_view expected) const {
  const Word* word = peek();
  if (word == nullptr) {
    return {line_, end_, iovm::format("expected {}, found the end of the line", expected)};
  }
  return {line_, word->column, iovm::format("expected {}, found {}", expected, shown(*word))};
}

}  // namespace iovm::detect
