// SPDX-License-Identifier: Apache-2.0
//
// The page of `explain --html`, in parts: each adds one section to the text, from the report alone.
// Everything that a guest or a file named passes through html(); there is no other way into the
// page but numbers and words of ours.
#pragma once

#include <string>
#include <string_view>

#include "analyze/report.h"

namespace iovm::analyze {

// Raw text made safe: control characters and broken UTF-8 as \xNN, markup as entities; what is
// longer than any name is cut.
std::string html(std::string_view text);
// The same of text that is safe on a terminal already.
std::string entities(std::string_view text);

// What page.min.css and page.min.js hold, compiled in.
std::string_view page_style();
std::string_view page_script();

void put_alerts(const Report& report, std::string& out);
void put_processes(const Report& report, std::string& out);
void put_devices(const Report& report, std::string& out);
void put_unseen(const Report& report, std::string& out);
void put_threshold(const Report& report, std::string& out);
void put_provenance(const Report& report, std::string& out);
// What the script draws, as JSON that cannot end the element it stands in.
void put_data(const Report& report, std::string& out);

// Alerts that are told in full; the others are lines of a table.
inline constexpr std::size_t kToldAlerts = 40;

}  // namespace iovm::analyze
