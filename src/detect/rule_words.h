// SPDX-License-Identifier: Apache-2.0
//
// A line of a rule file, as words with their places, and the faults that reading it found: each
// with line, column and what was expected there. A fault does not end the reading: a file is told
// of as a whole (up to kMaxFaults).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace iovm::detect {

struct RuleFault {
  std::uint32_t line = 0;    // from 1
  std::uint32_t column = 0;  // from 1, in bytes
  std::string what;
};
inline constexpr std::size_t kMaxFaults = 20;

// "FILE:3:7: expected ..."; safe on terminals.
std::string describe(std::string_view file, const RuleFault& fault);

struct Word {
  std::string_view text;  // without quotes
  std::uint32_t column = 0;
  bool quoted = false;
};

// The words of one line, taken one after the other.
class Words {
 public:
  // Cuts the line at white space; "a text" is one word, # begins a comment. A quotation that does
  // not end, or a control character, is the fault.
  static std::optional<RuleFault> cut(std::string_view line, std::uint32_t number, Words& out);

  bool done() const { return at_ == words_.size(); }
  // The next word, or nothing where there is none.
  const Word* peek() const { return done() ? nullptr : &words_[at_]; }
  const Word* take() { return done() ? nullptr : &words_[at_++]; }
  bool take_if(std::string_view text) {
    bool is = !done() && !words_[at_].quoted && words_[at_].text == text;
    at_ += is ? 1 : 0;
    return is;
  }
  // "expected EXPECTED, found WORD", at the next word or the end of the line.
  RuleFault fault(std::string_view expected) const;
  // The same at a word that was taken.
  RuleFault fault_at(const Word& word, std::string_view what) const {
    return {line_, word.column, std::string(what)};
  }
  // ... at the word that was taken last.
  RuleFault fault_before(std::string_view what) const {
    return fault_at(words_[at_ == 0 ? 0 : at_ - 1], what);
  }
  std::uint32_t line() const { return line_; }

 private:
  std::vector<Word> words_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 0;
  std::uint32_t end_ = 1;  // column behind the last word
};

// Cuts a text into lines, calls f(words, fault of the cut) for each, until there are kMaxFaults.
template <typename F>
void each_line(std::string_view text, std::vector<RuleFault>& faults, F&& f) {
  std::uint32_t number = 0;
  while (!text.empty() && faults.size() < kMaxFaults) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    Words words;
    auto fault = Words::cut(line, ++number, words);
    f(words, std::move(fault));
  }
}

}  // namespace iovm::detect
