// SPDX-License-Identifier: Apache-2.0
//
// The fields of a model file, one put and one get for each (docs/model-format.md has them in their
// order). A get checks what it reads: bounds, canonical order, numbers that exist; what it gives is
// a model that can be used. Only model_file.cc includes this.
#pragma once

#include "base/result.h"
#include "model/model_data.h"
#include "trace/archive.h"

namespace iovm::model {

void put_options(trace::ArchiveWriter& out, const Options& options);
Status get_options(trace::ArchiveReader& in, Options& options);
void put_alphabet(trace::ArchiveWriter& out, const std::vector<Operation>& alphabet);
Status get_alphabet(trace::ArchiveReader& in, std::vector<Operation>& alphabet);
// Of the options and the alphabet that were read before.
void put_ngrams(trace::ArchiveWriter& out, const Ngrams& ngrams);
Status get_ngrams(trace::ArchiveReader& in, ModelData& data);
void put_sets(trace::ArchiveWriter& out, const SessionSets& sets);
Status get_sets(trace::ArchiveReader& in, ModelData& data);
void put_volumes(trace::ArchiveWriter& out, const Volumes& volumes);
Status get_volumes(trace::ArchiveReader& in, Volumes& volumes);
void put_places(trace::ArchiveWriter& out, const Places& places);
Status get_places(trace::ArchiveReader& in, Places& places);
void put_allowed(trace::ArchiveWriter& out, const std::vector<std::string>& allowed);
Status get_allowed(trace::ArchiveReader& in, std::vector<std::string>& allowed);
void put_origins(trace::ArchiveWriter& out, const std::vector<Origin>& origins);
Status get_origins(trace::ArchiveReader& in, std::vector<Origin>& origins);
void put_calibration(trace::ArchiveWriter& out, const Calibration& calibration);
Status get_calibration(trace::ArchiveReader& in, Calibration& calibration);
void put_threshold(trace::ArchiveWriter& out, const Threshold& threshold);
Status get_threshold(trace::ArchiveReader& in, Threshold& threshold);

}  // namespace iovm::model
