// SPDX-License-Identifier: GPL-2.0
/*
 * Which VM belongs to which session: a small hash table of struct pid, looked into by every probe
 * under RCU. A struct pid is one life of a process, so that a pid given again to another process is
 * not taken for the VM that died.
 */
#include <linux/hash.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "iovm.h"

#define TABLE_BITS 8

static struct hlist_head table[1 << TABLE_BITS];
static struct iovm_session __rcu *all_vms;
static DEFINE_MUTEX(table_lock);

static struct hlist_head *bucket(struct pid *pid)
{
	return &table[hash_ptr(pid, TABLE_BITS)];
}

static struct iovm_vm *lookup(struct pid *pid)
{
	struct iovm_vm *vm;

	hlist_for_each_entry_rcu(vm, bucket(pid), node, lockdep_is_held(&table_lock))
		if (vm->pid == pid)
			return vm;
	return NULL;
}

struct iovm_session *iovm_vms_find(struct pid *vmm, struct iovm_vm **vm)
{
	*vm = lookup(vmm);
	return *vm ? (*vm)->session : rcu_dereference_sched(all_vms);
}

struct iovm_vm *iovm_vms_of(struct iovm_session *session, u32 tgid)
{
	struct iovm_vm *vm, *found = NULL;

	/* A number can stand for several VMs, one after the other: the last is meant. */
	list_for_each_entry(vm, &session->vms, of_session)
		if (vm->tgid == tgid)
			found = vm;
	return found;
}

/* After a grace period, when nobody can see it. */
static void destroy(struct iovm_vm *vm)
{
	put_pid(vm->pid);
	kfree(rcu_dereference_protected(vm->guest, true));
	kvfree(vm);
}

static int insert(struct iovm_session *session, struct iovm_vm *vm)
{
	struct iovm_vm *other = lookup(vm->pid);

	if (other)
		return other->session == session ? -EEXIST : -EBUSY;
	hlist_add_head_rcu(&vm->node, bucket(vm->pid));
	list_add_tail(&vm->of_session, &session->vms);
	session->vm_count++;
	return 0;
}

int iovm_vms_add(struct iovm_session *session, u32 tgid)
{
	struct iovm_vm *vm;
	int err = -ESRCH;

	if (session->vm_count >= IOVM_MAX_VMS)
		return -E2BIG;
	vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return -ENOMEM;
	vm->session = session;
	vm->tgid = tgid;
	vm->pid = find_get_pid((pid_t)tgid);
	if (vm->pid) {
		mutex_lock(&table_lock);
		err = insert(session, vm);
		mutex_unlock(&table_lock);
	}
	if (!err)
		return 0; /* the table holds it now */
	destroy(vm);
	return err == -EEXIST ? 0 : err;
}

/* What a VM lost and nobody was told yet is told at the session's end. */
static void keep_gaps(struct iovm_session *session, struct iovm_vm *vm)
{
	u32 i;

	for (i = 0; i < IOVM_MAX_VCPUS; i++) {
		struct iovm_gap *gap = &vm->vcpus[i].gap;

		if (!gap->count)
			continue;
		if (!session->left.count || gap->first < session->left.first)
			session->left.first = gap->first;
		session->left.count += gap->count;
		session->left.cause = gap->cause;
	}
}

int iovm_vms_remove(struct iovm_session *session, u32 tgid)
{
	struct iovm_vm *vm = iovm_vms_of(session, tgid);

	if (!vm)
		return -ESRCH;
	mutex_lock(&table_lock);
	hlist_del_rcu(&vm->node);
	list_del(&vm->of_session);
	session->vm_count--;
	mutex_unlock(&table_lock);
	synchronize_rcu();
	keep_gaps(session, vm);
	destroy(vm);
	return 0;
}

int iovm_vms_set_guest(struct iovm_session *session, const struct iovm_guest *guest)
{
	struct iovm_vm *vm = iovm_vms_of(session, guest->tgid);
	struct iovm_guest *copy = NULL;

	if (!vm)
		return -ESRCH;
	if (guest->ranges > IOVM_MAX_RANGES)
		return -EINVAL;
	if (guest->ranges) {
		copy = kmemdup(guest, sizeof(*guest), GFP_KERNEL_ACCOUNT);
		if (!copy)
			return -ENOMEM;
	}
	copy = rcu_replace_pointer(vm->guest, copy, lockdep_is_held(&session->lock));
	synchronize_rcu();
	kfree(copy);
	return 0;
}

int iovm_vms_all(struct iovm_session *session)
{
	struct iovm_session *holder;

	mutex_lock(&table_lock);
	holder = rcu_dereference_protected(all_vms, lockdep_is_held(&table_lock));
	if (!holder)
		rcu_assign_pointer(all_vms, session);
	mutex_unlock(&table_lock);
	return !holder || holder == session ? 0 : -EBUSY;
}

void iovm_vms_leave(struct iovm_session *session)
{
	struct iovm_vm *vm, *next;
	LIST_HEAD(removed);

	mutex_lock(&table_lock);
	if (rcu_access_pointer(all_vms) == session)
		RCU_INIT_POINTER(all_vms, NULL);
	list_for_each_entry(vm, &session->vms, of_session)
		hlist_del_rcu(&vm->node);
	list_splice_init(&session->vms, &removed);
	session->vm_count = 0;
	mutex_unlock(&table_lock);
	synchronize_rcu();
	list_for_each_entry_safe(vm, next, &removed, of_session)
		destroy(vm);
}
