// SPDX-License-Identifier: Apache-2.0
/*
 * field - in the field lab's guest, what attacks do. Each one says on the serial line where it begins and
 * ends, and who does it; a recording has these lines as writes to the UART (table.py).
 *
 *   field replay NAME user|module FILE   the accesses of FILE, by this process or by iovm_field.ko
 *   field rewrite NAME DISK MIB          reads, encrypts and writes a disk from its beginning: ransomware
 *   field scan NAME DISK MIB STEP        reads 4 KiB every STEP KiB: who looks for something
 *
 * FILE's lines are told in field_list.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "field_list.h"

/* --- What is said ----------------------------------------------------------------------------- */

static void say(const char* format, ...) {
  char line[300];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line, format, arguments);
  int fd = open("/dev/ttyS0", O_WRONLY);
  if (fd < 0 || write(fd, line, (size_t)size) != size) die("no serial line");
  tcdrain(fd);
  close(fd);
}

static int module_file(void) {
  int fd = open("/dev/iovm_field", O_RDWR);
  if (fd < 0) die("no /dev/iovm_field");
  return fd;
}

/* The PCI function that a disk hangs on: the nearest folder above it that has a vendor and a class. */
static void controller_of(const char* disk, char* key, size_t size) {
  char link[300], folder[PATH_MAX], *slash;
  snprintf(link, sizeof link, "/sys/class/block/%s", strrchr(disk, '/') + 1);
  if (!realpath(link, folder)) die("no %s", link);
  while ((slash = strrchr(folder, '/')) != folder) {
    *slash = 0;
    if (!read_number(folder, "class") || !read_number(folder, "vendor")) continue;
    snprintf(key, size, "%04x:%04x", read_number(folder, "vendor"), read_number(folder, "device"));
    return;
  }
  die("%s hangs on no PCI function", disk);
}

static void begin(const char* name, const char* how, const char* disk) {
  struct field_self self;
  char key[20] = "-";
  if (ioctl(module_file(), FIELD_SELF, &self)) die("FIELD_SELF");
  if (disk) controller_of(disk, key, sizeof key);
  say("@begin %s %s pid=%d cr3=%llx code=%llx-%llx device=%s\n", name, how, getpid(),
      (unsigned long long)self.cr3 & ~0xfffULL, (unsigned long long)self.code,
      (unsigned long long)(self.code + self.code_size), key);
}

/* --- Ring 3 ----------------------------------------------------------------------------------- */

static void port_access(const struct field_op* op) {
  unsigned short port = (unsigned short)op->address;
  if (op->kind == FIELD_OUT) {
    if (op->size == 1) outb((unsigned char)op->value, port);
    else if (op->size == 2) outw((unsigned short)op->value, port);
    else outl((unsigned)op->value, port);
  } else if (op->size == 1) inb(port);
  else if (op->size == 2) inw(port);
  else inl(port);
}

static void memory_access(const struct field_op* op, volatile void* at) {
  int store = op->kind == FIELD_STORE;
  if (op->size == 1) { if (store) *(volatile uint8_t*)at = (uint8_t)op->value; else (void)*(volatile uint8_t*)at; }
  else if (op->size == 2) { if (store) *(volatile uint16_t*)at = (uint16_t)op->value; else (void)*(volatile uint16_t*)at; }
  else if (op->size == 4) { if (store) *(volatile uint32_t*)at = (uint32_t)op->value; else (void)*(volatile uint32_t*)at; }
  else { if (store) *(volatile uint64_t*)at = op->value; else (void)*(volatile uint64_t*)at; }
}

static void run_in_ring3(void) {
  int memory = open("/dev/mem", O_RDWR | O_SYNC);
  uint64_t mapped = ~0ULL;
  char* page = MAP_FAILED;
  if (memory < 0 || ioctl(module_file(), FIELD_IOPL, 0)) die("no /dev/mem or no ports");
  for (unsigned i = 0; i < list_size(); i++) {
    const struct field_op* op = list() + i;
    if (op->kind == FIELD_WAIT) usleep((unsigned)op->value * 1000);
    else if (op->kind == FIELD_OUT || op->kind == FIELD_IN) port_access(op);
    else {
      if (mapped != (op->address & ~0xfffULL)) {
        if (page != MAP_FAILED) munmap(page, 8192);
        mapped = op->address & ~0xfffULL;
        page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, (off_t)mapped);
        if (page == MAP_FAILED) die("mmap of %lx", mapped);
      }
      memory_access(op, page + (op->address & 0xfff));
    }
  }
}

static void replay(const char* name, const char* how, const char* path) {
  int by_module = strcmp(how, "module") == 0;
  read_list(path);
  begin(name, how, NULL);
  if (by_module) {
    struct field_list all = {(uint64_t)(uintptr_t)list(), list_size()};
    if (ioctl(module_file(), FIELD_RUN, &all)) die("FIELD_RUN");
  } else {
    run_in_ring3();
  }
}

/* --- Through the guest's own driver ----------------------------------------------------------- */

enum { PIECE = 1 << 16, SECTOR = 4096 };

static int open_disk(const char* path) {
  int fd = open(path, O_RDWR | O_DIRECT | O_SYNC);
  if (fd < 0) die("no disk %s", path);
  return fd;
}

static void rewrite(const char* name, const char* path, long mib) {
  unsigned char* piece = aligned_alloc(SECTOR, PIECE);
  int fd = open_disk(path);
  begin(name, "driver", path);
  for (off_t at = 0; at < (off_t)mib << 20; at += PIECE) {
    if (pread(fd, piece, PIECE, at) != PIECE) break;
    for (int i = 0; i < PIECE; i++) piece[i] ^= 0x5a;
    if (pwrite(fd, piece, PIECE, at) != PIECE) break;
  }
}

static void scan(const char* name, const char* path, long mib, long step) {
  unsigned char* piece = aligned_alloc(SECTOR, PIECE);
  int fd = open_disk(path);
  begin(name, "driver", path);
  for (off_t at = 0; at < (off_t)mib << 20; at += step << 10)
    if (pread(fd, piece, SECTOR, at) != SECTOR) break;
}

int main(int argc, char** argv) {
  if (argc == 5 && !strcmp(argv[1], "replay")) replay(argv[2], argv[3], argv[4]);
  else if (argc == 5 && !strcmp(argv[1], "rewrite")) rewrite(argv[2], argv[3], atol(argv[4]));
  else if (argc == 6 && !strcmp(argv[1], "scan")) scan(argv[2], argv[3], atol(argv[4]), atol(argv[5]));
  else die("replay NAME user|module FILE, rewrite NAME DISK MIB, scan NAME DISK MIB STEP");
  say("@end %s\n", argv[2]);
  return 0;
}
