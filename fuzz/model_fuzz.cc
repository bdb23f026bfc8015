// SPDX-License-Identifier: Apache-2.0
//
// Model files from anybody: decoding gives an error or a model that can be scored, explained,
// merged with itself and written again. The first byte decides whether the input is taken as a
// whole file, or as the content of a frame whose checksums are right, so that the fields behind
// them are reached.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/assert.h"
#include "model/model_file.h"
#include "trace/file_head.h"
#include "trace/frame.h"

namespace {

using namespace iovm;

void use(const model::ModelData& data) {
  model::Model model = data.model();
  model::State state;
  for (std::size_t i = 0; i < data.ngrams.size() && i < 64; ++i) {
    for (model::Symbol symbol : data.ngrams.at(i)) {
      if (symbol == model::kNoSymbol) continue;
      model::Score score = model.score(state, symbol, state);
      IOVM_ASSERT(score.bits <= model.worst());
      (void)model.followers(state, 3);
      (void)model.context(state);
    }
    model.score(state, model::kUnknownValue, state);
  }
  for (std::size_t i = 0; i < data.alphabet.size() && i < 64; ++i) {
    (void)model::describe(data.alphabet[i]);
    (void)model::short_name(data.alphabet[i]);
  }
  std::vector<std::byte> again = model::encode_model(data);
  auto read = model::decode_model(again);
  IOVM_ASSERT(read && *read == data);
  IOVM_ASSERT(static_cast<bool>(model::merge(data, data)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  std::span<const std::byte> input = std::as_bytes(std::span(bytes, size));
  std::vector<std::byte> file;
  if ((bytes[0] & 1) == 0) {
    file.assign(input.begin() + 1, input.end());
  } else {
    auto head = trace::encode_file_head({trace::FileType::model, model::kModelVersion});
    std::vector<std::byte> frame = trace::encode_frame(input.subspan(1), 1);
    file.assign(head.begin(), head.end());
    file.insert(file.end(), frame.begin(), frame.end());
  }
  auto data = model::decode_model(file);
  if (data) use(*data);
  return 0;
}
