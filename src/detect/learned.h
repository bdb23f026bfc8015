// SPDX-License-Identifier: Apache-2.0
//
// What a Detector asks of a model, worked out once for all recordings: scores, which accesses it
// knows, what it allows from user space, how unusual a session is, how much is too much.
//
// Immutable: one serves any number of Detectors and threads. The data must outlive it.
#pragma once

#include "detect/known_accesses.h"
#include "detect/session_scorer.h"
#include "detect/user_access.h"
#include "model/model_data.h"
#include "model/volume_watch.h"

namespace iovm::detect {

struct Learned {
  explicit Learned(const model::ModelData& d)
      : data(d),
        model(d.model()),
        accesses(d.alphabet),
        user_access(d),
        scorer(d),
        norm(d.volumes),
        limits(norm, model::volume_excess(d.threshold.value, model.unknown())) {}
  Learned(const Learned&) = delete;
  Learned& operator=(const Learned&) = delete;

  const model::ModelData& data;
  model::Model model;
  KnownAccesses accesses;
  UserAccess user_access;
  SessionScorer scorer;
  model::VolumeNorm norm;
  model::VolumeLimits limits;
};

}  // namespace iovm::detect
