// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer.h"

#include <array>
#include <optional>
#include <unordered_map>

#include "base/format.h"
#include "model/access_cache.h"
#include "model/pci_tracker.h"

namespace iovm::model {
namespace {

using trace::Direction;
using trace::Event;
using trace::EventKind;
using trace::Field;

constexpr std::uint64_t kFirstKernelAddress = 0xffff800000000000;
constexpr std::uint64_t kFoldBarsFrom = std::uint64_t{1} << 20;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kConfigEnable = 0x80000000;
constexpr std::uint32_t kPciCommand = 0x04;
constexpr std::size_t kLatches = 4;

// What to do with an access to one address.
enum class Way : std::uint8_t {
  plain,        // the symbol is known
  valued,       // the value counts
  latching,     // the value counts and selects a register
  indexed,      // the selected register counts
  status,       // a read latches the phase
  phased,       // the value counts if the device waits for a command
  config_data,  // the data port of PCI configuration
  config_ecam,  // memory-mapped PCI configuration
};

// How an address is handled; the part that need not be looked at for plain ones.
struct Plan {
  Operation base;
  std::uint64_t value_mask = 0;
  std::uint8_t latch = 0;
  Symbol plain = kOverflow;
};

// What the address hash remembers.
struct Meaning {
  Way way = Way::plain;
  Symbol symbol = kOverflow;
  DeviceIndex device = 0;
  std::uint32_t plan = 0;
};

struct Latch {
  std::uint32_t value = 0;
  bool known = false;
};
using Latches = std::array<Latch, kLatches>;

struct VmState {
  PciTracker pci;
  bool kernel_seen = false;  // a 64-bit kernel has run since the last reset
};

bool repeated(const Event& event) {
  return event.has(Field::count) && event.count > 1;
}

std::uint64_t access_key(const Event& event, bool user) {
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
    bool user = event.rip != 0 || event.has(Field::cpl) ? is_user(event) : false;
    std::uint64_t access = access_key(event, user);
    const Meaning* known = meanings_.find(event.address, access);
    // A copy: the steps below may restart the hash.
    Meaning meaning = known != nullptr ? *known : learn(event, access, user);
    if (meaning.way == Way::plain) return {meaning.symbol, meaning.device};
    return {special(event, meaning), meaning.device};
  }

  void lost(const Event& loss) {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      if (loss.vm == trace::kAllVms || devices_[i].vm == loss.vm) latches_[i] = {};
    }
  }

  const Alphabet& alphabet() const { return alphabet_; }
  const std::vector<Device>& devices() const { return devices_; }

 private:
  bool is_user(const Event& event);
  Meaning learn(const Event& event, std::uint64_t access, bool user);
  Meaning learn_device(const Event& event, Plan& plan);
  Symbol special(const Event& event, const Meaning& meaning);
  Symbol config(const Event& event, const Meaning& meaning, std::uint32_t bdf, std::uint32_t reg,
                bool known);
  Symbol look_up(const Meaning& meaning, std::optional<std::uint64_t> value,
                 std::optional<std::uint32_t> index);
  DeviceIndex device_index(const Device& device);
  void start_over();

