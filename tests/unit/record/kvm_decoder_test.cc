// SPDX-License-Identifier: Apache-2.0
#include "record/kvm_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "record/tracefs.h"

namespace iovm::record {
namespace {

using trace::Direction;
using trace::Event;
using trace::EventKind;
using trace::Field;

// Payloads as the kernels wrote them, in hexadecimal; blanks are for the eye.
std::vector<std::byte> bytes(std::string_view hex) {
  std::vector<std::byte> out;
  int high = -1;
  for (char c : hex) {
    if (c == ' ') continue;
    int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<std::byte>(high * 16 + digit));
      high = -1;
    }
  }
  return out;
}

std::string format_of(const std::string& kernel, const std::string& name) {
  auto text = Tracefs(std::string(IOVM_TEST_DATA) + "/tracefs-" + kernel).format("kvm", name);
  EXPECT_TRUE(text) << text.error().message();
  return *text;
}

class KvmDecoderTest : public testing::Test {
 protected:
  explicit KvmDecoderTest(const std::string& kernel = "6.1") {
    for (std::string_view name : kIoTracepoints) {
      auto added = decoder.add_format(format_of(kernel, std::string(name)));
      EXPECT_TRUE(added && *added);
    }
  }
  Decoded decode(std::string_view hex) { return decoder.decode(bytes(hex), event); }

  KvmDecoder decoder;
  Event event;
};

// 1444 = 0x05a4 kvm_pio, 1373 = 0x055d kvm_mmio, 1443 = 0x05a3 kvm_fast_mmio; pid 0x99.
TEST_F(KvmDecoderTest, APortWriteHasItsPortSizeValueAndCount) {
  EXPECT_EQ(decode("a405 00 00 99000000 01000000 f7010000 01000000 01000000 c8000000"),
            Decoded::event);
  EXPECT_EQ(event.kind, EventKind::pio);
  EXPECT_EQ(event.direction, Direction::write);
  EXPECT_EQ(event.address, 0x1f7u);
  EXPECT_EQ(event.size, 1);
  EXPECT_EQ(event.count, 1u);
  EXPECT_EQ(event.value, 0xc8u);
  EXPECT_TRUE(event.has(Field::value));
}

TEST_F(KvmDecoderTest, APortReadIsARead) {
  decode("a405 00 00 99000000 00000000 61000000 02000000 40000000 3412 0000");
  EXPECT_EQ(event.direction, Direction::read);
  EXPECT_EQ(event.size, 2);
  EXPECT_EQ(event.count, 64u);
  EXPECT_EQ(event.value, 0x1234u);
}

TEST_F(KvmDecoderTest, AnMmioWriteHas64BitsOfAddressAndValue) {
  EXPECT_EQ(decode("5d05 00 00 99000000 02000000 08000000 f00000d0fe000000 8877665544332211"),
            Decoded::event);
  EXPECT_EQ(event.kind, EventKind::mmio);
  EXPECT_EQ(event.direction, Direction::write);
  EXPECT_EQ(event.address, 0xfed00000f0u);
  EXPECT_EQ(event.value, 0x1122334455667788u);
  EXPECT_EQ(event.size, 8);
}

TEST_F(KvmDecoderTest, AnUnsatisfiedReadBeginsAReadWithoutAValue) {
  EXPECT_EQ(decode("5d05 00 00 99000000 00000000 04000000 f000d0fe00000000 0000000000000000"),
            Decoded::read_begins);
  EXPECT_EQ(event.direction, Direction::read);
  EXPECT_FALSE(event.has(Field::value));
}

TEST_F(KvmDecoderTest, ADoorbellHasNeitherSizeNorValue) {
  EXPECT_EQ(decode("a305 00 00 99000000 0030 00fe 00000000"), Decoded::event);
  EXPECT_EQ(event.kind, EventKind::fast_mmio);
  EXPECT_EQ(event.direction, Direction::write);
  EXPECT_EQ(event.address, 0xfe003000u);
  EXPECT_FALSE(event.has(Field::size));
  EXPECT_FALSE(event.has(Field::value));
}

TEST_F(KvmDecoderTest, TheBytesThatPerfAddsForAlignmentAreLeftAlone) {
  EXPECT_EQ(decode("a405 00 00 99000000 01000000 e9000000 01000000 01000000 41000000 ffffffff"),
            Decoded::event);
  EXPECT_EQ(event.value, 0x41u);
}

TEST_F(KvmDecoderTest, ARecordOfAnotherTracepointIsForeign) {
  EXPECT_EQ(decode("0100 00 00 99000000"), Decoded::foreign);
}

TEST_F(KvmDecoderTest, ARecordThatEndsEarlyIsMalformed) {
  EXPECT_EQ(decode("a405 00 00 99000000 01000000 f7010000 01000000 01000000 c80000"),
            Decoded::malformed);
  EXPECT_EQ(decode("a4"), Decoded::malformed);
}

