// SPDX-License-Identifier: Apache-2.0
#include "analyze/redaction.h"

#include <gtest/gtest.h>

namespace iovm::analyze {
namespace {

using model::ValueUse;
using trace::Event;
using trace::Field;

trace::Context some_context() {
  trace::Context context;
  context.info.id = {1};
  context.info.host = "host-a";
  context.info.kernel = "6.1";
  context.info.source = "bpf";
  context.info.utc_offset_ns = 77;
  context.info.notes = {{"guest of web-1", "Linux"}};
  context.vms = {{"web-1", "a-uuid", "qemu", 99, 2, 1 << 20}};
  for (const char* name : {"sshd", "bash", "sshd", ""}) {
    trace::GuestProcess process;
    process.comm = name;
    process.pid = 5;
    process.start_ns = 12;
    context.processes.push_back(process);
  }
  return context;
}

Event access(std::uint64_t time, std::uint64_t value) {
  Event event{.time = time, .address = 0x1f7};
  set_value(event, value);
  set_size(event, 1);
  set_rip(event, 0x1000);
  set_cr3(event, 0x2000);
  set_cpl(event, 3);
  return event;
}

Redaction redaction(std::string_view words) {
  auto parsed = RedactionWords::parse(words);
  EXPECT_TRUE(parsed);
  return Redaction(*parsed);
}

trace::Context redacted(std::string_view words, const trace::Context& whole) {
  Redaction one = redaction(words);
  one.info(whole.info);
  return one.context(whole);
}

TEST(RedactionTest, OneNameIsOnePseudonym) {
  trace::Context shown = redacted("names", some_context());
  EXPECT_EQ(shown.vms[0].name, "vm-1");
  EXPECT_EQ(shown.vms[0].uuid, "");
  EXPECT_EQ(shown.processes[0].comm, "process-1");
  EXPECT_EQ(shown.processes[1].comm, "process-2");
  EXPECT_EQ(shown.processes[2].comm, "process-1");
  EXPECT_EQ(shown.processes[3].comm, "");
  EXPECT_TRUE(shown.info.notes.empty());
  EXPECT_EQ(shown.info.host, "host-a");
  EXPECT_EQ(shown.processes[0].pid, 5);
}

TEST(RedactionTest, PseudonymsStayWhenTheTablesGrow) {
  trace::Context whole = some_context();
  Redaction one = redaction("names");
  one.info(whole.info);
  one.context(whole);
  whole.processes.push_back(whole.processes[1]);
  EXPECT_EQ(one.context(whole).processes[4].comm, "process-2");
}

TEST(RedactionTest, TheHostIsForgotten) {
  trace::Context shown = redacted("host", some_context());
  EXPECT_EQ(shown.info.host + shown.info.kernel, "");
  EXPECT_EQ(shown.vms[0].pid, -1);
  EXPECT_EQ(shown.vms[0].name, "web-1");
  EXPECT_TRUE(shown.info.notes.empty());
}

TEST(RedactionTest, DataGoesAndCommandsStay) {
  Redaction one = redaction("values");
  EXPECT_FALSE(one.event(access(1, 0x42), ValueUse::none).has(Field::value));
  EXPECT_EQ(one.event(access(1, 0x42), ValueUse::none).value, 0U);
  EXPECT_EQ(one.event(access(1, 0x42), ValueUse::symbol), access(1, 0x42));
  EXPECT_EQ(one.event(access(1, 0x42), ValueUse::layout), access(1, 0x42));
  EXPECT_FALSE(redaction("all-values").event(access(1, 2), ValueUse::symbol).has(Field::value));
}

TEST(RedactionTest, ALossKeepsItsNumber) {
  Event loss = trace::make_loss(9, 0, 0, {trace::LossCause::ring, 12});
  EXPECT_EQ(redaction("values,all-values,code").event(loss, ValueUse::none), loss);
}

TEST(RedactionTest, CodeGoesAndThePrivilegeLevelStays) {
  Event shown = redaction("code").event(access(1, 2), ValueUse::none);
  EXPECT_FALSE(shown.has(Field::rip) || shown.has(Field::cr3));
  EXPECT_EQ(shown.rip + shown.cr3, 0U);
  EXPECT_EQ(shown.cpl, 3);
}

TEST(RedactionTest, ANameThatIsAnAddressSpaceGoesWithTheCode) {
  trace::Context whole = some_context();
  whole.processes[0].kind = trace::ProcessKind::address_space;
  whole.processes[0].comm = "cr3:0x1234000";
  trace::Context shown = redacted("code", whole);
  EXPECT_EQ(shown.processes[0].comm, "process-1");
  EXPECT_EQ(shown.processes[1].comm, "bash");
}

TEST(RedactionTest, TimeCountsFromTheFirstEvent) {
  Redaction one = redaction("time");
  EXPECT_EQ(one.event(access(1000, 2), ValueUse::none).time, 0U);
  EXPECT_EQ(one.event(access(1500, 2), ValueUse::none).time, 500U);
  EXPECT_EQ(one.event(access(900, 2), ValueUse::none).time, 0U);
  trace::Context shown = redacted("time", some_context());
  EXPECT_EQ(shown.info.utc_offset_ns, 0);
  EXPECT_EQ(shown.processes[0].start_ns, 0U);
}

TEST(RedactionTest, AllIsEveryWord) {
  trace::Context shown = redacted("all", some_context());
  EXPECT_EQ(shown.vms[0].name, "vm-1");
  EXPECT_EQ(shown.info.host, "");
  EXPECT_EQ(shown.info.utc_offset_ns, 0);
}

TEST(RedactionTest, AWordThatIsNoneIsAnError) {
  auto words = RedactionWords::parse("names,valeus");
  ASSERT_FALSE(words);
  EXPECT_NE(words.error().message().find("\"valeus\" is none of names"), std::string::npos);
  EXPECT_FALSE(RedactionWords::parse(""));
}

}  // namespace
}  // namespace iovm::analyze