  Scheme scheme_;
  Alphabet alphabet_;
  std::vector<Device> devices_;
  std::vector<Latches> latches_;  // by device
  std::unordered_map<std::uint64_t, DeviceIndex> device_index_;
  std::unordered_map<std::uint16_t, VmState> vms_;
  AccessCache<Meaning> meanings_;  // by address and access
  AccessCache<Symbol> values_;     // by plan and index, and value
  std::vector<Plan> plans_;
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

// The privilege level says it; where it was not recorded, the address of the code does: the lower
// half is user space on every 64-bit kernel, but firmware runs there too, so only after a kernel
// has been seen and with paging on (a CR3 of 0 tells of a reset).
bool Tokenizer::Impl::is_user(const Event& event) {
  if (event.has(Field::cpl)) return event.cpl == 3;
  VmState& vm = vm_state(event.vm);
  if (event.rip >= kFirstKernelAddress) {
    vm.kernel_seen = true;
    return false;
  }
  if (!event.has(Field::cr3)) return false;
  if (event.cr3 == 0) vm.kernel_seen = false;
  return vm.kernel_seen;
}

void Tokenizer::Impl::start_over() {
  meanings_.clear();
  values_.clear();
  plans_.clear();
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

Meaning Tokenizer::Impl::learn(const Event& event, std::uint64_t access, bool user) {
  if (plans_.size() >= AccessCache<Meaning>::kMaxEntries) start_over();
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
  if (user) op.set(Mark::user);
  if (event.kind == EventKind::fast_mmio) op.set(Mark::doorbell);
  Meaning meaning = learn_device(event, plan);
  plan.plain = alphabet_.intern(op);
  meaning.symbol = plan.plain;
  if (meaning.way != Way::plain) {
    meaning.plan = static_cast<std::uint32_t>(plans_.size());
    plans_.push_back(plan);
  }
  return meanings_.insert(event.address, access, meaning);
}

// Finds the device and the register's role; fills in what of the operation they decide.
Meaning Tokenizer::Impl::learn_device(const Event& event, Plan& plan) {
  Operation& op = plan.base;
  bool memory = op.space == Space::memory;
  bool write = event.direction == Direction::write;
  VmState& vm = vm_state(event.vm);
  Device device{fixed_device(op.space, event.address), event.vm, 0};
  if (memory && vm.pci.find_ecam(event.address)) {
    device.type = pc_device(PcDevice::pci_config);
    op.device = device.type;
    op.space = Space::config;
    op.reg = event.address & (kPage - 1);
    return {Way::config_ecam, kOverflow, device_index(device), 0};
  }
  bool fold = false;
  if (device.type.bus == Bus::none) {
    if (auto hit = vm.pci.find(memory, event.address)) {
      device = {hit->type, event.vm, hit->bdf};
      op.space = hit->space;
      op.reg = hit->offset;
      fold = memory && hit->bar_size >= kFoldBarsFrom;
      if (fold) op.reg &= ~(hit->bar_size / 16 - 1);
    } else if (memory) {
      op.reg &= ~(kPage - 1);
      fold = true;
    }
  }
  op.device = device.type;
  DeviceIndex index = device_index(device);
  Register reg = find_register(device.type, op.space, op.reg);
  if (fold) return {Way::plain, kOverflow, index, 0};
  plan.value_mask = reg.value_mask;
  plan.latch = reg.latch;
  Way way = Way::plain;
  switch (reg.role) {
    case Role::data:
      break;
    case Role::window:
      op.reg = reg.first;
      op.size = 0;  // a window is copied in whatever widths
      break;
    case Role::command:
      if (write) way = Way::valued;
      break;
    case Role::index:
      // The PCI address register takes four bytes; smaller accesses there are something else.
      if (write && (op.reg != 0xcf8 || op.size == 4)) way = Way::latching;
      break;
    case Role::indexed:
      way = op.space == Space::port && device.type == pc_device(PcDevice::pci_config)
                ? Way::config_data
                : Way::indexed;
      break;
    case Role::status:
      if (!write) way = Way::status;
      break;
    case Role::phased:
      if (write) way = Way::phased;
      break;
  }
  if (op.has(Mark::repeated) || !event.has(Field::value)) {
    if (way != Way::indexed && way != Way::config_data) way = Way::plain;
  }
  return {way, kOverflow, index, 0};
}

Symbol Tokenizer::Impl::special(const Event& event, const Meaning& meaning) {
  const Plan& plan = plans_[meaning.plan];
  Latch& latch = latches_[meaning.device][plan.latch];
  std::uint64_t value = event.value & plan.value_mask;
  switch (meaning.way) {
    case Way::plain:
      return meaning.symbol;
    case Way::valued:
      return look_up(meaning, value, std::nullopt);
    case Way::latching:
      latch = {static_cast<std::uint32_t>(value), true};
      return look_up(meaning, value, std::nullopt);
    case Way::indexed:
      if (!latch.known) return meaning.symbol;
      return look_up(meaning, std::nullopt, latch.value);
    case Way::status:
      latch = {static_cast<std::uint32_t>(value), true};
      return meaning.symbol;
    case Way::phased:
      if (latch.known && latch.value != 0) return meaning.symbol;
      return look_up(meaning, value, std::nullopt);
    case Way::config_data: {
      bool known = latch.known && (latch.value & kConfigEnable) != 0;
      auto offset = static_cast<std::uint32_t>(event.address & 3);
      return config(event, meaning, latch.value >> 8 & 0xffff, (latch.value & 0xfc) | offset,
                    known);
    }
    case Way::config_ecam: {
      auto place = vm_state(event.vm).pci.find_ecam(event.address);
      if (!place) return meaning.symbol;
      return config(event, meaning, place->bdf, place->reg, true);
    }
  }
  return meaning.symbol;
}

Symbol Tokenizer::Impl::config(const Event& event, const Meaning& meaning, std::uint32_t bdf,
                               std::uint32_t reg, bool known) {
  if (!known) return meaning.symbol;
  std::optional<std::uint64_t> value;
  if (reg == kPciCommand && event.direction == Direction::write && event.has(Field::value)) {
    value = event.value & 0xffff;
  }
  // The register goes into the low bits of the index for the look-up; look_up() takes them apart.
  Symbol symbol = look_up(meaning, value, bdf << 12 | reg);
  if (vm_state(event.vm).pci.config_access(bdf, reg, event)) start_over();
  return symbol;
}

Symbol Tokenizer::Impl::look_up(const Meaning& meaning, std::optional<std::uint64_t> value,
                                std::optional<std::uint32_t> index) {
  // Whether there is a value or an index follows from the plan and, for PCI, from the register.
  std::uint64_t a = value.value_or(0);
  std::uint64_t b = static_cast<std::uint64_t>(meaning.plan) << 32 | index.value_or(0);
  if (const Symbol* known = values_.find(a, b)) return *known;
  Operation op = plans_[meaning.plan].base;
  if (value) {
    op.set(Mark::value);
    op.value = *value;
  }
  if (index) {
    op.set(Mark::index);
    op.index = *index;
    if (meaning.way == Way::config_data || meaning.way == Way::config_ecam) {
      op.space = Space::config;
      op.reg = *index & 0xfff;
      op.index = *index >> 12;
    }
  }
  return values_.insert(a, b, alphabet_.intern(op));
}

Tokenizer::Tokenizer(Scheme scheme) : impl_(std::make_unique<Impl>(scheme)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Token Tokenizer::operator()(const Event& event) {
  return impl_->token(event);
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
