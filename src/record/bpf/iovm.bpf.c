// SPDX-License-Identifier: GPL-2.0
/*
 * One access of a guest, seen at KVM's tracepoints: runs on the vCPU's own thread, inside the exit.
 * It looks up whose VM that is, reads registers that are at hand, and puts one record of iovm_abi.h
 * into the ring of this CPU. What it does and how it counts is what iovm.ko does (kmod/README.md).
 *
 * Each CPU has a BPF ring buffer of its own, written by that CPU alone. A record is reserved first
 * and takes its time afterwards: so a reader who saw how far a ring is reserved at T knows that all
 * that comes later is later than T. A record that finds no room is counted for its vCPU, and the
 * next record of that vCPU is preceded by one that says how many are missing.
 */
#include <linux/bpf.h>
/* the kernel's own before the helpers */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "guest.h"
#include "regs.h"
#include "state.h"
#include "structures.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct iovm_bpf_settings settings = {};
struct iovm_bpf_control control = {};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, IOVM_BPF_MOST_STATES);
  __type(key, __u32);
  __type(value, struct iovm_vcpu_state);
} states SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, IOVM_BPF_MOST_STATES);
  __type(key, struct iovm_bpf_vcpu);
  __type(value, __u32);
} states_by_vcpu SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, IOVM_MAX_VMS);
  __type(key, __u32); /* tgid */
  __type(value, struct iovm_bpf_vm);
} vms SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, IOVM_BPF_MOST_GUESTS);
  __type(key, __u32);
  __type(value, struct iovm_guest);
} guests SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* one for each CPU; set at load */
  __type(key, __u32);
  __type(value, struct iovm_cpu_state);
} cpus SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1); /* set at load if there are to be any */
  __type(key, struct iovm_stop_at);
  __type(value, struct iovm_stop_tests);
} stops SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1); /* as many as states, if any */
  __type(key, __u32);
  __type(value, struct iovm_left_stop);
} left_stops SEC(".maps");

struct ring {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1); /* one for each CPU and one spare; set at load */
  __type(key, __u32);
  __array(values, struct ring);
} rings SEC(".maps");

/* --- Whose is it ------------------------------------------------------------------------------ */

/* The state of that vCPU, made if it has none yet. */
static __always_inline __u32 state_of(__u64 start, __u32 tgid, __u32 tid, __u32 vcpu) {
  struct iovm_bpf_vcpu key = {.start = start, .tgid = tgid, .vcpu = vcpu};
  __u32* known = bpf_map_lookup_elem(&states_by_vcpu, &key);
  struct iovm_vcpu_state* state;
  __u32 fresh;

  if (!known) {
    if (control.next_state >= IOVM_BPF_MOST_STATES) return IOVM_SHARED;
    fresh = __sync_fetch_and_add(&control.next_state, 1);
    bpf_map_update_elem(&states_by_vcpu, &key, &fresh, BPF_NOEXIST);
    known = bpf_map_lookup_elem(&states_by_vcpu, &key);
    if (!known) return IOVM_SHARED;
  }
  fresh = *known;
  state = bpf_map_lookup_elem(&states, &fresh);
  if (!state) return IOVM_SHARED;
  state->tgid = tgid;
  state->tid = tid;
  state->vcpu = vcpu;
  return fresh;
}

/* The vCPU whose preemption notifier KVM has put on this thread, and what of it never changes. */
static __always_inline void find_vcpu(struct task_struct* task, struct iovm_cpu_state* cpu) {
  struct kvm_vcpu* vcpu = (void*)cpu->notifier -
                          bpf_core_field_offset(struct kvm_vcpu, preempt_notifier) -
                          bpf_core_field_offset(struct preempt_notifier, link);
  struct kvm* kvm;

  cpu->vcpu = 0;
  cpu->vcpu_id = 0;
  if (!cpu->notifier) return;
  kvm = copy_of(vcpu->kvm);
  if (copy_of(kvm->mm) != task->mm) return;
  cpu->vcpu = (__u64)vcpu;
  cpu->vcpu_id = (__u16)copy_of(vcpu->vcpu_id);
  cpu->hidden = bpf_core_field_exists(vcpu->arch.guest_state_protected) &&
                copy_of(vcpu->arch.guest_state_protected);
  cpu->vmcb = 0;
  if (settings.svm && bpf_core_field_exists(((struct vcpu_svm*)0)->vmcb))
    cpu->vmcb = (__u64)copy_of(((struct vcpu_svm*)vcpu)->vmcb);
}

