// SPDX-License-Identifier: GPL-2.0
/* The notifier of tracepoints in modules: CONFIG_TRACEPOINTS and CONFIG_MODULES. */
#include <linux/module.h>
#include <linux/tracepoint.h>

struct tracepoint *test(struct tp_module *tp);
struct tracepoint *test(struct tp_module *tp)
{
	return tp->mod->num_tracepoints ? tracepoint_ptr_deref(tp->mod->tracepoints_ptrs) : NULL;
}
