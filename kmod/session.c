// SPDX-License-Identifier: GPL-2.0
/*
 * A session: one open /dev/iovm, its rings and its VMs. The reader is woken by the session's own
 * thread, which looks at the rings a hundred times a second and wakes a reader who waits as soon as
 * a ring is a quarter full, or else when records have waited long enough: an exit never pays for it.
 */
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "iovm.h"

enum { LOOK_MS = 10, LONGEST_WAKE_MS = 10000 };

/* --- The waking thread ---------------------------------------------------------------------- */

static u64 unread(const struct iovm_buffer *buffer)
{
	return READ_ONCE(buffer->page->head) - READ_ONCE(buffer->page->tail);
}

static bool has_records(struct iovm_session *session)
{
	u32 i;

	for (i = 0; i < session->rings; i++)
		if (unread(session->in_order[i]))
			return true;
	return false;
}

static bool filling(struct iovm_session *session)
{
	u32 i;

	for (i = 0; i < session->rings; i++)
		if (unread(session->in_order[i]) > session->slots / 4)
			return true;
	return false;
}

static int wake_reader(void *data)
{
	struct iovm_session *session = data;
	u64 woken = ktime_get_ns();

	while (!kthread_should_stop()) {
		u64 now = ktime_get_ns();
		bool due = now - woken >= (u64)session->wake_ms * NSEC_PER_MSEC;

		if (filling(session) || (due && has_records(session))) {
			woken = now;
			WRITE_ONCE(session->ready, true);
			wake_up_interruptible_poll(&session->readers, EPOLLIN);
		}
		schedule_timeout_interruptible(msecs_to_jiffies(LOOK_MS));
	}
	return 0;
}

/* --- Start and end -------------------------------------------------------------------------- */

struct iovm_session *iovm_session_create(void)
{
	struct iovm_session *session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	unsigned int cpu;

	if (!session)
		return NULL;
	session->gaps = alloc_percpu(struct iovm_gap);
	if (!session->gaps) {
		kfree(session);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		per_cpu_ptr(session->gaps, cpu)->shared = true;
	session->left.shared = true;
	mutex_init(&session->lock);
	init_waitqueue_head(&session->readers);
	INIT_LIST_HEAD(&session->vms);
	return session;
}

static void free_rings(struct iovm_session *session)
{
	u32 i;

	for (i = 0; i < session->rings; i++)
		iovm_buffer_destroy(session->in_order[i]);
	kfree(session->in_order);
	kfree(session->buffers);
	session->buffers = session->in_order = NULL;
	session->rings = 0;
}

static int allocate_rings(struct iovm_session *session)
{
	unsigned int cpu;

	session->buffers = kcalloc(nr_cpu_ids, sizeof(void *), GFP_KERNEL_ACCOUNT);
	session->in_order = kcalloc(nr_cpu_ids, sizeof(void *), GFP_KERNEL_ACCOUNT);
	if (!session->buffers || !session->in_order)
		return -ENOMEM;
	for_each_online_cpu(cpu) {
		struct iovm_buffer *buffer = iovm_buffer_create(cpu, session->slots);

		if (!buffer)
			return -ENOMEM;
		session->buffers[cpu] = buffer;
		session->in_order[session->rings++] = buffer;
	}
	return 0;
}

static int start_waker(struct iovm_session *session)
{
	struct task_struct *waker = kthread_run(wake_reader, session, "iovm/%d", current->tgid);

	if (IS_ERR(waker))
		return PTR_ERR(waker);
	session->waker = waker;
	return 0;
}

static void stop_waker(struct iovm_session *session)
{
	if (session->waker)
		kthread_stop(session->waker);
	session->waker = NULL;
}

/* Whole pages: what is asked for, and the rest of the last page. */
static u32 slots_of(u32 wanted)
{
	u64 bytes = (u64)clamp_t(u32, wanted, 1, IOVM_MAX_SLOTS) * sizeof(struct iovm_record);

	return (u32)(PAGE_ALIGN(bytes) / sizeof(struct iovm_record));
}

int iovm_session_start(struct iovm_session *session, struct iovm_start *start)
{
	int err;

	if (session->state != IOVM_SESSION_READY)
		return session->state == IOVM_SESSION_STRANGE ? -EPROTO : -EALREADY;
	session->slots = slots_of(start->slots);
	session->wake_ms = clamp_t(u32, start->wake_ms, LOOK_MS, LONGEST_WAKE_MS);
	cpus_read_lock();
	err = allocate_rings(session);
	cpus_read_unlock();
	if (!err)
		err = start_waker(session);
	if (!err)
		err = iovm_hooks_get();
	if (err) {
		stop_waker(session);
		free_rings(session);
		return err;
	}
	start->slots = session->slots;
	start->wake_ms = session->wake_ms;
	start->rings = session->rings;
	start->ring_bytes = iovm_buffer_bytes(session->slots);
	smp_store_release(&session->state, IOVM_SESSION_RUNNING);
	return 0;
}

void iovm_session_stop(struct iovm_session *session)
{
	if (session->state != IOVM_SESSION_RUNNING)
		return;
	smp_store_release(&session->state, IOVM_SESSION_STOPPED);
	iovm_hooks_put();
	synchronize_rcu(); /* another session may hold the hooks: no probe is in our rings any more */
	stop_waker(session);
	wake_up_interruptible_poll(&session->readers, EPOLLIN);
}

void iovm_session_destroy(struct iovm_session *session)
{
	iovm_session_stop(session);
	iovm_vms_leave(session);
	free_rings(session);
	free_percpu(session->gaps);
	kfree(session);
}

/* --- Losses --------------------------------------------------------------------------------- */

/* Into whichever ring has room: the order no longer tells anything. */
static bool flush_gap(struct iovm_session *session, struct iovm_record *record,
		      struct iovm_gap *gap)
{
	u32 i;