static __noinline int look_at(struct task_struct* task, struct iovm_cpu_state* cpu,
                              __u64 notifier) {
  __u64 start = task->group_leader->start_boottime / IOVM_BPF_TICK_NS;
  __u32 tgid = (__u32)task->tgid;
  struct iovm_bpf_vm* vm = bpf_map_lookup_elem(&vms, &tgid);

  if (vm && vm->start != start) vm = 0;
  cpu->epoch = control.epoch;
  cpu->born = task->start_boottime;
  cpu->tid = (__u32)task->pid;
  cpu->notifier = notifier;
  cpu->guest = vm ? vm->guest : IOVM_BPF_MOST_GUESTS;
  cpu->state = IOVM_FOREIGN;
  if (!vm && !control.all_vms) return 0;
  find_vcpu(task, cpu);
  cpu->state = cpu->vcpu ? state_of(start, tgid, cpu->tid, cpu->vcpu_id) : IOVM_SHARED;
  return 0;
}

/* --- Into the ring ---------------------------------------------------------------------------- */

static __always_inline void count_drop(struct iovm_vcpu_state* state, enum iovm_drop cause) {
  if (!state->gap) state->gap_first = bpf_ktime_get_ns();
  state->gap++;
  state->gap_cause = cause;
  state->dropped[cause]++;
}

/* What the tracepoint says. */
struct access {
  __u64 address;
  const void* value;
  __u32 size;
  __u32 count;
  __u16 present;
  __u8 kind;
  __u8 direction;
};

/* By a load, for the sizes that there are loads of; whether it was one. */
static __always_inline bool load_value(__u64* to, const void* from, __u32 size) {
  struct kvm_vcpu_arch* at; /* begins with a number: that is all that is wanted of it */

  if (!settings.direct || bpf_core_field_offset(struct kvm_vcpu_arch, regs) != 0) return false;
  at = cast_to(struct kvm_vcpu_arch, from);
  if (size == 1)
    *to = *(volatile __u8*)&at->regs[0];
  else if (size == 2)
    *to = *(volatile __u16*)&at->regs[0];
  else if (size == 4)
    *to = *(volatile __u32*)&at->regs[0];
  else if (size == 8)
    *to = *(volatile __u64*)&at->regs[0];
  return size == 1 || size == 2 || size == 4 || size == 8;
}

/* The first element. */
static __always_inline bool read_value(__u64* to, const void* from, __u32 size) {
  if (load_value(to, from, size)) return true;
  size = size < sizeof(*to) ? size : sizeof(*to);
  asm volatile("" : "+r"(size)); /* so that the bound is said where the verifier looks for it */
  return bpf_probe_read_kernel(to, size & (2 * sizeof(*to) - 1), from) == 0;
}

static __always_inline void fill(struct iovm_record* record, const struct access* access,
                                 struct task_struct* task, const struct iovm_cpu_state* cpu) {
  record->address = access->address;
  record->value = 0;
  record->rip = record->cr3 = record->gs_base = 0;
  record->tgid = (__u32)task->tgid;
  record->tid = (__u32)task->pid;
  record->count = access->count;
  record->vcpu = cpu->vcpu_id;
  record->present = access->present | (cpu->vcpu ? IOVM_HAS_VCPU : 0);
  record->kind = access->kind;
  record->direction = access->direction;
  record->size = (__u8)access->size;
  record->cpl = 0;
  record->stopped_by = 0;
  if (access->value && read_value(&record->value, access->value, access->size))
    record->present |= IOVM_HAS_VALUE;
  read_regs(cpu, record);
}

static __always_inline void fill_loss(struct iovm_record* loss, const struct iovm_record* after,
                                      struct iovm_vcpu_state* state) {
  __builtin_memset(loss, 0, sizeof(*loss));
  loss->time = after->time;
  loss->address = state->gap_first;
  loss->value = state->gap;
  loss->count = state->gap_cause;
  loss->sequence = after->sequence;
  loss->present = IOVM_HAS_VALUE;
  loss->kind = IOVM_LOSS;
  if (!state->tgid) return;
  loss->tgid = after->tgid;
  loss->tid = after->tid;
  loss->vcpu = after->vcpu;
  loss->present |= IOVM_HAS_VCPU;
}

static __always_inline void fill_task(struct iovm_task* told, const struct iovm_record* after,
                                      struct iovm_task* task) {
  task->time = after->time;
  task->tgid = after->tgid;
  task->tid = after->tid;
  task->sequence = after->sequence;
  task->vcpu = after->vcpu;
  task->present = IOVM_HAS_VCPU;
  task->kind = IOVM_TASK;
  *told = *task;
}

/*
 * A fact about pointers that is tested later, where the pointers themselves must not be: until 6.2
 * the verifier takes a reserved record that is tested twice for one that may be none.
 */
#define remember(fact) asm volatile("" : "+r"(fact))

/* --- The stop --------------------------------------------------------------------------------- */

