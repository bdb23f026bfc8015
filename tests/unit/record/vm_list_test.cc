// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.h"
#include "record/libvirt_names.h"
#include "record/vm.h"

namespace iovm::record {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ProcRoot fixture(const std::string& name) {
  return {std::string(IOVM_TEST_DATA) + "/proc-" + name};
}

std::vector<std::int32_t> tids(const Vm& vm) {
  std::vector<std::int32_t> out;
  for (const Vcpu& vcpu : vm.vcpus) out.push_back(vcpu.tid);
  return out;
}

std::vector<int> ids(const Vm& vm) {
  std::vector<int> out;
  for (const Vcpu& vcpu : vm.vcpus) out.push_back(vcpu.index);
  return out;
}

class VmListTest : public testing::Test {
 protected:
  void use(const std::string& name) {
    auto list = list_vms(fixture(name));
    ASSERT_TRUE(list) << list.error().message();
    list_ = *std::move(list);
  }
  const Vm& of_pid(std::int64_t pid) const {
    for (const Vm& vm : list_.vms) {
      if (vm.info.pid == pid) return vm;
    }
    ADD_FAILURE() << "no VM of pid " << pid;
    static const Vm kNone;
    return kNone;
  }
  VmList list_;
};

TEST_F(VmListTest, AHostWithoutVmsHasNone) {
  use("no-vms");
  EXPECT_TRUE(list_.vms.empty());
  EXPECT_EQ(list_.unreadable, 0u);
}

TEST_F(VmListTest, VmsComeByPidAndHelpersOfAVmmAreNoVms) {
  use("mixed");
  std::vector<std::int64_t> pids;
  for (const Vm& vm : list_.vms) pids.push_back(vm.info.pid);
  EXPECT_THAT(pids, ElementsAre(4101, 4202, 4303, 5301, 5302, 5303, 5401, 6001));
}

TEST_F(VmListTest, EachVmmIsNamedByItsOwnOptions) {
  use("mixed");
  EXPECT_EQ(of_pid(4101).info, (trace::VmInfo{"web-1", "6c2f1c3e-0a4b-4a2e-9d53-5e0d3b1f0001",
                                              "qemu", 4101, 4, std::uint64_t{2} << 30}));
  EXPECT_EQ(of_pid(4202).info,
            (trace::VmInfo{"db-1", "", "qemu", 4202, 2, std::uint64_t{512} << 20}));
  EXPECT_EQ(of_pid(4303).info,
            (trace::VmInfo{"odd,name", "", "qemu", 4303, 6, std::uint64_t{1536} << 20}));
  EXPECT_EQ(of_pid(5302).info,
            (trace::VmInfo{"ch-db", "11111111-2222-3333-4444-555555555555", "cloud-hypervisor",
                           5302, 1, std::uint64_t{1} << 30}));
  EXPECT_EQ(of_pid(5303).info,
            (trace::VmInfo{"cros", "", "crosvm", 5303, 1, std::uint64_t{256} << 20}));
  EXPECT_EQ(of_pid(5401).info,
            (trace::VmInfo{"tool", "", "kvmtool", 5401, 1, std::uint64_t{128} << 20}));
}

TEST_F(VmListTest, AnUnknownVmmIsCalledByItsProgram) {
  use("mixed");
  EXPECT_EQ(of_pid(6001).info, (trace::VmInfo{"", "", "my-vmm", 6001, 2, 0}));
}

TEST_F(VmListTest, MemoryComesFromTheMapsWhereNothingSays) {
  use("mixed");
  EXPECT_EQ(of_pid(5301).info,
            (trace::VmInfo{"fc-web", "", "firecracker", 5301, 2, std::uint64_t{256} << 20}));
}

TEST_F(VmListTest, ABlockedThreadTellsItsVcpuByTheDescriptor) {
  use("mixed");
  EXPECT_THAT(tids(of_pid(4202)), ElementsAre(-1, 4206));
}

TEST_F(VmListTest, ARunningThreadTellsItsVcpuByItsComm) {
  use("mixed");
  EXPECT_THAT(tids(of_pid(4101)), ElementsAre(4110, 4111, 4112, 4113));
  EXPECT_THAT(tids(of_pid(5301)), ElementsAre(5305, 5306));
  EXPECT_THAT(tids(of_pid(5302)), ElementsAre(5309));
  EXPECT_THAT(tids(of_pid(5303)), ElementsAre(5311));
  EXPECT_THAT(tids(of_pid(5401)), ElementsAre(5404));
}

TEST_F(VmListTest, ACommsNumberIsARankWhereIdsHaveGaps) {
  use("mixed");
  EXPECT_THAT(ids(of_pid(4303)), ElementsAre(0, 1, 2, 4, 5, 6));
  EXPECT_THAT(tids(of_pid(4303)), ElementsAre(4310, 4311, 4312, 4313, 4314, 4315));
}

TEST_F(VmListTest, UnnumberedDescriptorsAreVcpusInTheirOrder) {
  use("mixed");
  EXPECT_THAT(ids(of_pid(6001)), ElementsAre(0, 1));
  EXPECT_THAT(tids(of_pid(6001)), ElementsAre(6003, 6002));
}

TEST_F(VmListTest, HostileProcessesAreListedAndHarmNothing) {
  use("hostile");
  EXPECT_EQ(list_.vms.size(), 5u);
  EXPECT_EQ(of_pid(31).info.name,
            "\x1b[2J\x1b]0;owned\x07"
            "evil\nname\xff\xe2\x80\xae");
  EXPECT_THAT(tids(of_pid(31)), ElementsAre(-1));
  EXPECT_EQ(of_pid(41).info.name.size(), 1024u);
  EXPECT_EQ(of_pid(41).info.memory, 0u);
  EXPECT_THAT(tids(of_pid(41)), ElementsAre(-1));
  EXPECT_TRUE(of_pid(51).vcpus.empty());
  EXPECT_THAT(ids(of_pid(61)), ElementsAre(65535));
  EXPECT_EQ(of_pid(62).info.name, "");
}

TEST_F(VmListTest, AFolderThatIsNoProcIsAnErrorWithTheNextStep) {
  auto list = list_vms({"/nonexistent-proc"});
  ASSERT_FALSE(list);
  EXPECT_THAT(list.error().message(), HasSubstr("mount -t proc"));
}

// As a user without the right to look: root may look everywhere, so root steps down for the test.
TEST_F(VmListTest, ProcessesThatMayNotBeLookedIntoAreCounted) {
  std::string copy = testing::TempDir() + "/iovm-proc-" + std::to_string(::getpid());
  std::filesystem::copy(
      fixture("twins").path, copy,
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  for (const char* pid : {"71", "2"}) {
    ASSERT_EQ(::chmod((copy + "/" + pid + "/fd").c_str(), 0), 0);
  }
  bool is_root = ::geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  auto list = list_vms({copy});
  auto missing = find_vms({copy}, "web-7");
  if (is_root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  std::filesystem::permissions(copy + "/71/fd", std::filesystem::perms::owner_all);
  std::filesystem::permissions(copy + "/2/fd", std::filesystem::perms::owner_all);
  std::filesystem::remove_all(copy);
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->vms.size(), 1u);
  EXPECT_EQ(list->unreadable, 1u);  // not the kernel thread
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault(), Fault::host);
  EXPECT_THAT(missing.error().message(), HasSubstr("run as root"));
}

class FindVmsTest : public testing::Test {
 protected:
  static std::vector<std::int64_t> pids(const std::string& tree, std::string_view wanted) {
    auto vms = find_vms(fixture(tree), wanted);
    EXPECT_TRUE(vms) << vms.error().message();
    std::vector<std::int64_t> out;
    if (vms) {
      for (const Vm& vm : *vms) out.push_back(vm.info.pid);
    }
    return out;
  }
  static Error error(const std::string& tree, std::string_view wanted) {
    auto vms = find_vms(fixture(tree), wanted);
    EXPECT_FALSE(vms) << "found " << wanted;
    return vms ? usage_error("none") : std::move(vms).error();
  }
};

TEST_F(FindVmsTest, FindsByName) {
  EXPECT_THAT(pids("mixed", "web-1"), ElementsAre(4101));
  EXPECT_THAT(pids("mixed", "odd,name"), ElementsAre(4303));
}
TEST_F(FindVmsTest, FindsByPid) {
  EXPECT_THAT(pids("mixed", "6001"), ElementsAre(6001));
}
TEST_F(FindVmsTest, FindsByUuidInAnyCase) {
  EXPECT_THAT(pids("mixed", "6C2f1c3e-0A4B-4a2e-9d53-5e0d3b1f0001"), ElementsAre(4101));
}
TEST_F(FindVmsTest, AllAreAll) {
  EXPECT_EQ(pids("mixed", "all").size(), 8u);
}
TEST_F(FindVmsTest, APidWinsOverAVmNamedAsThatPid) {
  EXPECT_THAT(pids("hostile", "31"), ElementsAre(31));
}
TEST_F(FindVmsTest, AHostileNameFindsItsVm) {
  EXPECT_THAT(pids("hostile",
                   "\x1b[2J\x1b]0;owned\x07"
                   "evil\nname\xff\xe2\x80\xae"),
              ElementsAre(31));
}

TEST_F(FindVmsTest, AnUnknownNameSaysWhatWasFound) {
  Error e = error("mixed", "web-2");
  EXPECT_EQ(e.fault(), Fault::usage);
  EXPECT_EQ(e.message(),
            "vm \"web-2\": no running VM has that name (8 found: web-1, db-1, odd,name, fc-web, "
            "ch-db, cros, tool, pid 6001; see iovm list)");
}

TEST_F(FindVmsTest, TheErrorOnAHostWithoutVmsSaysSo) {
  EXPECT_EQ(error("no-vms", "web-1").message(),
            "vm \"web-1\": no VM is running (none found; see iovm list)");
  EXPECT_EQ(error("no-vms", "all").message(),
            "vm \"all\": no VM is running (none found; see iovm list)");
}

TEST_F(FindVmsTest, TheEmptyNameIsNobodys) {
  EXPECT_EQ(error("mixed", "").fault(), Fault::usage);
}

TEST_F(FindVmsTest, TwoOfOneNameMustBeNamedByPid) {
  Error e = error("twins", "web-1");
  EXPECT_EQ(e.fault(), Fault::usage);
  EXPECT_EQ(e.message(),
            "vm \"web-1\": 2 running VMs have that name (pids 71, 72); name one by its pid");
}

TEST_F(FindVmsTest, ErrorsEscapeHostileNames) {
  std::string message = error("hostile", "\x1b[31m").message();
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(LibvirtNamesTest, NoLibraryNoDaemonOrABadUriGivesNoNames) {
  EXPECT_TRUE(libvirt_domains("nonsense:///nowhere", "/nonexistent").empty());
}

TEST(LibvirtNamesTest, TheTestDriversDomainIsReadThroughTheRealLibrary) {
  std::string run = testing::TempDir() + "/iovm-libvirt-" + std::to_string(::getpid());
  std::filesystem::create_directories(run);
  std::filesystem::path pid_file = run + "/test.pid";
  ASSERT_TRUE(write_file(pid_file, "4711\n"));
  auto domains = libvirt_domains("test:///default", run);
  std::filesystem::remove_all(run);
  if (domains.empty()) GTEST_SKIP() << "libvirt.so.0 is not installed";
  ASSERT_EQ(domains.size(), 1u);
  EXPECT_EQ(domains[0].name, "test");
  EXPECT_EQ(domains[0].uuid.size(), 36u);
  EXPECT_EQ(domains[0].pid, 4711);
}

}  // namespace
}  // namespace iovm::record
