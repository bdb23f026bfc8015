// SPDX-License-Identifier: Apache-2.0
//
// Reads the lines of a device table (devices/README.md) into rows. Strict: whatever it does not
// know is an error with the file and the line, so that a typing mistake is never a silent hole in
// the tables. Pure text in, rows out.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/device_table.h"

namespace iovm::model {

// Adds the devices of one text; a device named before gets the further registers.
Status parse_devices(const DeviceText& text, std::vector<DeviceRow>& devices);

}  // namespace iovm::model