/* The number of a test that means this write, or 0. */
static __always_inline __u32 stop_for(const struct access* access,
                                      const struct iovm_cpu_state* cpu) {
  struct iovm_stop_at at = {.address = access->address, .kind = access->kind};
  const struct iovm_stop_tests* tests;
  __u64 value = 0;
  bool known;

  if (access->direction != IOVM_WRITE || !cpu->vcpu || cpu->guest >= IOVM_BPF_MOST_GUESTS) return 0;
  tests = bpf_map_lookup_elem(&stops, &at);
  if (!tests) return 0;
  known = access->value && read_value(&value, access->value, access->size);
  for (__u32 i = 0; i < IOVM_BPF_STOP_TESTS; i++) {
    const struct iovm_stop_test* test = &tests->test[i];
    __u64 bits = value & test->mask;

    if (i >= tests->count) break;
    if (test->sizes && !(test->sizes & access->size)) continue;
    if (!known && test->mask) continue;
    if ((bits >= test->first && bits <= test->last) != (test->negated != 0)) return test->number;
  }
  return 0;
}

/*
 * Stops the process of this thread before it comes back from KVM_RUN with the access: no device of
 * the VMM has seen it by then.
 */
static __always_inline __u32 stop(const struct access* access, const struct iovm_cpu_state* cpu) {
  enum { SIGNAL_STOP = 19 };
  __u32 number = stop_for(access, cpu);

  return number && bpf_send_signal(SIGNAL_STOP) == 0 ? number : 0;
}

static __always_inline void mark_stopped(struct iovm_record* record, __u32 stopped_by) {
  if (!settings.stops || !stopped_by) return;
  record->stopped_by = stopped_by;
  record->present |= IOVM_STOPPED;
}

/* A stop whose record found no room. Whether it is told all the same, by user space. */
static __noinline int leave_stop(const struct access* access, struct task_struct* task,
                                 const struct iovm_cpu_state* cpu, __u32 which, __u32 stopped_by) {
  struct iovm_left_stop* left = bpf_map_lookup_elem(&left_stops, &which);

  if (!left || left->waits) return 0;
  left->record.time = bpf_ktime_get_ns();
  left->record.sequence = cpu->sequence;
  left->record.current_task = 0;
  left->record.preempt_count = 0;
  fill(&left->record, access, task, cpu);
  mark_stopped(&left->record, stopped_by);
  asm volatile("" ::: "memory");
  left->waits = 1;
  return 1;
}

/* It was counted as lost, and is not. */
static __always_inline void count_left(struct iovm_vcpu_state* state) {
  __u32 cause = state->gap_cause;

  state->gap--;
  state->records++;
  if (cause < IOVM_DROPS) state->dropped[cause]--;
}

/* The record, and before it what was lost and another task, if any; all of them or none. */
static __always_inline void put(void* ring, struct iovm_cpu_state* cpu, const struct access* access,
                                struct task_struct* task, struct iovm_vcpu_state* state,
                                __u32 stopped_by) {
  const struct iovm_guest* guest = state->slot ? bpf_map_lookup_elem(&guests, &cpu->guest) : 0;
  struct iovm_task *told = 0, of_guest = {};
  struct iovm_record *loss = 0, *record;
  struct guest_view view = {};
  __u64 another = state->slot && read_guest(state, guest, &view, &of_guest);
  __u64 lost = state->gap != 0, flags = BPF_RB_NO_WAKEUP;

  remember(another);
  remember(lost);
  cpu->sequence++;
  if (lost) {
    loss = bpf_ringbuf_reserve(ring, sizeof(*loss), 0);
    if (!loss) return count_drop(state, IOVM_DROP_FULL);
  }
  if (another) {
    told = bpf_ringbuf_reserve(ring, sizeof(*told), 0);
    if (!told) {
      if (lost) bpf_ringbuf_discard(loss, BPF_RB_NO_WAKEUP);
      return count_drop(state, IOVM_DROP_FULL);
    }
  }
  record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
  if (!record) {
    if (lost) bpf_ringbuf_discard(loss, BPF_RB_NO_WAKEUP);
    if (another) bpf_ringbuf_discard(told, BPF_RB_NO_WAKEUP);
    return count_drop(state, IOVM_DROP_FULL);
  }
  record->time = bpf_ktime_get_ns();
  record->sequence = cpu->sequence;
  fill(record, access, task, cpu);
  record->current_task = view.current_task;
  record->preempt_count = view.preempt_count;
  if (!(record->present & IOVM_NESTED)) record->present |= view.present;
  if (lost) {
    fill_loss(loss, record, state);
    bpf_ringbuf_submit(loss, BPF_RB_NO_WAKEUP);
    state->gap = 0;
  }
  if (another) {
    fill_task(told, record, &of_guest);
    state->task = of_guest;
    bpf_ringbuf_submit(told, BPF_RB_NO_WAKEUP);
  }
  mark_stopped(record, stopped_by);
  if (++cpu->unwoken >= control.wake_every || stopped_by) {
    cpu->unwoken = 0;
    flags = BPF_RB_FORCE_WAKEUP;
  }
  bpf_ringbuf_submit(record, flags);
  state->records++;
}

