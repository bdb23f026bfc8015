// SPDX-License-Identifier: Apache-2.0
//
// What the report stands on: what was not seen, how the threshold came about, which files and
// versions it was made from; and the data that the script draws.
#include <algorithm>
#include <cmath>

#include "analyze/html.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "base/version.h"

namespace iovm::analyze {
namespace {

void put_row(std::string& out, std::string_view name, std::string_view value) {
  out += format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

// How many normal blocks scored how much, with the threshold in it.
constexpr std::size_t kBars = 48;

void put_blocks(const model::ModelData& data, double reach, std::string& out) {
  const auto& sample = data.calibration.largest;
  if (sample.empty() || reach <= 0) return;
  std::array<std::uint64_t, kBars> bars{};
  for (model::Bits bits : sample) {
    auto bar = static_cast<std::size_t>(model::to_bits(bits) / reach * kBars);
    ++bars[std::min(bar, kBars - 1)];
  }
  std::uint64_t most = *std::ranges::max_element(bars);
  out +=
      "<figure><svg class=\"blocks\" viewBox=\"0 0 480 100\" preserveAspectRatio=\"none\" "
      "role=\"img\" aria-label=\"scores of normal blocks and the threshold\">";
  for (std::size_t i = 0; i < kBars; ++i) {
    if (bars[i] == 0) continue;
    double part = std::log1p(static_cast<double>(bars[i])) / std::log1p(static_cast<double>(most));
    double height = std::max(part * 96, 2.0);
    out += format("<rect x=\"{}\" y=\"{:.1f}\" width=\"9\" height=\"{:.1f}\"/>", i * 10,
                  100 - height, height);
  }
  double at = model::to_bits(data.threshold.value) / reach * 480;
  out += format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"100\"/></svg>\n", at);
  out += format(
      "<figcaption>Scores of {} blocks of normal work that the model had not seen, from 0 to "
      "{:.1f} bits (the heights are logarithmic), and the threshold.</figcaption>"
      "</figure>\n",
      sample.size(), reach);
}

std::string promise(const model::ModelData& data) {
  std::string text = html(model::describe(data.threshold.promise)) + " false alarms";
  if (data.threshold.supported) return text + ", which the held-out work supports";
  return text + format(", which so few data cannot promise: they support at most {:.3g}",
                       data.threshold.expected);
}

std::string checked(const ReportFile& file) {
  return format("{}<br><code>sha256 {}</code><br><small>{}</small>", html(file.path), file.sha256,
                describe_size(file.bytes));
}

// In the JSON that stands inside the page nothing may look like markup.
std::string inert(std::string_view json) {
  std::string out;
  for (char c : json) {
    if (c == '<' || c == '>' || c == '&') {
      out += format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

// Each point as three numbers: buckets since the one before, events, tenths of a bit.
void put_points(const std::vector<LanePoint>& points, JsonWriter& json) {
  std::uint32_t last = 0;
  json.key("points").begin_array();
  for (const LanePoint& point : points) {
    json.value(point.bucket - last).value(point.events);
    json.value(static_cast<unsigned>(std::lround(std::max(point.surprise, 0.0F) * 10)));
    last = point.bucket;
  }
  json.end_array();
}

std::string stream_name(const StreamLane& stream, const trace::Context& context) {
  if (stream.others) return "all others";
  std::string device = stream.device.empty() ? "other devices" : escape_terminal(stream.device);
  if (stream.process >= context.processes.size())
    return format("{}, process {}", device,
                  trace::name_of(static_cast<trace::Unknown>(stream.process)));
  const trace::GuestProcess& process = context.processes[stream.process];
  std::string name = escape_terminal(process.comm);
  if (process.pid >= 0) name += format(" ({})", process.pid);
  return format("{}, {}", name, device);
}

// The same time by who did it; where nobody is known, it would be the devices once more.
void put_streams(const Report& report, JsonWriter& json) {
  json.key("streams").begin_array();
  const auto& streams = report.overview->streams;
  bool known = report.recording && std::ranges::any_of(streams, [](const StreamLane& stream) {
                 return !stream.others && stream.process < trace::kFirstUnknown;
               });
  for (std::size_t i = 0; known && i < streams.size(); ++i) {
    json.begin_object().member("name", stream_name(streams[i], report.recording->context));
    put_points(streams[i].points, json);
    json.end_object();
  }
  json.end_array();
}

std::uint64_t after(std::uint64_t time, std::uint64_t start) {
  return time < start ? 0 : time - start;
}

}  // namespace

void put_unseen(const Report& report, std::string& out) {
  out += "<section id=\"unseen\">\n<h2>What was not seen</h2>\n";
  if (report.recording) {
    const trace::LossTotals& lost = report.recording->census.lost;
    out += format(
        "<p>{} events were lost: {} because the ring was full, {} that the source could not make, "
        "{} in damaged parts of the file.{}</p>\n",
        lost.all(), lost.ring, lost.source, lost.damaged,
        lost.all() > 0 ? " No sequence is joined across a loss." : "");
  }
  out += "<ul>\n";
  for (const std::string& text : blind_spots(report)) {
    out += format("<li>{}</li>\n", entities(text));
  }
  out += "</ul>\n</section>\n";
}

void put_threshold(const Report& report, std::string& out) {
  if (!report.learned) return;
  const model::ModelData& data = report.learned->data;
  const model::Calibration& held_out = data.calibration;
  std::uint64_t events = 0;
  for (const model::Origin& origin : data.origins) events += origin.events;
  out +=
      "<section id=\"threshold\">\n<h2>How the threshold came about</h2>\n<dl class=\"facts\">\n";
  put_row(out, "learned from",
          format("{} recordings with {} events: {} different operations", data.origins.size(),
                 events, data.alphabet.size()));
  put_row(out, "method",
          format("{}, order {}, one stream for each {}", model::name_of(data.options.method),
                 data.options.order, model::name_of(data.options.stream)));
  put_row(
      out, "held out",
      format("{} sessions, {} events in {}, {} blocks", held_out.sessions, held_out.events,
             describe_duration(std::chrono::nanoseconds(held_out.duration_ns)), held_out.blocks));
  put_row(out, "promise", promise(data));
  put_row(out, "threshold",
          format("{:.3f} bits, over {} events and longer; or {} accesses that training never saw "
                 "among the last {}",
                 model::to_bits(data.threshold.value), model::kWindowEvents, data.threshold.unseen,
                 model::kWindowEvents));
  out += "</dl>\n";
  double reach = model::to_bits(data.threshold.value) * 1.25;
  if (!held_out.largest.empty())
    reach = std::max(reach, model::to_bits(held_out.largest.front()) * 1.05);
  put_blocks(data, reach, out);
  out += "</section>\n";
}

void put_provenance(const Report& report, std::string& out) {
  out += "<section id=\"provenance\">\n<h2>Made from</h2>\n<dl class=\"facts\">\n";
  for (const ReportFile& file : report.files) put_row(out, file.role, checked(file));
  if (report.recording) {
    const trace::TraceInfo& info = report.recording->context.info;
    std::string text = format("<code>{}</code>, source {}, written by {}", trace::id_text(info.id),
                              html(info.source), html(info.tool));
    if (!info.host.empty()) text += ", on " + html(info.host);
    if (!info.kernel.empty()) text += ", Linux " + html(info.kernel);
    put_row(out, "recording", text);
  }
  if (report.learned) {
    std::string text;
    constexpr std::size_t kMost = 20;
    const auto& origins = report.learned->data.origins;
    for (std::size_t i = 0; i < std::min(origins.size(), kMost); ++i) {
      text += format("<code>{}</code> <small>{} events</small><br>", trace::id_text(origins[i].id),
                     origins[i].events);
    }
    if (origins.size() > kMost) text += format("and {} more", origins.size() - kMost);
    put_row(out, "trained on", text);
  }
  std::string words;
  for (const std::string& word : report.options) words += " " + html(word);
  put_row(out, "report", format("iovm {}: <code>iovm explain{}</code>", kVersion, words));
  out += "</dl>\n</section>\n";
}

void put_data(const Report& report, std::string& out) {
  if (!report.overview) return;
  const Overview& seen = *report.overview;
  JsonWriter json;
  json.begin_object().member("bucket_ns", seen.bucket_ns);
  json.member("length_ns", seen.end - seen.start).member("scored", seen.scored);
  double threshold = report.learned ? model::to_bits(report.learned->data.threshold.value) : 0;
  json.member("threshold", threshold).key("lanes").begin_array();
  for (const Lane& lane : seen.lanes) {
    json.begin_object().member("name", escape_terminal(lane.device));
    json.member("largest", lane.largest);
    put_points(lane.points, json);
    json.end_object();
  }
  json.end_array();
  put_streams(report, json);
  json.key("losses").begin_array();
  for (const LossPoint& point : seen.losses) {
    json.begin_array().value(point.bucket).value(point.lost).end_array();
  }
  json.end_array().key("alerts").begin_array();
  for (const ReportAlert& alert : report.alerts) {
    json.begin_array().value(after(alert.first_time, seen.start));
    json.value(after(alert.last_time, seen.start)).end_array();
  }
  json.end_array().end_object();
  out += format("<script type=\"application/json\" id=\"data\">{}</script>\n", inert(json.take()));
}

}  // namespace iovm::analyze
