// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/events_text.h"
#include "analyze/html.h"
#include "base/sha256.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostile = "</script><img src=x onerror=a()>\"'&\x1b[2J\xff";

Report hostile_report() {
  Report report;
  report.path = kHostile;
  ReportAlert alert;
  alert.id = alert.rule = alert.vm = alert.device = alert.trace = kHostile;
  alert.severity = 99;
  ReportActor actor;
  actor.pid = 266;
  actor.comm = actor.kind = actor.how = actor.confidence = kHostile;
  alert.actors = {actor};
  ReportStep step;
  step.text = step.novelty = step.rip = kHostile;
  step.context = {kHostile};
  step.expected = {{kHostile, 0.5, 1}};
  alert.steps = {step};
  alert.sequence = {kHostile};
  alert.nearest = NearestNormal{{{kHostile, kHostile}, {kHostile, ""}}, 3};
  alert.no_evidence = kHostile;
  report.alerts.assign(kToldAlerts + 1, alert);
  report.options = {kHostile};
  report.focus = kHostile;
  report.files.push_back({"trace", kHostile, 3, "ab"});
  TraceFacts facts;
  facts.context.vms.push_back({kHostile, "", "", -1, 1, 0});
  facts.context.info.host = facts.context.info.kernel = facts.context.info.source = kHostile;
  trace::GuestProcess process;
  process.pid = 266;
  process.comm = process.how = kHostile;
  facts.context.processes = {process};
  facts.ended_early = true;
  report.damage = {{1, 2, kHostile}};
  report.recording = facts;
  report.overview.emplace();
  Lane lane;
  lane.device = kHostile;
  lane.writes = 1;
  lane.points = {{0, 1, 3.5F}};
  lane.registers = {{kHostile, 1}};
  report.overview->lanes = {lane};
  report.overview->events = 1;
  report.overview->buckets = 1;
  report.overview->scored = true;
  ProcessUse use;
  use.writes = 1;
  use.devices = {{0, 1}};
  report.overview->processes = {use};
  return report;
}

TEST(ReportHtml, HostileTextIsNeverMarkup) {
  std::string page = render_html(hostile_report());
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("onerror=a()>\"")));
  EXPECT_THAT(
      page, HasSubstr("&lt;/script&gt;&lt;img src=x onerror=a()&gt;&quot;&#39;&amp;\\x1b[2J\\xff"));
  // Ours, and the data's.
  std::size_t ends = 0;
  for (auto at = page.find("</script"); at != std::string::npos; at = page.find("</script", at + 1))
    ++ends;
  EXPECT_EQ(ends, 2U);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
}

std::size_t culprits_in(const std::string& page) {
  constexpr std::string_view kRow = "<tr class=\"culprit\">";
  std::size_t count = 0;
  for (auto at = page.find(kRow); at != std::string::npos; at = page.find(kRow, at + 1)) ++count;
  return count;
}

TEST(ReportHtml, OnlyWhoDidTheStepsIsMarked) {
  Report report = hostile_report();
  trace::GuestProcess other;
  other.pid = 7;
  other.comm = "sshd";
  report.recording->context.processes.push_back(other);
  report.overview->processes.push_back(report.overview->processes[0]);
  report.overview->processes[1].process = 1;
  report.alerts.resize(1);
  report.alerts[0].actors.push_back(report.alerts[0].actors[0]);
  report.alerts[0].actors[1].pid = 7;
  report.alerts[0].actors[1].comm = "sshd";
  EXPECT_EQ(culprits_in(render_html(report)), 1U) << "the first of the actors";
  report.alerts[0].evidence.emplace();
  EXPECT_EQ(culprits_in(render_html(report)), 1U);
  report.alerts[0].evidence->step_processes = {"sshd:7"};
  std::string page = render_html(report);
  EXPECT_EQ(culprits_in(page), 1U);
  EXPECT_THAT(page, HasSubstr("<tr class=\"culprit\"><td>sshd <small>7</small>"));
}

