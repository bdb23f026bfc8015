// SPDX-License-Identifier: Apache-2.0
#include "train/poisson.h"

#include <boost/math/special_functions/gamma.hpp>

namespace iovm::train {

double poisson_bound(std::uint64_t n) {
  return boost::math::gamma_q_inv(static_cast<double>(n) + 1, 0.05);
}

std::pair<double, double> poisson_interval(std::uint64_t n) {
  auto k = static_cast<double>(n);
  double low = n == 0 ? 0 : boost::math::gamma_p_inv(k, 0.025);
  return {low, boost::math::gamma_q_inv(k + 1, 0.025)};
}

}  // namespace iovm::train
