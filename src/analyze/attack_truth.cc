// SPDX-License-Identifier: Apache-2.0
#include "analyze/attack_truth.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "model/actor.h"

namespace iovm::analyze {
namespace {

constexpr std::size_t kMostAttacks = 100'000;

std::string quoted(std::string_view word) {
  return format("\"{}\"", escape_terminal(word.substr(0, 40)));
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (line = trim(line); !line.empty(); line = trim(line)) {
    std::size_t length = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, length));
    line.remove_prefix(length);
  }
  return words;
}

std::optional<std::uint64_t> hex(std::string_view text) {
  return parse_unsigned(text.starts_with("0x") ? std::string(text) : "0x" + std::string(text));
}

Status narrow(TruthAttack& attack, std::string_view word) {
  if (word == "user") {
    attack.user = true;
  } else if (word.starts_with("cr3=")) {
    auto cr3 = hex(word.substr(4));
    if (!cr3) {
      return input_error(
          format("expected a hexadecimal number after cr3=, found {}", quoted(word.substr(4))));
    }
    attack.cr3 = model::address_space(*cr3);
  } else if (word.starts_with("code=")) {
    std::vector<std::string_view> ends = split(word.substr(5), '-');
    auto first = hex(ends.front()), last = hex(ends.back());
    if (ends.size() != 2 || !first || !last || *last < *first) {
      return input_error(
          format("expected code=HEX-HEX, the lower address first, found {}", quoted(word)));
    }
    attack.code = {*first, *last};
  } else if (word.starts_with("device=") && word.size() > 7) {
    attack.device = word.substr(7);
  } else {
    return input_error(
        format("expected cr3=HEX, code=HEX-HEX, device=KEY or user, found {}", quoted(word)));
  }
  return {};
}

Result<TruthAttack> parse_line(const std::vector<std::string_view>& words) {
  if (words.size() < 4) {
    return input_error(
        format("expected trace, name, first and last event, found {} words", words.size()));
  }
  TruthAttack attack;
  attack.trace = words[0];
  attack.name = words[1];
  auto first = parse_unsigned(words[2]);
  auto last = parse_unsigned(words[3]);
  if (!first || !last) {
    return input_error(
        format("expected the number of an event, found {}", quoted(first ? words[3] : words[2])));
  }
  if (*last < *first) {
    return input_error(format("the last event ({}) is before the first ({})", *last, *first));
  }
  attack.first = *first;
  attack.last = *last;
  for (std::size_t i = 4; i < words.size(); ++i) {
    if (auto ok = narrow(attack, words[i]); !ok) return Error(ok.error());
  }
  return attack;
}

}  // namespace

bool TruthAttack::is_in(std::string_view path) const {
  return path == trace || path.substr(path.find_last_of('/') + 1) == trace;
}

Result<std::vector<TruthAttack>> parse_truth(std::string_view text, std::string_view place) {
  std::vector<TruthAttack> attacks;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    std::vector<std::string_view> words = words_of(line.substr(0, line.find('#')));
    if (words.empty()) continue;
    auto attack = parse_line(words);
    if (attack && attacks.size() == kMostAttacks) {
      attack = input_error(format("more than {} attacks", kMostAttacks));
    }
    if (!attack) return std::move(attack).error().in(format("{}:{}", place, number));
    attacks.push_back(*std::move(attack));
  }
  return attacks;
}

}  // namespace iovm::analyze
