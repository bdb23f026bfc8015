// SPDX-License-Identifier: Apache-2.0
//
// The model file (.iovmm), as docs/model-format.md has it: the plain head that all iovm files
// share, then one checksummed frame with the model's fields. Whoever sends a model may be hostile:
// every count is checked against what is left of the file before memory is taken, every number
// against what it may be, and a model that is not canonical is refused, so that what was read can
// be merged and scored without a further look.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/model_data.h"

namespace iovm::model {

inline constexpr std::uint16_t kModelVersion = 4;

std::vector<std::byte> encode_model(const ModelData& data);
Result<ModelData> decode_model(std::span<const std::byte> file);

// `path` may be "-".
Status write_model(const std::string& path, const ModelData& data);
Result<ModelData> read_model(const std::string& path);

}  // namespace iovm::model
