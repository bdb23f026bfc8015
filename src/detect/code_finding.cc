// SPDX-License-Identifier: Apache-2.0
#include "detect/code_finding.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace iovm::detect {
namespace {

constexpr std::size_t kMostTold = 4;

std::string usual_text(const CodeFinding& finding) {
  std::string text = iovm::format("in training {} accesses came from {}", finding.trained,
                                  counted(finding.trained_places, "place"));
  for (std::size_t i = 0; i < finding.usual.size(); ++i) {
    const model::PlaceRow& row = finding.usual[i];
    text += iovm::format("{}{} ({})", i == 0 ? ", most from " : ", ", model::describe(row.place),
                         row.count);
  }
  return text;
}

std::string kernel_text(const CodeFinding& finding) {
  std::string text = iovm::format(
      "of {} places from which the kernel drove known devices since it booted, training has {}",
      finding.seen_known + finding.seen_strange, finding.seen_known);
  if (finding.devices > 0) {
    text += iovm::format(", and {} devices had an alert for unknown code", finding.devices);
  }
  return text +
         "; until the next boot no more is said of unknown code (after an update, train "
         "again)";
}

}  // namespace

CodeFinding finding_about(const model::Places& places, const model::DeviceType& device) {
  CodeFinding out;
  out.usual = model::places_of(places, device);
  out.trained_places = out.usual.size();
  for (const model::PlaceRow& row : out.usual) out.trained += row.count;
  std::ranges::stable_sort(out.usual, std::greater<>(), &model::PlaceRow::count);
  out.usual.resize(std::min(out.usual.size(), CodeFinding::kMostUsual));
  return out;
}

std::string describe(const CodeFinding& finding) {
  if (finding.other_kernel) return kernel_text(finding);
  std::string text = iovm::format(
      "{} of the last accesses came from code that training never saw "
      "drive this device: ",
      finding.events);
  std::size_t told = std::min(finding.strange.size(), kMostTold);
  for (std::size_t i = 0; i < told; ++i) {
    const CodeFinding::Place& place = finding.strange[i];
    text += iovm::format("{}{} (RIP 0x{:x}, {})", i == 0 ? "" : ", ", model::describe(place.place),
                         place.rip, counted(place.events, "time"));
  }
  if (told < finding.strange.size()) text += " and others";
  return text + "; " + usual_text(finding);
}

}  // namespace iovm::detect
