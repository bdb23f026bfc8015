// SPDX-License-Identifier: Apache-2.0
#include "model/model_file.h"

#include <algorithm>

#include "base/assert.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"
#include "model/model_fields.h"
#include "trace/file_head.h"
#include "trace/frame.h"

namespace iovm::model {
namespace {

using trace::ArchiveReader;
using trace::ArchiveWriter;

constexpr std::size_t kLargestModel = std::size_t{1} << 28;

Status get_fields(ArchiveReader& in, ModelData& data) {
  if (auto ok = get_options(in, data.options); !ok) return ok;
  if (auto ok = get_alphabet(in, data.alphabet); !ok) return ok;
  if (auto ok = get_ngrams(in, data); !ok) return ok;
  if (auto ok = get_sets(in, data); !ok) return ok;
  if (auto ok = get_volumes(in, data.volumes); !ok) return ok;
  if (auto ok = get_places(in, data.places); !ok) return ok;
  if (auto ok = get_allowed(in, data.allowed); !ok) return ok;
  if (auto ok = get_origins(in, data.origins); !ok) return ok;
  if (auto ok = get_calibration(in, data.calibration); !ok) return ok;
  if (auto ok = get_threshold(in, data.threshold); !ok) return ok;
  if (!in.finished()) return input_error("it ends too early, or goes on behind its end");
  return {};
}

}  // namespace

std::vector<std::byte> encode_model(const ModelData& data) {
  IOVM_ASSERT(data.ngrams.length == data.options.context() + 1);
  ArchiveWriter out;
  put_options(out, data.options);
  put_alphabet(out, data.alphabet);
  put_ngrams(out, data.ngrams);
  put_sets(out, data.sets);
  put_volumes(out, data.volumes);
  put_places(out, data.places);
  put_allowed(out, data.allowed);
  put_origins(out, data.origins);
  put_calibration(out, data.calibration);
  put_threshold(out, data.threshold);
  auto head = trace::encode_file_head({trace::FileType::model, kModelVersion});
  std::vector<std::byte> file(head.begin(), head.end());
  std::vector<std::byte> frame = trace::encode_frame(out.bytes());
  file.insert(file.end(), frame.begin(), frame.end());
  return file;
}

Result<ModelData> decode_model(std::span<const std::byte> file) {
  auto head = trace::parse_file_head(file.first(std::min<std::size_t>(file.size(), 64)),
                                     trace::FileType::model, kModelVersion);
  if (!head) return std::move(head).error();
  if (head->version != kModelVersion) {
    return input_error(
        iovm::format("it has format version {}, and this iovm reads version {} (train "
                     "it again)",
                     head->version, kModelVersion));
  }
  std::span<const std::byte> rest = file.subspan(trace::kFileHeadBytes);
  auto frame = trace::decode_frame(rest, kLargestModel);
  if (!frame) return std::move(frame).error().in("the model is damaged (train it again)");
  if (frame->bytes != rest.size()) {
    return input_error("the model is damaged: there is something behind its end");
  }
  ArchiveReader in(frame->content);
  ModelData data;
  if (auto ok = get_fields(in, data); !ok) {
    return Error(ok.error()).in("the model is damaged (train it again)");
  }
  return data;
}

Status write_model(const std::string& path, const ModelData& data) {
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  if (auto ok = write_full(fd->get(), encode_model(data)); !ok) {
    return Error(ok.error()).in(iovm::format("writing {}", escape_terminal(path)));
  }
  return {};
}

Result<ModelData> read_model(const std::string& path) {
  std::string place = iovm::format("model {}", escape_terminal(path));
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  std::vector<std::byte> file;
  constexpr std::size_t kStep = 1U << 20;
  for (std::size_t had = 0;; had = file.size()) {
    file.resize(had + kStep);
    auto got = read_full(fd->get(), std::span(file).subspan(had));
    if (!got) return std::move(got).error().in(place);
    file.resize(had + *got);
    if (*got < kStep) break;
    if (file.size() > kLargestModel) return input_error("larger than any model").in(place);
    if (had == 0) {
      // What is no model is not read to its end.
      auto head =
          trace::parse_file_head(std::span(file).first(64), trace::FileType::model, kModelVersion);
      if (!head) return std::move(head).error().in(place);
    }
  }
  auto data = decode_model(file);
  if (!data) return std::move(data).error().in(place);
  return data;
}

}  // namespace iovm::model
