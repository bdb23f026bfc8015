// SPDX-License-Identifier: GPL-2.0
/* KVM's preemption notifier on the vCPU's thread: CONFIG_KVM (built in or a module). */
#include <linux/kvm_host.h>
#include <linux/sched.h>

struct kvm_vcpu *test(struct task_struct *task);
struct kvm_vcpu *test(struct task_struct *task)
{
	struct kvm_vcpu *vcpu = container_of(hlist_entry(task->preempt_notifiers.first,
							 struct preempt_notifier, link),
					     struct kvm_vcpu, preempt_notifier);

	return vcpu->kvm->mm == task->mm ? vcpu : NULL;
}
