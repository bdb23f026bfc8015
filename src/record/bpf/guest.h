/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which task of the guest is in this exit. User space has found where the guest's kernel keeps it,
 * and said so in addresses of the VMM, whose thread this is: all that is done here is to copy a few
 * words of user memory. There are no page tables to walk, nothing can loop, and what cannot be read
 * is not known. The vCPU stands still meanwhile, so its task cannot end while it is read.
 *
 * All that is read may be lies: a guest can only name its own processes wrongly.
 */
#ifndef IOVM_BPF_GUEST_H
#define IOVM_BPF_GUEST_H

#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "state.h"

static __always_inline bool copy(void* to, __u64 from, __u32 size) {
  return from && bpf_probe_read_user(to, size, (void*)from) == 0;
}

/* Where `size` bytes at a kernel address of the guest are in the VMM; 0: not in any range. */
static __noinline __u64 vmm_address(const struct iovm_guest* guest, __u64 address, __u64 size) {
  for (__u32 i = 0; i < IOVM_MAX_RANGES; i++) {
    const struct iovm_range* range = &guest->range[i];
    __u64 offset = address - range->guest;

    if (i >= guest->ranges) break;
    if (offset < range->bytes && size <= range->bytes - offset) return range->vmm + offset;
  }
  return 0;
}

static __always_inline bool field(const struct iovm_guest* guest, void* to, __u64 task,
                                  __u32 offset, __u32 size) {
  return copy(to, vmm_address(guest, task + offset, size), size);
}

/* What tells one life of a task from another, and one program from the next (exec changes mm). */
static __always_inline bool read_identity(const struct iovm_guest* guest, __u64 address,
                                          struct iovm_task* task) {
  return field(guest, &task->pid, address, guest->pid, sizeof(task->pid)) &&
         field(guest, &task->start_time, address, guest->start_time, sizeof(task->start_time)) &&
         field(guest, &task->mm, address, guest->mm, sizeof(task->mm)) &&
         field(guest, task->comm, address, guest->comm, sizeof(task->comm));
}

static __always_inline bool read_rest(const struct iovm_guest* guest, __u64 address,
                                      struct iovm_task* task) {
  return field(guest, &task->process, address, guest->process, sizeof(task->process)) &&
         field(guest, &task->flags, address, guest->flags, sizeof(task->flags));
}

static __always_inline bool same_task(const struct iovm_task* a, const struct iovm_task* b) {
  const __u64 *a_comm = (const __u64*)a->comm, *b_comm = (const __u64*)b->comm;

  return a->time && a->current_task == b->current_task && a->pid == b->pid &&
         a->start_time == b->start_time && a->mm == b->mm && a_comm[0] == b_comm[0] &&
         a_comm[1] == b_comm[1];
}

/* What was read of the guest besides its task. */
struct guest_view {
  __u64 current_task;
  __u32 preempt_count;
  __u16 present;
};

/* Fills the view, and `task` if it could be read. True: it is another than the last one told. */
static __always_inline bool read_guest(const struct iovm_vcpu_state* state,
                                       const struct iovm_guest* guest, struct guest_view* view,
                                       struct iovm_task* task) {
  if (copy(&view->current_task, state->slot, sizeof(view->current_task)))
    view->present |= IOVM_HAS_CURRENT;
  if (copy(&view->preempt_count, state->preempt_count, sizeof(view->preempt_count)))
    view->present |= IOVM_HAS_PREEMPT_COUNT;
  if (!guest || !guest->ranges || !(view->present & IOVM_HAS_CURRENT)) return false;
  task->current_task = view->current_task;
  if (!read_identity(guest, view->current_task, task)) return false;
  if (same_task(&state->task, task)) {
    view->present |= IOVM_HAS_TASK;
    return false;
  }
  if (!read_rest(guest, view->current_task, task)) return false;
  view->present |= IOVM_HAS_TASK;
  return true;
}

#endif
