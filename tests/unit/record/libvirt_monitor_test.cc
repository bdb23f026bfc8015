// SPDX-License-Identifier: Apache-2.0
//
// Against a library that stands in for libvirt: what is asked, and that nothing of it holds us.
#include "record/libvirt_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"

namespace iovm::record {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kLong = 20'000'000'000;  // ns: nothing ends by it in a good run
constexpr std::uint64_t kShort = 100'000'000;

std::string ask(const std::string& uri, const std::string& name, const std::string& uuid,
                std::uint64_t patience = kLong) {
  trace::VmInfo vm;
  vm.name = name;
  vm.uuid = uuid;
  auto answer = ask_libvirt({IOVM_FAKE_LIBVIRT, IOVM_FAKE_LIBVIRT, uri}, vm, "query",
                            monotonic_ns() + patience);
  return answer ? *answer : "error: " + answer.error().message();
}
std::string ask(const std::string& uri, std::uint64_t patience = kLong) {
  return ask(uri, "web-1", "", patience);
}

TEST(LibvirtMonitorTest, TheDomainIsFoundByItsUuidOrElseItsName) {
  EXPECT_EQ(ask("fake:", "other", "6c2f1c3e-0a4b-4a2e-9d53-5e0d3b1f0001"), "answer to query");
  EXPECT_EQ(ask("fake:", "web-1", "another"), "answer to query");
  EXPECT_THAT(ask("fake:", "other", "another"), HasSubstr("fake libvirt\\x1b refuses"));
  EXPECT_THAT(ask("fake:", "", ""), HasSubstr("refuses"));
}

TEST(LibvirtMonitorTest, WhatLibvirtRefusesIsToldInItsWords) {
  EXPECT_EQ(ask("fake:refuse"), "error: fake libvirt\\x1b refuses");
  EXPECT_EQ(ask("fake:nobody"), "error: fake libvirt\\x1b refuses");
}

TEST(LibvirtMonitorTest, ALibvirtThatHangsIsLeftAtTheDeadline) {
  EXPECT_THAT(ask("fake:hang", kShort), HasSubstr("no answer in time"));
}

TEST(LibvirtMonitorTest, ALibvirtThatEndsItsProcessEndsNoOther) {
  EXPECT_THAT(ask("fake:crash"), HasSubstr("ended the process"));
}

TEST(LibvirtMonitorTest, AnAnswerWithoutEndIsCutOff) {
  EXPECT_THAT(ask("fake:huge"), HasSubstr("without end"));
}

TEST(LibvirtMonitorTest, WithoutItsLibraryItIsNotAsked) {
  trace::VmInfo vm;
  vm.name = "web-1";
  auto answer = ask_libvirt({"/nonexistent.so", "/nonexistent.so", "fake:"}, vm, "query",
                            monotonic_ns() + kLong);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message(), HasSubstr("its library is not there"));
}

}  // namespace
}  // namespace iovm::record
