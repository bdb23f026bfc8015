// SPDX-License-Identifier: GPL-2.0
/*
 * Puts the probes on KVM's tracepoints. They are found by name: at once where kvm is built in, and
 * through the tracepoint module notifier where it is a module, loaded before us or after. No symbol
 * of kvm is used, so nothing holds it: when it goes, the probes are taken off first.
 */
#include <linux/module.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "iovm.h"

struct hook {
	const char *name;
	void *probe;
	u32 feature;
	struct tracepoint *tracepoint; /* NULL while there is none */
	struct module *owner;	       /* NULL if it is the kernel's own */
	bool attached;
};

static struct hook hooks[] = {
	{ .name = "kvm_pio", .probe = iovm_probe_pio, .feature = IOVM_CAN_PIO },
	{ .name = "kvm_mmio", .probe = iovm_probe_mmio, .feature = IOVM_CAN_MMIO },
	{ .name = "kvm_fast_mmio", .probe = iovm_probe_fast_mmio, .feature = IOVM_CAN_FAST_MMIO },
};

static DEFINE_MUTEX(hooks_lock);
static unsigned int holders;

static int attach(struct hook *hook)
{
	int err;

	if (!hook->tracepoint || hook->attached)
		return 0;
	err = tracepoint_probe_register(hook->tracepoint, hook->probe, NULL);
	hook->attached = !err;
	return err;
}

static void detach(struct hook *hook)
{
	if (hook->attached)
		tracepoint_probe_unregister(hook->tracepoint, hook->probe, NULL);
	hook->attached = false;
}

static void detach_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		detach(&hooks[i]);
	tracepoint_synchronize_unregister();
}

static void appeared(struct tracepoint *tracepoint, struct module *owner)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].tracepoint || strcmp(tracepoint->name, hooks[i].name))
			continue;
		hooks[i].tracepoint = tracepoint;
		hooks[i].owner = owner;
		if (holders && attach(&hooks[i]))
			pr_warn("iovm: no probe on %s: its accesses are not recorded\n",
				hooks[i].name);
	}
}

static void disappeared(struct module *owner)
{
	bool detached = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].owner != owner)
			continue;
		detached |= hooks[i].attached;
		detach(&hooks[i]);
		hooks[i].tracepoint = NULL;
		hooks[i].owner = NULL;
	}
	if (detached)
		tracepoint_synchronize_unregister();
}

static void see_kernel_tracepoint(struct tracepoint *tracepoint, void *unused)
{
	appeared(tracepoint, NULL);
}

static int module_changed(struct notifier_block *self, unsigned long what, void *data)
{
	struct module *module = ((struct tp_module *)data)->mod;
	unsigned int i;

	mutex_lock(&hooks_lock);
	if (what == MODULE_STATE_GOING)
		disappeared(module);
	for (i = 0; what == MODULE_STATE_COMING && i < module->num_tracepoints; i++)
		appeared(tracepoint_ptr_deref(&module->tracepoints_ptrs[i]), module);
	mutex_unlock(&hooks_lock);
	return NOTIFY_OK;
}

static struct notifier_block module_notifier = { .notifier_call = module_changed };

int iovm_hooks_init(void)
{
	mutex_lock(&hooks_lock);
	for_each_kernel_tracepoint(see_kernel_tracepoint, NULL);
	mutex_unlock(&hooks_lock);
	return register_tracepoint_module_notifier(&module_notifier); /* tells of all there are */
}

void iovm_hooks_exit(void)
{
	unregister_tracepoint_module_notifier(&module_notifier); /* tells that all are going */
	detach_all();
}

int iovm_hooks_get(void)
{
	int err = 0;
	size_t i;

	mutex_lock(&hooks_lock);
	for (i = 0; !holders && !err && i < ARRAY_SIZE(hooks); i++)
		err = attach(&hooks[i]);
	if (err)
		detach_all();
	else
		holders++;
	mutex_unlock(&hooks_lock);
	return err;
}

void iovm_hooks_put(void)
{
	mutex_lock(&hooks_lock);
	if (--holders == 0)
		detach_all();
	mutex_unlock(&hooks_lock);
}

u32 iovm_hooks_features(void)
{
	u32 features = 0;
	size_t i;

	mutex_lock(&hooks_lock);
	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		features |= hooks[i].tracepoint ? hooks[i].feature : 0;
	mutex_unlock(&hooks_lock);
	return features;
}
