// SPDX-License-Identifier: Apache-2.0
/*
 * l2_jobs - first process of a Linux guest whose device accesses say themselves who makes them.
 *
 * Each class of accesses has a port of its own, and what is written there is the pid of the thread
 * that writes. So a recording can be checked access by access against nothing but itself:
 *
 *   0x5a00  ring 3, by a 32-bit OUT (needs iovm_jobs.ko)   BAR+4 of QEMU's edu: ring 3, MMIO
 *   0x5a10  /dev/port, processes that live for 60 ms and more
 *   0x5a20  /dev/port, processes that live for 5 ms
 *   0x5a30  /dev/port, threads
 *   0x5a40  a kernel thread   0x5a50 kworkers   0x5a60 hardware interrupts   0x5a70 softirqs
 *   0x5a80  /dev/port, programs that are started, and live for 5 ms   0x5aa0 the idle task
 *
 * /dev/port is written eight bytes at a time, port after port: the pid, and which life it is (one
 * more for each process), both little-endian. The pid is given again soon: pid_max is small.
 * A kernel without /dev/port writes a read-only register of edu's PCI configuration instead, by
 * ports 0xcf8 and 0xcfc: LIFE << 16 | PID to register 0x00 for 0x5a10, 0x08, 0x28, 0x2c for the others.
 *
 *   @edu BAR CONFIG         where it is: memory, and what 0xcf8 gets for register 0; 0 without
 *   @job CLASS PID COMM     before its accesses (classes are the ports, "mmio"), or after for short ones
 *   @ready, @done           before the first and after the last; between them a line is waited for,
 *                           and after them another, which reboots
 *
 * The kernel's command line: rounds=N (1) for all of it N times, busy: a computing process a CPU, lies=N:
 * before @ready a memory full of forged texts, and then nothing but N accesses of port 0x5a90 by one
 * process under ever another name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_IOPL = 0x6a01, JOBS_KTHREAD, JOBS_KWORKER, JOBS_HARDIRQ, JOBS_SOFTIRQ, JOBS_IDLE, JOBS_LIE };
enum { RING3 = 0x5a00, LONG = 0x5a10, SHORT = 0x5a20, THREAD = 0x5a30, STARTED = 0x5a80 };

static volatile uint32_t* device;
static uint64_t bar;
static char config_path[300];
static unsigned config_address;
static int port_file, config_file = -1, jobs_file;
static uint32_t life;
static int children; /* that end by themselves */

static pid_t self(void) { return (pid_t)syscall(SYS_gettid); }

static void job(const char* class, pid_t pid, const char* comm) { printf("@job %s %d %s\n", class, pid, comm); }

static off_t register_of(int port) {
  return port == LONG ? 0x00 : port == SHORT ? 0x08 : port == THREAD ? 0x28 : 0x2c;
}

static void tell(int port, pid_t pid, uint32_t which) {
  uint32_t words[2] = {(uint32_t)pid, which};
  uint32_t both = which << 16 | (uint32_t)pid;
  if (port_file >= 0 ? pwrite(port_file, words, 8, port) != 8
                     : pwrite(config_file, &both, 4, register_of(port)) != 4)
    puts("@no port");
}

static void start(const char* name, void (*body)(int), int number) {
  fflush(stdout);
  life++;
  children++;
  if (fork() != 0) return;
  prctl(PR_SET_NAME, name, 0, 0, 0);
  body(number);
  fflush(stdout);
  _exit(0);
}
static void wait_for_all(void) {
  for (; children > 0; children--) wait(NULL);
}

/* --- The classes ------------------------------------------------------------------------------ */

static void in_ring3(int unused) {
  (void)unused;
  if (ioctl(jobs_file, JOBS_IOPL, 0)) return;
  pid_t pid = self();
  job("5a00", pid, "ring3");
  for (int i = 0; i < 250; i++) {
    outl((uint32_t)pid, RING3);
    if (i % 10 == 0) usleep(500);
  }
}

static void by_mmio(int unused) {
  (void)unused;
  pid_t pid = self();
  job("mmio", pid, "mmio");
  for (int i = 0; i < 250; i++) {
    device[1] = (uint32_t)pid;
    if (i % 10 == 0) usleep(500);
  }
}

static void live_long(int unused) {
  (void)unused;
  pid_t pid = self();
  job("5a10", pid, "long");
  for (int i = 0; i < 20; i++) {
    tell(LONG, pid, life);
    usleep(3000);
  }
}

static void live_short(int unused) {
  (void)unused;
  for (int i = 0; i < 3; i++) {
    tell(SHORT, self(), life);
    usleep(1500);
  }
}

static void start_program(int unused) {
  (void)unused;
  char number[16];
  snprintf(number, sizeof number, "%u", life);
  execl("/started", "started", number, config_path, NULL);
}

