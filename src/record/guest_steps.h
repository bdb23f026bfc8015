// SPDX-License-Identifier: Apache-2.0
//
// The steps of one try to find a guest's kernel, in their order, each with what came of it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "record/guest_kernel.h"

namespace iovm::record {

class GuestSteps {
 public:
  static constexpr std::array<std::string_view, 11> kNames = {
      "RAM",        "VMCOREINFO", "page tables", "profile",       "symbols",      "types",
      "memory map", "first task", "task list",   "first process", "running tasks"};

  GuestSteps() {
    for (std::string_view name : kNames)
      checks_.push_back({std::string(name), GuestCheckState::not_reached, {}});
  }

  void pass(std::string detail) { end(GuestCheckState::ok, std::move(detail)); }
  // Goes on, but not by the best way.
  void note(std::string detail) { end(GuestCheckState::note, std::move(detail)); }
  void fail(std::string detail) { end(GuestCheckState::failed, std::move(detail)); }
  // Takes a step's result: its words and `more`, or its error. `why_not` says why it was not done
  // in a better way.
  bool take(Result<std::string> result, std::string_view more = "", std::string_view why_not = "") {
    if (!result) return fail(result.error().message()), false;
    *result += more;
    if (why_not.empty())
      pass(std::move(*result));
    else
      note(result->append(" (").append(why_not).append(")"));
    return true;
  }

  std::size_t passed() const { return next_; }
  const std::vector<GuestCheck>& checks() const { return checks_; }
  // The step that failed and why; empty: none did.
  std::string why_not() const {
    for (const GuestCheck& check : checks_)
      if (check.state == GuestCheckState::failed) return check.name + ": " + check.detail;
    return {};
  }

 private:
  void end(GuestCheckState state, std::string detail) {
    checks_[next_].state = state;
    checks_[next_].detail = std::move(detail);
    if (state != GuestCheckState::failed) ++next_;
  }

  std::vector<GuestCheck> checks_;
  std::size_t next_ = 0;
};

}  // namespace iovm::record
