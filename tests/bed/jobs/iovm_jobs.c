// SPDX-License-Identifier: GPL-2.0
/*
 * iovm_jobs - in a test's guest: what a process cannot do by itself. An ioctl on /dev/iovm_jobs:
 *
 *   JOBS_IOPL     ring 3 may use ports from here on, by EFLAGS.IOPL (iopl(2) is the TSS bitmap)
 *   JOBS_KTHREAD  a kernel thread writes its pid to a port, `arg` times
 *   JOBS_KWORKER  work items do
 *   JOBS_HARDIRQ  a timer's hardware interrupt does, with the pid of whom it interrupted
 *   JOBS_SOFTIRQ  a timer's softirq does
 *   JOBS_IDLE     the idle task does, as a cpuidle driver: before it halts
 *   JOBS_LIE      the caller does, with another random name and start time each time, in a memory full
 *                 of texts like the kernel's own VMCOREINFO
 *
 * Each returns when it is done. The ports are those of l2_jobs.c.
 */
#include <linux/completion.h>
#include <linux/cpuidle.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

enum { JOBS_IOPL = 0x6a01, JOBS_KTHREAD, JOBS_KWORKER, JOBS_HARDIRQ, JOBS_SOFTIRQ, JOBS_IDLE, JOBS_LIE };
enum { PORT_KTHREAD = 0x5a40, PORT_KWORKER = 0x5a50, PORT_HARDIRQ = 0x5a60, PORT_SOFTIRQ = 0x5a70,
       PORT_LIE = 0x5a90, PORT_IDLE = 0x5aa0 };

static DEFINE_MUTEX(one_at_a_time);
static DECLARE_COMPLETION(done);
static unsigned long left;

static void say(int port)
{
	outl((u32)current->pid, port);
}

static int thread_body(void *unused)
{
	while (left-- > 0) {
		say(PORT_KTHREAD);
		usleep_range(200, 400);
	}
	complete(&done);
	return 0;
}

static void work_body(struct work_struct *work)
{
	say(PORT_KWORKER);
}
static DECLARE_WORK(work, work_body);

static enum hrtimer_restart hard_body(struct hrtimer *timer)
{
	say(PORT_HARDIRQ);
	if (--left == 0) {
		complete(&done);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, ms_to_ktime(2));
	return HRTIMER_RESTART;
}
static struct hrtimer hard_timer;

static void soft_body(struct timer_list *timer)
{
	say(PORT_SOFTIRQ);
	if (--left == 0)
		complete(&done);
	else
		mod_timer(timer, jiffies + 1);
}
static DEFINE_TIMER(soft_timer, soft_body);

static atomic_t idle_left;

static int idle_body(struct cpuidle_device *device, struct cpuidle_driver *driver, int index)
{
	if (atomic_dec_if_positive(&idle_left) >= 0)
		say(PORT_IDLE);
	raw_safe_halt();
	return index;
}
static struct cpuidle_driver idle_driver = {
	.name = "iovm_jobs",
	.owner = THIS_MODULE,
	.states[0] = { .name = "jobs", .desc = "says who it is", .enter = idle_body,
		       .exit_latency = 1, .target_residency = 1 },
	.state_count = 1,
};

/* A CPU that computes never idles: not for ever. */
static void run_idle(void)
{
	int tries;

	atomic_set(&idle_left, (int)left);
	if (cpuidle_register(&idle_driver, NULL))
		return;
	for (tries = 0; tries < 500 && atomic_read(&idle_left) > 0; tries++)
		msleep(10);
	cpuidle_unregister(&idle_driver);
}

static void run_kthread(void)
{
	struct task_struct *task = kthread_run(thread_body, NULL, "jobs-kthread");

	if (!IS_ERR(task))
		wait_for_completion(&done);
}

static void run_works(void)
{
	for (; left > 0; left--) {
		schedule_work(&work);
		flush_work(&work);
	}
}

/* Pages that a search has to try; they are never given back. */
static void forge(void)
{
	static const char text[] = "OSRELEASE=6.1.0-%s\nPAGESIZE=4096\n"
				   "SYMBOL(init_top_pgt)=ffffffff82a0a000\nSYMBOL(_stext)=%lx\n"
				   "SYMBOL(init_uts_ns)=%lx\nNUMBER(phys_base)=%d\n";
	int i;

	for (i = 0; i < 500; i++) {
		char *page = (char *)__get_free_page(GFP_KERNEL | __GFP_ZERO);

		if (page)
			snprintf(page, PAGE_SIZE, text, i % 2 ? "forged" : "\033[31m",
				 (unsigned long)&forge, (unsigned long)page, i);
	}
}

static void lie(void)
{
	struct task_struct *me = current;
	u64 start = me->start_boottime;
	char comm[TASK_COMM_LEN];

	memcpy(comm, me->comm, sizeof(comm));
	for (; left > 0; left--) {
		get_random_bytes(me->comm, sizeof(me->comm) - 1);
		get_random_bytes(&me->start_boottime, sizeof(me->start_boottime));
		say(PORT_LIE);
	}
	memcpy(me->comm, comm, sizeof(comm));
	me->start_boottime = start;
}

static long jobs_ioctl(struct file *file, unsigned int command, unsigned long count)
{
	if (command == JOBS_IOPL) {
		task_pt_regs(current)->flags |= X86_EFLAGS_IOPL;
		return 0;
	}
	if (count == 0)
		return -EINVAL;
	mutex_lock(&one_at_a_time);
	reinit_completion(&done);
	left = count;
	if (command == JOBS_KTHREAD) {
		run_kthread();
	} else if (command == JOBS_KWORKER) {
		run_works();
	} else if (command == JOBS_HARDIRQ) {
		hrtimer_start(&hard_timer, ms_to_ktime(2), HRTIMER_MODE_REL_HARD);
		wait_for_completion(&done);
	} else if (command == JOBS_SOFTIRQ) {
		mod_timer(&soft_timer, jiffies + 1);
		wait_for_completion(&done);
	} else if (command == JOBS_IDLE) {
		run_idle();
	} else if (command == JOBS_LIE) {
		forge();
		lie();
	}
	mutex_unlock(&one_at_a_time);
	return 0;
}

static const struct file_operations jobs_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = jobs_ioctl,
};
static struct miscdevice jobs_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iovm_jobs",
	.fops = &jobs_operations,
};

static int __init jobs_init(void)
{
	hrtimer_init(&hard_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	hard_timer.function = hard_body;
	return misc_register(&jobs_device);
}
module_init(jobs_init);

static void __exit jobs_exit(void)
{
	misc_deregister(&jobs_device);
}
module_exit(jobs_exit);

MODULE_DESCRIPTION("device accesses from ring 3, threads and interrupts, for tests of iovm");
MODULE_LICENSE("GPL");