	for (i = 0; i < session->rings; i++)
		if (iovm_buffer_flush(session->in_order[i], record, gap))
			return true;
	return false;
}

static u32 flush_vm(struct iovm_session *session, struct iovm_vm *vm)
{
	u32 left = 0, i;

	for (i = 0; i < IOVM_MAX_VCPUS; i++) {
		struct iovm_record record = { .tgid = vm->tgid, .vcpu = (u16)i,
					      .present = IOVM_HAS_VCPU };

		if (vm->vcpus[i].gap.count && !flush_gap(session, &record, &vm->vcpus[i].gap))
			left++;
	}
	return left;
}

u32 iovm_session_flush(struct iovm_session *session)
{
	struct iovm_record unknown = {};
	struct iovm_vm *vm;
	unsigned int cpu;
	u32 left = 0;

	if (session->left.count && !flush_gap(session, &unknown, &session->left))
		left++;
	list_for_each_entry(vm, &session->vms, of_session)
		left += flush_vm(session, vm);
	for_each_possible_cpu(cpu) {
		struct iovm_gap *gap = per_cpu_ptr(session->gaps, cpu);

		if (gap->count && !flush_gap(session, &unknown, gap))
			left++;
	}
	return left;
}

static int vcpu_counters(struct iovm_session *session, struct iovm_counters *counters)
{
	struct iovm_vm *vm = iovm_vms_of(session, counters->tgid);
	u32 i;

	if (!vm)
		return -ESRCH;
	if (counters->vcpu >= IOVM_MAX_VCPUS)
		return -EINVAL;
	counters->records = READ_ONCE(vm->vcpus[counters->vcpu].records);
	for (i = 0; i < IOVM_DROPS; i++)
		counters->dropped[i] = READ_ONCE(vm->vcpus[counters->vcpu].dropped[i]);
	return 0;
}

int iovm_session_counters(struct iovm_session *session, struct iovm_counters *counters)
{
	u32 i;

	if (counters->tgid)
		return vcpu_counters(session, counters);
	counters->records = 0;
	counters->dropped[IOVM_DROP_FULL] = 0;
	counters->dropped[IOVM_DROP_NO_RING] = (u64)atomic64_read(&session->no_ring);
	for (i = 0; i < session->rings; i++) {
		const struct iovm_buffer *buffer = session->in_order[i];

		counters->records += READ_ONCE(buffer->taken);
		counters->dropped[IOVM_DROP_FULL] += READ_ONCE(buffer->dropped[IOVM_DROP_FULL]);
	}
	return 0;
}
