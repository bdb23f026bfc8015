// SPDX-License-Identifier: GPL-2.0
/*
 * One access of a guest, seen by a probe on KVM's tracepoints: runs on the vCPU's own thread, inside
 * the exit. It looks up whose VM that is, reads registers that are at hand, copies 80 bytes; it
 * takes no lock, wakes nobody and follows nothing of the guest's.
 */
#include <linux/sched/signal.h>

#include "iovm.h"

/* What the tracepoints call them (KVM's trace.h): pio's rw, mmio's type. */
enum { PIO_IN = 0, PIO_OUT = 1 };
enum { MMIO_READ_UNSATISFIED = 0, MMIO_READ = 1, MMIO_WRITE = 2 };

/*
 * The vCPU that this thread runs. KVM keeps its preemption notifier on the thread while a vCPU is
 * loaded: kvm_get_running_vcpu() would say the same, but would tie this module to kvm's, which
 * then could neither be loaded later nor be removed.
 */
static struct kvm_vcpu *loaded_vcpu(void)
{
	struct hlist_node *first = READ_ONCE(current->preempt_notifiers.first);
	struct kvm_vcpu *vcpu;

	if (!first)
		return NULL;
	vcpu = container_of(hlist_entry(first, struct preempt_notifier, link), struct kvm_vcpu,
			    preempt_notifier);
	return vcpu->kvm->mm == current->mm ? vcpu : NULL;
}

/* The first element, of 1, 2, 4 or 8 bytes; KVM knows no other sizes. */
static void set_value(struct iovm_record *record, const void *data, unsigned int size)
{
	record->size = size;
	record->present |= IOVM_HAS_SIZE;
	if (!data)
		return;
	switch (size) {
	case 1:
		memcpy(&record->value, data, 1);
		break;
	case 2:
		memcpy(&record->value, data, 2);
		break;
	case 4:
		memcpy(&record->value, data, 4);
		break;
	case 8:
		memcpy(&record->value, data, 8);
		break;
	default:
		return;
	}
	record->present |= IOVM_HAS_VALUE;
}

/* Who: the VM's number, the thread, and what the vCPU tells. */
static struct iovm_vcpu *identify(struct iovm_record *record, struct iovm_vm *vm)
{
	struct kvm_vcpu *vcpu = loaded_vcpu();
	struct iovm_vcpu *own = NULL;

	record->tgid = vm ? vm->tgid : (u32)current->tgid;
	record->tid = (u32)current->pid;
	if (!vcpu)
		return NULL;
	record->vcpu = (u16)vcpu->vcpu_id;
	record->present |= IOVM_HAS_VCPU;
	iovm_regs_read(vcpu, record);
	if (vm && vcpu->vcpu_id < IOVM_MAX_VCPUS)
		own = &vm->vcpus[vcpu->vcpu_id];
	return own;
}

static void count_no_ring(struct iovm_session *session, struct iovm_gap *gap)
{
	atomic64_inc(&session->no_ring);
	if (!gap->count)
		gap->first = ktime_get_mono_fast_ns();
	gap->count++;
	gap->cause = IOVM_DROP_NO_RING;
}

static void take(struct iovm_session *session, struct iovm_vm *vm, struct iovm_record *record)
{
	struct iovm_buffer *buffer = session->buffers[smp_processor_id()];
	struct iovm_vcpu *vcpu = identify(record, vm);
	struct iovm_gap *gap = vcpu ? &vcpu->gap : this_cpu_ptr(session->gaps);
	bool another = vcpu && iovm_guest_read(vm, vcpu, record);
	u32 cause;

	if (!buffer) {
		count_no_ring(session, gap);
		cause = IOVM_DROP_NO_RING;
	} else {
		iovm_buffer_begin(buffer, record);
		if (iovm_buffer_end(buffer, record, gap, another ? &vcpu->read : NULL)) {
			if (another)
				vcpu->task = vcpu->read;
			if (vcpu)
				WRITE_ONCE(vcpu->records, vcpu->records + 1);
			return;
		}
		cause = IOVM_DROP_FULL;
	}
	if (vcpu)
		WRITE_ONCE(vcpu->dropped[cause], vcpu->dropped[cause] + 1);
}

static void see(struct iovm_record *record)
{
	struct iovm_session *session;
	struct iovm_vm *vm;

	rcu_read_lock_sched_notrace();
	session = iovm_vms_find(task_tgid(current), &vm);
	if (session && smp_load_acquire(&session->state) == IOVM_SESSION_RUNNING)
		take(session, vm, record);
	rcu_read_unlock_sched_notrace();
}

void iovm_probe_pio(void *unused, unsigned int rw, unsigned int port, unsigned int size,
		    unsigned int count, const void *data)
{
	struct iovm_record record = {
		.kind = IOVM_PIO,
		.direction = rw == PIO_OUT ? IOVM_WRITE : IOVM_READ,
		.address = port,
		.count = count,
		.present = IOVM_HAS_COUNT,
	};

	set_value(&record, data, size);
	see(&record);
}

void iovm_probe_mmio(void *unused, int type, int len, u64 gpa, void *val)
{
	struct iovm_record record = {
		.kind = type == MMIO_READ_UNSATISFIED ? IOVM_MMIO_BEGINS : IOVM_MMIO,
		.direction = type == MMIO_WRITE ? IOVM_WRITE : IOVM_READ,
		.address = gpa,
		.count = 1,
		.present = IOVM_HAS_COUNT,
	};

	set_value(&record, type == MMIO_READ_UNSATISFIED ? NULL : val, (unsigned int)len);
	see(&record);
}

void iovm_probe_fast_mmio(void *unused, u64 gpa)
{
	struct iovm_record record = {
		.kind = IOVM_FAST_MMIO,
		.direction = IOVM_WRITE,
		.address = gpa,
		.count = 1,
		.present = IOVM_HAS_COUNT,
	};

	see(&record);
}
