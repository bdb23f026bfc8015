// SPDX-License-Identifier: Apache-2.0
#include "record/qemu_options.h"

namespace iovm::record {

Pairs parse_pairs(std::string_view text) {
  Pairs pairs;
  std::string piece;
  auto flush = [&] {
    std::size_t equals = piece.find('=');
    if (equals == std::string::npos) {
      pairs.emplace_back("", piece);
    } else {
      pairs.emplace_back(piece.substr(0, equals), piece.substr(equals + 1));
    }
    piece.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && text.substr(i + 1, 1) == ",") {
      piece += text[i++];
    } else if (text[i] == ',') {
      flush();
    } else {
      piece += text[i];
    }
  }
  flush();
  return pairs;
}

std::optional<std::string> value_of(const Pairs& pairs, std::string_view key, bool implied) {
  std::optional<std::string> found;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].first == key || (implied && i == 0 && pairs[i].first.empty()))
      found = pairs[i].second;
  }
  return found;
}

}  // namespace iovm::record