TEST_F(KvmDecoderTest, SizesAndPortsThatNoCpuHasAreMalformed) {
  EXPECT_EQ(decode("a405 00 00 99000000 01000000 f7010000 03000000 01000000 c8000000"),
            Decoded::malformed);
  EXPECT_EQ(decode("a405 00 00 99000000 01000000 f7010100 01000000 01000000 c8000000"),
            Decoded::malformed);
  EXPECT_EQ(decode("5d05 00 00 99000000 02000000 00010000 f00000d0fe000000 8877665544332211"),
            Decoded::malformed);
  EXPECT_EQ(decode("5d05 00 00 99000000 03000000 04000000 f00000d0fe000000 8877665544332211"),
            Decoded::malformed);
}

class NewKernelTest : public KvmDecoderTest {
 protected:
  NewKernelTest() : KvmDecoderTest("6.18") {}
};

TEST_F(NewKernelTest, TheIdIsTheOneOfThatKernel) {
  EXPECT_EQ(decode("6e00 00 00 99000000 01000000 e9000000 01000000 01000000 41000000"),
            Decoded::event);
  EXPECT_EQ(event.address, 0xe9u);
  EXPECT_EQ(decode("a405 00 00 99000000 01000000 e9000000 01000000 01000000 41000000"),
            Decoded::foreign);
}

TEST(KvmDecoderFormats, FieldsAreFoundByNameWhereverTheyStand) {
  KvmDecoder decoder;
  auto added = decoder.add_format(
      "name: kvm_pio\nID: 7\nformat:\n"
      "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
      "\tfield:unsigned long val;\toffset:8;\tsize:8;\tsigned:0;\n"
      "\tfield:unsigned short port;\toffset:2;\tsize:2;\tsigned:0;\n"
      "\tfield:unsigned char size;\toffset:4;\tsize:1;\tsigned:0;\n"
      "\tfield:unsigned char rw;\toffset:5;\tsize:1;\tsigned:0;\n\n"
      "print fmt: \"%d\", REC->rw\n");
  ASSERT_TRUE(added && *added) << added.error().message();
  Event event;
  ASSERT_EQ(decoder.decode(bytes("0700 f503 01 01 0000 4200000000000000"), event), Decoded::event);
  EXPECT_EQ(event.address, 0x3f5u);
  EXPECT_EQ(event.value, 0x42u);
  EXPECT_FALSE(event.has(Field::count));
}

TEST(KvmDecoderFormats, AnIdGivenBesideTheTextCounts) {
  KvmDecoder decoder;
  ASSERT_TRUE(decoder.add_format(format_of("6.1", "kvm_pio"), 9));
  EXPECT_EQ(decoder.ids(), std::vector<std::uint32_t>{9});
}

TEST(KvmDecoderFormats, OtherTracepointsAreLeftAlone) {
  KvmDecoder decoder;
  auto added = decoder.add_format(format_of("6.1", "kvm_msr"));
  ASSERT_TRUE(added);
  EXPECT_FALSE(*added);
  EXPECT_TRUE(decoder.ids().empty());
}

TEST(KvmDecoderFormats, AFormatWithoutItsFieldsIsRefused) {
  KvmDecoder decoder;
  EXPECT_FALSE(decoder.add_format("name: kvm_pio\nID: 7\nformat:\n\n"));
  EXPECT_FALSE(decoder.add_format("name: kvm_mmio\nnonsense"));
  EXPECT_FALSE(decoder.add_format(std::string("name: kvm_pio\n") + std::string(100'000, 'x')));
}

TEST(KvmDecoderFormats, AnOffsetOutsideAnyRecordIsRefused) {
  KvmDecoder decoder;
  EXPECT_FALSE(decoder.add_format(
      "name: kvm_fast_mmio\nID: 7\nformat:\n"
      "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
      "\tfield:u64 gpa;\toffset:70000;\tsize:8;\tsigned:0;\n\nprint fmt: \"\"\n"));
}

TEST(TracefsTest, OneOfOurOwnIsReadWithoutAMountThatAnybodySees) {
  auto before = read_file("/proc/self/mountinfo");
  auto own = Tracefs::mount_own();
  if (!own) GTEST_SKIP() << own.error().message();
  auto text = own->format("syscalls", "sys_enter_getpriority");
  if (!text) GTEST_SKIP() << text.error().message();
  EXPECT_NE(text->find("name: sys_enter_getpriority"), std::string::npos) << *text;
  EXPECT_EQ(*read_file("/proc/self/mountinfo"), *before);
}

TEST(TracefsTest, AMissingTracepointIsTheHostsFault) {
  Tracefs tracefs(std::string(IOVM_TEST_DATA) + "/tracefs-6.1");
  auto text = tracefs.format("kvm", "kvm_nothing");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().fault(), Fault::host);
  EXPECT_TRUE(tracefs.has("kvm", "kvm_pio"));
}

TEST(TracefsTest, AKernelWithoutKvmSaysHowToLoadIt) {
  auto text = Tracefs("/nowhere").format("kvm", "kvm_pio");
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message().find("modprobe"), std::string::npos);
}

}  // namespace
}  // namespace iovm::record
