// SPDX-License-Identifier: Apache-2.0
/*
 * kmod_truth - first process of a Linux guest that says what a recorder outside must see.
 *
 * Three processes touch a device (QEMU's edu) from ring 3, through its mapped BAR, and ports from
 * ring 0, through /dev/port; each says before, from its own kernel's memory (/proc/kcore):
 *   @slot GS_BASE SLOT DIRECT_MAP COUNT of CPU 0: per-CPU base, address of `current`, direct map,
 *                                       address of preempt_count
 *   @truth NAME PID TASK MMIO PORT FROM TO START   its task_struct; what it will touch; its code's
 *                                       range; when it began, in ticks of 10 ms
 *   @brief PID                          one of many that touched port 0x87 once and were gone
 * It waits for a line on the console after @ready, and between the three and the last, `spin`,
 * which touches its register until the guest is ended.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 200, BRIEFS = 50 };

static uint64_t bar;
static volatile uint32_t* device;

static uint64_t symbol(const char* name) {
  char line[256], found[200], kind;
  uint64_t address;
  FILE* file = fopen("/proc/kallsyms", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "%lx %c %199s", &address, &kind, found) == 3 && !strcmp(found, name)) {
      fclose(file);
      return address;
    }
  }
  printf("@no symbol %s\n", name);
  exit(1);
}

/* Eight bytes of this kernel's memory. */
static uint64_t peek(uint64_t address) {
  int fd = open("/proc/kcore", O_RDONLY);
  uint64_t value = 0;
  Elf64_Ehdr head;
  if (pread(fd, &head, sizeof head, 0) != sizeof head) exit(1);
  for (int i = 0; i < head.e_phnum; i++) {
    Elf64_Phdr part;
    off_t at = (off_t)(head.e_phoff + (uint64_t)i * head.e_phentsize);
    if (pread(fd, &part, sizeof part, at) != sizeof part || part.p_type != PT_LOAD) continue;
    if (address < part.p_vaddr || address + 8 > part.p_vaddr + part.p_memsz) continue;
    if (pread(fd, &value, 8, (off_t)(part.p_offset + address - part.p_vaddr)) != 8) value = 0;
  }
  close(fd);
  return value;
}

static void map_device(void) {
  glob_t found;
  char path[300], text[100];
  uint64_t from = 0;
  /* vendor 1234, device 11e8: edu */
  glob("/sys/bus/pci/devices/*", 0, NULL, &found);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    snprintf(path, sizeof path, "%s/device", found.gl_pathv[i]);
    FILE* file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file) || strncmp(text, "0x11e8", 6)) continue;
    snprintf(path, sizeof path, "%s/enable", found.gl_pathv[i]);
    int fd = open(path, O_WRONLY);
    if (write(fd, "1", 1) != 1) puts("@no enable");
    snprintf(path, sizeof path, "%s/resource", found.gl_pathv[i]);
    file = fopen(path, "r");
    if (file && fgets(text, sizeof text, file)) sscanf(text, "%lx", &from);
    snprintf(path, sizeof path, "%s/resource0", found.gl_pathv[i]);
    fd = open(path, O_RDWR | O_SYNC);
    device = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bar = from;
    return;
  }
  puts("@no edu");
  exit(1);
}

/* In a section of its own, so that its range is known. */
__attribute__((section("touching"), noinline)) static uint32_t touch(uint32_t offset, long rounds) {
  uint32_t sum = 0;
  for (long i = 0; rounds < 0 || i < rounds; i++) {
    sum += device[offset / 4];
    for (volatile int pause = 0; rounds < 0 && pause < 20000; pause++) continue;
  }
  return sum;
}
extern const char __start_touching[], __stop_touching[];

/* The 22nd field of /proc/self/stat; the name before it has no white space here. */
static long start_ticks(void) {
  char text[1000] = "";
  FILE* file = fopen("/proc/self/stat", "r");
  if (file && fgets(text, sizeof text, file)) fclose(file);
  char* at = text;
  for (int i = 1; i < 22 && at; i++) at = strchr(at + 1, ' ');
  return at ? atol(at) : -1;
}

/* Processes that live a few milliseconds, each with one access. */
static void run_briefs(void) {
  int pids[BRIEFS];
  for (int i = 0; i < BRIEFS; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      int fd = open("/dev/port", O_RDWR);
      _exit(pwrite(fd, "", 1, 0x87) != 1);
    }
    waitpid(pids[i], NULL, 0);
  }
  for (int i = 0; i < BRIEFS; i++) printf("@brief %d\n", pids[i]);
}

static void worker(const char* name, uint32_t offset, int port, long rounds) {
  uint64_t slot = peek(symbol("__per_cpu_offset")) + symbol("current_task");
  prctl(PR_SET_NAME, name, 0, 0, 0);
  printf("@truth %s %d 0x%lx 0x%lx 0x%x 0x%lx 0x%lx %ld\n", name, getpid(), peek(slot), bar + offset,
         port, (uint64_t)__start_touching, (uint64_t)__stop_touching, start_ticks());
  touch(offset, rounds);
  int fd = open("/dev/port", O_RDWR);
  for (int i = 0; i < ROUNDS; i++) {
    if (pwrite(fd, &i, 1, port) != 1) printf("@no port\n");
  }
  _exit(0);
}

static void run(const char* name, uint32_t offset, int port, long rounds) {
  if (fork() == 0) worker(name, offset, port, rounds);
  wait(NULL);
}

static void wait_for_word(void) {
  char line[100];
  if (!fgets(line, sizeof line, stdin)) sleep(1);
}

int main(void) {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  sched_setaffinity(0, sizeof first, &first);
  mkdir("/proc", 0755), mkdir("/sys", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  map_device();
  uint64_t base = peek(symbol("__per_cpu_offset"));
  printf("@slot 0x%lx 0x%lx 0x%lx 0x%lx\n", base, base + symbol("current_task"),
         peek(symbol("page_offset_base")), base + symbol("__preempt_count"));
  puts("@ready");
  wait_for_word();
  run("alpha", 0x00, 0x80, ROUNDS);
  run("beta", 0x04, 0x84, ROUNDS);
  run("gamma", 0x20, 0x85, ROUNDS);
  run_briefs();
  puts("@done");
  wait_for_word();
  run("spin", 0x08, 0x86, -1);
  return 0;
}
