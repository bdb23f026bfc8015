// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/format.h"
#include "model/access_cache.h"
#include "model/access_plan.h"
#include "model/device_numbers.h"
#include "model/pci_tracker.h"
#include "model/value_symbols.h"

namespace iovm::model {
namespace {

using trace::Event;

constexpr std::uint32_t kConfigEnable = 0x80000000;
constexpr std::uint32_t kConfigRegister = 0xfc;
constexpr std::size_t kManyMeanings = 8192;

struct VmState {
  PciTracker pci;
  CodeWatch code;
};

// What is remembered of an address.
struct Meaning {
  std::uint32_t what = 0;  // of a plain one its symbol, of another its plan
  std::uint16_t device = 0;
  Way way = Way::plain;
};
static_assert(kMaxDevices <= 65536);

std::uint64_t access_key(const Event& event, CodeClass code) {
  // The first four bytes as they lie in the event: one load.
  return static_cast<std::uint64_t>(event.vm) | static_cast<std::uint64_t>(event.kind) << 16 |
         static_cast<std::uint64_t>(event.direction) << 24 |
         static_cast<std::uint64_t>(event.size) << 32 |
         static_cast<std::uint64_t>(is_repeated(event)) << 40 |
         static_cast<std::uint64_t>(code == CodeClass::user) << 41;
}

}  // namespace

std::string describe(const Device& device) {
  if (device.type.bus != Bus::pci) return device_name(device.type);
  std::string text =
      iovm::format("PCI {} {}", function_text(device.place), device_name(device.type));
  if (device.unit > 0) text += ", " + unit_text(device.type, device.unit);
  return text;
}

class Tokenizer::Impl {
 public:
  explicit Impl(Scheme scheme) : scheme_(scheme), symbols_(alphabet_), last_state_(&vms_[0]) {}

  void tokenize(const Event& event, Token& out) {
    out.value_use = ValueUse::none;
    VmState& vm = vm_state(event.vm);
    out.code = vm.code(event);
    std::uint64_t access = access_key(event, out.code);
    const Meaning* known = meanings_.find(event.address, access);
    if (known == nullptr) known = &learn(event, access, out.code, vm.pci);
    out.device = known->device;
    out.symbol = known->what;
    if (known->way == Way::plain) return;
    // A copy: what follows may forget the address.
    Meaning meaning = *known;
    out.symbol = special(event, meaning, vm.pci);
    out.value_use = value_use(meaning.way, out.symbol);
  }

  void lost(const Event& loss) {
    const std::vector<Device>& all = devices();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (loss.vm == trace::kAllVms || all[i].vm == loss.vm) latches_[i] = {};
    }
  }

  void know(std::span<const trace::VmInfo> vms) {
    for (; told_ < vms.size() && scheme_ == Scheme::devices; ++told_) {
      const trace::PciLayout& layout = vms[told_].pci;
      if (layout.functions.empty()) continue;
      auto told = vm_state(static_cast<std::uint16_t>(told_)).pci.know(layout);
      if (!told.empty()) forget(told);
    }
  }

  trace::PciLayout layout(std::uint16_t vm, const trace::PciLayout& told) const {
    auto state = vms_.find(vm);
    return state == vms_.end() ? told : state->second.pci.layout(told);
  }

  const Alphabet& alphabet() const { return alphabet_; }
  const std::vector<Device>& devices() const { return devices_.devices(); }

 private:
  const Meaning& learn(const Event& event, std::uint64_t access, CodeClass code,
                       const PciTracker& pci);
  Symbol special(const Event& event, const Meaning& meaning, PciTracker& pci);
  Symbol toggle(const Event& event, const Meaning& meaning, Latch& latch);
  Symbol config_address(const Meaning& meaning, std::uint64_t selected, const PciTracker& pci);
  Symbol config_data(const Event& event, const Meaning& meaning, const Latch& latch,
                     PciTracker& pci);
  Symbol config_ecam(const Event& event, const Meaning& meaning, PciTracker& pci);
  Symbol config(const Event& event, const Meaning& meaning, std::uint32_t bdf, std::uint32_t reg,
                PciTracker& pci);
  // Whether an access to the register looks for a function, rather than uses one.
  static bool is_a_look(const PciTracker& pci, std::uint32_t bdf, std::uint32_t reg) {
    return reg < kIdentityEnd || !pci.knows(bdf);
  }
  ValueUse value_use(Way way, Symbol symbol) const;
  void forget(std::span<const Addresses> addresses);
  void start_over();

  VmState& vm_state(std::uint16_t vm) {
    if (last_vm_ == vm) return *last_state_;
    last_vm_ = vm;
    last_state_ = &vms_[vm];  // an unordered_map never moves its values
    return *last_state_;
  }

  Scheme scheme_;
  Alphabet alphabet_;
  ValueSymbols symbols_;
  DeviceNumbers devices_;
  std::vector<Latches> latches_;  // by device
  std::unordered_map<std::uint16_t, VmState> vms_;
  AccessCache<Meaning> meanings_;  // by address and access
  std::size_t told_ = 0;           // VMs of the context that were looked at
  std::uint16_t last_vm_ = 0;
  VmState* last_state_;
};

void Tokenizer::Impl::start_over() {
  meanings_.clear();
  symbols_.clear();
}

