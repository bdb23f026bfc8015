// SPDX-License-Identifier: Apache-2.0
//
// A rule names an attack: a sequence of steps over devices and registers that no driver does, with
// what an analyst wants to know of it (severity, ATT&CK technique, sources). iovm-rules(5) is the
// language, detect/rule_parser.h reads it, detect/rule_watch.h runs it. Here is the plain data
// between the two.
//
// What shaped it: Suricata's rules (an id, a title, references, a threshold), Zeek's signatures
// (steps that require one another) and auditd's (one line says all). A rule here has steps in
// order; anything may happen between two of them but what `without` names. There are no
// variables, no arithmetic and no backward jumps, so that every rule is an automaton with one
// place for each step and its cost can be seen by reading it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/code_class.h"
#include "model/device.h"
#include "trace/event.h"

namespace iovm::detect {

// A list of numbers, ranges and masked values: 0x8e  1-5  0x05/0x1f  not 0,1.
struct Numbers {
  struct Item {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t mask = ~std::uint64_t{0};

    friend bool operator==(const Item&, const Item&) = default;
  };
  std::vector<Item> items;  // empty: every number
  bool negated = false;

  bool any() const { return items.empty(); }
  bool has(std::uint64_t number) const {
    for (const Item& item : items) {
      std::uint64_t bits = number & item.mask;
      if (bits >= item.first && bits <= item.last) return !negated;
    }
    return items.empty() || negated;
  }
  // Whether a number from first to last can be in it.
  bool meets(std::uint64_t first, std::uint64_t last) const;

  friend bool operator==(const Numbers&, const Numbers&) = default;
};

// Which accesses are meant: `write fdc "data FIFO" value 0x8e`.
struct AccessPattern {
  std::optional<trace::Direction> direction;  // nothing: both
  std::vector<model::DeviceType> devices;     // PCI numbers may be model::kAnyNumber; empty: all
  std::optional<model::Space> space;
  Numbers registers;          // that count from `space`
  std::string register_name;  // or by the tables' name; # stands for a number
  Numbers index;              // of what an index register selected
  Numbers sizes;
  Numbers values;
  bool command = false;     // only where the device waits for a command
  bool misaligned = false;  // the address is no multiple of the size
  bool stray = false;       // from the kernel's half of memory, outside the code of its Linux
  std::uint8_t code = 0;    // bits of model::CodeClass; 0: from anywhere

  bool has_code(model::CodeClass c) const {
    return code == 0 || (code >> static_cast<unsigned>(c) & 1) != 0;
  }
};

struct RuleStep {
  std::uint32_t count = 1;    // so many accesses
  bool different = false;     // ... of different addresses
  std::uint32_t want = 0;     // bits: patterns of the rule, any of which is the step
  std::uint32_t without = 0;  // bits: patterns that end the wait for the step
};

enum class Severity : std::uint8_t { low, medium, high, critical };
std::string_view name_of(Severity severity);
std::optional<Severity> severity_named(std::string_view name);

// Whose steps are put together.
enum class Per : std::uint8_t { device, process, vcpu, vm };
std::string_view name_of(Per per);
std::optional<Per> per_named(std::string_view name);

// A technique of MITRE ATT&CK.
struct Technique {
  std::string id;  // "T1611", "T1499.004"
  std::string name;
  std::string tactic_id;
  std::string tactic;
};

struct Rule {
  std::string id;
  std::string title;
  Severity severity = Severity::medium;
  Technique technique;
  std::string parent_technique;  // name of T1499 where the technique is T1499.004
  std::vector<std::string> references;
  std::string about;
  Per per = Per::device;
  std::uint64_t within = 0;   // ns from the first access to the last; 0: no limit
  bool unless_model = false;  // not looked at where a model decides the same better
  bool stops = false;         // `inline`: the VM can be stopped at the very access (rule_inline.h)
  std::vector<RuleStep> steps;
  std::vector<AccessPattern> patterns;
  std::string file;
  std::uint32_t line = 0;
};

inline constexpr std::size_t kMaxRuleSteps = 8;
inline constexpr std::size_t kMaxRulePatterns = 32;
inline constexpr std::uint32_t kMaxRuleCount = 1'000'000;
inline constexpr std::uint32_t kMaxDifferent = 256;
inline constexpr std::size_t kMaxRules = 4096;

struct RuleSet {
  std::vector<Rule> rules;
  std::string attack_version;  // of MITRE ATT&CK
  // Rules have numbers by which a source says that it stopped a VM for one; a set that takes the
  // place of another has others, since events of before may still come.
  std::uint32_t first_number = 1;

  std::uint32_t number_of(std::size_t rule) const {
    return first_number + static_cast<std::uint32_t>(rule);
  }
  const Rule* numbered(std::uint32_t number) const {
    std::uint32_t rule = number - first_number;
    return rule < rules.size() ? &rules[rule] : nullptr;
  }
};

}  // namespace iovm::detect
