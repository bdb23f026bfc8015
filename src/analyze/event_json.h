// SPDX-License-Identifier: Apache-2.0
//
// The JSON members of an event, which every form of JSON that tells events is made of: one set of
// keys (analyze/event_listing.h lists them), one place that writes them, by the million.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "analyze/event_labels.h"
#include "trace/context.h"
#include "trace/event.h"

namespace iovm::analyze {

// The JSON text of a string, quotes and all.
std::string json_string(std::string_view text);

// `name` is ready to print: ",\"size\":".
void put_member(std::string_view name, std::uint64_t number, std::string& out);

// Each begins with a comma: direction, address, size, value, count, cr3, rip, cpl, as far as they
// are known;
void put_json_access(const trace::Event& event, std::string& out);
// cause and lost, of a loss;
void put_json_loss(const trace::Event& event, std::string& out);
// device, place and register;
void put_json_label(const EventLabel& label, std::string& out);
// process{...}, to be kept and used again.
std::string json_process(const trace::GuestProcess& process);

}  // namespace iovm::analyze