static __always_inline int see(const struct access* access) {
  struct task_struct* task = bpf_get_current_task_btf();
  __u64 notifier = (__u64)task->preempt_notifiers.first;
  __u32 number = bpf_get_smp_processor_id(), which;
  struct iovm_cpu_state* cpu = bpf_map_lookup_elem(&cpus, &number);
  struct iovm_vcpu_state* state;
  __u32 stopped_by = 0;
  __u64 records;
  void* ring;

  if (!cpu) return 0; /* cannot be */
  if (cpu->tid != (__u32)task->pid || cpu->born != task->start_boottime ||
      cpu->notifier != notifier || cpu->epoch != control.epoch)
    look_at(task, cpu, notifier);
  if (cpu->state == IOVM_FOREIGN) return 0;
  which = cpu->state == IOVM_SHARED ? number : cpu->state;
  state = bpf_map_lookup_elem(&states, &which);
  if (!state) return 0; /* cannot be */
  if (settings.stops) stopped_by = stop(access, cpu);
  records = state->records;
  ring = bpf_map_lookup_elem(&rings, &number);
  if (ring)
    put(ring, cpu, access, task, state, stopped_by);
  else
    count_drop(state, IOVM_DROP_NO_RING);
  if (settings.stops && stopped_by && state->records == records &&
      leave_stop(access, task, cpu, which, stopped_by))
    count_left(state);
  return 0;
}

/* --- The tracepoints (arch/x86/kvm/trace.h, include/trace/events/kvm.h) -------------------------
 */

enum { PIO_OUT = 1 };
enum { MMIO_READ_UNSATISFIED = 0, MMIO_READ = 1, MMIO_WRITE = 2 };

/* Argument n, a setting: the verifier takes the one case and drops the others. */
static __always_inline __u64 argument(void* ctx, __u32 n) {
  __u64 value = 0;

  switch (n) {
    case 0:
      asm volatile("%0 = *(u64 *)(%1 + 0)" : "=r"(value) : "r"(ctx));
      break;
    case 1:
      asm volatile("%0 = *(u64 *)(%1 + 8)" : "=r"(value) : "r"(ctx));
      break;
    case 2:
      asm volatile("%0 = *(u64 *)(%1 + 16)" : "=r"(value) : "r"(ctx));
      break;
    case 3:
      asm volatile("%0 = *(u64 *)(%1 + 24)" : "=r"(value) : "r"(ctx));
      break;
    case 4:
      asm volatile("%0 = *(u64 *)(%1 + 32)" : "=r"(value) : "r"(ctx));
      break;
    case 5:
      asm volatile("%0 = *(u64 *)(%1 + 40)" : "=r"(value) : "r"(ctx));
      break;
  }
  return value;
}

SEC("raw_tp/kvm_pio")
int see_pio(void* ctx) {
  struct access access = {
      .kind = IOVM_PIO,
      .direction = (__u32)argument(ctx, settings.pio_rw) == PIO_OUT ? IOVM_WRITE : IOVM_READ,
      .address = (__u32)argument(ctx, settings.pio_port),
      .size = (__u32)argument(ctx, settings.pio_size),
      .count = (__u32)argument(ctx, settings.pio_count),
      .value = (const void*)argument(ctx, settings.pio_data),
      .present = IOVM_HAS_SIZE | IOVM_HAS_COUNT,
  };

  return see(&access);
}

SEC("raw_tp/kvm_mmio")
int see_mmio(void* ctx) {
  __u32 type = (__u32)argument(ctx, settings.mmio_type);
  __u64 value = argument(ctx, settings.mmio_val);
  struct access access = {
      .kind = type == MMIO_READ_UNSATISFIED ? IOVM_MMIO_BEGINS : IOVM_MMIO,
      .direction = type == MMIO_WRITE ? IOVM_WRITE : IOVM_READ,
      .address = argument(ctx, settings.mmio_gpa),
      .size = (__u32)argument(ctx, settings.mmio_len),
      .count = 1,
      .value = type == MMIO_READ_UNSATISFIED ? 0 : (const void*)value,
      .present = IOVM_HAS_SIZE | IOVM_HAS_COUNT,
  };

  return see(&access);
}

SEC("raw_tp/kvm_fast_mmio")
int see_fast_mmio(void* ctx) {
  struct access access = {
      .kind = IOVM_FAST_MMIO,
      .direction = IOVM_WRITE,
      .address = argument(ctx, settings.fast_gpa),
      .count = 1,
      .present = IOVM_HAS_COUNT,
  };

  return see(&access);
}
