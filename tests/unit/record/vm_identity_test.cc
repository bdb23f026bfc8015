// SPDX-License-Identifier: Apache-2.0
#include "record/vm_identity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "record/vm_threads.h"

namespace iovm::record {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

VmIdentity of(std::vector<std::string> words, const std::string& executable = "") {
  return identify_vm(executable, words, "");
}
std::string qemu_name(const std::string& value) {
  return of({"qemu-system-x86_64", "-name", value}).name;
}
std::uint64_t qemu_memory(const std::string& value) {
  return of({"qemu-system-x86_64", "-m", value}).memory;
}
std::string ch_name(const std::string& value) {
  return of({"cloud-hypervisor", "--api-socket", value}).name;
}

TEST(VmIdentityTest, QemuNamesInEverySyntax) {
  EXPECT_EQ(qemu_name("web"), "web");
  EXPECT_EQ(qemu_name("web,process=x"), "web");
  EXPECT_EQ(qemu_name("guest=web,debug-threads=on"), "web");
  EXPECT_EQ(qemu_name("debug-threads=on,guest=web"), "web");
  EXPECT_EQ(qemu_name("debug-threads=on"), "");
  EXPECT_EQ(qemu_name("guest=a=b"), "a=b");
  EXPECT_EQ(qemu_name("a,,b"), "a,b");
  EXPECT_EQ(qemu_name(""), "");
}

TEST(VmIdentityTest, TheLastOfRepeatedOptionsCounts) {
  EXPECT_EQ(of({"kvm", "-name", "a", "--name", "b"}).name, "b");
}

TEST(VmIdentityTest, QemuMemoryInEverySyntax) {
  EXPECT_EQ(qemu_memory("512"), 512 * kMiB);
  EXPECT_EQ(qemu_memory("2G"), 2048 * kMiB);
  EXPECT_EQ(qemu_memory("2g"), 2048 * kMiB);
  EXPECT_EQ(qemu_memory("1.5G"), 1536 * kMiB);
  EXPECT_EQ(qemu_memory("size=1024"), 1024 * kMiB);
  EXPECT_EQ(qemu_memory("size=2097152k,slots=4,maxmem=8G"), 2048 * kMiB);
  EXPECT_EQ(qemu_memory("slots=4,maxmem=8G,size=1G"), 1024 * kMiB);
  EXPECT_EQ(qemu_memory("4G,slots=4,maxmem=8G"), 4096 * kMiB);
  EXPECT_EQ(qemu_memory("0x200"), 512 * kMiB);
  EXPECT_EQ(qemu_memory("1073741824b"), 1024 * kMiB);
  EXPECT_EQ(of({"kvm"}).memory, 128 * kMiB);
}

TEST(VmIdentityTest, MemoryThatIsNoneIsUnknown) {
  for (const char* text :
       {"", "x", "-5", "1Q", "1Gx", "nan", "inf", "1e30", "99999999999999999999G", "0x", "size="}) {
    EXPECT_EQ(qemu_memory(text), 0u) << text;
  }
}

TEST(VmIdentityTest, QemuIsKnownByItsManyNames) {
  for (const char* program : {"/usr/libexec/qemu-kvm", "/usr/bin/kvm",
                              "/nix/.qemu-system-x86_64-wrapped", "/usr/bin/qemu-system-x86_64"}) {
    EXPECT_EQ(of({"anything"}, program).vmm, "qemu") << program;
  }
}

TEST(VmIdentityTest, UuidsAreKeptInLowerCase) {
  EXPECT_EQ(of({"kvm", "-uuid", "ABCD"}).uuid, "abcd");
}

TEST(VmIdentityTest, CloudHypervisorIsNamedByItsSocket) {
  EXPECT_EQ(ch_name("/run/vms/web-1.sock"), "web-1");
  EXPECT_EQ(ch_name("path=/run/libvirt/ch/web-1-socket"), "web-1");
  EXPECT_EQ(ch_name("/run/vc/vm/0123abcd/clh-api.sock"), "0123abcd");
  EXPECT_EQ(ch_name("/tmp/cloud-hypervisor.sock"), "");
  EXPECT_EQ(ch_name("api.sock"), "");
  EXPECT_EQ(ch_name("fd=5"), "");
}

TEST(VmIdentityTest, FirecrackerIsNamedByItsIdUnlessThatIsTheDefault) {
  EXPECT_EQ(of({"firecracker", "--id", "vm-7"}).name, "vm-7");
  EXPECT_EQ(of({"firecracker", "--id=vm-7"}).name, "vm-7");
  EXPECT_EQ(of({"firecracker", "--id=anonymous-instance", "--api-sock", "/tmp/seven.socket"}).name,
            "seven");
  EXPECT_EQ(of({"firecracker", "--api-sock", "/run/firecracker.socket"}).name, "");
}

TEST(VmIdentityTest, CrosvmAndKvmtoolHaveNameOptions) {
  EXPECT_EQ(of({"crosvm", "run", "--mem", "size=512", "--name=c"}),
            (VmIdentity{"crosvm", "c", "", 512 * kMiB}));
  EXPECT_EQ(of({"lkvm", "run", "--name", "l", "-m", "64"}),
            (VmIdentity{"kvmtool", "l", "", 64 * kMiB}));
}

TEST(VmIdentityTest, NothingAtAllIsAnAnswerToo) {
  EXPECT_EQ(identify_vm("", {}, ""), VmIdentity{});
  EXPECT_EQ(identify_vm("", {}, "thing").vmm, "thing");
}

TEST(VmThreadsTest, TheNumberInAComm) {
  EXPECT_EQ(vcpu_of_comm("CPU 12/KVM"), 12);
  EXPECT_EQ(vcpu_of_comm("fc_vcpu 3"), 3);
  EXPECT_EQ(vcpu_of_comm("vcpu7"), 7);
  EXPECT_EQ(vcpu_of_comm("crosvm_vcpu1"), 1);
  EXPECT_EQ(vcpu_of_comm("kvm-vcpu-0"), 0);
  for (const char* comm : {"CPU /KVM", "CPU 0/TCG", "CPU 0/KVMx", "CPU 99999/KVM", "vcpu", "vcpu-1",
                           "vcpu0x", "qemu-system-x86", ""}) {
    EXPECT_FALSE(vcpu_of_comm(comm)) << comm;
  }
}

TEST(VmThreadsTest, TheDescriptorWinsOverTheComm) {
  std::vector<Vcpu> vcpus = {{0, -1}, {1, -1}};
  match_threads(vcpus, {20, 21}, {{100, "CPU 0/KVM", 21}, {101, "CPU 1/KVM", 20}});
  EXPECT_EQ(vcpus[0].tid, 101);
  EXPECT_EQ(vcpus[1].tid, 100);
}

TEST(VmThreadsTest, OneThreadIsNeverTwoVcpus) {
  std::vector<Vcpu> vcpus = {{0, -1}, {1, -1}};
  match_threads(vcpus, {20, 21}, {{100, "CPU 0/KVM", 21}});
  EXPECT_EQ(vcpus[0].tid, -1);
  EXPECT_EQ(vcpus[1].tid, 100);
}

}  // namespace
}  // namespace iovm::record
