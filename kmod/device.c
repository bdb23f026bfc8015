// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/iovm, root's alone: one open file is one session; closing it, or dying, ends the session. An
 * open file and its mappings hold the module, so that nothing here can be unloaded under a reader.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "iovm.h"

static int iovm_open(struct inode *inode, struct file *file)
{
	struct iovm_session *session = iovm_session_create();

	if (!session)
		return -ENOMEM;
	file->private_data = session;
	return stream_open(inode, file);
}

static int iovm_release(struct inode *inode, struct file *file)
{
	iovm_session_destroy(file->private_data);
	return 0;
}

static __poll_t iovm_poll(struct file *file, poll_table *wait)
{
	struct iovm_session *session = file->private_data;

	poll_wait(file, &session->readers, wait);
	switch (smp_load_acquire(&session->state)) {
	case IOVM_SESSION_RUNNING:
		return xchg(&session->ready, false) ? EPOLLIN : 0; /* the waker's word, once */
	case IOVM_SESSION_STOPPED:
		return EPOLLIN | EPOLLHUP;
	default:
		return EPOLLERR;
	}
}

static int iovm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct iovm_session *session = file->private_data;
	unsigned long pages, ring;
	int err = -EINVAL;

	mutex_lock(&session->lock);
	if (session->rings) {
		pages = iovm_buffer_bytes(session->slots) >> PAGE_SHIFT;
		ring = vma->vm_pgoff / pages;
		if (ring < session->rings)
			err = remap_vmalloc_range(vma, session->in_order[ring]->page,
						  vma->vm_pgoff % pages);
	}
	mutex_unlock(&session->lock);
	return err;
}

/* --- ioctls --------------------------------------------------------------------------------- */

static long say_hello(struct iovm_session *session, void __user *user)
{
	struct iovm_hello hello;
	u32 wanted;

	if (copy_from_user(&hello, user, sizeof(hello)))
		return -EFAULT;
	wanted = hello.abi;
	hello.abi = IOVM_ABI_VERSION;
	hello.features = iovm_hooks_features() | iovm_regs_features();
	if (copy_to_user(user, &hello, sizeof(hello)))
		return -EFAULT;
	if (wanted != IOVM_ABI_VERSION)
		return -EPROTO;
	if (session->state == IOVM_SESSION_STRANGE)
		session->state = IOVM_SESSION_READY;
	return 0;
}

static long start(struct iovm_session *session, void __user *user)
{
	struct iovm_start geometry;
	int err;

	if (copy_from_user(&geometry, user, sizeof(geometry)))
		return -EFAULT;
	err = iovm_session_start(session, &geometry);
	if (err)
		return err;
	return copy_to_user(user, &geometry, sizeof(geometry)) ? -EFAULT : 0;
}

static long set_slot(struct iovm_session *session, void __user *user)
{
	struct iovm_slot slot;
	struct iovm_vm *vm;

	if (copy_from_user(&slot, user, sizeof(slot)))
		return -EFAULT;
	if (slot.vcpu >= IOVM_MAX_VCPUS || slot.address % sizeof(u64) ||
	    slot.preempt_count % sizeof(u32))
		return -EINVAL;
	vm = iovm_vms_of(session, slot.tgid);
	if (!vm)
		return -ESRCH;
	WRITE_ONCE(vm->vcpus[slot.vcpu].address, (unsigned long)slot.address);
	WRITE_ONCE(vm->vcpus[slot.vcpu].preempt_count, (unsigned long)slot.preempt_count);
	return 0;
}

static long set_guest(struct iovm_session *session, void __user *user)
{
	struct iovm_guest guest;

	if (copy_from_user(&guest, user, sizeof(guest)))
		return -EFAULT;
	return iovm_vms_set_guest(session, &guest);
}

static long read_counters(struct iovm_session *session, void __user *user)
{
	struct iovm_counters counters;
	int err;

	if (copy_from_user(&counters, user, sizeof(counters)))
		return -EFAULT;
	err = iovm_session_counters(session, &counters);
	if (err)
		return err;
	return copy_to_user(user, &counters, sizeof(counters)) ? -EFAULT : 0;
}

static long one_vm(struct iovm_session *session, u32 __user *user,
		   int (*change)(struct iovm_session *session, u32 tgid))
{
	u32 tgid;

	return get_user(tgid, user) ? -EFAULT : change(session, tgid);
}

static long request(struct iovm_session *session, unsigned int command, void __user *user)
{
	if (command != IOVM_IOC_HELLO && session->state == IOVM_SESSION_STRANGE)
		return -EPROTO;
	switch (command) {
	case IOVM_IOC_HELLO:
		return say_hello(session, user);
	case IOVM_IOC_ADD_VM:
		return one_vm(session, user, iovm_vms_add);
	case IOVM_IOC_REMOVE_VM:
		return one_vm(session, user, iovm_vms_remove);
	case IOVM_IOC_ALL_VMS:
		return iovm_vms_all(session);
	case IOVM_IOC_START:
		return start(session, user);
	case IOVM_IOC_STOP:
		iovm_session_stop(session);
		return 0;
	case IOVM_IOC_FLUSH:
		return session->state == IOVM_SESSION_STOPPED ? iovm_session_flush(session) : -EBUSY;
	case IOVM_IOC_SLOT:
		return set_slot(session, user);
	case IOVM_IOC_GUEST:
		return set_guest(session, user);
	case IOVM_IOC_COUNTERS:
		return read_counters(session, user);
	default:
		return -ENOTTY;
	}
}

static long iovm_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct iovm_session *session = file->private_data;
	long answer;

	mutex_lock(&session->lock);
	answer = request(session, command, (void __user *)argument);
	mutex_unlock(&session->lock);
	return answer;
}

static const struct file_operations iovm_fops = {
	.owner = THIS_MODULE,
	.open = iovm_open,
	.release = iovm_release,
	.poll = iovm_poll,
	.mmap = iovm_mmap,
	.unlocked_ioctl = iovm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice iovm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iovm",
	.fops = &iovm_fops,
	.mode = 0600,
};

static int __init iovm_init(void)
{
	int err = iovm_hooks_init();

	if (err)
		return err;
	err = misc_register(&iovm_device);
	if (err)
		iovm_hooks_exit();
	return err;
}

static void __exit iovm_exit(void)
{
	misc_deregister(&iovm_device);
	iovm_hooks_exit();
}

module_init(iovm_init);
module_exit(iovm_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The iovm authors");
MODULE_DESCRIPTION("Records the device I/O of KVM guests into mapped rings");
MODULE_VERSION("0.1.0");
