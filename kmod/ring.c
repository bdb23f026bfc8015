// SPDX-License-Identifier: GPL-2.0
/*
 * One CPU's ring. Its only writer is the probe on that CPU with preemption off, so that a record is
 * a plain copy and two ordered stores. The reader can write all over the mapping and hurts only
 * itself: head, the position and the size are kept here, and a tail that lies is a full ring.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "iovm.h"

u32 iovm_buffer_bytes(u32 slots)
{
	return PAGE_SIZE + PAGE_ALIGN((unsigned long)slots * sizeof(struct iovm_record));
}

struct iovm_buffer *iovm_buffer_create(u32 cpu, u32 slots)
{
	struct iovm_buffer *buffer;

	buffer = kzalloc_node(sizeof(*buffer), GFP_KERNEL_ACCOUNT, cpu_to_node(cpu));
	if (!buffer)
		return NULL;
	buffer->page = vmalloc_user(iovm_buffer_bytes(slots));
	if (!buffer->page) {
		kfree(buffer);
		return NULL;
	}
	buffer->records = (void *)buffer->page + PAGE_SIZE;
	buffer->slots = slots;
	buffer->page->abi = IOVM_ABI_VERSION;
	buffer->page->record_size = sizeof(struct iovm_record);
	buffer->page->slots = slots;
	buffer->page->cpu = cpu;
	buffer->page->data = PAGE_SIZE;
	return buffer;
}

void iovm_buffer_destroy(struct iovm_buffer *buffer)
{
	if (!buffer)
		return;
	vfree(buffer->page);
	kfree(buffer);
}

static u32 free_slots(const struct iovm_buffer *buffer)
{
	u64 used = buffer->head - smp_load_acquire(&buffer->page->tail);

	return used <= buffer->slots ? buffer->slots - (u32)used : 0;
}

/* Inlined: the record itself is put on every access. */
static __always_inline void put(struct iovm_buffer *buffer, const struct iovm_record *record)
{
	buffer->records[buffer->next] = *record;
	if (++buffer->next == buffer->slots)
		buffer->next = 0;
	buffer->head++;
}

#define SAME_PLACE(member) \
	static_assert(offsetof(struct iovm_task, member) == offsetof(struct iovm_record, member))
SAME_PLACE(time);
SAME_PLACE(tgid);
SAME_PLACE(tid);
SAME_PLACE(sequence);
SAME_PLACE(vcpu);
SAME_PLACE(present);
SAME_PLACE(kind);

static noinline void put_task(struct iovm_buffer *buffer, const struct iovm_record *record,
		     struct iovm_task *task)
{
	task->time = record->time;
	task->tgid = record->tgid;
	task->tid = record->tid;
	task->sequence = record->sequence;
	task->vcpu = record->vcpu;
	task->present = IOVM_HAS_VCPU;
	task->kind = IOVM_TASK;
	put(buffer, (const struct iovm_record *)task);
}

static noinline void put_gap(struct iovm_buffer *buffer, const struct iovm_record *after,
		    struct iovm_gap *gap)
{
	struct iovm_record loss = {
		.time = after->time,
		.address = gap->first,
		.value = gap->count,
		.count = gap->cause,
		.sequence = after->sequence,
		.present = IOVM_HAS_VALUE,
		.kind = IOVM_LOSS,
	};

	if (!gap->shared) {
		loss.tgid = after->tgid;
		loss.tid = after->tid;
		loss.vcpu = after->vcpu;
		loss.present |= after->present & IOVM_HAS_VCPU;
	}
	put(buffer, &loss);
	gap->count = 0;
}

bool iovm_buffer_end(struct iovm_buffer *buffer, const struct iovm_record *record,
		     struct iovm_gap *gap, struct iovm_task *task)
{
	u32 before = (gap->count ? 1 : 0) + (task ? 1 : 0);
	bool fits = free_slots(buffer) > before;

	if (fits) {
		if (gap->count)
			put_gap(buffer, record, gap);
		if (task)
			put_task(buffer, record, task);
		put(buffer, record);
		buffer->taken++;
		smp_store_release(&buffer->page->head, buffer->head);
	} else {
		if (!gap->count)
			gap->first = record->time;
		gap->count++;
		gap->cause = IOVM_DROP_FULL;
		WRITE_ONCE(buffer->dropped[IOVM_DROP_FULL], buffer->dropped[IOVM_DROP_FULL] + 1);
		WRITE_ONCE(buffer->page->dropped, buffer->dropped[IOVM_DROP_FULL]);
	}
	smp_store_release(&buffer->page->busy, 0);
	return fits;
}

bool iovm_buffer_flush(struct iovm_buffer *buffer, struct iovm_record *record, struct iovm_gap *gap)
{
	if (!free_slots(buffer))
		return false;
	record->time = ktime_get_mono_fast_ns();
	record->sequence = buffer->sequence;
	put_gap(buffer, record, gap);
	smp_store_release(&buffer->page->head, buffer->head);
	return true;
}
