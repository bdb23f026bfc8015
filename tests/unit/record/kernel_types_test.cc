// SPDX-License-Identifier: Apache-2.0
#include "record/kernel_types.h"

#include <gmock/gmock.h>
#include <linux/btf.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/fd.h"
#include "base/format.h"
#include "record/bpf_arguments.h"

namespace iovm::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

// BTF written by hand: types in their order, names as they come. A module's begins where the
// kernel's ends.
class Types {
 public:
  Types(std::uint32_t types = 1, std::uint32_t strings = 0) : next_(types), before_(strings) {}

  std::uint32_t structure(const std::string& name) { return add(name, BTF_KIND_STRUCT, 0, 0); }
  std::uint32_t function(const std::string& name, const std::vector<std::string>& parameters) {
    std::uint32_t prototype =
        add("", BTF_KIND_FUNC_PROTO, static_cast<std::uint32_t>(parameters.size()), 0);
    for (const std::string& parameter : parameters) {
      words_.push_back(text(parameter));
      words_.push_back(0);
    }
    return add(name, BTF_KIND_FUNC, 0, prototype);
  }
  std::uint32_t next() const { return next_; }
  std::uint32_t strings() const { return static_cast<std::uint32_t>(strings_.size()); }
  std::string bytes() const {
    btf_header head = {};
    head.magic = BTF_MAGIC, head.version = 1, head.hdr_len = sizeof head;
    head.type_len = head.str_off = static_cast<std::uint32_t>(words_.size() * 4);
    head.str_len = strings();
    std::string all(reinterpret_cast<const char*>(&head), sizeof head);
    all.append(reinterpret_cast<const char*>(words_.data()), words_.size() * 4);
    return all + strings_;
  }

 private:
  std::uint32_t text(const std::string& name) {
    if (name.empty() && before_ == 0) return 0;
    std::uint32_t at = before_ + strings();
    strings_ += name + '\0';
    return at;
  }
  std::uint32_t add(const std::string& name, std::uint32_t kind, std::uint32_t members,
                    std::uint32_t type) {
    std::uint32_t at = text(name);
    words_.insert(words_.end(), {at, kind << 24 | members, type});
    return next_++;
  }
  std::uint32_t next_;
  std::uint32_t before_;
  std::vector<std::uint32_t> words_;
  std::string strings_ = std::string(1, '\0');
};

class KernelTypesTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string put(const std::string& name, const std::string& bytes) {
    EXPECT_TRUE(write_file(folder_ + "/" + name, bytes));
    return folder_ + "/" + name;
  }
  static void add_tracepoints(Types& types) {
    types.function("__traceiter_kvm_pio", {"__data", "rw", "port", "size", "count", "data"});
    types.function("__traceiter_kvm_mmio", {"__data", "type", "len", "gpa", "val"});
  }
  std::string folder_ = testing::TempDir() + format("/btf-{}", ::getpid());
};

TEST_F(KernelTypesTest, KnowsStructuresAndParametersByName) {
  Types types;
  types.structure("kvm_vcpu");
  types.function("f", {"a", "b"});
  auto kernel = KernelTypes::read(put("vmlinux", types.bytes()));
  ASSERT_TRUE(kernel) << kernel.error().message();
  EXPECT_TRUE(kernel->has_struct("kvm_vcpu"));
  EXPECT_FALSE(kernel->has_struct("f"));
  EXPECT_TRUE(kernel->has_function("f"));
  EXPECT_THAT(kernel->parameters("f"), Optional(ElementsAre("a", "b")));
  EXPECT_FALSE(kernel->parameters("g"));
}

TEST_F(KernelTypesTest, AModulesTypesGoOnFromTheKernels) {
  Types types;
  types.structure("kvm_vcpu");
  Types of_module(types.next(), types.strings());
  of_module.function("f", {"a", "b"});
  auto kernel = KernelTypes::read(put("vmlinux", types.bytes()));
  ASSERT_TRUE(kernel);
  auto module = KernelTypes::read(put("kvm", of_module.bytes()), *kernel);
  ASSERT_TRUE(module) << module.error().message();
  EXPECT_THAT(module->parameters("f"), Optional(ElementsAre("a", "b")));
}

TEST_F(KernelTypesTest, EveryCutIsAnErrorOrFewerTypes) {
  Types types;
  types.structure("kvm_vcpu");
  types.function("f", {"a", "b"});
  std::string bytes = types.bytes();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(KernelTypes::read(put("vmlinux", bytes.substr(0, length)))) << length;
  }
}

TEST_F(KernelTypesTest, ArgumentsAreFoundByTheirNames) {
  Types types;
  types.function("__traceiter_kvm_pio", {"__data", "vcpu", "port", "rw", "size", "count", "data"});
  types.function("__traceiter_kvm_mmio", {"__data", "type", "len", "gpa", "val"});
  put("vmlinux", types.bytes());
  iovm_bpf_settings settings = {};
  auto fast = find_arguments(folder_, settings);
  ASSERT_TRUE(fast) << fast.error().message();
  EXPECT_FALSE(*fast);
  EXPECT_EQ(settings.pio_rw, 2);
  EXPECT_EQ(settings.pio_port, 1);
  EXPECT_EQ(settings.pio_data, 5);
  EXPECT_EQ(settings.mmio_val, 3);
}

TEST_F(KernelTypesTest, AnArgumentThatIsNotThereIsNamed) {
  Types types;
  types.function("__traceiter_kvm_pio", {"__data", "rw", "port", "size", "data"});
  put("vmlinux", types.bytes());
  iovm_bpf_settings settings = {};
  auto fast = find_arguments(folder_, settings);
  ASSERT_FALSE(fast);
  EXPECT_THAT(fast.error().message(), HasSubstr("kvm_pio has no argument \"count\""));
}

TEST_F(KernelTypesTest, AModuleIsLookedIntoWhereTheKernelHasNone) {
  Types types;
  types.structure("kvm_vcpu");
  put("vmlinux", types.bytes());
  iovm_bpf_settings settings = {};
  auto none = find_arguments(folder_, settings);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message(), HasSubstr("/kvm is not there (load KVM"));
  Types of_module(types.next(), types.strings());
  add_tracepoints(of_module);
  of_module.function("__traceiter_kvm_fast_mmio", {"__data", "gpa"});
  put("kvm", of_module.bytes());
  auto fast = find_arguments(folder_, settings);
  ASSERT_TRUE(fast) << fast.error().message();
  EXPECT_TRUE(*fast);
  EXPECT_EQ(settings.pio_count, 3);
}

TEST_F(KernelTypesTest, LoadsInPlaceOfCallsWhereTheKernelItselfHasTheTypes) {
  Types types;
  add_tracepoints(types);
  types.structure("kvm_vcpu");
  types.function("bpf_rdonly_cast", {"obj", "btf_id"});
  put("vmlinux", types.bytes());
  iovm_bpf_settings settings = {};
  settings.svm = 1;
  ASSERT_TRUE(find_arguments(folder_, settings));
  EXPECT_EQ(settings.direct, 1);
  EXPECT_EQ(settings.direct_vmcb, 0);
  EXPECT_EQ(settings.no_vmcb, 1);
  settings.svm = 0, settings.pvm = 1;
  ASSERT_TRUE(find_arguments(folder_, settings));
  EXPECT_EQ(settings.direct, 0);
}

}  // namespace
}  // namespace iovm::record
