// SPDX-License-Identifier: Apache-2.0
//
// What a number of false alarms that was seen says about the rate they come at, where they come
// independently: bounds of a Poisson mean, exact (Garwood 1936), by the incomplete gamma function.
#pragma once

#include <cstdint>
#include <utility>

namespace iovm::train {

// The largest mean that n seen events are compatible with, at 95 % (one-sided).
double poisson_bound(std::uint64_t n);

// Lower and upper end of the mean, at 95 % (two-sided).
std::pair<double, double> poisson_interval(std::uint64_t n);

}  // namespace iovm::train
