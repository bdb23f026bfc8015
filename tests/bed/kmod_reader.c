// SPDX-License-Identifier: Apache-2.0
/*
 * kmod_reader - the least program that can read iovm.ko's rings, for tests of the module alone.
 *
 *   kmod_reader [--pid N | --all] [--slots N] [--wake MS] [--seconds S] [--stall MS]
 *               [--dump FILE [--first N]] [--slot VCPU=ADDRESS,ADDRESS] [--guest FILE]
 *               [--strange] [--lie]
 *
 * Records until the VMM has ended, S seconds have passed or SIGTERM comes, checks what it can (times,
 * sequence numbers, the module's counters against records and losses) and prints one line:
 *   records N tasks N lost N losses N in61 N begins N wakes N ok
 * --dump writes the first N (2000) records; --stall reads nothing for so long after each wake;
 * --slot: of `current` and preempt_count; --guest FILE: how to read tasks, lines `range GUEST BYTES VMM`
 * and `offsets PID TGID START MM FLAGS COMM`; --strange speaks another ABI; --lie reads nothing and scribbles over the rings.
 * Exit 1: a check failed; 4: no module, or it refused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../kmod/uapi/iovm_abi.h"

struct options {
  unsigned pid, slots, wake, seconds, stall, vcpu, first;
  unsigned long address, preempt_count;
  struct iovm_guest guest;
  bool all, strange, lie;
  FILE* dump;
};

struct ring {
  struct iovm_ring* page;
  const struct iovm_record* records;
  uint64_t tail, last_time;
  uint32_t sequence;
};

struct totals {
  uint64_t records, tasks, losses, lost, in61, begins, wakes;
  bool wrong;
};

static void die(const char* what) {
  perror(what);
  exit(4);
}

static void wrong(struct totals* totals, const char* what, uint64_t a, uint64_t b) {
  fprintf(stderr, "wrong: %s: %" PRIu64 " %" PRIu64 "\n", what, a, b);
  totals->wrong = true;
}

static void dump_task(FILE* out, const struct iovm_task* t, unsigned cpu) {
  fprintf(out,
          "%" PRIu64 " cpu %u seq %u tgid %u tid %u vcpu %u kind %u task 0x%" PRIx64
          " pid %u process %u start %" PRIu64 " mm 0x%" PRIx64 " flags 0x%x comm %.16s\n",
          (uint64_t)t->time, cpu, t->sequence, t->tgid, t->tid, t->vcpu, t->kind,
          (uint64_t)t->current_task, t->pid, t->process, (uint64_t)t->start_time, (uint64_t)t->mm,
          t->flags, (const char*)t->comm);
}

static void dump(FILE* out, const struct iovm_record* r, unsigned cpu) {
  if (r->kind == IOVM_TASK) return dump_task(out, (const struct iovm_task*)r, cpu);
  fprintf(out,
          "%" PRIu64 " cpu %u seq %u tgid %u tid %u vcpu %u kind %u dir %u addr 0x%" PRIx64
          " size %u count %u value 0x%" PRIx64 " present 0x%x cpl %u rip 0x%" PRIx64
          " cr3 0x%" PRIx64 " gs 0x%" PRIx64 " current 0x%" PRIx64
          " preempt 0x%x\n",
          (uint64_t)r->time, cpu, r->sequence, r->tgid, r->tid, r->vcpu, r->kind, r->direction,
          (uint64_t)r->address, r->size, r->count, (uint64_t)r->value, r->present, r->cpl,
          (uint64_t)r->rip, (uint64_t)r->cr3, (uint64_t)r->gs_base, (uint64_t)r->current_task,
          r->preempt_count);
}

static void check(struct ring* ring, const struct iovm_record* r, struct totals* totals) {
  if (r->time < ring->last_time) wrong(totals, "time goes back", ring->last_time, r->time);
  ring->last_time = r->time;
  if (r->kind == IOVM_LOSS) {
    totals->losses++;
    totals->lost += r->value;
    if (!r->value || r->address > r->time) wrong(totals, "odd loss", r->value, r->address);
    return;
  }
  if (r->kind == IOVM_TASK) {
    totals->tasks++;
    return;
  }
  totals->records++;
  /* A gap in the numbers is what the losses of this ring's vCPUs tell, maybe in another ring. */
  if ((int32_t)(r->sequence - ring->sequence) < 0)
    wrong(totals, "sequence goes back", ring->sequence, r->sequence);
  ring->sequence = r->sequence + 1;
  if (r->kind == IOVM_PIO && r->address == 0x61 && r->direction == IOVM_READ) totals->in61++;
  if (r->kind == IOVM_MMIO_BEGINS) totals->begins++;
}

