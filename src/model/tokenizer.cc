// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/format.h"
#include "model/access_cache.h"
#include "model/access_plan.h"
#include "model/pci_tracker.h"

namespace iovm::model {
namespace {

using trace::Direction;
using trace::Event;
using trace::EventKind;
using trace::Field;

constexpr std::uint64_t kFoldBarsFrom = std::uint64_t{1} << 20;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kConfigEnable = 0x80000000;
constexpr std::uint32_t kConfigRegister = 0xfc;
constexpr std::uint32_t kIdentityEnd = 4;  // vendor and device
constexpr std::uint32_t kIsaPair = 0xff;   // index registers of one byte, whose data port is next
constexpr std::size_t kMaxPlans = std::size_t{1} << 16;
constexpr std::size_t kManyMeanings = 8192;

struct VmState {
  PciTracker pci;
  CodeWatch code;
};

bool repeated(const Event& event) {
  return event.has(Field::count) && event.count > 1;
}

std::uint64_t access_key(const Event& event, CodeClass code) {
  bool user = code == CodeClass::user;
  return static_cast<std::uint64_t>(event.vm) << 16 | static_cast<std::uint64_t>(event.size) << 8 |
         static_cast<std::uint64_t>(repeated(event)) << 5 | static_cast<std::uint64_t>(user) << 4 |
         static_cast<std::uint64_t>(event.kind) << 1 | static_cast<std::uint64_t>(event.direction);
}

}  // namespace

std::string describe(const Device& device) {
  if (device.type.bus != Bus::pci) return device_name(device.type);
  return iovm::format("PCI {:02x}:{:02x}.{} {}", device.place >> 8 & 0xff, device.place >> 3 & 0x1f,
                      device.place & 7, device_name(device.type));
}

class Tokenizer::Impl {
 public:
  explicit Impl(Scheme scheme) : scheme_(scheme) {}

  Token token(const Event& event) {
    CodeClass code = vm_state(event.vm).code(event);
    std::uint64_t access = access_key(event, code);
    const Meaning* known = meanings_.find(event.address, access);
    // A copy: the steps below may restart the hash.
    Meaning meaning = known != nullptr ? *known : learn(event, access, code);
    if (meaning.way == Way::plain) return {meaning.symbol, meaning.device, code};
    Symbol symbol = special(event, meaning);
    return {symbol, meaning.device, code, value_use(meaning.way, symbol)};
  }

  void lost(const Event& loss) {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      if (loss.vm == trace::kAllVms || devices_[i].vm == loss.vm) latches_[i] = {};
    }
  }

  void know(std::span<const trace::VmInfo> vms) {
    for (; told_ < vms.size() && scheme_ == Scheme::devices; ++told_) {
      const trace::PciLayout& layout = vms[told_].pci;
      if (layout.functions.empty()) continue;
      forget(vm_state(static_cast<std::uint16_t>(told_)).pci.know(layout));
    }
  }

  const Alphabet& alphabet() const { return alphabet_; }
  const std::vector<Device>& devices() const { return devices_; }

 private:
  Meaning learn(const Event& event, std::uint64_t access, CodeClass code);
  DeviceIndex learn_device(const Event& event, Operation& op);
  Way way_of(const Event& event, Plan& plan) const;
  Symbol special(const Event& event, const Meaning& meaning);
  ValueUse value_use(Way way, Symbol symbol) const;
  Symbol plain(const Meaning& meaning) {
    Plan& plan = plans_[meaning.plan];
    if (!plan.plain) plan.plain = alphabet_.intern(plan.base);
    return *plan.plain;
  }
  Symbol special_config(const Event& event, const Meaning& meaning, const Latch& latch);
  Symbol toggle(const Event& event, const Meaning& meaning, Latch& latch);
  Symbol learned(const Meaning& meaning, std::uint64_t value);
  // Whether the access looks for a function, rather than uses one.
  bool is_a_look(const Event& event, std::uint32_t bdf, std::uint32_t reg) {
    return reg < kIdentityEnd || !vm_state(event.vm).pci.knows(bdf);
  }
  Symbol config(const Event& event, const Meaning& meaning, std::uint32_t bdf, std::uint32_t reg);
  Symbol by_value(const Meaning& meaning, std::uint64_t value, bool merged = false);
  Symbol by_index(const Event& event, const Meaning& meaning, std::uint32_t index,
                  std::uint64_t value);
  std::uint64_t value_mask(const Event& event, const Meaning& meaning, std::uint32_t index) const;
  Operation indexed_operation(const Meaning& meaning, std::uint32_t index) const;
  DeviceIndex device_index(const Device& device);
  void forget(std::span<const Addresses> addresses);
  void start_over();