// The meanings of these addresses. With very many remembered, all of them: a guest that moves its
// BARs about must not make each move expensive.
void Tokenizer::Impl::forget(std::span<const Addresses> addresses) {
  if (meanings_.size() > kManyMeanings) return start_over();
  // Ports and memory are told apart by the rest of the key only; to forget too much costs little.
  meanings_.erase_if([&](std::uint64_t address) {
    return std::ranges::any_of(addresses, [address](const Addresses& a) {
      return address >= a.first && address <= a.last;
    });
  });
}

const Meaning& Tokenizer::Impl::learn(const Event& event, std::uint64_t access, CodeClass code,
                                      const PciTracker& pci) {
  if (symbols_.full()) start_over();
  Plan plan;
  if (scheme_ == Scheme::addresses) {
    plan.base = bare_access(event);
  } else {
    plan = plan_access(event, code, pci);
  }
  Meaning meaning;
  meaning.way = plan.way;
  meaning.device =
      static_cast<std::uint16_t>(devices_({plan.base.device, event.vm, plan.place, plan.unit}));
  latches_.resize(devices().size());
  if (plan.way == Way::plain) {
    meaning.what = alphabet_.intern(plan.base);
  } else {
    meaning.what = symbols_.add(plan);
  }
  return meanings_.insert(event.address, access, meaning);
}

ValueUse Tokenizer::Impl::value_use(Way way, Symbol symbol) const {
  if (way >= Way::config_address) return ValueUse::layout;
  if (way == Way::latching || way == Way::pair || way == Way::status) return ValueUse::symbol;
  bool told = !is_unknown(symbol) && alphabet_.operation(symbol).has(Mark::value);
  return told ? ValueUse::symbol : ValueUse::none;
}

Symbol Tokenizer::Impl::special(const Event& event, const Meaning& meaning, PciTracker& pci) {
  const Plan& plan = symbols_.plan(meaning.what);
  Latch& latch = latches_[meaning.device][plan.latch];
  std::uint64_t value = event.value & plan.value_mask;
  auto index = static_cast<std::uint32_t>(value);
  switch (meaning.way) {
    case Way::plain:
      break;
    case Way::valued:
      return symbols_.by_value(meaning.what, value);
    case Way::learned:
      return symbols_.learned(meaning.what, value);
    case Way::latching:
      latch.value = index;
      latch.known = true;
      return symbols_.by_value(meaning.what, value);
    case Way::pair:
      latch.value = index;
      latch.known = true;
      return symbols_.by_index(meaning.what, index, event.value >> kPairShift, event);
    case Way::indexed:
      if (!latch.known) break;
      return symbols_.by_index(meaning.what, latch.value, event.value, event);
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
      return symbols_.by_value(meaning.what, value);
    case Way::phase_over:
      latch.known = false;
      break;
    case Way::config_address:
      latch.value = index;
      latch.known = true;
      return config_address(meaning, value, pci);
    case Way::config_data:
      return config_data(event, meaning, latch, pci);
    case Way::config_ecam:
      return config_ecam(event, meaning, pci);
  }
  return symbols_.plain(meaning.what);
}

// Index and data by turns; which turn it is is known from the first rearming read on.
Symbol Tokenizer::Impl::toggle(const Event& event, const Meaning& meaning, Latch& latch) {
  if (!latch.armed) return symbols_.plain(meaning.what);
  bool data = std::exchange(latch.data_next, !latch.data_next);
  if (data) return symbols_.by_index(meaning.what, latch.value, event.value, event);
  latch.value = static_cast<std::uint32_t>(event.value & symbols_.plan(meaning.what).value_mask);
  latch.known = true;
  return symbols_.by_value(meaning.what, latch.value);
}

Symbol Tokenizer::Impl::config_address(const Meaning& meaning, std::uint64_t selected,
                                       const PciTracker& pci) {
  bool look = is_a_look(pci, static_cast<std::uint32_t>(selected) >> 8 & 0xffff,
                        selected & kConfigRegister);
  return symbols_.by_value(meaning.what, look ? selected & kConfigRegister : selected, look);
}

Symbol Tokenizer::Impl::config_data(const Event& event, const Meaning& meaning, const Latch& latch,
                                    PciTracker& pci) {
  if (!latch.known || (latch.value & kConfigEnable) == 0) return symbols_.plain(meaning.what);
  auto offset = static_cast<std::uint32_t>(event.address & 3);
  return config(event, meaning, latch.value >> 8 & 0xffff, (latch.value & kConfigRegister) | offset,
                pci);
}

Symbol Tokenizer::Impl::config_ecam(const Event& event, const Meaning& meaning, PciTracker& pci) {
  auto place = pci.find_ecam(event.address);
  return place ? config(event, meaning, place->bdf, place->reg, pci) : symbols_.plain(meaning.what);
}

Symbol Tokenizer::Impl::config(const Event& event, const Meaning& meaning, std::uint32_t bdf,
                               std::uint32_t reg, PciTracker& pci) {
  std::uint32_t function = is_a_look(pci, bdf, reg) ? kAnyFunction : bdf;
  Symbol symbol = symbols_.by_index(meaning.what, function << 12 | reg, event.value, event);
  auto moved = pci.config_access(bdf, reg, event);
  if (!moved.empty()) forget(moved);
  return symbol;
}

Tokenizer::Tokenizer(Scheme scheme) : impl_(std::make_unique<Impl>(scheme)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

void Tokenizer::tokenize(const Event& event, Token& token) {
  impl_->tokenize(event, token);
}

void Tokenizer::know(std::span<const trace::VmInfo> vms) {
  impl_->know(vms);
}

trace::PciLayout Tokenizer::layout(std::uint16_t vm, const trace::PciLayout& told) const {
  return impl_->layout(vm, told);
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
