// SPDX-License-Identifier: Apache-2.0
//
// Rule files from anybody: reading one gives faults with a place in the file, or rules that run.
// The input up to the first zero byte is the file; the rest are accesses that its rules look at,
// three bytes each.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "detect/render.h"
#include "detect/rule_files.h"
#include "detect/rule_watch.h"

namespace {

using namespace iovm;

class Ignore : public detect::AlertSink {
 public:
  Status closed(const detect::Alert& alert) override {
    IOVM_ASSERT(alert.rule && !alert.steps.empty());
    IOVM_ASSERT(!detect::alert_json(alert).empty() && !detect::alert_text(alert).empty());
    return {};
  }
};

trace::Event access(const std::uint8_t* bytes, std::uint64_t time) {
  trace::Event e;
  e.time = time;
  e.direction = (bytes[0] & 1) != 0 ? trace::Direction::write : trace::Direction::read;
  e.address = 0x60 + ((bytes[0] >> 1U) * std::uint64_t{8}) + (bytes[1] & 7U);
  e.process = bytes[1] >> 3U;
  trace::set_value(e, bytes[2]);
  trace::set_size(e, 1);
  if ((bytes[2] & 0x80U) != 0) trace::set_count(e, bytes[2] * 16U);
  if ((bytes[0] & 0x80U) != 0) trace::set_cpl(e, 3);
  return e;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(bytes), size);
  std::string_view text = input.substr(0, input.find('\0'));
  detect::ParsedRules parsed = detect::parse_rules("f", text, detect::built_in_attack_map());
  std::size_t lines = 1;
  for (char c : text) lines += c == '\n' ? 1U : 0U;
  IOVM_ASSERT(parsed.faults.size() <= detect::kMaxFaults);
  for (const detect::RuleFault& fault : parsed.faults) {
    IOVM_ASSERT(fault.line >= 1 && fault.line <= lines && fault.column >= 1);
    IOVM_ASSERT(!detect::describe("f", fault).empty());
  }
  auto set = std::make_shared<detect::RuleSet>();
  set->rules = std::move(parsed.rules);
  Ignore sink;
  detect::RuleRun run(set, "f", sink);
  std::vector<trace::Event> events;
  for (std::size_t at = text.size() + 1; at + 3 <= size && events.size() < 4096; at += 3) {
    events.push_back(access(bytes + at, at * 1'000'000));
  }
  trace::Context context;
  IOVM_ASSERT(static_cast<bool>(run.feed(context, events)));
  IOVM_ASSERT(static_cast<bool>(run.finish(context)));
  return 0;
}
