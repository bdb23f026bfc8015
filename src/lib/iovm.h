/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libiovm: read traces and score them, from C and from whatever can call C.
 *
 *   iovm_trace *trace = iovm_trace_open("web-1.iovm");
 *   const iovm_event *events;
 *   long n;
 *   while ((n = iovm_trace_next(trace, &events)) > 0) ...
 *   if (n < 0) fprintf(stderr, "%s\n", iovm_error());
 *   iovm_trace_close(trace);
 *
 * An object belongs to one thread at a time; different objects have nothing to do with each other,
 * but for models and rules, which any number of threads may detect with at once. What is handed out
 * lives as long as it says. Nothing throws, and nothing prints.
 *
 * Names (of VMs and processes) are raw bytes as the guest had them, and hostile: escape them before
 * they go to a terminal or into markup. They end with a 0 and have none inside.
 *
 * Functions and fields stay; new ones may come. The library's soversion changes if a program that
 * was compiled against an older one could not go on.
 */
#ifndef IOVM_H
#define IOVM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define IOVM_EXPORT __attribute__((visibility("default")))
#else
#define IOVM_EXPORT
#endif

enum iovm_kind { IOVM_PIO = 0, IOVM_MMIO = 1, IOVM_FAST_MMIO = 2, IOVM_LOSS = 3 };
enum iovm_direction { IOVM_READ = 0, IOVM_WRITE = 1 };
/* Bits of iovm_event.present: a field whose bit is not set is not known, and is 0. */
enum iovm_field {
  IOVM_HAS_VALUE = 1 << 0,
  IOVM_HAS_SIZE = 1 << 1,
  IOVM_HAS_COUNT = 1 << 2,
  IOVM_HAS_VCPU = 1 << 3,
  IOVM_HAS_RIP = 1 << 4,
  IOVM_HAS_CR3 = 1 << 5,
  IOVM_HAS_CPL = 1 << 6
};

/*
 * One access of a guest to a device; or, where kind is IOVM_LOSS, a place where events are missing:
 * `value` of them (0: how many is not known), dropped by the ring (address 0), by the source (1) or
 * lost with a damaged part of the file (2). No sequence may be joined across a loss.
 */
typedef struct iovm_event {
  uint64_t time;    /* ns, the host's CLOCK_MONOTONIC; see iovm_trace_utc_offset */
  uint64_t address; /* port, or guest-physical address */
  uint64_t value;   /* the first element */
  uint64_t rip;     /* the guest's */
  uint64_t cr3;     /* the guest's, as the CPU held it */
  uint32_t count;   /* elements; 1 but for string operations */
  uint32_t process; /* for iovm_trace_process; from 0xfffffff0 on: not known */
  uint16_t vcpu;
  uint16_t vm; /* for iovm_trace_vm; 0xffff in a loss: all of them */
  uint8_t kind;
  uint8_t direction;
  uint8_t size; /* bytes of an element */
  uint8_t cpl;
  uint8_t present;
  uint8_t spare[7];
} iovm_event;

/* A guest process; its strings live until the trace is closed or read on. */
typedef struct iovm_process {
  int64_t pid; /* -1: not known */
  int64_t tgid;
  uint64_t start_ns;      /* of the guest's boot clock; 0: not known */
  const char* comm;       /* raw */
  const char* kind;       /* "user", "kernel", "idle", "interrupt", "firmware", "unknown" */
  const char* confidence; /* "none", "low", "high" */
  uint16_t vm;
} iovm_process;

typedef struct iovm_trace iovm_trace;
typedef struct iovm_model iovm_model;
typedef struct iovm_rules iovm_rules;

/* "0.1.0" */
IOVM_EXPORT const char* iovm_version(void);
/* What went wrong in the last call of this thread that failed, with its cause; until its next
 * failure. */
IOVM_EXPORT const char* iovm_error(void);

/* NULL: iovm_error() says why. "-" is standard input. */
IOVM_EXPORT iovm_trace* iovm_trace_open(const char* path);
IOVM_EXPORT void iovm_trace_close(iovm_trace* trace);
/*
 * The next events, in their order: how many, 0 at the end, -1 on error. *events is valid until the
 * next call. A damaged part is an IOVM_LOSS in its place, and what is whole behind it comes out.
 */
IOVM_EXPORT long iovm_trace_next(iovm_trace* trace, const iovm_event** events);
/* The VM's name, raw; NULL if there is no such VM. Until the trace is closed or read on. */
IOVM_EXPORT const char* iovm_trace_vm(const iovm_trace* trace, uint16_t vm);
/* 0, or -1 if the process is not known. */
IOVM_EXPORT int iovm_trace_process(const iovm_trace* trace, uint32_t process, iovm_process* out);
/* UTC minus the clock of the events, in ns; 0: not known. */
IOVM_EXPORT int64_t iovm_trace_utc_offset(const iovm_trace* trace);
/* 1 if the recording was cut short (its whole blocks came out); known at the end. */
IOVM_EXPORT int iovm_trace_ended_early(const iovm_trace* trace);

IOVM_EXPORT iovm_model* iovm_model_open(const char* path);
IOVM_EXPORT void iovm_model_close(iovm_model* model);

/*
 * One JSON object, `length` bytes, with a newline and a 0 behind it; valid during the call. Other
 * than 0 stops.
 */
typedef int (*iovm_line)(void* user, const char* json, size_t length);

/*
 * Runs the rest of the trace through the model. `alert` gets a line for each alert, as `iovm detect
 * --json` prints it, `score` one for each stream at the end, as with --scores; both may be NULL.
 * How many alerts there were, or -1 on error. 0 and no line if a callback stopped it.
 */
IOVM_EXPORT long iovm_detect(iovm_trace* trace, const iovm_model* model, iovm_line alert,
                             iovm_line score, void* user);

/* The rules of a file or folder (iovm-rules(5)) beside the built-in ones; NULL: those alone. Of a
 * faulty file iovm_error() has the places. */
IOVM_EXPORT iovm_rules* iovm_rules_open(const char* path);
IOVM_EXPORT void iovm_rules_close(iovm_rules* rules);
/* The same as iovm_detect by rules, and by a model too where it is not NULL; without one no `score`
 * is called. */
IOVM_EXPORT long iovm_detect_rules(iovm_trace* trace, const iovm_model* model,
                                   const iovm_rules* rules, iovm_line alert, iovm_line score,
                                   void* user);

#ifdef __cplusplus
}
#endif

#endif
