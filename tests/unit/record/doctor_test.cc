// SPDX-License-Identifier: Apache-2.0
#include "record/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/fd.h"
#include "base/json.h"
#include "record/doctor_text.h"

namespace iovm::record {
namespace {

using ::testing::HasSubstr;

// A host that has it all; a test takes away what it is about.
class DoctorTest : public testing::Test {
 protected:
  void SetUp() override {
    roots_ = {root_ + "/proc", root_ + "/sys", root_ + "/dev", root_ + "/modules"};
    put("proc/misc", "130 watchdog\n232 kvm\n");
    put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme svm hypervisor\n");
    put("proc/modules", "iovm 1 0\n");
    put("proc/sys/kernel/osrelease", "6.1.0-9\n");
    put("proc/sys/kernel/perf_event_paranoid", "2\n");
    rights("000001ffffffffff");
    put("sys/kernel/btf/vmlinux", "btf");
    put("sys/kernel/btf/kvm", "btf");
    put("sys/module/kvm/initstate", "live");
    put("sys/module/kvm_amd/initstate", "live");
    std::filesystem::create_directories(root_ + "/dev");
    std::filesystem::create_directory_symlink(std::string(IOVM_TEST_DATA) + "/tracefs-6.1",
                                              root_ + "/sys/kernel/tracing");
    probes_.open_tracepoint = [this](std::uint32_t id) { return asked_ = id, open_errno_; };
    probes_.kvm_version = [this](const std::string&) { return kvm_version_; };
    probes_.load_bpf = [this] { return bpf_; };
    probes_.open_module = [this](const std::string&) { return module_; };
    probes_.mount_tracefs = [this] { return own_tracefs_; };
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& path, const std::string& content) {
    std::filesystem::path full = root_ + "/" + path;
    std::filesystem::create_directories(full.parent_path());
    ASSERT_TRUE(write_file(full, content));
  }
  void remove(const std::string& path) { std::filesystem::remove_all(root_ + "/" + path); }
  void rights(const std::string& effective) {
    put("proc/self/status", "Name:\tiovm\nCapInh:\t0\nCapEff:\t" + effective + "\n");
  }
  Diagnosis diagnosis() const { return diagnose(roots_, probes_); }
  static std::optional<Check> find(const Diagnosis& d, const std::string& source,
                                   const std::string& name) {
    for (const Check& check : d.checks) {
      if (check.source == source && check.name == name) return check;
    }
    return std::nullopt;
  }
  // The check as "state: found -> mend".
  std::string told(const std::string& source, const std::string& name) const {
    auto check = find(diagnosis(), source, name);
    if (!check) return "none";
    return std::string(name_of(check->state)) + ": " + check->found + " -> " + check->mend;
  }
  bool works(const std::string& source) const {
    for (const SourceVerdict& verdict : diagnosis().sources) {
      if (verdict.source == source) return verdict.works;
    }
    ADD_FAILURE() << "no verdict on " << source;
    return false;
  }

