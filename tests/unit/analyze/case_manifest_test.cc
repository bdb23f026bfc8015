// SPDX-License-Identifier: Apache-2.0
#include "analyze/case_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iovm::analyze {
namespace {

using testing::HasSubstr;

CaseManifest some_case() {
  CaseManifest manifest;
  manifest.tool = "iovm 0.1.0";
  manifest.created = "2026-11-26T12:00:00Z";
  manifest.trace_id = "00112233445566778899aabbccddeeff";
  manifest.events = 12;
  manifest.lost = 7;
  manifest.members = {{"trace.iovm", "web \"1\"\n.iovm", 1234, Sha256{1}},
                      {"alerts.jsonl", "a", 0, Sha256{2}}};
  return manifest;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& json) {
  auto manifest = parse_manifest(json);
  return manifest ? "" : manifest.error().message();
}

TEST(CaseManifestTest, ComesBackAsItWasWritten) {
  std::string json = render_json(some_case());
  auto back = parse_manifest(json);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(render_json(*back), json);
  EXPECT_EQ(back->members[0].was, "web \"1\"\n.iovm");
  EXPECT_FALSE(back->chain);
}

TEST(CaseManifestTest, AMemberOfAnotherNameIsRefused) {
  std::string json = render_json(some_case());
  for (const char* name :
       {"../trace.iovm", "/etc/passwd", "", "manifest.json", "trace.iovm\\u0000"})
    EXPECT_THAT(error_of(replaced(json, "\"name\":\"trace.iovm\"",
                                  "\"name\":\"" + std::string(name) + "\"")),
                HasSubstr("a case has no member"));
}

TEST(CaseManifestTest, AMemberIsListedOnce) {
  EXPECT_THAT(error_of(replaced(render_json(some_case()), "alerts.jsonl", "trace.iovm")),
              HasSubstr("lists trace.iovm twice"));
}

TEST(CaseManifestTest, EveryMemberHasSizeAndDigest) {
  std::string json = render_json(some_case());
  EXPECT_THAT(error_of(replaced(json, "\"bytes\":1234", "\"bytes\":-1")),
              HasSubstr("lacks size or digest"));
  EXPECT_THAT(error_of(replaced(json, "\"sha256\":\"01", "\"sha256\":\"0")),
              HasSubstr("lacks size or digest"));
}

TEST(CaseManifestTest, ANewerVersionIsNamed) {
  EXPECT_THAT(error_of(replaced(render_json(some_case()), "\"version\":1", "\"version\":2")),
              HasSubstr("version 2 of cases"));
}

TEST(CaseManifestTest, WhatIsNoManifestIsRefused) {
  EXPECT_THAT(error_of("{}"), HasSubstr("not of a case"));
  EXPECT_THAT(error_of("["), HasSubstr("manifest.json: not JSON"));
  EXPECT_THAT(error_of(std::string(kLargestManifest + 1, ' ')), HasSubstr("too large"));
  EXPECT_THAT(error_of(replaced(render_json(some_case()), "\"members\":[", "\"other\":[")),
              HasSubstr("lists no members"));
}

}  // namespace
}  // namespace iovm::analyze
