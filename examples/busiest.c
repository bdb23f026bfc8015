/* SPDX-License-Identifier: Apache-2.0 */
/* busiest TRACE: how many accesses each guest process made.  cc busiest.c $(pkg-config --cflags --libs iovm) */
#include <iovm.h>
#include <stdio.h>

int main(int argc, char **argv) {
  static unsigned long made[65536];
  const iovm_event *events;
  long n;
  iovm_trace *trace = argc > 1 ? iovm_trace_open(argv[1]) : NULL;
  if (!trace) return fprintf(stderr, "busiest: %s\n", argc > 1 ? iovm_error() : "no TRACE given"), 1;
  while ((n = iovm_trace_next(trace, &events)) > 0)
    for (long i = 0; i < n; i++)
      if (events[i].kind != IOVM_LOSS && events[i].process < 65536) made[events[i].process]++;
  if (n < 0) return fprintf(stderr, "busiest: %s\n", iovm_error()), 1;
  iovm_process process;
  for (uint32_t i = 0; i < 65536 && iovm_trace_process(trace, i, &process) == 0; i++)
    if (made[i]) printf("%10lu  pid %ld\n", made[i], (long)process.pid);
  iovm_trace_close(trace);
  return 0;
}