TEST(ReportHtml, ThePolicyAllowsWhatThePageHasAndNothingElse) {
  std::string page = render_html(hostile_report());
  EXPECT_THAT(page, HasSubstr("default-src 'none'; script-src 'sha256-" +
                              base64_text(sha256(page_script())) + "'; style-src 'sha256-" +
                              base64_text(sha256(page_style())) + "'"));
  EXPECT_THAT(page, HasSubstr("<style>" + std::string(page_style()) + "</style>"));
  EXPECT_THAT(page, HasSubstr("<script>" + std::string(page_script()) + "</script>"));
  // What would be an attribute style or a handler is not in what we write.
  EXPECT_THAT(page, Not(HasSubstr(" style=\"")));
}

TEST(ReportHtml, DataCannotEndTheElementTheyStandIn) {
  std::string data;
  put_data(hostile_report(), data);
  std::string inside = data.substr(data.find('>') + 1);
  EXPECT_EQ(inside.find('<'), inside.rfind("</script>"));
  EXPECT_THAT(inside, HasSubstr("\\u003c/script\\u003e\\u003cimg"));
  EXPECT_THAT(inside, HasSubstr("\"points\":[0,1,35]"));
}

TEST(ReportHtml, ALongNameIsCutBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 1000; ++i) name += "\u00e9";
  std::string cut = html(name);
  EXPECT_LT(cut.size(), 1010U);
  EXPECT_TRUE(cut.ends_with("\u00e9..."));
  EXPECT_EQ(html("<" + std::string(999, 'x')).size(), 999U + 4);
}

TEST(ReportHtml, AlertsBeyondThoseToldAreListed) {
  std::string page = render_html(hostile_report());
  EXPECT_THAT(page, HasSubstr("id=\"alert-39\""));
  EXPECT_THAT(page, Not(HasSubstr("id=\"alert-40\"")));
  EXPECT_THAT(page, HasSubstr("<h3>More alerts</h3>"));
}

TEST(ReportHtml, WithoutAnythingItStillSaysSo) {
  Report report;
  report.path = "alerts.jsonl";
  std::string page = render_html(report);
  EXPECT_THAT(page, HasSubstr("There are no alerts."));
  EXPECT_THAT(page, HasSubstr("What was not seen"));
}

TEST(ReportFocus, AlertsAreChosenByProcessDeviceAndTime) {
  auto left = [](const EventFilter& filter) {
    Report report;
    ReportAlert alert;
    alert.device = "floppy controller";
    alert.device_key = "fdc";
    alert.first_time = 100;
    alert.last_time = 200;
    ReportActor actor;
    actor.pid = 266;
    actor.comm = "evil";
    alert.actors = {actor};
    report.alerts = {alert};
    Status kept = keep_matching(filter, report);
    return kept ? static_cast<int>(report.alerts.size()) : -1;
  };
  EXPECT_EQ(left({}), 1);
  EventFilter filter;
  filter.process = "266";
  EXPECT_EQ(left(filter), 1);
  filter.process = "evil";
  EXPECT_EQ(left(filter), 1);
  filter.process = "-";
  EXPECT_EQ(left(filter), 0);
  filter = {};
  filter.device = "Floppy";
  EXPECT_EQ(left(filter), 1);
  filter.device = "ide0";
  EXPECT_EQ(left(filter), 0);
  filter = {};
  filter.from = TimePoint{false, 201};
  EXPECT_EQ(left(filter), 0);
  filter.from = TimePoint{false, 200};
  EXPECT_EQ(left(filter), 1);
  filter.to = TimePoint{false, 100};
  EXPECT_EQ(left(filter), 0);
  filter = {};
  filter.from = TimePoint{true, 1};
  EXPECT_EQ(left(filter), -1);
}

}  // namespace
}  // namespace iovm::analyze
