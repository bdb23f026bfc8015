// SPDX-License-Identifier: Apache-2.0
//
// What all forms of a report say in the same words.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <tuple>

#include "analyze/report.h"
#include "base/format.h"
#include "base/sha256.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

// Of equally grave ones one that has a name says most.
const ReportAlert& gravest(const Report& report) {
  auto weight = [](const ReportAlert& alert) {
    double over = alert.threshold > 0 ? alert.score / alert.threshold : 0;
    return std::tuple(alert.severity, alert.known.has_value(), over);
  };
  return *std::ranges::max_element(report.alerts, {}, weight);
}

std::string culprit(const ReportAlert& alert) {
  if (alert.actors.empty()) return {};
  const ReportActor& actor = alert.actors.front();
  if (!actor.unknown.empty()) return ", by an unknown process";
  std::string text = format(", by process {}", escape_terminal(actor.comm));
  return actor.pid ? text + format(" ({})", *actor.pid) : text;
}

// "device accesses in an unknown order at the floppy controller of VM web-1, by process dd (153)"
std::string phrase(const ReportAlert& alert) {
  std::string text = escape_terminal(alert.rule);
  if (!alert.device.empty()) text += ", " + escape_terminal(alert.device);
  if (!alert.vm.empty()) text += " of VM " + escape_terminal(alert.vm);
  text += culprit(alert);
  return text + ", at " + time_text(alert, alert.first_time);
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

bool has_virtio(const Overview& overview) {
  return std::ranges::any_of(overview.lanes, [](const Lane& lane) {
    return lane.device.find("virtio") != std::string::npos;
  });
}

void say_absent(std::vector<std::string>& out, std::uint64_t absent, std::uint64_t all,
                std::string_view what) {
  if (absent == 0) return;
  out.push_back(absent == all ? format("{}: not recorded of any event.", what)
                              : format("{}: not known of {} of {} events ({:.1f} %).", what, absent,
                                       all, percent(absent, all)));
}

}  // namespace

Status add_file(std::string_view role, const std::string& path, Report& report) {
  if (path == "-") return {};
  auto hash = sha256_of_file(path);
  if (!hash) return std::move(hash).error();
  std::error_code failed;
  auto bytes = std::filesystem::file_size(path, failed);
  report.files.push_back({std::string(role), path, failed ? 0 : bytes, hex_text(*hash)});
  return {};
}

std::size_t incidents_in(const Report& report) {
  std::set<std::string_view> ids;
  for (const ReportAlert& alert : report.alerts) ids.insert(alert.incident);
  return ids.contains("") ? 0 : ids.size();
}

std::string no_alerts(const Report& report) {
  if (report.elsewhere > 0) {
    return format(
        "no alert meets what was asked for (--process, --device, --from, --to); {} elsewhere",
        counted(report.elsewhere, "alert"));
  }
  if (report.recording && report.recording->census.events == 0) {
    return "no event meets what was asked for (iovm info tells what the recording holds)";
  }
  if (report.model) return "no alerts: nothing in it is abnormal to the model";
  return report.recording ? "no known attack is in it" : "no alerts";
}

std::string verdict(const Report& report) {
  if (!report.alerts.empty()) {
    std::size_t count = report.alerts.size() + report.left_out;
    std::string text = phrase(gravest(report));
    if (count == 1) return capital(text) + ".";
    std::size_t incidents = incidents_in(report);
    std::string together = incidents == 0 ? "" : " in " + counted(incidents, "incident");
    return format("{} alerts{}; the gravest: {}.", count, together, text);
  }
  bool nothing = report.recording && report.recording->census.events == 0;
  if (report.elsewhere > 0 || nothing) return capital(no_alerts(report)) + ".";
  if (!report.recording) return "There are no alerts.";
  const Census& census = report.recording->census;
  std::string events = counted(census.events, "event");
  std::string lost = census.lost.all() == 0
                         ? std::string()
                         : format(" ({} were lost, and nobody knows what was in them)",
                                  counted(census.lost.all(), "event"));
  if (report.model) return format("Nothing in {} is abnormal to the model{}.", events, lost);
  auto duration = std::chrono::nanoseconds(census.last_time - census.first_time);
  return format(
      "{} in {}{}, and no known attack; without a model nobody can say what else is abnormal.",
      capital(events), describe_duration(duration), lost);
}

