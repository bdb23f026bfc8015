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

TEST(StreamMapTest, EachKindDividesByItsPart) {
  StreamMap devices(StreamKind::device), processes(StreamKind::process), vcpus(StreamKind::vcpu),
      vms(StreamKind::vm);
  for (StreamMap* map : {&devices, &processes, &vcpus, &vms}) (*map)(event(0, 0, 0), 0);
  EXPECT_EQ(devices(event(0, 1, 1), 0), 0u);
  EXPECT_EQ(devices(event(0, 0, 0), 1), 1u);
  EXPECT_EQ(processes(event(0, 1, 0), 1), 0u);
  EXPECT_EQ(processes(event(0, 0, 1), 0), 1u);
  EXPECT_EQ(vcpus(event(0, 0, 1), 1), 0u);
  EXPECT_EQ(vcpus(event(0, 1, 0), 0), 1u);
  EXPECT_EQ(vms(event(0, 1, 1), 1), 0u);
  EXPECT_EQ(vms(event(1, 0, 0), 0), 1u);
}

TEST(StreamMapTest, ALossOfOneVcpuTouchesOnlyItsStream) {
  StreamMap map(StreamKind::vcpu);
  StreamIndex zero = map(event(0, 0, 0), 0), one = map(event(0, 1, 0), 0);
  trace::Event loss = trace::make_loss(0, 0, std::uint16_t{1}, {});
  EXPECT_FALSE(map.touches(loss, zero));
  EXPECT_TRUE(map.touches(loss, one));
}

TEST(StreamMapTest, ALossOfOneVcpuTouchesEveryDeviceOfItsVm) {
  StreamMap map(StreamKind::device);
  StreamIndex here = map(event(0, 0, 0), 0), there = map(event(1, 0, 0), 1);
  trace::Event loss = trace::make_loss(0, 0, std::uint16_t{1}, {});
  EXPECT_TRUE(map.touches(loss, here));
  EXPECT_FALSE(map.touches(loss, there));
}

TEST(StreamMapTest, ALossOfNoKnownVmTouchesAll) {
  StreamMap map(StreamKind::vcpu);
  StreamIndex a = map(event(0, 0, 0), 0), b = map(event(3, 2, 0), 0);
  trace::Event loss = trace::make_loss(0, trace::kAllVms, std::nullopt, {});
  EXPECT_TRUE(map.touches(loss, a));
  EXPECT_TRUE(map.touches(loss, b));
}

TEST(StreamMapTest, TheNumberOfStreamsIsBounded) {
  StreamMap map(StreamKind::process);
  for (std::uint32_t p = 0; p < kMaxStreams + 10; ++p) map(event(0, 0, p), 0);
  EXPECT_EQ(map.streams().size(), kMaxStreams);
  EXPECT_EQ(map(event(0, 0, kMaxStreams + 5), 0), kMaxStreams - 1);
}

}  // namespace
}  // namespace iovm::model