  Scheme scheme_;
  Alphabet alphabet_;
  std::vector<Device> devices_;
  std::vector<Latches> latches_;  // by device
  std::unordered_map<std::uint64_t, DeviceIndex> device_index_;
  std::unordered_map<std::uint16_t, VmState> vms_;
  AccessCache<Meaning> meanings_;  // by address and access
  AccessCache<Known> values_;      // by plan and index, and value
  std::vector<Plan> plans_;
  std::size_t told_ = 0;  // VMs of the context that were looked at
  std::uint16_t last_vm_ = 0;
  VmState* last_state_ = nullptr;

  VmState& vm_state(std::uint16_t vm) {
    if (last_state_ == nullptr || last_vm_ != vm) {
      last_state_ = &vms_[vm];  // an unordered_map never moves its values
      last_vm_ = vm;
    }
    return *last_state_;
  }
};

void Tokenizer::Impl::start_over() {
  meanings_.clear();
  values_.clear();
  plans_.clear();
}

// The meanings of these addresses. With very many remembered, all of them: a guest that moves its
// BARs about must not make each move expensive.
void Tokenizer::Impl::forget(std::span<const Addresses> addresses) {
  if (addresses.empty()) return;
  if (meanings_.size() > kManyMeanings) return start_over();
  // Ports and memory are told apart by the rest of the key only; to forget too much costs little.
  meanings_.erase_if([&](std::uint64_t address) {
    return std::ranges::any_of(addresses, [address](const Addresses& a) {
      return address >= a.first && address <= a.last;
    });
  });
}

DeviceIndex Tokenizer::Impl::device_index(const Device& device) {
  // Vendor 0 is no PCI device's (PciTracker), so the bus need not be in the key.
  std::uint64_t key = static_cast<std::uint64_t>(device.type.vendor) << 48 |
                      static_cast<std::uint64_t>(device.type.number) << 32 |
                      static_cast<std::uint64_t>(device.vm) << 16 | (device.place & 0xffff);
  auto it = device_index_.find(key);
  if (it != device_index_.end()) return it->second;
  if (devices_.size() >= kMaxDevices) return static_cast<DeviceIndex>(devices_.size() - 1);
  auto index = static_cast<DeviceIndex>(devices_.size());
  devices_.push_back(device);
  latches_.emplace_back();
  device_index_.emplace(key, index);
  return index;
}

Meaning Tokenizer::Impl::learn(const Event& event, std::uint64_t access, CodeClass code) {
  if (plans_.size() >= kMaxPlans) start_over();
  Plan plan;
  Operation& op = plan.base;
  op.direction = event.direction;
  op.size = event.size;
  op.space = event.kind == EventKind::pio ? Space::port : Space::memory;
  op.reg = event.address;
  if (scheme_ == Scheme::addresses) {
    Meaning meaning{Way::plain, alphabet_.intern(op), device_index({{}, event.vm, 0}), 0};
    return meanings_.insert(event.address, access, meaning);
  }
  if (repeated(event)) op.set(Mark::repeated);
  if (code == CodeClass::user) op.set(Mark::user);
  if (event.kind == EventKind::fast_mmio) op.set(Mark::doorbell);
  Meaning meaning;
  meaning.device = learn_device(event, op);
  meaning.way = way_of(event, plan);
  if (meaning.way == Way::plain) {
    meaning.symbol = alphabet_.intern(op);
  } else {
    meaning.plan = static_cast<std::uint32_t>(plans_.size());
    plans_.push_back(plan);
  }
  return meanings_.insert(event.address, access, meaning);
}

// Finds the device; fills in what of the operation it decides.
DeviceIndex Tokenizer::Impl::learn_device(const Event& event, Operation& op) {
  bool memory = op.space == Space::memory;
  VmState& vm = vm_state(event.vm);
  Device device{{}, event.vm, 0};
  if (memory && vm.pci.find_ecam(event.address)) {
    device.type = pc_device(PcDevice::pci_config);
    op.space = Space::config;
    op.reg = event.address & (kPage - 1);
  } else if (auto hit = vm.pci.find(memory, event.address)) {
    device = {hit->type, event.vm, hit->bdf};
    op.space = hit->space;
    op.reg = hit->offset;
    bool fold = memory && hit->bar_size >= kFoldBarsFrom &&
                !find_register(hit->type, hit->space, hit->offset).listed();
    if (fold) {
      op.reg &= ~(hit->bar_size / 16 - 1);
      op.set(Mark::merged);
    }
  } else {
    device.type = fixed_device(op.space, event.address);
    if (memory && device.type.bus == Bus::none) {
      op.reg &= ~(kPage - 1);
      op.set(Mark::merged);
    }
  }
  op.device = device.type;
  return device_index(device);
}