static void* thread_body(void* unused) {
  (void)unused;
  prctl(PR_SET_NAME, "thread", 0, 0, 0);
  pid_t pid = self();
  job("5a30", pid, "thread");
  for (int i = 0; i < 25; i++) {
    tell(THREAD, pid, life);
    usleep(1000);
  }
  return NULL;
}
static void in_threads(int count) {
  pthread_t threads[16];
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, thread_body, NULL);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static void in_kernel(int count) {
  for (int job = JOBS_KTHREAD; job <= JOBS_IDLE; job++)
    if (ioctl(jobs_file, job, count)) puts("@no job");
}

static void burn(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
  for (volatile unsigned long i = 0;; i++) continue;
}

/* --- The guest -------------------------------------------------------------------------------- */

/* Processes one behind the other, their pids told when they are gone. */
static void run_briefly(const char* class, const char* name, void (*body)(int)) {
  enum { BRIEFS = 60 };
  pid_t pids[BRIEFS];
  fflush(stdout);
  for (int i = 0; i < BRIEFS; i++) {
    life++;
    children++;
    pids[i] = fork();
    if (pids[i] == 0) {
      prctl(PR_SET_NAME, name, 0, 0, 0);
      body(0);
      _exit(0);
    }
    if (i % 3 == 2) wait_for_all(); /* three at a time */
  }
  wait_for_all();
  for (int i = 0; i < BRIEFS; i++) job(class, pids[i], name);
}

static void run_all(void) {
  for (int i = 0; jobs_file >= 0 && i < 4; i++) start("ring3", in_ring3, 0);
  for (int i = 0; device && i < 4; i++) start("mmio", by_mmio, 0);
  wait_for_all();
  for (int i = 0; i < 8; i++) start("long", live_long, 0);
  start("threads", in_threads, 8);
  wait_for_all();
  run_briefly("5a20", "short", live_short);
  run_briefly("5a80", "started", start_program);
  if (jobs_file >= 0) start("kernel", in_kernel, 250);
  for (int i = 0; i < 4; i++) start("long", live_long, 0);
  wait_for_all();
}

static void map_device(void) {
  glob_t found;
  char path[300], text[100];
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
    if (file && fgets(text, sizeof text, file)) sscanf(text, "%lx", &bar);
    snprintf(path, sizeof path, "%s/resource0", found.gl_pathv[i]);
    fd = open(path, O_RDWR | O_SYNC);
    unsigned bus, slot, function;
    const char* name = strrchr(found.gl_pathv[i], '/') + 6; /* behind the domain */
    if (sscanf(name, "%x:%x.%x", &bus, &slot, &function) == 3)
      config_address = 1U << 31 | bus << 16 | slot << 11 | function << 8;
    snprintf(config_path, sizeof config_path, "%s/config", found.gl_pathv[i]);
    config_file = open(config_path, O_RDWR);
    void* mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) device = mapped;
  }
}

static void set_up(char* cmdline, size_t size) {
  mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sys", "/sys", "sysfs", 0, NULL);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  int fd = open("/proc/cmdline", O_RDONLY);
  ssize_t n = read(fd, cmdline, size - 1);
  cmdline[n > 0 ? n : 0] = 0;
  fd = open("/iovm_jobs.ko", O_RDONLY);
  if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0)) perror("@no module");
  fd = open("/proc/sys/kernel/pid_max", O_WRONLY);
  if (fd < 0 || write(fd, "400\n", 4) != 4) puts("@no pid_max");
  jobs_file = open("/dev/iovm_jobs", O_RDWR);
  port_file = open("/dev/port", O_RDWR);
  map_device();
}

int main(int argc, char** argv) {
  char cmdline[2048], line[100];
  if (argc == 3 && strcmp(argv[0], "started") == 0) {
    port_file = open("/dev/port", O_RDWR);
    config_file = open(argv[2], O_RDWR);
    for (int i = 0; i < 3; i++) {
      tell(STARTED, self(), (uint32_t)atoi(argv[1]));
      usleep(1500);
    }
    return 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 4096);
  set_up(cmdline, sizeof cmdline);
  if (strstr(cmdline, "busy"))
    for (int cpu = 0; cpu < (int)sysconf(_SC_NPROCESSORS_ONLN); cpu++) start("burn", burn, cpu);
  children = 0; /* those never end */
  const char* rounds = strstr(cmdline, "rounds=");
  const char* lies = strstr(cmdline, "lies=");
  if (lies && ioctl(jobs_file, JOBS_LIE, 1)) puts("@no lies");
  printf("@edu 0x%lx 0x%x\n@ready\n", bar, config_address);
  if (!fgets(line, sizeof line, stdin)) sleep(1);
  if (lies && ioctl(jobs_file, JOBS_LIE, atol(lies + 5))) puts("@no lies");
  for (int i = lies ? 0 : rounds ? atoi(rounds + 7) : 1; i > 0; i--) run_all();
  puts("@done");
  if (fgets(line, sizeof line, stdin)) reboot(RB_AUTOBOOT);
  for (;;) sleep(1000);
}
