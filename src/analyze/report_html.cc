// SPDX-License-Identifier: Apache-2.0
#include "analyze/html.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/version.h"

namespace iovm::analyze {
namespace {

// The script and the style are allowed by their hashes, and nothing else at all.
std::string policy() {
  return format(
      "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; "
      "form-action 'none'",
      base64_text(sha256(page_script())), base64_text(sha256(page_style())));
}

void put_figure(std::string& out, std::string_view figure, std::string_view what) {
  out += format("<div><dt>{}</dt><dd>{}</dd></div>\n", what, figure);
}

// 224,000
std::string grouped(std::uint64_t number) {
  std::string out = format("{}", number);
  for (std::size_t at = out.size(); at > 3; at -= 3) out.insert(at - 3, ",");
  return out;
}

std::string when(const Report& report) {
  const Census& census = report.recording->census;
  std::int64_t offset = report.recording->context.info.utc_offset_ns;
  if (offset == 0 || census.events == 0) return "at a time that is not known";
  return utc_text(static_cast<std::int64_t>(census.first_time) + offset).substr(0, 19) + " UTC";
}

std::string subject(const Report& report) {
  std::string text = html(report.path);
  if (!report.recording) return text;
  for (const trace::VmInfo& vm : report.recording->context.vms) {
    if (!vm.name.empty()) text += ", VM " + html(vm.name);
  }
  return text + ", recorded " + when(report);
}

void put_head(const Report& report, std::string& out) {
  out += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += format("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", policy());
  out +=
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n";
  out += format("<title>{}</title>\n<style>", html(verdict(report)));
  out += page_style();
  out += "</style>\n</head>\n";
}

void put_figures(const Report& report, std::string& out) {
  out += "<dl class=\"figures\">\n";
  put_figure(out, grouped(report.alerts.size() + report.left_out), "alerts");
  if (std::size_t incidents = incidents_in(report); incidents > 0)
    put_figure(out, grouped(incidents), "incidents");
  if (report.recording) {
    const Census& census = report.recording->census;
    auto duration = std::chrono::nanoseconds(census.last_time - census.first_time);
    put_figure(out, grouped(census.events), "events");
    put_figure(out, describe_duration(duration), "recorded");
    put_figure(out, grouped(census.lost.all()), "events lost");
  }
  if (!report.alerts.empty()) {
    double most = 0;
    double threshold = 0;
    for (const ReportAlert& alert : report.alerts) {
      if (alert.score >= most) most = alert.score, threshold = alert.threshold;
    }
    put_figure(out, format("{:.1f}", most), "highest score");
    put_figure(out, format("{:.1f}", threshold), "threshold");
  }
  out += "</dl>\n";
}

// Filled by the script; without it the strips of the devices show the same.
void put_timeline(const Report& report, std::string& out) {
  if (!report.overview || report.overview->events == 0) return;
  out +=
      "<section id=\"timeline\" hidden>\n<h2>Timeline</h2>\n"
      "<p class=\"note\"><span class=\"hint\">Drag to zoom, double-click for all of it.</span>";
  if (report.overview->scored)
    out +=
        " Surprise is the score of a stream's last events, in bits; above the dashed line it is an "
        "alarm.";
  out += "</p>\n<div id=\"tools\"></div>\n<p id=\"readout\"></p>\n<div id=\"rate\"></div>\n";
  if (report.overview->scored) out += "<div id=\"surprise\"></div>\n";
  out += "<div id=\"lanes\"></div>\n</section>\n";
}

}  // namespace

std::string entities(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html(std::string_view text) {
  constexpr std::size_t kLongest = 1000;
  std::string safe = escape_terminal(text);
  if (safe.size() <= kLongest) return entities(safe);
  // Not through the middle of a character.
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(safe[end]) & 0xc0) == 0x80) --end;
  return entities(safe.substr(0, end)) + "...";
}

std::string render_html(const Report& report) {
  std::string out;
  put_head(report, out);
  out += format("<body>\n<header>\n<p class=\"eyebrow\">{}</p>\n<h1{}>{}</h1>\n</header>\n<main>\n",
                subject(report), report.alerts.empty() ? "" : " class=\"bad\"",
                entities(verdict(report)));
  if (!report.focus.empty())
    out += format("<p class=\"note\">Only what was asked for: {}.</p>\n", html(report.focus));
  put_figures(report, out);
  put_timeline(report, out);
  put_alerts(report, out);
  put_processes(report, out);
  put_devices(report, out);
  put_unseen(report, out);
  put_threshold(report, out);
  put_provenance(report, out);
  out += format("</main>\n<footer>iovm {}</footer>\n", kVersion);
  put_data(report, out);
  out += "<script>";
  out += page_script();
  return out + "</script>\n</body>\n</html>\n";
}

}  // namespace iovm::analyze
