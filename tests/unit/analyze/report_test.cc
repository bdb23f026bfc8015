// SPDX-License-Identifier: Apache-2.0
#include "analyze/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace iovm::analyze {
namespace {

using testing::HasSubstr;
using testing::Not;

// An alert as detect prints it, with a hostile process name.
constexpr const char* kAlert =
    R"j({"@timestamp":"2026-01-31T12:00:00.000000000Z","event":{"kind":"alert","severity":99},)j"
    R"j("rule":{"name":"device access from user space"},"iovm":{"alert_id":"ab12-7-1",)j"
    R"j("trace":"web.iovm","trace_id":"ab12","vm":"web-1","device":{"key":"fdc",)j"
    R"j("name":"floppy controller"},"processes":[{"index":3,"pid":266,"tgid":266,)j"
    R"j("comm":"evil\u001b[2J","kind":"user","confidence":"high","how":"current task",)j"
    R"j("events":40},{"unknown":"not resolved","events":2}],)j"
    R"j("score":{"value":16.97,"threshold":6.76,"p_value":0.0032},)j"
    R"j("window":{"first":100,"last":160,"alarm":110,"first_time":1000000000,)j"
    R"j("last_time":2500000000,"events":42},"sequence":["floppy controller: read"],)j"
    R"j("steps":[{"event":105,"time":1200000000,)j"
    R"j("text":"floppy controller: write 0x8e to data FIFO (0x3f5)","novelty":"unknown-value",)j"
    R"j("bits":18.9,"probability":0.000002,"rip":"0x401000",)j"
    R"j("context":["floppy controller: read main status (0x3f4)"],"context_count":6,)j"
    R"j("expected":[{"text":"floppy controller: write 0x8 to data FIFO (0x3f5)",)j"
    R"j("probability":0.66,"count":4}]},)j"
    R"j({"event":106,"time":1200001000,"text":"floppy controller: write to data FIFO (0x3f5)",)j"
    R"j("novelty":"new-sequence","bits":9,"probability":0.002,"context":[],"context_count":9,)j"
    R"j("expected":[]}],"lost":7}})j";

Report report_of(std::string_view json) {
  Report report;
  report.path = "alerts.jsonl";
  Status added = add_alert(json, report);
  EXPECT_TRUE(added) << added.error().message();
  return report;
}

Evidence some_evidence() {
  Evidence evidence;
  evidence.start = 500000000;
  evidence.step_processes = {"evil:266"};
  evidence.address_spaces = {0xf6e0000};
  evidence.losses_near = 1;
  evidence.lost_near = 7;
  evidence.events.push_back({104, 1100000000, "104 before", false});
  evidence.events.push_back({105, 1200000000, "105 the step", true});
  evidence.events.push_back({130, 1300000000, "130 later", false});
  return evidence;
}

TEST(Report, TextTellsWhatWhoWhereAndWhy) {
  Report report = report_of(kAlert);
  report.alerts.at(0).evidence = some_evidence();
  EXPECT_EQ(render_text(report),
            R"t(alert 1 of 1: device access from user space (severity 99 of 100) [ab12-7-1]
  when     +0.500000 s to +2.000000 s, alarm at 2026-01-31T12:00:00.000000000Z; events 100 to 160,
           42 of this stream, alarm at event 110
  where    VM web-1, floppy controller
  who      the steps below: evil:266
           process evil\x1b[2J (pid 266), user: 40 events, confidence high (current task)
           process unknown (not resolved): 2 events
           address space (CR3) 0xf6e0000; code in the user half (or firmware), first RIP 0x401000
  score    16.97 bits, threshold 6.76; of normal blocks a share of 0.003 scores as high
  lost     7 events lost in the recording until then; 1 losses (7 events) within 200 events of it:
           parts of it may be missing

  the most abnormal steps
  event 105 +0.700000 s  floppy controller: write 0x8e to data FIFO (0x3f5)
    why      training saw this access, but never with this value or index: probability 2.0e-06, 18.9
             bits
    after    read main status (0x3f4)
    normal   write 0x8 to data FIFO (0x3f5) (4 of 6 times, probability 0.660)
  event 106 +0.700001 s  floppy controller: write to data FIFO (0x3f5)
    why      training saw this access, but never after these steps: probability 0.002, 9.0 bits
    normal   nothing: training never saw what came just before

  raw events (> marks the steps above; iovm dump --events shows more)
  104 before
> 105 the step
      ...
  130 later

)t");
}

TEST(Report, TextHasAtMostAHundredColumns) {
  Report report = report_of(kAlert);
  report.alerts.at(0).evidence = some_evidence();
  report.alerts[0].evidence->events[0].text = std::string(300, 'x');
  report.alerts[0].steps[0].context.assign(30, "floppy controller: read");
  for (std::string_view line : split(render_text(report), '\n')) EXPECT_LE(line.size(), 100U);
}

TEST(Report, RepeatedStepsAreToldOnce) {
  Report report = report_of(kAlert);
  ReportStep again = report.alerts.at(0).steps[1];
  again.event = 107;
  report.alerts[0].steps.push_back(again);
  EXPECT_THAT(render_text(report), HasSubstr("again    at event 107\n"));
  EXPECT_THAT(render_text(report), Not(HasSubstr("event 107 ")));
}

TEST(Report, JsonKeepsWhatTheAlertSaid) {
  Report report = report_of(kAlert);
  report.alerts.at(0).evidence = some_evidence();
  auto json = JsonValue::parse(render_json(report));
  ASSERT_TRUE(json);
  JsonValue alert = json->member("alerts")->at(0);
  EXPECT_EQ(alert.member("id")->text(), "ab12-7-1");
  EXPECT_EQ(alert.member("processes")->at(0).member("pid")->whole(), 266U);
  EXPECT_EQ(alert.member("processes")->at(1).member("unknown")->text(), "not resolved");
  EXPECT_EQ(alert.member("steps")->size(), 2U);
  EXPECT_EQ(alert.member("steps")->at(0).member("expected")->at(0).member("count")->whole(), 4U);
  EXPECT_EQ(alert.member("evidence")->member("address_spaces")->at(0).text(), "0xf6e0000");
  EXPECT_EQ(alert.member("lost")->whole(), 7U);
}

// With members of `iovm` put before the others, or of the alert.
Report report_with(std::string_view ours, std::string_view others = "") {
  std::string json = kAlert;
  json.insert(json.find("\"alert_id\""), ours);
  json.insert(1, others);
  return report_of(json);
}

TEST(Report, ASessionsScoreIsNoNumberOfBits) {
  std::string text = render_text(report_with(R"("alert_kind":"session",)"));
  EXPECT_THAT(text, HasSubstr("score    16.97, a session's, threshold 6.76; of normal sessions a "
                              "share of 0.003 scores as "
                              "high\n"));
  EXPECT_THAT(render_text(report_with(R"("alert_kind":"volume",)")),
              HasSubstr("score    16.97 doublings of what is usual, threshold 6.76\n"));
  EXPECT_THAT(render_text(report_with(R"("alert_kind":"rule",)")), Not(HasSubstr("score")));
}

TEST(Report, ThatTheVmIsStoppedIsToldWithWhatLetsItGoOn) {
  Report report = report_with(R"("stopped":{"how":"in-exit","resume":"kill -CONT 7"},)");
  EXPECT_THAT(render_text(report), HasSubstr("stopped  in the exit, before the VMM's devices saw "
                                             "the write; kill -CONT 7 lets VM"));
  EXPECT_THAT(render_html(report), HasSubstr("<dt>VM stopped</dt><dd>in the exit, before"));
  EXPECT_THAT(render_json(report),
              HasSubstr(R"("stopped":{"how":"in-exit","resume":"kill -CONT 7"})"));
  EXPECT_THAT(
      render_text(report_with(R"("stopped":{"how":"signal","resume":"kill -CONT 7"},)")),
      HasSubstr("stopped  by SIGSTOP to the VMM, when the alarm was raised; kill -CONT 7 lets"));
  EXPECT_THAT(render_text(report_with(R"("stopped":{"how":"monitor","resume":"cont"},)")),
              HasSubstr("stopped  by the VMM's monitor, which was told to at the alarm; cont"));
  EXPECT_THAT(render_text(report_with(R"("stopped":{"how":"\u001b[2J","resume":""},)")),
              HasSubstr("stopped  \\x1b[2J"));
  EXPECT_THAT(render_text(report_of(kAlert)), Not(HasSubstr("stopped")));
}

TEST(Report, AKnownAttackIsToldWithItsTextItsSourcesAndItsTechnique) {
  std::string_view threat =
      R"("threat":{"tactic":{"id":"TA0040","name":"Impact"},"technique":{"id":"T1499","name":"x",)"
      R"("subtechnique":{"id":"T1499.004","name":"Application or System Exploitation"}}},)";
  std::string json = kAlert;
  json.insert(json.find("\"name\":\"device access"),
              R"("id":"venom","description":"It does not end.","reference":["CVE-1","<b>"],)");
  json.insert(json.find("\"alert_id\""), R"("alert_kind":"rule","hits":3,)");
  json.insert(1, threat);
  Report report = report_of(json);
  EXPECT_THAT(render_text(report),
              HasSubstr("  rule     venom, 3 times\n           It does not end.\n"
                        "  sources  CVE-1; <b>\n"
                        "  ATT&CK   T1499.004 Application or System Exploitation (Impact)\n"));
  std::string page = render_html(report);
  EXPECT_THAT(page, HasSubstr("rule <b>venom</b>, 3 times; <code>ab12-7-1</code>"));
  EXPECT_THAT(page, HasSubstr("<p class=\"about\">It does not end.</p>"));
  EXPECT_THAT(page, HasSubstr("<li>CVE-1</li><li>&lt;b&gt;</li>"));
  EXPECT_THAT(page, HasSubstr("T1499.004 Application or System Exploitation (Impact)"));
  auto parsed = JsonValue::parse(render_json(report));
  ASSERT_TRUE(parsed);
  JsonValue known = *parsed->member("alerts")->at(0).member("known");
  EXPECT_EQ(known.member("id")->text(), "venom");
  EXPECT_EQ(known.member("hits")->whole(), 3U);
  EXPECT_EQ(known.member("references")->size(), 2U);
}

TEST(Report, AlertsThatBelongTogetherAreCountedAsIncidents) {
  Report report = report_with(R"("incident":"ab12-7-1",)");
  EXPECT_THAT(render_text(report), Not(HasSubstr("incident"))) << "its own";
  report.alerts.push_back(report.alerts[0]);
  report.alerts[1].id = "ab12-9-2";
  EXPECT_THAT(verdict(report), HasSubstr("2 alerts in 1 incident; the gravest: "));
  EXPECT_THAT(render_text(report), HasSubstr("incident that of alert ab12-7-1\n"));
  report.alerts[1].incident = "";
  EXPECT_THAT(verdict(report), HasSubstr("2 alerts; the gravest: "));
}

TEST(Report, WithoutTheRecordingItSaysWhyThereAreNoRawEvents) {
  Report report = report_of(kAlert);
  report.alerts.at(0).no_evidence = "gone";
  EXPECT_THAT(render_text(report), HasSubstr("raw events: gone"));
}

TEST(Report, AClosedAlertTakesThePlaceOfTheOpenedOne) {
  Report report = report_of(kAlert);
  std::string closed = kAlert;
  closed.replace(closed.find("\"last\":160"), 10, "\"last\":170");
  ASSERT_TRUE(add_alert(closed, report));
  ASSERT_EQ(report.alerts.size(), 1U);
  EXPECT_EQ(report.alerts[0].last_event, 170U);
}

TEST(Report, WhatIsNoAlertIsAnErrorThatNamesTheRightCommand) {
  Report report;
  EXPECT_FALSE(add_alert("{", report));
  auto other = add_alert(R"({"stream":{}})", report);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("iovm detect --json"));
  EXPECT_FALSE(add_alert("[]", report));
  EXPECT_FALSE(add_alert("7", report));
}

TEST(Report, MembersOfAnotherTypeAreLeftEmpty) {
  Report report;
  ASSERT_TRUE(add_alert(
      R"({"event":5,"iovm":{"alert_id":"x","steps":{"a":1},"window":[],"processes":[1,"a",null],)"
      R"("score":"high","lost":-1}})",
      report));
  EXPECT_TRUE(report.alerts.at(0).steps.empty());
  EXPECT_EQ(report.alerts[0].lost, 0U);
  EXPECT_THAT(render_text(report), HasSubstr("alert 1 of 1"));
}

}  // namespace
}  // namespace iovm::analyze
