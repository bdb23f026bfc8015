// SPDX-License-Identifier: Apache-2.0
//
// Device I/O by code that training never saw drive that kind of device (model/code_place.h): a
// rootkit's module, or code injected into the kernel, that copies what a driver does.
//
// A guest that runs another kernel than training's has every driver elsewhere. So a VM is believed
// only while more of the kernel's places that were seen since its boot are known than not, and with
// kManyStrange that are not, and are the most, it is told once that this is another kernel; until
// its next boot nothing is said of its code any more. The same once kMostDevices devices had an
// alarm and there would be one more: many drivers are others, or somebody tries all devices, and
// either has been told by then. The places that an alarm was about raise no second one before the
// next boot: so a module that was updated is one alert for each of its devices.
//
// A boot is an access by firmware with a page table at 0 after the kernel has acted. Bounded: of a
// VM kMaxSeen places are remembered, the rest of them is strange but not counted.
//
// Speed: an operation comes from the same few instructions, so the last two that were usual are
// remembered for each. One PlaceWatch serves one recording.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/model_data.h"
#include "model/tokenizer.h"
#include "trace/event.h"

namespace iovm::detect {

class PlaceWatch {
 public:
  static constexpr std::uint32_t kManyStrange = 16;
  static constexpr std::uint32_t kMostDevices = 5;
  static constexpr std::size_t kMaxSeen = 4096;

  enum class Sight : std::uint8_t {
    usual,         // a known place, or nothing can be said
    strange,       // training never saw that kind of device driven from there
    other_kernel,  // this access made it clear; given once in a boot
  };
  // Since the VM's boot: different places of the kernel's, at devices that training knows, and
  // devices that had an alarm.
  struct Seen {
    std::uint32_t known = 0;
    std::uint32_t strange = 0;
    std::uint32_t devices = 0;
  };

  // `data` must outlive the watch.
  explicit PlaceWatch(const model::ModelData& data);

  // `alphabet`: the token's.
  Sight see(const trace::Event& event, const model::Token& token, const model::Alphabet& alphabet) {
    std::uint64_t key = event.rip ^ std::uint64_t{event.vm} << 48;
    if (token.symbol < symbols_) {
      Usual& usual = usual_[token.symbol];
      if (usual.last == key) return Sight::usual;
      if (usual.before == key) {
        std::swap(usual.last, usual.before);
        return Sight::usual;
      }
    }
    return look(event, token, alphabet, key);
  }

  // True if the VM runs the kernel of training, as far as can be seen.
  bool believes(std::uint16_t vm) const;
  // An alarm was raised about a device: its strange places are told by now.
  void told(std::uint16_t vm, const model::DeviceType& device);
  Seen seen(std::uint16_t vm) const;

 private:
  // RIPs, with their VMs, that were usual.
  struct Usual {
    std::uint64_t last = ~std::uint64_t{0};
    std::uint64_t before = ~std::uint64_t{0};
  };
  enum class Verdict : std::uint8_t { known, strange, told };
  struct Vm {
    std::unordered_map<std::uint64_t, Verdict> places;  // by device and place
    Seen seen;
    std::vector<model::DeviceType> devices;  // that had an alarm
    bool other_kernel = false;
  };

  Sight look(const trace::Event& event, const model::Token& token, const model::Alphabet& alphabet,
             std::uint64_t key);
  Verdict verdict(Vm& vm, const model::PlaceRow& row);
  Sight usual(model::Symbol symbol, std::size_t symbols, std::uint64_t key);
  void boot(Vm& vm);

  const model::Places& places_;
  bool by_text_;              // the kernel's text tells which kernel it is
  std::vector<Usual> usual_;  // by symbol
  std::size_t symbols_ = 0;   // how many it has
  std::unordered_map<std::uint16_t, Vm> vms_;
};

}  // namespace iovm::detect
