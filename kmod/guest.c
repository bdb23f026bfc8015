// SPDX-License-Identifier: GPL-2.0
/*
 * Which task of the guest is in this exit: user space has found where the guest's kernel keeps it
 * (once, since none of it moves) and said so in addresses of the VMM, whose thread this is. So all
 * that is done here is to copy a few words from user memory, with page faults off: there are no page
 * tables to walk, nothing can loop, and what cannot be read is not known.
 *
 * The vCPU stands still meanwhile, so its current task cannot end or change while it is read. That is
 * what a reader of guest memory a moment later can never have, least of all of a process that lives
 * for a few milliseconds.
 *
 * All that is read may be lies: a guest can only name its own processes wrongly.
 */
#include <linux/uaccess.h>

#include "iovm.h"

static bool copy(void *to, unsigned long from, size_t size)
{
	return from && access_ok((void __user *)from, size) &&
	       !__copy_from_user_inatomic(to, (void __user *)from, size);
}

/* Where `size` bytes at a kernel address of the guest are in the VMM; 0: not in any range. */
static unsigned long vmm_address(const struct iovm_guest *guest, u64 address, u64 size)
{
	u32 i;

	for (i = 0; i < guest->ranges; i++) {
		const struct iovm_range *range = &guest->range[i];
		u64 offset = address - range->guest;

		if (offset < range->bytes && size <= range->bytes - offset)
			return (unsigned long)(range->vmm + offset);
	}
	return 0;
}

static bool field(const struct iovm_guest *guest, void *to, u64 task, u32 offset, size_t size)
{
	return copy(to, vmm_address(guest, task + offset, size), size);
}

/* What tells one life of a task from another, and one program from the next (exec changes mm). */
static bool read_identity(const struct iovm_guest *guest, u64 address, struct iovm_task *task)
{
	return field(guest, &task->pid, address, guest->pid, sizeof(task->pid)) &&
	       field(guest, &task->start_time, address, guest->start_time,
		     sizeof(task->start_time)) &&
	       field(guest, &task->mm, address, guest->mm, sizeof(task->mm)) &&
	       field(guest, task->comm, address, guest->comm, sizeof(task->comm));
}

static bool read_rest(const struct iovm_guest *guest, u64 address, struct iovm_task *task)
{
	return field(guest, &task->process, address, guest->process, sizeof(task->process)) &&
	       field(guest, &task->flags, address, guest->flags, sizeof(task->flags));
}

static bool same(const struct iovm_task *a, const struct iovm_task *b)
{
	return a->time && a->current_task == b->current_task && a->pid == b->pid &&
	       a->start_time == b->start_time && a->mm == b->mm &&
	       !memcmp(a->comm, b->comm, sizeof(a->comm));
}

static bool read_task(const struct iovm_guest *guest, struct iovm_vcpu *vcpu,
		      struct iovm_record *record)
{
	struct iovm_task *task = &vcpu->read;

	memset(task, 0, sizeof(*task));
	task->current_task = record->current_task;
	if (!read_identity(guest, record->current_task, task))
		return false;
	if (same(&vcpu->task, task)) {
		record->present |= IOVM_HAS_TASK;
		return false;
	}
	if (!read_rest(guest, record->current_task, task))
		return false;
	record->present |= IOVM_HAS_TASK;
	return true;
}

bool iovm_guest_read(const struct iovm_vm *vm, struct iovm_vcpu *vcpu, struct iovm_record *record)
{
	const struct iovm_guest *guest = rcu_dereference_sched(vm->guest);
	unsigned long address = READ_ONCE(vcpu->address);
	bool another = false;

	if (!address || (record->present & IOVM_NESTED))
		return false;
	pagefault_disable();
	if (copy(&record->current_task, address, sizeof(record->current_task)))
		record->present |= IOVM_HAS_CURRENT;
	if (copy(&record->preempt_count, READ_ONCE(vcpu->preempt_count),
		 sizeof(record->preempt_count)))
		record->present |= IOVM_HAS_PREEMPT_COUNT;
	if (guest && (record->present & IOVM_HAS_CURRENT))
		another = read_task(guest, vcpu, record);
	pagefault_enable();
	return another;
}