// What to do with the register; a window becomes one.
Way Tokenizer::Impl::way_of(const Event& event, Plan& plan) const {
  Operation& op = plan.base;
  bool write = op.direction == Direction::write;
  if (op.device == pc_device(PcDevice::pci_config) && op.space == Space::config) {
    return Way::config_ecam;
  }
  if (op.has(Mark::merged)) return Way::plain;
  Register reg = find_register(op.device, op.space, op.reg, op.size);
  plan.value_mask = reg.value_mask;
  plan.latch = reg.latch;
  bool valueless = op.has(Mark::repeated) || !event.has(Field::value);
  switch (reg.role) {
    case Role::window:
      op.reg = reg.first;
      op.size = 0;  // a window is copied in whatever widths
      op.set(Mark::merged);
      return Way::plain;
    case Role::indexed:
      return op.device == pc_device(PcDevice::pci_config) ? Way::config_data : Way::indexed;
    case Role::rearm:
      return write ? Way::plain : Way::rearm;
    case Role::phased:
      if (!write) return Way::phase_over;
      [[fallthrough]];
    default:
      if (valueless) return Way::plain;
  }
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

ValueUse Tokenizer::Impl::value_use(Way way, Symbol symbol) const {
  if (way >= Way::config_address) return ValueUse::layout;
  if (way == Way::latching || way == Way::pair || way == Way::status) return ValueUse::symbol;
  bool told = !is_unknown(symbol) && alphabet_.operation(symbol).has(Mark::value);
  return told ? ValueUse::symbol : ValueUse::none;
}

Symbol Tokenizer::Impl::special(const Event& event, const Meaning& meaning) {
  const Plan& plan = plans_[meaning.plan];
  Latch& latch = latches_[meaning.device][plan.latch];
  std::uint64_t value = event.value & plan.value_mask;
  auto index = static_cast<std::uint32_t>(value);
  switch (meaning.way) {
    case Way::plain:
      break;
    case Way::valued:
      return by_value(meaning, value);
    case Way::learned:
      return learned(meaning, value);
    case Way::latching:
      latch.value = index;
      latch.known = true;
      return by_value(meaning, value);
    case Way::pair:
      latch.value = index;
      latch.known = true;
      return by_index(event, meaning, index, event.value >> 8);
    case Way::indexed:
      if (!latch.known) break;
      return by_index(event, meaning, latch.value, event.value);
    case Way::toggle:
      return toggle(event, meaning, latch);
    case Way::rearm:
      latch.armed = true;
      latch.data_next = false;
      break;
    case Way::status:
      latch.value = index;
      latch.known = true;
      break;
    case Way::phased:
      // The status was that of before this access: who does not ask again may be sending anything.
      if (std::exchange(latch.known, false) && latch.value != 0) break;
      return by_value(meaning, value);
    case Way::phase_over:
      latch.known = false;
      break;
    case Way::config_address:
      latch.value = index;
      latch.known = true;
      if (is_a_look(event, index >> 8 & 0xffff, index & kConfigRegister)) {
        return by_value(meaning, value & kConfigRegister, true);
      }
      return by_value(meaning, value);
    case Way::config_data:
    case Way::config_ecam:
      return special_config(event, meaning, latch);
  }
  return plain(meaning);
}

Symbol Tokenizer::Impl::special_config(const Event& event, const Meaning& meaning,
                                       const Latch& latch) {
  if (meaning.way == Way::config_ecam) {
    auto place = vm_state(event.vm).pci.find_ecam(event.address);
    return place ? config(event, meaning, place->bdf, place->reg) : plain(meaning);
  }
  if (!latch.known || (latch.value & kConfigEnable) == 0) return plain(meaning);
  auto offset = static_cast<std::uint32_t>(event.address & 3);
  return config(event, meaning, latch.value >> 8 & 0xffff, (latch.value & 0xfc) | offset);
}

Symbol Tokenizer::Impl::config(const Event& event, const Meaning& meaning, std::uint32_t bdf,
                               std::uint32_t reg) {
  std::uint32_t function = is_a_look(event, bdf, reg) ? kAnyFunction : bdf;
  Symbol symbol = by_index(event, meaning, function << 12 | reg, event.value);
  forget(vm_state(event.vm).pci.config_access(bdf, reg, event));
  return symbol;
}

// Index and data by turns; which turn it is is known from the first rearming read on.
Symbol Tokenizer::Impl::toggle(const Event& event, const Meaning& meaning, Latch& latch) {
  if (!latch.armed) return plain(meaning);
  bool data = std::exchange(latch.data_next, !latch.data_next);
  if (data) return by_index(event, meaning, latch.value, event.value);
  latch.value = static_cast<std::uint32_t>(event.value & plans_[meaning.plan].value_mask);
  latch.known = true;
  return by_value(meaning, latch.value);
}

Symbol Tokenizer::Impl::learned(const Meaning& meaning, std::uint64_t value) {
  Plan& plan = plans_[meaning.plan];
  if (plan.values > kLearnedValues) return plain(meaning);
  std::uint64_t key = static_cast<std::uint64_t>(meaning.plan) << 33;
  if (const Known* known = values_.find(value, key)) return known->symbol;
  if (++plan.values > kLearnedValues) return plain(meaning);
  return by_value(meaning, value);
}

// `merged`: the value stands for several.
Symbol Tokenizer::Impl::by_value(const Meaning& meaning, std::uint64_t value, bool merged) {
  std::uint64_t key = static_cast<std::uint64_t>(meaning.plan) << 33 | (merged ? 1 : 0);
  if (const Known* known = values_.find(value, key)) return known->symbol;
  Operation op = plans_[meaning.plan].base;
  if (merged) op.set(Mark::merged);
  op.set(Mark::value);
  op.value = value;
  return values_.insert(value, key, {alphabet_.intern(op), 0}).symbol;
}

// The register behind an index; of a function, for PCI configuration.
Symbol Tokenizer::Impl::by_index(const Event& event, const Meaning& meaning, std::uint32_t index,
                                 std::uint64_t value) {
  std::uint64_t key = (static_cast<std::uint64_t>(meaning.plan) << 1 | 1) << 32 | index;
  constexpr std::uint64_t kNoValue = ~std::uint64_t{0};  // no register behind an index is that wide
  const Known* known = values_.find(kNoValue, key);
  if (known == nullptr) {
    Known fresh{kOverflow, value_mask(event, meaning, index)};
    // Where the value counts, the operation without it may never occur.
    if (fresh.value_mask == 0) fresh.symbol = alphabet_.intern(indexed_operation(meaning, index));
    known = &values_.insert(kNoValue, key, fresh);
  }
  if (known->value_mask == 0) return known->symbol;
  std::uint64_t counted = value & known->value_mask;
  if (const Known* valued = values_.find(counted, key)) return valued->symbol;
  Operation op = indexed_operation(meaning, index);
  op.set(Mark::value);
  op.value = counted;
  return values_.insert(counted, key, {alphabet_.intern(op), 0}).symbol;
}

Operation Tokenizer::Impl::indexed_operation(const Meaning& meaning, std::uint32_t index) const {
  Operation op = plans_[meaning.plan].base;
  op.set(Mark::index);
  op.index = index;
  if (meaning.way == Way::config_data || meaning.way == Way::config_ecam) {
    op.space = Space::config;
    op.reg = index & 0xfff;
    op.index = index >> 12;
  }
  return op;
}

// The bits of a value that count for what is behind the index: of a write to a command register.
std::uint64_t Tokenizer::Impl::value_mask(const Event& event, const Meaning& meaning,
                                          std::uint32_t index) const {
  if (event.direction != Direction::write || !event.has(Field::value) || repeated(event)) return 0;
  Operation op = indexed_operation(meaning, index);
  Register reg;
  if (op.space == Space::config) {
    reg = find_register(op.device, op.space, op.reg, op.size);
  } else {
    // A pair is named by its index port, a toggle by its one address.
    bool next = meaning.way == Way::pair || meaning.way == Way::toggle;
    reg = find_register(op.device, op.space, op.reg + (next ? 1 : 0), 0, index);
  }
  constexpr std::uint64_t kWidest = 0xffffffff;
  return reg.role == Role::command ? reg.value_mask & kWidest : 0;
}

Tokenizer::Tokenizer(Scheme scheme) : impl_(std::make_unique<Impl>(scheme)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Token Tokenizer::operator()(const Event& event) {
  return impl_->token(event);
}

void Tokenizer::know(std::span<const trace::VmInfo> vms) {
  impl_->know(vms);
}

void Tokenizer::lost(const Event& loss) {
  impl_->lost(loss);
}

const Alphabet& Tokenizer::alphabet() const {
  return impl_->alphabet();
}

const std::vector<Device>& Tokenizer::devices() const {
  return impl_->devices();
}

}  // namespace iovm::model
