/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of iovm.ko and how they meet; README.md tells the design.
 *
 *   hooks.c    finds KVM's tracepoints by name, whenever kvm comes, and puts the probes on them
 *   probe.c    one access: whose is it, what were the guest's registers, into which ring
 *   regs.c     the guest's registers at an exit: VMCB on AMD, VMREAD on Intel
 *   guest.c    the guest's task at an exit, where user space has told how to read it
 *   ring.c     one CPU's ring and its only writer
 *   vms.c      which VM belongs to which session; the table that every probe looks into
 *   session.c  a session: its rings, its start and end, the thread that wakes its reader
 *   device.c   /dev/iovm: one open file is one session
 *
 * Who may run when: probes run on the vCPU's thread with preemption off, take no lock and find
 * everything through RCU. All else runs in process context under session->lock; hooks and the VM
 * table have a mutex each, taken inside it.
 */
#ifndef IOVM_KMOD_H
#define IOVM_KMOD_H

#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/timekeeping.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "uapi/iovm_abi.h"

/* --- one CPU's ring ------------------------------------------------------------------------- */

struct iovm_buffer {
	struct iovm_ring *page;	     /* what the reader maps; nothing in it is believed but tail */
	struct iovm_record *records; /* follows it */
	u64 head;
	u32 next; /* head % slots */
	u32 slots;
	u32 sequence;
	u64 dropped[IOVM_DROPS];
	u64 taken;
};

/* Records of one vCPU that are not in any ring yet: its next one says so first. */
struct iovm_gap {
	u64 count;
	u64 first;
	u32 cause;
	bool shared; /* of any vCPU on one CPU, for those that have none of their own */
};

struct iovm_buffer *iovm_buffer_create(u32 cpu, u32 slots);
void iovm_buffer_destroy(struct iovm_buffer *buffer);
u32 iovm_buffer_bytes(u32 slots);

/*
 * The next two make one record: begin sets the time, end puts the gap (if any) and the record into
 * the ring, or makes the gap longer. Preemption is off from before the one until after the other.
 */
static inline void iovm_buffer_begin(struct iovm_buffer *buffer, struct iovm_record *record)
{
	WRITE_ONCE(buffer->page->busy, 1);
	barrier();
	record->time = ktime_get_mono_fast_ns();
	record->sequence = buffer->sequence++;
}

bool iovm_buffer_end(struct iovm_buffer *buffer, const struct iovm_record *record,
		     struct iovm_gap *gap, struct iovm_task *task); /* task: NULL, or before it */
/* The gap alone; only when no probe can write. */
bool iovm_buffer_flush(struct iovm_buffer *buffer, struct iovm_record *record, struct iovm_gap *gap);

/* --- which VM is whose ---------------------------------------------------------------------- */

/* Written only by the thread of that vCPU (but for address), read by anybody. */
struct iovm_vcpu {
	unsigned long address;	     /* of the guest's `current`, in the VMM; 0: not known */
	unsigned long preempt_count; /* the same of its preempt_count */
	struct iovm_task task;	     /* the last one told; no time: none */
	struct iovm_task read;	     /* what iovm_guest_read found */
	u64 records;
	u64 dropped[IOVM_DROPS];
	struct iovm_gap gap;
};

struct iovm_vm {
	struct hlist_node node;	  /* in the table, by pid */
	struct list_head of_session;
	struct iovm_session *session;
	struct pid *pid; /* of the VMM: the same number given again is another one */
	u32 tgid;
	struct iovm_guest __rcu *guest; /* how to read its tasks; NULL: not at all */
	struct iovm_vcpu vcpus[IOVM_MAX_VCPUS];
};

int iovm_vms_add(struct iovm_session *session, u32 tgid);
int iovm_vms_remove(struct iovm_session *session, u32 tgid);
int iovm_vms_set_guest(struct iovm_session *session, const struct iovm_guest *guest);
int iovm_vms_all(struct iovm_session *session);
void iovm_vms_leave(struct iovm_session *session); /* after it no probe knows the session */
struct iovm_vm *iovm_vms_of(struct iovm_session *session, u32 tgid); /* under session->lock */
/* For probes: whose is the VM of this process? *vm is NULL for one that is only in ALL_VMS. */
struct iovm_session *iovm_vms_find(struct pid *vmm, struct iovm_vm **vm);

/* --- a session ------------------------------------------------------------------------------ */

enum iovm_state {
	IOVM_SESSION_STRANGE,
	IOVM_SESSION_READY,
	IOVM_SESSION_RUNNING,
	IOVM_SESSION_STOPPED,
};

struct iovm_session {
	struct mutex lock;
	enum iovm_state state;
	struct list_head vms;
	u32 vm_count;
	struct iovm_buffer **buffers; /* by CPU; NULL where the CPU was not online */
	struct iovm_buffer **in_order; /* the same without the holes: ring i of the reader */
	u32 rings;
	u32 slots;
	struct iovm_gap __percpu *gaps; /* of VMs that are only in ALL_VMS */
	struct iovm_gap left; /* of VMs that were removed */
	atomic64_t no_ring;
	u32 wake_ms;
	bool ready; /* a reader that polls has something to do */
	wait_queue_head_t readers;
	struct task_struct *waker;
};

struct iovm_session *iovm_session_create(void);
void iovm_session_destroy(struct iovm_session *session);
/* Under session->lock: */
int iovm_session_start(struct iovm_session *session, struct iovm_start *start);
void iovm_session_stop(struct iovm_session *session);
u32 iovm_session_flush(struct iovm_session *session); /* gaps that found no room */
int iovm_session_counters(struct iovm_session *session, struct iovm_counters *counters);

/* --- the exit path -------------------------------------------------------------------------- */

int iovm_hooks_init(void);
void iovm_hooks_exit(void);
int iovm_hooks_get(void); /* probes are on the tracepoints while anybody holds them */
void iovm_hooks_put(void); /* waits until no probe runs, if it was the last */
u32 iovm_hooks_features(void);

/* The probes themselves, with the tracepoints' own parameters (arch/x86/kvm/trace.h, kvm.h). */
void iovm_probe_pio(void *unused, unsigned int rw, unsigned int port, unsigned int size,
		    unsigned int count, const void *data);
void iovm_probe_mmio(void *unused, int type, int len, u64 gpa, void *val);
void iovm_probe_fast_mmio(void *unused, u64 gpa);

/* Fills rip, cr3, cpl, gs_base; the vCPU is loaded on this CPU and preemption is off. */
void iovm_regs_read(struct kvm_vcpu *vcpu, struct iovm_record *record);
u32 iovm_regs_features(void);

/*
 * Fills current_task and preempt_count, and vcpu->read if the guest's task could be read. True: it is
 * another than the last one told of this vCPU.
 */
bool iovm_guest_read(const struct iovm_vm *vm, struct iovm_vcpu *vcpu, struct iovm_record *record);

#endif
