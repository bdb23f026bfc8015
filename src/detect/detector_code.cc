// SPDX-License-Identifier: Apache-2.0
//
// What the Detector does about code that training never saw drive a device.
#include <algorithm>
#include <bit>

#include "detect/detector_stream.h"

namespace iovm::detect {
namespace {

void count(CodeFinding& finding, const model::CodePlace& place, const Record& record) {
  ++finding.events;
  auto row = std::ranges::find(finding.strange, place, &CodeFinding::Place::place);
  if (row == finding.strange.end()) {
    row = finding.strange.insert(row, {place, record.rip, 0});
  }
  ++row->events;
}

}  // namespace

// The record is by code that training never saw there: true if it makes enough of them.
Result<bool> Detector::strange_code(const trace::Context& context, model::StreamIndex index,
                                    Record& record, PlaceWatch::Sight sight) {
  Stream& s = *streams_[index];
  record.strange = true;
  s.strange |= 1;
  if (sight == PlaceWatch::Sight::other_kernel) {
    if (auto ok = tell_other_kernel(context, index); !ok) return Error(ok.error());
  }
  return static_cast<std::uint32_t>(std::popcount(s.strange)) >= data_.threshold.strange &&
         places_.believes(map_.streams()[index].vm);
}

// The episode is, among others, about the strange accesses of the window that ends now.
void Detector::blame_code(Episode& e, const Stream& s) {
  model::DeviceType device;
  std::vector<const Record*> strange;
  s.each_record([&](const Record& r) {
    if (!r.strange) return;
    strange.push_back(&r);
    device = seen(r.seen).device;
  });
  Alert& alert = e.alert;
  places_.told(alert.stream.vm, device);
  if (alert.code) return;
  alert.code = finding_about(data_.places, device);
  for (const Record* r : strange) {
    if (auto place = model::place_of(model::kernel_code(r->rip), r->rip)) {
      count(*alert.code, *place, *r);
    }
  }
  std::ranges::stable_sort(alert.code->strange, std::greater<>(), &CodeFinding::Place::events);
  alert.code->strange.resize(std::min(alert.code->strange.size(), CodeFinding::kMostPlaces));
  if (alert.kind != AlertKind::code) return;
  auto count = static_cast<std::uint32_t>(std::popcount(s.strange));
  alert.score = count;
  alert.threshold = data_.threshold.strange;
  alert.p_value = model::strange_p_value(data_.calibration, count);
}

// An alert by itself: whatever else goes on in the stream is not part of it.
Status Detector::tell_other_kernel(const trace::Context& context, model::StreamIndex index) {
  Stream& s = *streams_[index];
  std::unique_ptr<Episode> other = std::move(s.episode);
  auto ok = open(context, index, AlertKind::other_kernel, {});
  if (ok) ok = close(context, s);
  s.episode = std::move(other);
  return ok;
}

// It is about the VM: no device, process or vCPU has to do with it.
void Detector::name_kernel(Episode& e) const {
  Alert& alert = e.alert;
  PlaceWatch::Seen seen = places_.seen(alert.stream.vm);
  alert.stream.device.reset();
  alert.stream.process.reset();
  alert.stream.vcpu.reset();
  alert.id += "-kernel";
  e.processes = {};
  e.spaces = {};
  CodeFinding& finding = alert.code.emplace();
  finding.other_kernel = true;
  finding.seen_known = seen.known;
  finding.seen_strange = seen.strange;
  finding.devices = seen.devices;
  alert.score = seen.strange;
  alert.threshold = PlaceWatch::kManyStrange;
  alert.p_value = 1;
}

}  // namespace iovm::detect
