// SPDX-License-Identifier: Apache-2.0
//
// A guest that does what a test says: each call is one access, as an Event. The tests of model,
// train and detect all stand on it.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "trace/event.h"

namespace iovm {

class TestGuest {
 public:
  // Every event so far.
  std::vector<trace::Event> events;
  std::uint16_t vm = 0;
  std::uint16_t vcpu = 0;
  std::uint32_t process = static_cast<std::uint32_t>(trace::Unknown::not_recorded);
  std::uint64_t rip = 0;
  std::uint64_t cr3 = 0;

  TestGuest& out(std::uint64_t port, std::uint64_t value, std::uint8_t size = 1) {
    return add(trace::EventKind::pio, trace::Direction::write, port, value, size);
  }
  TestGuest& in(std::uint64_t port, std::uint64_t value = 0, std::uint8_t size = 1) {
    return add(trace::EventKind::pio, trace::Direction::read, port, value, size);
  }
  TestGuest& store(std::uint64_t address, std::uint64_t value, std::uint8_t size = 4) {
    return add(trace::EventKind::mmio, trace::Direction::write, address, value, size);
  }
  TestGuest& load(std::uint64_t address, std::uint64_t value = 0, std::uint8_t size = 4) {
    return add(trace::EventKind::mmio, trace::Direction::read, address, value, size);
  }
  TestGuest& pause(std::uint64_t ns) {
    now_ += ns;
    return *this;
  }
  TestGuest& lose(std::uint64_t count = 1) {
    events.push_back(trace::make_loss(now_, vm, std::nullopt, {trace::LossCause::ring, count}));
    return *this;
  }

  // PCI configuration by the two ports.
  TestGuest& config_read(std::uint32_t bdf, std::uint32_t reg, std::uint32_t value) {
    out(0xcf8, 0x80000000 | bdf << 8 | reg, 4);
    return in(0xcfc, value, 4);
  }
  TestGuest& config_write(std::uint32_t bdf, std::uint32_t reg, std::uint32_t value) {
    out(0xcf8, 0x80000000 | bdf << 8 | reg, 4);
    return out(0xcfc, value, 4);
  }
  // What firmware does to a function with one BAR: look, size, place.
  TestGuest& place_device(std::uint32_t bdf, std::uint32_t id, std::uint32_t bar,
                          std::uint32_t mask, std::uint32_t base) {
    config_read(bdf, 0, id);
    config_write(bdf, 0x10 + 4 * bar, 0xffffffff);
    config_read(bdf, 0x10 + 4 * bar, mask);
    return config_write(bdf, 0x10 + 4 * bar, base);
  }

 private:
  TestGuest& add(trace::EventKind kind, trace::Direction direction, std::uint64_t address,
                 std::uint64_t value, std::uint8_t size) {
    trace::Event e;
    e.time = now_;
    now_ += 1000;
    e.kind = kind;
    e.direction = direction;
    e.address = address;
    e.vm = vm;
    e.process = process;
    trace::set_value(e, value);
    trace::set_size(e, size);
    trace::set_count(e, 1);
    trace::set_vcpu(e, vcpu);
    if (rip != 0) trace::set_rip(e, rip);
    if (rip != 0) trace::set_cr3(e, cr3);
    events.push_back(e);
    return *this;
  }

  std::uint64_t now_ = 1000000;
};

}  // namespace iovm
