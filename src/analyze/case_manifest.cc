// SPDX-License-Identifier: Apache-2.0
#include "analyze/case_manifest.h"

#include <algorithm>

#include "base/format.h"
#include "base/json.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

constexpr std::string_view kFormat = "iovm-case";
constexpr std::uint64_t kVersion = 1;

std::string text_of(const JsonValue& json, std::string_view name) {
  auto member = json.member(name);
  return member ? member->text().value_or("") : std::string();
}

std::uint64_t whole_of(const JsonValue& json, std::string_view name) {
  auto member = json.member(name);
  return member ? member->whole().value_or(0) : 0;
}

Result<CaseMember> parse_member(const JsonValue& json) {
  CaseMember member;
  member.name = text_of(json, "name");
  member.was = text_of(json, "was");
  auto bytes = json.member("bytes");
  auto digest = parse_sha256(text_of(json, "sha256"));
  if (std::find(kCaseMembers.begin(), kCaseMembers.end(), member.name) == kCaseMembers.end()) {
    return input_error(
        format("a case has no member \"{}\"", escape_terminal(member.name.substr(0, 80))));
  }
  if (!bytes || !bytes->whole() || !digest)
    return input_error(format("its manifest lacks size or digest of {}", member.name));
  member.bytes = *bytes->whole();
  member.digest = *digest;
  return member;
}

}  // namespace

std::string render_json(const CaseManifest& manifest) {
  JsonWriter json;
  json.begin_object().member("format", kFormat).member("version", kVersion);
  json.member("tool", manifest.tool).member("created", manifest.created);
  json.key("trace").begin_object().member("id", manifest.trace_id);
  json.member("events", manifest.events).member("lost", manifest.lost);
  json.member("chain", manifest.chain).end_object();
  json.key("members").begin_array();
  for (const CaseMember& member : manifest.members) {
    json.begin_object().member("name", member.name).member("was", member.was);
    json.member("bytes", member.bytes).member("sha256", hex_text(member.digest)).end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

Result<CaseManifest> parse_manifest(std::string_view text) {
  if (text.size() > kLargestManifest) return input_error("its manifest is too large");
  auto json = JsonValue::parse(text);
  if (!json) return std::move(json).error().in(kManifestName);
  if (text_of(*json, "format") != kFormat) return input_error("its manifest is not of a case");
  if (whole_of(*json, "version") != kVersion) {
    return input_error(
        format("it is of version {} of cases, this iovm knows version {}; use a "
               "newer iovm",
               whole_of(*json, "version"), kVersion));
  }
  CaseManifest manifest;
  manifest.tool = text_of(*json, "tool");
  manifest.created = text_of(*json, "created");
  if (auto trace = json->member("trace")) {
    manifest.trace_id = text_of(*trace, "id");
    manifest.events = whole_of(*trace, "events");
    manifest.lost = whole_of(*trace, "lost");
    if (auto chain = trace->member("chain")) manifest.chain = chain->text();
  }
  auto members = json->member("members");
  if (!members || members->size() == 0 || members->size() > kCaseMembers.size())
    return input_error("its manifest lists no members, or too many");
  for (std::size_t i = 0; i < members->size(); ++i) {
    auto member = parse_member(members->at(i));
    if (!member) return std::move(member).error();
    bool twice = std::any_of(manifest.members.begin(), manifest.members.end(),
                             [&](const CaseMember& m) { return m.name == member->name; });
    if (twice) return input_error(format("its manifest lists {} twice", member->name));
    manifest.members.push_back(*std::move(member));
  }
  return manifest;
}

}  // namespace iovm::analyze
