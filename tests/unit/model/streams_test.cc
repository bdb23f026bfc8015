// SPDX-License-Identifier: Apache-2.0
#include "model/streams.h"

#include <gtest/gtest.h>

#include "unit/model/events.h"

namespace iovm::model {
namespace {

trace::Event event(std::uint16_t vm, std::uint16_t vcpu, std::uint32_t process) {
  trace::Event e;
  e.vm = vm;
  e.process = process;
  trace::set_vcpu(e, vcpu);
  return e;
}

const trace::Context context;  // of no processes

TEST(StreamMapTest, EachKindDividesByItsPart) {
  StreamMap devices(StreamKind::device), processes(StreamKind::process), vcpus(StreamKind::vcpu),
      vms(StreamKind::vm);
  for (StreamMap* map : {&devices, &processes, &vcpus, &vms}) (*map)(event(0, 0, 0), 0, context);
  EXPECT_EQ(devices(event(0, 1, 1), 0, context), 0u);
  EXPECT_EQ(devices(event(0, 0, 0), 1, context), 1u);
  EXPECT_EQ(processes(event(0, 1, 0), 1, context), 0u);
  EXPECT_EQ(processes(event(0, 0, 1), 0, context), 1u);
  EXPECT_EQ(vcpus(event(0, 0, 1), 1, context), 0u);
  EXPECT_EQ(vcpus(event(0, 1, 0), 0, context), 1u);
  EXPECT_EQ(vms(event(0, 1, 1), 1, context), 0u);
  EXPECT_EQ(vms(event(1, 0, 0), 0, context), 1u);
}

TEST(StreamMapTest, ADevicesProcessesAreApartAndItsKernelIsOne) {
  trace::Context guest;
  guest.processes.resize(5);
  guest.processes[0].kind = trace::ProcessKind::user;
  guest.processes[1].kind = trace::ProcessKind::user;
  guest.processes[2].kind = trace::ProcessKind::kernel_thread;
  guest.processes[3].kind = trace::ProcessKind::interrupt;
  guest.processes[4].kind = trace::ProcessKind::address_space;
  StreamMap map(StreamKind::device_process);
  EXPECT_EQ(map(event(0, 0, 0), 7, guest), 0u);
  EXPECT_EQ(map(event(0, 1, 1), 7, guest), 1u);
  EXPECT_EQ(map(event(0, 0, 2), 7, guest), 2u);
  EXPECT_EQ(map(event(0, 0, 3), 7, guest), 2u);
  EXPECT_EQ(map(event(0, 0, 4), 7, guest), 3u);
  EXPECT_EQ(map(event(0, 0, 0), 8, guest), 4u);
  EXPECT_EQ(map(event(0, 3, 0), 7, guest), 0u);
  EXPECT_EQ(process_of(map.streams()[1].actor), 1u);
  EXPECT_FALSE(process_of(map.streams()[2].actor));
}

TEST(StreamMapTest, WhereNoProcessIsKnownTheAddressSpaceDividesADevice) {
  StreamMap map(StreamKind::device_process);
  auto at = [&map](std::uint64_t cr3) {
    trace::Event e = event(0, 0, static_cast<std::uint32_t>(trace::Unknown::not_recorded));
    trace::set_cr3(e, cr3);
    return map(e, 0, context);
  };
  EXPECT_EQ(at(0x1000), 0u);
  EXPECT_EQ(at(0x2000), 1u);
  EXPECT_EQ(at(0x1003), 0u);
  EXPECT_FALSE(process_of(map.streams()[0].actor));
}

TEST(StreamMapTest, ALossOfOneVcpuTouchesOnlyItsStream) {
  StreamMap map(StreamKind::vcpu);
  StreamIndex zero = map(event(0, 0, 0), 0, context), one = map(event(0, 1, 0), 0, context);
  trace::Event loss = trace::make_loss(0, 0, std::uint16_t{1}, {});
  EXPECT_FALSE(map.touches(loss, zero));
  EXPECT_TRUE(map.touches(loss, one));
}

TEST(StreamMapTest, ALossOfOneVcpuTouchesEveryDeviceOfItsVm) {
  StreamMap map(StreamKind::device);
  StreamIndex here = map(event(0, 0, 0), 0, context), there = map(event(1, 0, 0), 1, context);
  trace::Event loss = trace::make_loss(0, 0, std::uint16_t{1}, {});
  EXPECT_TRUE(map.touches(loss, here));
  EXPECT_FALSE(map.touches(loss, there));
}

TEST(StreamMapTest, ALossOfNoKnownVmTouchesAll) {
  StreamMap map(StreamKind::vcpu);
  StreamIndex a = map(event(0, 0, 0), 0, context), b = map(event(3, 2, 0), 0, context);
  trace::Event loss = trace::make_loss(0, trace::kAllVms, std::nullopt, {});
  EXPECT_TRUE(map.touches(loss, a));
  EXPECT_TRUE(map.touches(loss, b));
}

TEST(StreamMapTest, TheNumberOfStreamsIsBounded) {
  StreamMap map(StreamKind::process);
  for (std::uint32_t p = 0; p < kMaxStreams + 10; ++p) map(event(0, 0, p), 0, context);
  EXPECT_EQ(map.streams().size(), kMaxStreams);
  EXPECT_EQ(map(event(0, 0, kMaxStreams + 5), 0, context), kMaxStreams - 1);
}

}  // namespace
}  // namespace iovm::model
