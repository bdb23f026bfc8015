// SPDX-License-Identifier: Apache-2.0
/*
 * tsc_khz - prints the frequency of this host's TSC, which is the TSC of a machine under TCG too. Such
 * a machine measures it at boot by its PIT, and on a busy host it is off by as much as a factor of
 * four: its clock then runs ahead, and every wait in it is too short.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
  int64_t ns;
  uint64_t tsc;
};

/* Both clocks at once: of many tries the one in which the least time passed between the readings. */
static struct moment now(void) {
  struct moment best = {0, 0};
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 1000; i++) {
    struct timespec t;
    uint64_t before = __rdtsc();
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    uint64_t after = __rdtsc();
    if (after - before >= least) continue;
    least = after - before;
    best.ns = t.tv_sec * 1000000000 + t.tv_nsec;
    best.tsc = before + least / 2;
  }
  return best;
}

int main(void) {
  struct timespec pause = {0, 300000000};
  struct moment from = now(), to;
  nanosleep(&pause, NULL);
  to = now();
  printf("%.0f\n", (double)(to.tsc - from.tsc) * 1e6 / (double)(to.ns - from.ns));
  return 0;
}
