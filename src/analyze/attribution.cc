// SPDX-License-Identifier: Apache-2.0
#include "analyze/attribution.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

AttributionShare share_of(std::uint32_t process, const trace::Context& context) {
  AttributionShare share;
  if (process >= context.processes.size()) {
    share.how = trace::name_of(static_cast<trace::Unknown>(process));
    return share;
  }
  const trace::GuestProcess& known = context.processes[process];
  share.known = true;
  share.kind = known.kind;
  share.confidence = known.confidence;
  share.how = known.how.substr(0, known.how.find(';'));  // what follows is the process's own
  return share;
}

bool same(const AttributionShare& a, const AttributionShare& b) {
  return a.known == b.known && a.kind == b.kind && a.confidence == b.confidence && a.how == b.how;
}

}  // namespace

Attribution attribution_of(const Census& census, const trace::Context& context) {
  Attribution result;
  for (const ProcessCount& process : census.processes) {
    AttributionShare share = share_of(process.process, context);
    if (share.known) result.attributed += process.events;
    auto found = std::ranges::find_if(
        result.shares, [&](const AttributionShare& other) { return same(share, other); });
    if (found == result.shares.end()) found = result.shares.insert(found, std::move(share));
    found->events += process.events;
  }
  std::ranges::stable_sort(result.shares, std::greater<>(), &AttributionShare::events);
  return result;
}

std::string describe(const AttributionShare& share) {
  if (!share.known) return "unknown: " + share.how;
  std::string text =
      format("{}, {} confidence", trace::name_of(share.kind), trace::name_of(share.confidence));
  return share.how.empty() ? text : format("{} ({})", text, escape_terminal(share.how));
}

}  // namespace iovm::analyze
