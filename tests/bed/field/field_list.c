// SPDX-License-Identifier: Apache-2.0
/*
 * field_list - the accesses of an attack, from a text file.
 *
 * FILE has an operation a line, numbers are hexadecimal:
 *
 *   pci VENDOR:DEVICE            the function that what follows is about
 *   out BAR OFFSET SIZE VALUE    in BAR OFFSET SIZE        a register of it, port or memory as the BAR is
 *   config REGISTER SIZE VALUE                             through ports cf8 and cfc
 *   move BAR ADDRESS             the BAR elsewhere, one read there, and back
 *   pout PORT SIZE VALUE         pin PORT SIZE             a port of the PC
 *   sweep FIRST LAST             reads every port between
 *   fuzz BAR LAST COUNT SEED     random accesses of the registers up to LAST
 *   flood BAR OFFSET SIZE VALUE COUNT
 *   wait MS                      # begins a comment; a VALUE may be @BAR+OFFSET, where that is now
 */
#define _GNU_SOURCE
#include "field_list.h"

#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct field_op ops[FIELD_MOST];
static unsigned op_count;

static struct {
  uint64_t address[6], flags[6];
  unsigned config; /* what port cf8 wants */
} function;

void die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("field: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

/* The number in a file of sysfs. */
unsigned read_number(const char* folder, const char* name) {
  char path[PATH_MAX + 20], text[100];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE* file = fopen(path, "r");
  unsigned number = file && fgets(text, sizeof text, file) ? (unsigned)strtoul(text, NULL, 0) : 0;
  if (file) fclose(file);
  return number;
}

static void add(enum field_kind kind, unsigned size, uint64_t address, uint64_t value) {
  if (op_count == FIELD_MOST) die("too many operations");
  ops[op_count++] = (struct field_op){kind, size, address, value};
}

static void choose(unsigned vendor, unsigned device) {
  glob_t found;
  char path[300], text[100];
  glob("/sys/bus/pci/devices/*", 0, NULL, &found);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    unsigned bus, slot, number;
    if (read_number(found.gl_pathv[i], "vendor") != vendor || read_number(found.gl_pathv[i], "device") != device) continue;
    snprintf(path, sizeof path, "%s/resource", found.gl_pathv[i]);
    FILE* file = fopen(path, "r");
    for (int bar = 0; file && bar < 6 && fgets(text, sizeof text, file); bar++)
      sscanf(text, "%lx %*x %lx", &function.address[bar], &function.flags[bar]);
    const char* name = strrchr(found.gl_pathv[i], '/') + 6; /* behind the domain */
    if (sscanf(name, "%x:%x.%x", &bus, &slot, &number) != 3) die("%s", name);
    function.config = 1U << 31 | bus << 16 | slot << 11 | number << 8;
    return;
  }
  die("no function %04x:%04x", vendor, device);
}

static void add_register(int write, unsigned bar, uint64_t offset, unsigned size, uint64_t value) {
  if (bar > 5 || !function.address[bar]) die("no BAR %u", bar);
  int port = (function.flags[bar] & 0x100) != 0; /* IORESOURCE_IO */
  add(port ? (write ? FIELD_OUT : FIELD_IN) : (write ? FIELD_STORE : FIELD_LOAD), size,
      function.address[bar] + offset, value);
}

static void add_config(unsigned reg, unsigned size, uint64_t value) {
  add(FIELD_OUT, 4, 0xcf8, function.config | (reg & 0xfc));
  add(FIELD_OUT, size, 0xcfc + (reg & 3), value);
}

static void add_move(unsigned bar, uint64_t address) {
  if (bar > 5 || !function.address[bar]) die("no BAR %u", bar);
  add_config(0x10 + 4 * bar, 4, address);
  add(FIELD_LOAD, 4, address, 0);
  add_config(0x10 + 4 * bar, 4, function.address[bar] & 0xffffffff);
}

static void add_fuzz(unsigned bar, uint64_t last, uint64_t count, uint64_t seed) {
  static const unsigned sizes[] = {1, 2, 4, 4};
  srand48((long)seed);
  for (uint64_t i = 0; i < count; i++) {
    unsigned size = sizes[mrand48() & 3];
    uint64_t offset = (uint64_t)lrand48() % (last + 1) & ~(uint64_t)(size - 1);
    add_register(mrand48() & 1, bar, offset, size, (uint32_t)mrand48());
  }
}

static uint64_t number(const char* text) {
  char* end;
  uint64_t bar = *text == '@' ? strtoul(text + 1, &end, 16) : 6;
  if (bar > 5) return strtoul(text, NULL, 16);
  return function.address[bar] + strtoul(end, NULL, 16);
}

static void read_line(const char* line) {
  static const struct { const char* word; int count; } known[] = {
      {"pci", 2}, {"out", 4}, {"in", 3}, {"config", 3}, {"move", 2}, {"pout", 3}, {"pin", 2},
      {"sweep", 2}, {"fuzz", 4}, {"flood", 5}, {"wait", 1}};
  char copy[200], *rest, *word;
  uint64_t n[5] = {0};
  int count = 0, which = -1;
  snprintf(copy, sizeof copy, "%s", line);
  word = strtok_r(copy, " :\n", &rest);
  if (!word || *word == '#') return;
  for (char* next; count < 5 && (next = strtok_r(NULL, " :\n", &rest)) != NULL && *next != '#';) n[count++] = number(next);
  for (int i = 0; i < (int)(sizeof known / sizeof *known); i++)
    if (!strcmp(word, known[i].word) && count == known[i].count) which = i;
  unsigned first = (unsigned)n[0], second = (unsigned)n[1], third = (unsigned)n[2];
  switch (which) {
    case 0: choose(first, second); break;
    case 1: add_register(1, first, n[1], third, n[3]); break;
    case 2: add_register(0, first, n[1], third, 0); break;
    case 3: add_config(first, second, n[2]); break;
    case 4: add_move(first, n[1]); break;
    case 5: add(FIELD_OUT, second, n[0], n[2]); break;
    case 6: add(FIELD_IN, second, n[0], 0); break;
    case 7: for (uint64_t port = n[0]; port <= n[1]; port++) add(FIELD_IN, 1, port, 0); break;
    case 8: add_fuzz(first, n[1], n[2], n[3]); break;
    case 9: for (uint64_t i = 0; i < n[4]; i++) add_register(1, first, n[1], third, n[3]); break;
    case 10: add(FIELD_WAIT, 0, 0, n[0]); break;
    default: die("what is: %s", line);
  }
}

void read_list(const char* path) {
  char line[200];
  FILE* file = fopen(path, "r");
  if (!file) die("no file %s", path);
  while (fgets(line, sizeof line, file)) read_line(line);
  fclose(file);
}

const struct field_op* list(void) { return ops; }
unsigned list_size(void) { return op_count; }
