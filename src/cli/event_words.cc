// SPDX-License-Identifier: Apache-2.0
#include "cli/event_words.h"

#include "base/format.h"

namespace iovm::cli {
void declare(CommandLine& line, EventWords& words, const TimeOptions& times) {
  declare(line, words.which, times);
  line.option("--events", words.events, "A-B", "event numbers, as in alerts");
  line.option("--address", words.address, "A|A-B", "at this port or address");
  line.choice("--direction", words.direction, {"r", "w"}, "reads or writes only");
  line.choice("--kind", words.kind, {"pio", "mmio", "fast", "loss"}, "of this kind only");
  line.option("--vm", words.vm, "NAME", "of this VM: name, UUID or number");
  line.option("--vcpu", words.vcpu, "N", "of this vCPU");
}

Result<analyze::EventFilter> filter_of(const EventWords& words, const TimeOptions& times) {
  auto chosen = event_filter(words.which, times);
  if (!chosen) return std::move(chosen).error();
  analyze::EventFilter filter = *std::move(chosen);
  for (Status parsed :
       {parse_into(filter.events, words.events, "--events", analyze::NumberRange::parse),
        parse_into(filter.address, words.address, "--address", analyze::NumberRange::parse)}) {
    if (!parsed) return std::move(parsed).error();
  }
  if (words.vcpu && *words.vcpu > 0xffff) return usage_error("--vcpu: at most 65535");
  if (words.vcpu) filter.vcpu = static_cast<std::uint16_t>(*words.vcpu);
  filter.vm = words.vm;
  if (!words.direction.empty())
    filter.direction = words.direction == "w" ? trace::Direction::write : trace::Direction::read;
  if (!words.kind.empty()) filter.kind = trace::event_kind(words.kind);
  return filter;
}

std::string describe(const EventWords& words) {
  std::string text;
  auto tell = [&text](std::string_view option, const std::optional<std::string>& value) {
    if (value) text += format("{}{} {}", text.empty() ? "" : " ", option, *value);
  };
  auto some = [](const std::string& word) {
    return word.empty() ? std::optional<std::string>() : word;
  };
  tell("--from", words.which.from);
  tell("--to", words.which.to);
  tell("--events", words.events);
  tell("--process", words.which.process);
  tell("--device", words.which.device);
  tell("--address", words.address);
  tell("--direction", some(words.direction));
  tell("--kind", some(words.kind));
  tell("--vm", words.vm);
  if (words.vcpu) tell("--vcpu", std::to_string(*words.vcpu));
  return text;
}

}  // namespace iovm::cli