std::vector<std::string> blind_spots(const Report& report) {
  std::vector<std::string> out;
  if (report.recording && report.recording->ended_early)
    out.emplace_back("The recording was cut short: it ends with its last whole block.");
  for (const trace::Damage& damage : report.damage) {
    out.push_back(format("The file is damaged at byte {}: {} bytes could not be read ({}).",
                         damage.offset, damage.bytes, escape_terminal(damage.why)));
  }
  if (report.overview) {
    const Overview& seen = *report.overview;
    say_absent(out, seen.without_process, seen.events, "The guest process");
    say_absent(out, seen.without_rip, seen.events, "The instruction's address (RIP)");
    say_absent(out, seen.without_cr3, seen.events, "The address space (CR3)");
    if (seen.strings > 0)
      out.push_back(format("Of {} only the first element was recorded.",
                           counted(seen.strings, "string operation")));
    if (seen.doorbells > 0)
      out.push_back(format("{} by ioeventfd: KVM tells neither their size nor their value.",
                           capital(counted(seen.doorbells, "doorbell"))));
    if (has_virtio(seen))
      out.emplace_back(
          "Virtio devices were used. Their requests lie in guest memory; only the accesses to "
          "registers and the doorbells are here, and with vhost the kernel serves the queues.");
  }
  out.emplace_back(
      "Devices passed through to the guest (VFIO) leave no exits: nothing of them can be here.");
  out.emplace_back(
      "What devices read from guest memory (descriptors, rings, DMA) and the interrupts that they "
      "raise are not recorded.");
  return out;
}

std::string stop_sentence(const ReportAlert& alert) {
  if (alert.stopped.empty()) return {};
  std::string resume = escape_terminal(alert.resume);
  if (alert.stopped == "in-exit")
    return format("in the exit, before the VMM's devices saw the write; {} lets VM and write go on",
                  resume);
  if (alert.stopped == "signal")
    return format("by SIGSTOP to the VMM, when the alarm was raised; {} lets it go on", resume);
  if (alert.stopped == "monitor")
    return format("by the VMM's monitor, which was told to at the alarm; {} there lets it go on",
                  resume);
  return format("{}; {} lets it go on", escape_terminal(alert.stopped), resume);
}

std::string score_sentence(const ReportAlert& alert) {
  if (alert.kind == "rule") return {};
  std::string share = probability_text(alert.p_value);
  if (alert.kind == "session")
    return format(
        "{:.2f}, a session's, threshold {:.2f}; of normal sessions a share of {} scores "
        "as high",
        alert.score, alert.threshold, share);
  if (alert.kind == "volume")
    return format("{:.2f} doublings of what is usual, threshold {:.2f}", alert.score,
                  alert.threshold);
  if (alert.kind == "other-kernel")
    return format("{:.0f} places of the kernel that training never saw; {:.0f} are many",
                  alert.score, alert.threshold);
  if (alert.kind == "code")
    return format(
        "{:.0f} accesses of a window by unknown code, threshold {:.0f}; of normal blocks a share "
        "of {} has as many",
        alert.score, alert.threshold, share);
  return format("{:.2f} bits, threshold {:.2f}; of normal blocks a share of {} scores as high",
                alert.score, alert.threshold, share);
}

std::string technique_text(const ReportTechnique& technique) {
  std::string text = escape_terminal(technique.id) + " " + escape_terminal(technique.name);
  return technique.tactic.empty() ? text : text + " (" + escape_terminal(technique.tactic) + ")";
}

std::string_view novelty_text(const ReportStep& step) {
  if (step.novelty == "unknown-device") return "training never saw this device";
  if (step.novelty == "unknown-size") return "training never saw this register in this width";
  if (step.novelty == "unknown-access") return "training never saw this access on this device";
  if (step.novelty == "unknown-value")
    return "training saw this access, but never with this value or index";
  if (step.novelty == "unknown-code")
    return "training saw it after these steps, but never by this code";
  if (step.novelty == "new-sequence")
    return "training saw this access, but never after these steps";
  if (step.novelty == "rare" || step.novelty.empty())
    return "training saw it after these steps, but rarely";
  return step.novelty;  // a word of a newer detect
}

std::string time_text(const ReportAlert& alert, std::uint64_t time) {
  if (!alert.evidence || time < alert.evidence->start) return format("{} ns", time);
  std::uint64_t after = time - alert.evidence->start;
  return format("+{}.{:06} s", after / 1'000'000'000, after % 1'000'000'000 / 1000);
}

std::string times_text(std::uint64_t count) {
  return count == 1 ? "once" : format("{} times", count);
}

std::string probability_text(double probability) {
  return probability >= 0.001 ? format("{:.3f}", probability) : format("{:.1e}", probability);
}

std::string short_text(const std::string& text, std::string_view device) {
  bool same =
      !device.empty() && text.starts_with(device) && text.substr(device.size()).starts_with(": ");
  return same ? text.substr(device.size() + 2) : text;
}

std::string_view device_of(std::string_view text) {
  std::size_t colon = text.find(": ");
  return colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
}

bool is_like(const ReportStep& a, const ReportStep& b) {
  return a.text == b.text && a.novelty == b.novelty && a.context == b.context;
}

}  // namespace iovm::analyze
