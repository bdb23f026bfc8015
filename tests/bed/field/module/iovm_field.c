// SPDX-License-Identifier: GPL-2.0
/*
 * iovm_field - in the field lab's guest: a rootkit's module. An ioctl on /dev/iovm_field:
 *
 *   FIELD_IOPL   ring 3 may use ports from here on, by EFLAGS.IOPL (iopl(2) is the TSS bitmap)
 *   FIELD_SELF   the caller's CR3, and where this module's code lies
 *   FIELD_RUN    does the accesses of a list itself: ports and physical addresses
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/special_insns.h>

#include "field_ops.h"

static void port_access(const struct field_op *op)
{
	unsigned short port = (unsigned short)op->address;

	if (op->kind == FIELD_OUT) {
		if (op->size == 1)
			outb((u8)op->value, port);
		else if (op->size == 2)
			outw((u16)op->value, port);
		else
			outl((u32)op->value, port);
	} else if (op->size == 1) {
		inb(port);
	} else if (op->size == 2) {
		inw(port);
	} else {
		inl(port);
	}
}

static void memory_access(const struct field_op *op, void __iomem *at)
{
	if (op->kind == FIELD_STORE) {
		if (op->size == 1)
			writeb((u8)op->value, at);
		else if (op->size == 2)
			writew((u16)op->value, at);
		else if (op->size == 4)
			writel((u32)op->value, at);
		else
			writeq(op->value, at);
	} else if (op->size == 1) {
		readb(at);
	} else if (op->size == 2) {
		readw(at);
	} else if (op->size == 4) {
		readl(at);
	} else {
		readq(at);
	}
}

static void run(const struct field_op *ops, unsigned long count)
{
	void __iomem *page = NULL;
	u64 mapped = 0, wanted;
	unsigned long i;

	for (i = 0; i < count; i++) {
		const struct field_op *op = &ops[i];

		if (op->kind == FIELD_WAIT) {
			msleep((unsigned int)op->value);
		} else if (op->kind == FIELD_OUT || op->kind == FIELD_IN) {
			port_access(op);
		} else {
			wanted = op->address & ~0xfffULL;
			if (!page || mapped != wanted) {
				if (page)
					iounmap(page);
				page = ioremap(wanted, 8192); /* an access may cross a page */
				mapped = wanted;
			}
			if (page)
				memory_access(op, page + (op->address & 0xfff));
		}
	}
	if (page)
		iounmap(page);
}

static long run_list(const struct field_list __user *from)
{
	struct field_list list;
	struct field_op *ops;

	if (copy_from_user(&list, from, sizeof(list)))
		return -EFAULT;
	if (list.count > FIELD_MOST)
		return -EINVAL;
	ops = vmemdup_user(u64_to_user_ptr(list.ops), list.count * sizeof(*ops));
	if (IS_ERR(ops))
		return PTR_ERR(ops);
	run(ops, list.count);
	kvfree(ops);
	return 0;
}

static long field_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct field_self self = {};

	switch (command) {
	case FIELD_IOPL:
		task_pt_regs(current)->flags |= X86_EFLAGS_IOPL;
		return 0;
	case FIELD_SELF:
		self.cr3 = __read_cr3();
		self.code = (unsigned long)THIS_MODULE->core_layout.base;
		self.code_size = THIS_MODULE->core_layout.text_size;
		return copy_to_user((void __user *)argument, &self, sizeof(self)) ? -EFAULT : 0;
	case FIELD_RUN:
		return run_list((const struct field_list __user *)argument);
	}
	return -ENOTTY;
}

static const struct file_operations field_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = field_ioctl,
};
static struct miscdevice field_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iovm_field",
	.fops = &field_operations,
};
module_misc_device(field_device);

MODULE_DESCRIPTION("accesses of a list, by the kernel or by ring 3, for tests of iovm");
MODULE_LICENSE("GPL");
