// SPDX-License-Identifier: Apache-2.0
//
// iovm verify: whether a trace or a case is the one that was written, with a verdict in one line.
#include "analyze/case_archive.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/stdout.h"
#include "trace/verify.h"

namespace iovm::cli {
namespace {

struct VerifyOptions {
  std::vector<std::string> paths;
  std::optional<std::string> expect;
  bool json = false;
};

// What a file is in one word, and as it is told.
struct Verdict {
  std::string_view word;
  std::string text;
  std::string json;
};

std::string_view word_of(bool chained, bool whole, bool expected) {
  if (!chained) return "unproven";
  if (!whole) return "broken";
  return expected ? "whole" : "other";
}

std::string headline(const std::string& path, std::string_view word, const std::string& counts) {
  std::string_view said = word == "unproven" ? "UNPROVEN: it has no hash chain"
                          : word == "broken" ? "BROKEN: it is not as it was written"
                          : word == "other"  ? "OTHER: whole in itself, but not what was expected"
                                             : "whole";
  return format("{}: {}; {}\n", escape_terminal(path), said, counts);
}

std::string text_of(const std::string& path, const trace::TraceProof& proof,
                    std::string_view word) {
  std::string counts = format("{} blocks, {} events", proof.blocks, proof.events);
  if (word == "broken") counts += format(", {} blocks as they were written", proof.covered);
  std::string text = headline(path, word, counts);
  for (const trace::Finding& finding : proof.findings) {
    text += format("  byte {}: {}: {}\n", finding.offset, trace::name_of(finding.kind),
                   escape_terminal(finding.what));
  }
  if (proof.more_findings > 0) text += format("  and {} more\n", proof.more_findings);
  if (proof.chained) text += format("  chain {}\n", hex_text(proof.link));
  return text;
}

std::string json_of(const std::string& path, const trace::TraceProof& proof,
                    std::string_view word) {
  JsonWriter json;
  json.begin_object().member("file", path).member("type", "trace").member("verdict", word);
  json.member("blocks", proof.blocks).member("covered", proof.covered);
  json.member("events", proof.events);
  if (proof.chained) json.member("chain", hex_text(proof.link));
  json.key("findings").begin_array();
  for (const trace::Finding& finding : proof.findings) {
    json.begin_object().member("kind", trace::name_of(finding.kind));
    json.member("offset", finding.offset).member("what", finding.what).end_object();
  }
  json.end_array().member("more_findings", proof.more_findings).end_object();
  return json.take() + "\n";
}

std::string text_of(const std::string& path, const analyze::CaseProof& proof,
                    std::string_view word) {
  const analyze::CaseManifest& manifest = proof.manifest;
  std::string text = headline(path, word,
                              format("a case of {} files, {} events, {} lost",
                                     manifest.members.size(), manifest.events, manifest.lost));
  for (const std::string& finding : proof.findings) text += format("  {}\n", finding);
  for (const analyze::CaseMember& member : manifest.members) {
    text += format("  {:<12} {:>12} bytes, was {}\n", member.name, member.bytes,
                   escape_terminal(member.was));
  }
  if (proof.trace && !proof.trace->chained)
    text += "  the trace has no hash chain: only the case tells whether it was changed\n";
  text += format("  made by {}, {}\n", escape_terminal(manifest.tool),
                 escape_terminal(manifest.created));
  return text + format("  case {}\n", hex_text(proof.digest));
}

std::string json_of(const std::string& path, const analyze::CaseProof& proof,
                    std::string_view word) {
  const analyze::CaseManifest& manifest = proof.manifest;
  JsonWriter json;
  json.begin_object().member("file", path).member("type", "case").member("verdict", word);
  json.member("case", hex_text(proof.digest)).member("tool", manifest.tool);
  json.member("created", manifest.created).member("trace_id", manifest.trace_id);
  json.member("events", manifest.events).member("lost", manifest.lost);
  json.member("chain", manifest.chain).key("members").begin_array();
  for (const analyze::CaseMember& member : manifest.members) {
    json.begin_object().member("name", member.name).member("was", member.was);
    json.member("bytes", member.bytes).member("sha256", hex_text(member.digest)).end_object();
  }
  json.end_array();
  if (proof.trace) {
    json.key("trace").begin_object();
    json.member("verdict", word_of(proof.trace->chained, proof.trace->whole(), true));
    json.member("blocks", proof.trace->blocks).member("covered", proof.trace->covered);
    json.end_object();
  }
  json.key("findings").begin_array();
  for (const std::string& finding : proof.findings) json.value(finding);
  json.end_array().end_object();
  return json.take() + "\n";
}

Result<Verdict> look_at(const std::string& path, const std::optional<Sha256>& expected) {
  if (analyze::looks_like_a_case(path)) {
    auto proof = analyze::verify_case(path);
    if (!proof) return std::move(proof).error();
    auto word = word_of(true, proof->whole(), !expected || proof->digest == *expected);
    return Verdict{word, text_of(path, *proof, word), json_of(path, *proof, word)};
  }
  auto proof = trace::verify_trace(path);
  if (!proof) return std::move(proof).error();
  auto word = word_of(proof->chained, proof->whole(), !expected || proof->link == *expected);
  return Verdict{word, text_of(path, *proof, word), json_of(path, *proof, word)};
}

Error bad_verdict(const std::string& path, std::string_view word) {
  std::string_view why = word == "unproven"
                             ? "has no hash chain: nothing proves that it is as it was written"
                         : word == "other" ? "is not what was expected"
                                           : "is not as it was written";
  return input_error(format("{}: {}", escape_terminal(path), why));
}

Result<ExitStatus> run_verify(CommandLine& line) {
  VerifyOptions options;
  line.positional("FILE", options.paths, "traces and cases; - is a trace from standard input");
  line.option("--expect", options.expect, "DIGEST",
              "the chain's or the case's, known from elsewhere");
  line.flag("--json", options.json, "print JSON, a line for each file");
  if (auto end = line.parse()) return *end;
  std::optional<Sha256> expected;
  if (options.expect) {
    expected = parse_sha256(*options.expect);
    if (!expected) return usage_error("--expect: a digest has 64 digits, 0-9 and a-f");
    if (options.paths.size() > 1) return usage_error("--expect is about one file");
  }
  std::optional<Error> bad;
  Stdout out;
  for (const std::string& path : options.paths) {
    auto verdict = look_at(path, expected);
    if (!verdict) return std::move(verdict).error();
    out.text() += options.json ? verdict->json : verdict->text;
    if (auto written = out.flush(); !written) return std::move(written).error();
    if (verdict->word != "whole" && !bad) bad = bad_verdict(path, verdict->word);
  }
  if (bad) return std::move(*bad);
  return ExitStatus::done;
}

}  // namespace

const Command kVerify{"verify", "tell whether a trace or a case is as it was written", run_verify};

}  // namespace iovm::cli
