// SPDX-License-Identifier: Apache-2.0
#include "model/access_plan.h"

namespace iovm::model {
namespace {

using trace::Direction;
using trace::Event;
using trace::EventKind;
using trace::Field;

constexpr std::uint64_t kFoldBarsFrom = std::uint64_t{1} << 20;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kIsaPair = 0xff;  // index registers of one byte, whose data port is next
constexpr DeviceType kPciConfig = pc_device(PcDevice::pci_config);

void fold(Operation& op, std::uint64_t bytes) {
  op.reg &= ~(bytes - 1);
  op.set(Mark::merged);
}

// Finds the device; fills in what of the operation it decides.
void find_device(Plan& plan, std::uint64_t address, const PciTracker& pci) {
  Operation& op = plan.base;
  bool memory = op.space == Space::memory;
  if (memory && pci.find_ecam(address)) {
    op.device = kPciConfig;
    op.space = Space::config;
    op.reg = address & (kPage - 1);
  } else if (auto hit = pci.find(memory, address)) {
    op.device = hit->type;
    op.space = hit->space;
    op.reg = hit->offset;
    plan.place = hit->bdf;
    plan.unit = unit_of(hit->type, hit->space, hit->offset);
    bool large = memory && hit->bar_size >= kFoldBarsFrom;
    if (large && !find_register(hit->type, hit->space, hit->offset).listed()) {
      fold(op, hit->bar_size / 16);
    }
  } else {
    op.device = fixed_device(op.space, address);
    if (memory && op.device.bus == Bus::none) fold(op, kPage);
  }
}

// Of a write, and of a read of a phase, with a value.
Way way_of_value(const Operation& op, const Register& reg) {
  bool write = op.direction == Direction::write;
  switch (reg.role) {
    case Role::command:
      return write ? Way::valued : Way::plain;
    case Role::index:
      if (!write) return Way::plain;
      if (op.size == 2 && reg.value_mask <= kIsaPair) return Way::pair;
      // The PCI address register takes four bytes; smaller accesses there are something else.
      if (op.reg == 0xcf8) return op.size == 4 ? Way::config_address : Way::plain;
      return Way::latching;
    case Role::toggle:
      return write ? Way::toggle : Way::plain;
    case Role::status:
      return write ? Way::plain : Way::status;
    case Role::phased:
      return Way::phased;
    default:
      return write && !reg.listed() && op.device.bus == Bus::pci ? Way::learned : Way::plain;
  }
}

// What to do with the register; a window becomes one.
Way way_of(Plan& plan, bool valueless) {
  Operation& op = plan.base;
  if (op.device == kPciConfig && op.space == Space::config) return Way::config_ecam;
  if (op.has(Mark::merged)) return Way::plain;
  Register reg = find_register(op.device, op.space, op.reg, op.size);
  plan.value_mask = reg.value_mask;
  plan.latch = reg.latch;
  bool write = op.direction == Direction::write;
  switch (reg.role) {
    case Role::window:
      op.reg = reg.first;
      op.size = 0;  // a window is copied in whatever widths
      op.set(Mark::merged);
      return Way::plain;
    case Role::indexed:
      return op.device == kPciConfig ? Way::config_data : Way::indexed;
    case Role::rearm:
      return write ? Way::plain : Way::rearm;
    case Role::phased:
      if (!write) return Way::phase_over;
      break;
    default:
      break;
  }
  return valueless ? Way::plain : way_of_value(op, reg);
}

}  // namespace

Operation bare_access(const Event& event) {
  Operation op;
  op.direction = event.direction;
  op.size = event.size;
  op.space = event.kind == EventKind::pio ? Space::port : Space::memory;
  op.reg = event.address;
  return op;
}

Plan plan_access(const Event& event, CodeClass code, const PciTracker& pci) {
  Plan plan;
  Operation& op = plan.base;
  op = bare_access(event);
  if (is_repeated(event)) op.set(Mark::repeated);
  if (code == CodeClass::user) op.set(Mark::user);
  if (event.kind == EventKind::fast_mmio) op.set(Mark::doorbell);
  find_device(plan, event.address, pci);
  plan.way = way_of(plan, is_repeated(event) || !event.has(Field::value));
  return plan;
}

Operation behind_index(const Plan& plan, std::uint32_t index) {
  Operation op = plan.base;
  op.set(Mark::index);
  op.index = index;
  if (plan.way == Way::config_data || plan.way == Way::config_ecam) {
    op.space = Space::config;
    op.reg = index & 0xfff;
    op.index = index >> 12;
  }
  return op;
}

std::uint32_t value_mask_behind(const Plan& plan, std::uint32_t index, const Event& event) {
  if (event.direction != Direction::write || !event.has(Field::value) || is_repeated(event))
    return 0;
  Operation op = behind_index(plan, index);
  Register reg;
  if (op.space == Space::config) {
    reg = find_register(op.device, op.space, op.reg, op.size);
  } else {
    // A pair is named by its index port, a toggle by its one address.
    bool next = plan.way == Way::pair || plan.way == Way::toggle;
    reg = find_register(op.device, op.space, op.reg + (next ? 1 : 0), 0, index);
  }
  return reg.role == Role::command ? static_cast<std::uint32_t>(reg.value_mask) : 0;
}

}  // namespace iovm::model
