// SPDX-License-Identifier: Apache-2.0
//
// The first process of the Linux guest that the resolver is tested with. It makes a population of
// tasks whose like a resolver gets wrong (threads, a name space, a shared address space, a comm of
// escape sequences), says on the console what the guest's own /proc knows of every task, and stays.
//
//   @task PID TGID START_TICKS INNER_PID CGROUP COMM     one line a thread, COMM percent-encoded
//   @ready N                                             N lines were said
//
// The kernel's command line chooses more: `burn` (one process a CPU that only computes, `@burn CPU
// PID`), `churn` (a child every few milliseconds), `tasks=N` (N sleeping processes more).
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_comm(const char* comm) {
  prctl(PR_SET_NAME, comm, 0, 0, 0);
}

static int read_text(const char* path, char* out, size_t size) {
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
  if (fd >= 0) close(fd);
  out[n > 0 ? n : 0] = 0;
  return n > 0;
}

static void write_text(const char* path, const char* text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  if (write(fd, text, strlen(text)) < 0) perror(path);
  close(fd);
}

static const char* field_of(const char* status, const char* name) {
  const char* at = strstr(status, name);
  return at ? at + strlen(name) : "";
}

// --- The population ---------------------------------------------------------

static _Noreturn void sleep_as(const char* comm) {
  set_comm(comm);
  for (;;) pause();
}

static void* idle_thread(void* comm) {
  sleep_as(comm);
}

static void sleeper(void) {
  set_comm("sleeper");
  pthread_t t;
  pthread_create(&t, NULL, idle_thread, "sleeper-a");
  pthread_create(&t, NULL, idle_thread, "sleeper-b");
  for (;;) pause();
}

static void evil(void) {
  sleep_as("\x1b[31mevil\xff\xfe\n");
}

static int inner(void* unused) {
  (void)unused;
  sleep_as("inner");
}

// A child that shares the address space of its parent, as vfork's does until it execs.
static int sharer(void* unused) {
  (void)unused;
  sleep_as("sharer");
}

static void burner(int cpu) {
  char comm[16];
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
  snprintf(comm, sizeof(comm), "burn-%d", cpu);
  set_comm(comm);
  for (volatile unsigned long i = 0;; i++) continue;
}

static void churner(void) {
  set_comm("churner");
  for (;;) {
    pid_t pid = fork();
    if (pid == 0) {
      set_comm("short-lived");
      usleep(5000);
      _exit(0);
    }
    waitpid(pid, NULL, 0);
  }
}

static pid_t start(void (*body)(void)) {
  pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(0);
  }
  return pid;
}

static void populate(const char* cmdline) {
  static char stack[2][16384] __attribute__((aligned(16)));
  start(sleeper);
  start(evil);
  pid_t boxed = clone(inner, stack[0] + sizeof(stack[0]), CLONE_NEWPID | SIGCHLD, NULL);
  char text[32];
  snprintf(text, sizeof(text), "%d", boxed);
  mkdir("/cgroup/box", 0755);
  mkdir("/cgroup/box/nested", 0755);
  write_text("/cgroup/box/nested/cgroup.procs", text);
  clone(sharer, stack[1] + sizeof(stack[1]), CLONE_VM | SIGCHLD, NULL);
  const char* more = strstr(cmdline, "tasks=");
  for (int i = more ? atoi(more + 6) : 0; i > 0; i--) start(sleeper);
  if (strstr(cmdline, "churn")) start(churner);
  if (strstr(cmdline, "burn")) {
    for (int cpu = 0; cpu < (int)sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
      pid_t pid = fork();
      if (pid == 0) burner(cpu);
      printf("@burn %d %d\n", cpu, pid);
    }
  }
}

// --- What /proc says --------------------------------------------------------

static void print_encoded(const char* text) {
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (isgraph(c) && c != '%' && c < 0x80)
      putchar(c);
    else
      printf("%%%02x", c);
  }
}

// One thread; 0 if it has ended meanwhile.
static int print_task(const char* pid, const char* tid) {
  char path[600], stat[1024], status[8192], cgroup[512], comm[64];
  snprintf(path, sizeof(path), "/proc/%s/task/%s/stat", pid, tid);
  if (!read_text(path, stat, sizeof(stat))) return 0;
  snprintf(path, sizeof(path), "/proc/%s/task/%s/status", pid, tid);
  if (!read_text(path, status, sizeof(status))) return 0;
  snprintf(path, sizeof(path), "/proc/%s/task/%s/cgroup", pid, tid);
  if (!read_text(path, cgroup, sizeof(cgroup))) strcpy(cgroup, "0::/");
  snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, tid);
  if (!read_text(path, comm, sizeof(comm))) return 0;
  comm[strlen(comm) - 1] = 0;
  const char* at = strrchr(stat, ')') + 2;
  for (int skip = 3; skip < 22; skip++) at = strchr(at, ' ') + 1;
  unsigned long long ticks = strtoull(at, NULL, 10);
  char nspid[128];
  snprintf(nspid, sizeof(nspid), "%.*s", (int)strcspn(field_of(status, "NSpid:"), "\n"),
           field_of(status, "NSpid:"));
  char* inner_pid = strrchr(nspid, '\t');
  cgroup[strcspn(cgroup, "\n")] = 0;
  char* group = strrchr(cgroup, ':');
  printf("@task %s %s %llu %s %s ", tid, pid, ticks, inner_pid ? inner_pid + 1 : "-",
         group ? group + 1 : "/");
  print_encoded(comm);
  putchar('\n');
  return 1;
}

static int print_tasks(void) {
  int count = 0;
  DIR* all = opendir("/proc");
  for (struct dirent* p; (p = readdir(all));) {
    if (!isdigit((unsigned char)p->d_name[0])) continue;
    char path[300];
    snprintf(path, sizeof(path), "/proc/%s/task", p->d_name);
    DIR* threads = opendir(path);
    for (struct dirent* t; threads && (t = readdir(threads));)
      if (isdigit((unsigned char)t->d_name[0])) count += print_task(p->d_name, t->d_name);
    if (threads) closedir(threads);
  }
  closedir(all);
  return count;
}

int main(void) {
  char cmdline[2048];
  mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/cgroup", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sys", "/sys", "sysfs", 0, NULL);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  mount("cgroup", "/cgroup", "cgroup2", 0, NULL);
  if (!freopen("/dev/console", "w", stdout)) return 1;
  setvbuf(stdout, NULL, _IOLBF, 4096);
  read_text("/proc/cmdline", cmdline, sizeof(cmdline));
  set_comm("l2-init");
  populate(cmdline);
  sleep(2);  // the threads are there, the kernel's boot-time workers are gone
  printf("@ready %d\n", print_tasks());
  for (;;) {
    if (waitpid(-1, NULL, 0) < 0) pause();
  }
}