static void drain(struct ring* ring, const struct options* options, struct totals* totals) {
  uint64_t head = __atomic_load_n(&ring->page->head, __ATOMIC_ACQUIRE);
  for (; ring->tail < head; ring->tail++) {
    const struct iovm_record* r = &ring->records[ring->tail % ring->page->slots];
    check(ring, r, totals);
    if (options->dump && totals->records + totals->losses <= options->first)
      dump(options->dump, r, ring->page->cpu);
  }
  __atomic_store_n(&ring->page->tail, ring->tail, __ATOMIC_RELEASE);
}

static void parse_guest(const char* path, struct iovm_guest* guest) {
  char line[200];
  FILE* file = fopen(path, "r");
  if (!file) die(path);
  while (fgets(line, sizeof line, file)) {
    struct iovm_range* r = &guest->range[guest->ranges];
    uint64_t a, b, c;
    if (sscanf(line, "range %lx %lu %lx", &a, &b, &c) == 3) {
      *r = (struct iovm_range){.guest = a, .bytes = b, .vmm = c};
      guest->ranges++;
    }
    sscanf(line, "offsets %u %u %u %u %u %u", &guest->pid, &guest->process, &guest->start_time,
           &guest->mm, &guest->flags, &guest->comm);
  }
  fclose(file);
}

static struct options parse(int argc, char** argv) {
  struct options o = {.slots = 100000, .wake = 50, .seconds = 280, .first = 2000};
  for (int i = 1; i < argc; i++) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(argv[i], "--all")) {
      o.all = true;
      continue;
    }
    if (!strcmp(argv[i], "--lie")) {
      o.lie = true;
      continue;
    }
    if (!strcmp(argv[i], "--strange")) {
      o.strange = true;
      continue;
    }
    if (!strcmp(argv[i], "--pid")) o.pid = (unsigned)atoi(value);
    else if (!strcmp(argv[i], "--slots")) o.slots = (unsigned)atoi(value);
    else if (!strcmp(argv[i], "--wake")) o.wake = (unsigned)atoi(value);
    else if (!strcmp(argv[i], "--seconds")) o.seconds = (unsigned)atoi(value);
    else if (!strcmp(argv[i], "--stall")) o.stall = (unsigned)atoi(value);
    else if (!strcmp(argv[i], "--first")) o.first = (unsigned)atoi(value);
    else if (!strcmp(argv[i], "--dump")) o.dump = fopen(value, "w");
    else if (!strcmp(argv[i], "--slot"))
      sscanf(value, "%u=%li,%li", &o.vcpu, (long*)&o.address, (long*)&o.preempt_count);
    else if (!strcmp(argv[i], "--guest")) parse_guest(value, &o.guest);
    else exit(2);
    i++;
  }
  return o;
}

