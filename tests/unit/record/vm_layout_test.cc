// SPDX-License-Identifier: Apache-2.0
//
// The whole way: a VMM's command line, its socket, its answer. The VMM is this process, with a
// command line of the test's.
#include "record/vm_layout.h"

#include <gmock/gmock.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/format.h"
#include "unit/record/fake_qmp.h"

namespace iovm::record {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class VmLayoutTest : public testing::Test {
 protected:
  VmLayoutTest() {
    std::string pattern = testing::TempDir() + "iovm-layout-XXXXXX";
    proc_.path = ::mkdtemp(pattern.data());
    std::filesystem::create_directories(process() + "/net");
    std::filesystem::create_symlink("/", process() + "/root");
    std::filesystem::create_symlink("/proc/self/net/unix", process() + "/net/unix");
    vm_.vmm = "qemu";
    vm_.pid = ::getpid();
  }
  ~VmLayoutTest() override { std::filesystem::remove_all(proc_.path); }

  std::string process() const { return format("{}/{}", proc_.path, ::getpid()); }
  void command_line(const std::vector<std::string>& words) {
    std::string all("qemu-system-x86_64\0", 19);
    for (const std::string& word : words) all += word + '\0';
    ASSERT_TRUE(write_file(process() + "/cmdline", all));
  }
  static void serve(FakeQmp& qmp) {
    auto text = read_file(std::string(IOVM_TEST_DATA) + "/qmp/query-pci-q35.json");
    qmp.say(kGreeting);
    qmp.hear();
    qmp.say("{\"return\": {}}\r\n");
    qmp.hear();
    qmp.say(*text);
    qmp.wait_for_its_end();
  }
  static std::string option(const std::string& path) { return "unix:" + path + ",server=on"; }

  ProcRoot proc_;
  trace::VmInfo vm_;
};

TEST_F(VmLayoutTest, TheLayoutIsThatOfTheFirstSocketThatAnswers) {
  FakeQmp server(serve);
  command_line({"-qmp", option("/nonexistent"), "-qmp", option(server.path())});
  LayoutAnswer answer = ask_layout(proc_, vm_, monotonic_ns() + 20'000'000'000);
  EXPECT_EQ(answer.layout.from, "QMP") << answer.note;
  EXPECT_EQ(answer.layout.functions.size(), 10U);
  EXPECT_THAT(answer.note, StartsWith("10 PCI functions, from QMP socket /"));
}

TEST_F(VmLayoutTest, WithoutAnAnswerTheNoteSaysWhyForEachPlace) {
  command_line({"-qmp", option("/nonexistent"), "-qmp", option("/dev/null")});
  LayoutAnswer answer = ask_layout(proc_, vm_);
  EXPECT_EQ(answer.layout, trace::PciLayout());
  EXPECT_THAT(answer.note, HasSubstr("QMP socket /nonexistent: "));
  EXPECT_THAT(answer.note, HasSubstr("QMP socket /dev/null: /dev/null is no socket"));
}

TEST_F(VmLayoutTest, AVmmThatHasNoQmpIsNotAsked) {
  command_line({"-display", "none"});
  EXPECT_THAT(ask_layout(proc_, vm_).note, HasSubstr("names no QMP socket"));
  vm_.vmm = "firecracker";
  EXPECT_THAT(ask_layout(proc_, vm_).note, HasSubstr("only QEMU"));
}

TEST_F(VmLayoutTest, LibvirtIsAskedWhereItHoldsTheMonitor) {
  command_line({"-chardev", "socket,id=charmonitor,fd=23,server=on,wait=off"});
  EXPECT_THAT(ask_layout(proc_, vm_).note, StartsWith("libvirt: "));
}

TEST_F(VmLayoutTest, AVmmThatHangsIsLeftWithoutALayout) {
  FakeQmp silent([](FakeQmp& qmp) { qmp.wait_for_its_end(); });
  command_line({"-qmp", option(silent.path())});
  ask_layouts(proc_, std::span(&vm_, 1));
  EXPECT_EQ(vm_.pci, trace::PciLayout());
}

}  // namespace
}  // namespace iovm::record