  std::string root_ = testing::TempDir() + "/iovm-doctor-" + std::to_string(::getpid());
  HostRoots roots_;
  HostProbes probes_;
  Result<Tracefs> own_tracefs_ = host_error("not here");
  std::uint32_t asked_ = 0;
  int open_errno_ = 0;
  int kvm_version_ = 12;
  Result<std::string> bpf_ = std::string();
  Status module_;
};

TEST_F(DoctorTest, AHostThatHasItAllWorks) {
  Diagnosis d = diagnosis();
  EXPECT_TRUE(d.works());
  EXPECT_TRUE(works("perf"));
  EXPECT_TRUE(works("kmod"));
  EXPECT_THAT(told("host", "kvm"), HasSubstr("kvm_amd; " + root_ + "/dev/kvm answers (API 12)"));
  EXPECT_THAT(told("perf", "tracepoints"),
              HasSubstr("ok: kvm:kvm_pio, kvm:kvm_mmio, kvm:kvm_fast_mmio"));
}

TEST_F(DoctorTest, TheTracepointOfTheFormatFileIsTheOneThatIsTried) {
  diagnosis();
  EXPECT_EQ(asked_, 1444u);
}

TEST_F(DoctorTest, TheBpfProgramIsLoadedAsTheProbe) {
  EXPECT_TRUE(works("bpf"));
  EXPECT_THAT(told("bpf", "program"), HasSubstr("ok: "));
  EXPECT_EQ(told("bpf", "registers"), "none");
  bpf_ = host_error("the kernel is locked down (boot with lockdown=none)");
  EXPECT_FALSE(works("bpf"));
  EXPECT_EQ(told("bpf", "program"),
            "missing: the kernel is locked down -> boot with lockdown=none");
}

TEST_F(DoctorTest, WhatTheBpfProgramCannotGiveIsANote) {
  bpf_ = std::string("no CPL");
  EXPECT_TRUE(works("bpf"));
  EXPECT_EQ(told("bpf", "registers"), "note: no CPL -> use iovm.ko (--source kmod)");
}

TEST_F(DoctorTest, WithoutKvmNothingWorksAndTheCpuSaysWhatToLoad) {
  put("proc/misc", "130 watchdog\n");
  EXPECT_FALSE(diagnosis().works());
  EXPECT_THAT(told("host", "kvm"), HasSubstr("-> modprobe kvm_amd"));
  put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx\n");
  EXPECT_THAT(told("host", "kvm"), HasSubstr("-> modprobe kvm_intel"));
  put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor\n");
  EXPECT_THAT(told("host", "kvm"), HasSubstr("nested"));
  put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu novmx vmx_not\n");
  EXPECT_THAT(told("host", "kvm"), HasSubstr("firmware"));
}

TEST_F(DoctorTest, AMissingNodeHindersStartingNotRecording) {
  kvm_version_ = -ENOENT;
  EXPECT_TRUE(works("perf"));
  EXPECT_THAT(told("host", "kvm"), HasSubstr("ok: "));
  EXPECT_THAT(told("host", "kvm"), HasSubstr("no VM can be started from here"));
}

TEST_F(DoctorTest, AnUnmountedTracefsNamesTheMount) {
  remove("sys/kernel/tracing");
  EXPECT_FALSE(works("perf"));
  EXPECT_THAT(told("perf", "tracefs"), HasSubstr("mount -t tracefs nodev "));
  EXPECT_THAT(told("perf", "tracefs"), HasSubstr("-> run as root"));
}

TEST_F(DoctorTest, AnUnmountedTracefsIsMountedForThisProcess) {
  remove("sys/kernel/tracing");
  own_tracefs_ = Tracefs(std::string(IOVM_TEST_DATA) + "/tracefs-6.18");
  EXPECT_TRUE(works("perf"));
  EXPECT_THAT(told("perf", "tracefs"), HasSubstr("ok: not mounted; a recording mounts it"));
}

TEST_F(DoctorTest, ADebugfsMountServesToo) {
  remove("sys/kernel/tracing");
  std::filesystem::create_directories(root_ + "/sys/kernel/debug");
  std::filesystem::create_directory_symlink(std::string(IOVM_TEST_DATA) + "/tracefs-6.18",
                                            root_ + "/sys/kernel/debug/tracing");
  EXPECT_TRUE(works("perf"));
}

TEST_F(DoctorTest, MissingTracepointsNameTheModule) {
  remove("sys/kernel/tracing");
  std::filesystem::create_directories(root_ + "/sys/kernel/tracing/events/sched");
  EXPECT_FALSE(works("perf"));
  EXPECT_THAT(told("perf", "kvm:kvm_pio"), HasSubstr("missing: "));
  EXPECT_THAT(told("perf", "kvm:kvm_pio"), HasSubstr("modprobe kvm_intel or kvm_amd"));
  EXPECT_EQ(told("perf", "perf_event_open"), "none");
}

TEST_F(DoctorTest, AMissingDoorbellTracepointIsOnlyANote) {
  remove("sys/kernel/tracing");
  std::filesystem::create_directories(root_ + "/sys/kernel/tracing/events/kvm");
  for (const char* name : {"kvm_pio", "kvm_mmio"}) {
    std::filesystem::copy(std::string(IOVM_TEST_DATA) + "/tracefs-6.1/events/kvm/" + name,
                          root_ + "/sys/kernel/tracing/events/kvm/" + name);
  }
  EXPECT_TRUE(works("perf"));
  EXPECT_THAT(told("perf", "kvm:kvm_fast_mmio"), HasSubstr("note: "));
}

TEST_F(DoctorTest, AMissingRightIsNamedWithItsSetting) {
  open_errno_ = EACCES;
  rights("0000000000000000");
  EXPECT_FALSE(works("perf"));
  EXPECT_THAT(told("perf", "perf_event_open"),
              HasSubstr("kernel.perf_event_paranoid is 2, CAP_PERFMON is not there"));
  EXPECT_THAT(told("perf", "perf_event_open"), HasSubstr("-> run as root, or with CAP_PERFMON"));
  EXPECT_THAT(told("host", "processes"), HasSubstr("note: only this user's"));
}

TEST_F(DoctorTest, ARightThatDoesNotHelpPointsToAPolicy) {
  open_errno_ = EPERM;
  EXPECT_THAT(told("perf", "perf_event_open"), HasSubstr("seccomp or LSM"));
}

TEST_F(DoctorTest, AModuleThatIsInstalledNeedsLoading) {
  module_ = host_error("not loaded");
  put("modules/6.1.0-9/updates/dkms/iovm.ko.xz", "module");
  EXPECT_FALSE(works("kmod"));
  EXPECT_THAT(told("kmod", "module"), HasSubstr("-> modprobe iovm"));
  remove("modules");
  EXPECT_THAT(told("kmod", "module"), HasSubstr("not installed for this kernel"));
  remove("proc/modules");
  EXPECT_THAT(told("kmod", "module"), HasSubstr("cannot load modules"));
  EXPECT_TRUE(diagnosis().works());  // perf still does
}

TEST_F(DoctorTest, ALockedDownKernelIsTold) {
  module_ = host_error("not loaded");
  put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  EXPECT_THAT(told("kmod", "lockdown"), HasSubstr("signed modules"));
  put("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
  EXPECT_EQ(told("kmod", "lockdown"), "none");
}

TEST_F(DoctorTest, BtfOfABuiltInKvmIsInTheKernels) {
  EXPECT_THAT(told("bpf", "btf"), HasSubstr("ok: "));
  remove("sys/kernel/btf/kvm");
  EXPECT_THAT(told("bpf", "btf"), HasSubstr("missing: "));
  remove("sys/module/kvm/initstate");
  EXPECT_THAT(told("bpf", "btf"), HasSubstr("ok: "));
  remove("sys/kernel/btf/vmlinux");
  EXPECT_THAT(told("bpf", "btf"), HasSubstr("CONFIG_DEBUG_INFO_BTF"));
}

TEST_F(DoctorTest, AnEmptyHostIsDiagnosedToo) {
  roots_ = {"/nonexistent", "/nonexistent", "/nonexistent", "/nonexistent"};
  module_ = host_error("nothing there");
  EXPECT_FALSE(diagnosis().works());
}

TEST_F(DoctorTest, AVmIsCheckedByName) {
  roots_.proc = std::string(IOVM_TEST_DATA) + "/proc-mixed";
  auto found = diagnose(roots_, probes_, "db-1");
  ASSERT_TRUE(found) << found.error().message();
  auto threads = find(*found, "vm", "vcpu threads");
  ASSERT_TRUE(threads);
  EXPECT_EQ(threads->state, CheckState::note);
  EXPECT_THAT(threads->found, HasSubstr("1 of 2 are known"));
  EXPECT_THAT(threads->mend, HasSubstr("debug-threads=on"));
  auto layout = find(*found, "vm", "pci layout");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->state, CheckState::note);
  EXPECT_THAT(layout->found, HasSubstr("names no QMP socket"));
  EXPECT_THAT(layout->mend, HasSubstr("-qmp unix:"));
  EXPECT_FALSE(diagnose(roots_, probes_, "nobody"));
}

TEST_F(DoctorTest, TheTextTellsSourceByState) {
  open_errno_ = EACCES;
  std::string text = render_text(diagnosis());
  EXPECT_THAT(text, HasSubstr("\nsource perf: does not work\n"));
  EXPECT_THAT(text, HasSubstr("\n  missing  perf_event_open  no right to trace"));
  EXPECT_THAT(text, HasSubstr("\n                            -> run as root"));
  EXPECT_THAT(text, HasSubstr("\nsource kmod: works\n"));
}

TEST_F(DoctorTest, TheJsonHasTheSame) {
  auto json = JsonValue::parse(render_json(diagnosis()));
  ASSERT_TRUE(json) << json.error().message();
  EXPECT_EQ(json->member("works")->flag(), true);
  EXPECT_EQ(json->member("sources")->size(), 3u);
  EXPECT_EQ(json->member("checks")->at(0).member("source")->text(), "host");
}

TEST_F(DoctorTest, HostileNamesAreEscaped) {
  Diagnosis d;
  d.checks.push_back({"vm", "found", CheckState::ok, "\x1b[31mred", ""});
  EXPECT_EQ(render_text(d).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace iovm::record
