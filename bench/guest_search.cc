// SPDX-License-Identifier: Apache-2.0
//
// How long until the processes of a guest can be named: find_guest() on a running VMM, some times.
//
//   guest_search PID [TIMES]
//
// PID may be any QEMU with a Linux guest, under KVM or not; nothing is stopped. guest_search.md has
// the figures.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "record/guest_finder.h"

int main(int argc, char** argv) {
  using namespace iovm::record;
  if (argc < 2) return std::fprintf(stderr, "usage: guest_search PID [TIMES]\n"), 2;
  int times = argc > 2 ? std::atoi(argv[2]) : 5;
  std::vector<double> took;
  for (int i = 0; i < times; ++i) {
    auto began = std::chrono::steady_clock::now();
    auto found = find_guest("/proc", std::atoi(argv[1]), 0);
    std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
    if (!found || !found->search.kernel) {
      const std::string why = found ? found->search.why_not : found.error().message();
      return std::fprintf(stderr, "guest_search: %s\n", why.c_str()), 1;
    }
    if (i == 0) std::printf("%s\n", describe_kernel(*found->search.kernel).c_str());
    took.push_back(passed.count());
  }
  std::sort(took.begin(), took.end());
  std::printf("found in %.3f s (median of %d; %.3f to %.3f)\n", took[took.size() / 2], times,
              took.front(), took.back());
}