static int open_session(const struct options* o, struct iovm_start* start) {
  struct iovm_hello hello = {.abi = IOVM_ABI_VERSION + o->strange};
  int fd = open("/dev/iovm", O_RDWR | O_CLOEXEC);
  if (fd < 0) die("/dev/iovm");
  if (ioctl(fd, IOVM_IOC_HELLO, &hello)) die("HELLO");
  if (o->all && ioctl(fd, IOVM_IOC_ALL_VMS)) die("ALL_VMS");
  if (o->pid && ioctl(fd, IOVM_IOC_ADD_VM, &o->pid)) die("ADD_VM");
  if (o->address) {
    struct iovm_slot slot = {.tgid = o->pid, .vcpu = o->vcpu, .address = o->address};
    slot.preempt_count = o->preempt_count;
    if (ioctl(fd, IOVM_IOC_SLOT, &slot)) die("SLOT");
  }
  if (o->guest.ranges) {
    struct iovm_guest guest = o->guest;
    guest.tgid = o->pid;
    if (ioctl(fd, IOVM_IOC_GUEST, &guest)) die("GUEST");
  }
  if (ioctl(fd, IOVM_IOC_START, start)) die("START");
  fprintf(stderr, "features 0x%x, %u rings of %u slots\n", hello.features, start->rings,
          start->slots);
  return fd;
}

static struct ring* map(int fd, const struct iovm_start* start) {
  struct ring* rings = calloc(start->rings, sizeof(*rings));
  for (unsigned i = 0; i < start->rings; i++) {
    off_t offset = (off_t)i * start->ring_bytes;
    char* at = mmap(NULL, start->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (at == MAP_FAILED) die("mmap");
    rings[i].page = (struct iovm_ring*)at;
    rings[i].records = (const struct iovm_record*)(at + rings[i].page->data);
  }
  return rings;
}

static volatile sig_atomic_t told_to_end;
static void end_it(int number) { told_to_end = number; }

static bool over(const struct options* o, time_t end) {
  return told_to_end || time(NULL) >= end || (o->pid && kill((pid_t)o->pid, 0) && errno == ESRCH);
}

/* What a reader gone mad can do to the module: write anything anywhere in the mapping. */
static void lie(struct ring* ring, unsigned bytes) {
  uint64_t* words = (uint64_t*)ring->page;
  for (int i = 0; i < 100000; i++) {
    uint64_t value = (uint64_t)random() << 33 ^ (uint64_t)random();
    words[(uint64_t)random() % (bytes / 8)] = value;
    if (i % 3) ring->page->tail = i % 2 ? value : ring->page->head - value % 100;
  }
}

static void drain_all(struct ring* rings, unsigned n, const struct options* o, struct totals* t) {
  for (unsigned i = 0; i < n; i++) drain(&rings[i], o, t);
}

int main(int argc, char** argv) {
  struct options o = parse(argc, argv);
  struct iovm_start start = {.slots = o.slots, .wake_ms = o.wake};
  struct iovm_counters counters = {0};
  struct totals t = {0};
  int fd = open_session(&o, &start), left;
  struct ring* rings = map(fd, &start);
  time_t end = time(NULL) + (time_t)o.seconds;
  signal(SIGTERM, end_it);
  while (!over(&o, end)) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, 200) <= 0) continue;
    t.wakes++;
    usleep(o.stall * 1000);
    for (unsigned i = 0; o.lie && i < start.rings; i++) lie(&rings[i], start.ring_bytes);
    if (o.lie) continue;
    drain_all(rings, start.rings, &o, &t);
  }
  if (ioctl(fd, IOVM_IOC_STOP)) die("STOP");
  if (o.lie) return 0;
  do {
    drain_all(rings, start.rings, &o, &t);
    left = ioctl(fd, IOVM_IOC_FLUSH);
    if (left < 0) die("FLUSH");
  } while (left > 0);
  drain_all(rings, start.rings, &o, &t);
  if (ioctl(fd, IOVM_IOC_COUNTERS, &counters)) die("COUNTERS");
  if (counters.records != t.records) wrong(&t, "records", counters.records, t.records);
  if (counters.dropped[0] + counters.dropped[1] != t.lost)
    wrong(&t, "lost", counters.dropped[0] + counters.dropped[1], t.lost);
  printf("records %" PRIu64 " tasks %" PRIu64 " lost %" PRIu64 " losses %" PRIu64 " in61 %" PRIu64 " begins %" PRIu64
         " wakes %" PRIu64 " %s\n",
         t.records, t.tasks, t.lost, t.losses, t.in61, t.begins, t.wakes, t.wrong ? "WRONG" : "ok");
  return t.wrong ? 1 : 0;
}
