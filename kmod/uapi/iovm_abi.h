/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What crosses from the kernel to user space: the record of one device access, shared by iovm.ko,
 * by the BPF program and by their reader; and, for iovm.ko alone, the ring that carries records and
 * the ioctls of /dev/iovm.
 *
 * A record is 88 bytes, always: a ring of equal slots needs no lengths to be trusted by anybody.
 * What the kernel could not know is not marked in `present` and is 0. Only the first element of a
 * string operation is in `value`; `count` says how many there were.
 *
 * A loss is a record too (kind IOVM_LOSS), put before the next record of the same vCPU, whichever
 * ring that goes to: `value` records of VM `tgid` (and of `vcpu`, if that is marked) were dropped,
 * the first of them at `address` (a time), all before `time`; `count` is their iovm_drop cause. A
 * VM that is only in ALL_VMS has no counters of its own: its losses are put before the next record
 * of its CPU, with tgid 0.
 *
 * The guest's task is a record as well (kind IOVM_TASK, struct iovm_task): put before the first record
 * of a vCPU that another task makes than the one before, read while that vCPU stood in its exit.
 *
 * All integers are in the machine's own order. Any change of this file that an older reader would
 * misread raises IOVM_ABI_VERSION; IOVM_IOC_HELLO refuses a reader of another version.
 */
#ifndef IOVM_ABI_H
#define IOVM_ABI_H

#ifndef __VMLINUX_H__ /* a BPF program has these types from the kernel's BTF */
#include <linux/ioctl.h>
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define IOVM_ABI_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define IOVM_ABI_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

enum { IOVM_ABI_VERSION = 1 };

enum iovm_kind {
	IOVM_PIO = 1,
	IOVM_MMIO = 2,
	IOVM_MMIO_BEGINS = 3, /* a load left for user space: its value comes in an IOVM_MMIO */
	IOVM_FAST_MMIO = 4,   /* a doorbell: neither size nor value */
	IOVM_LOSS = 5,
	IOVM_TASK = 6, /* of the records of this vCPU from here on that have the same current_task */
};

enum iovm_direction { IOVM_READ = 0, IOVM_WRITE = 1 };

/* Bits of iovm_record.present. */
enum iovm_present {
	IOVM_HAS_VALUE = 1 << 0,
	IOVM_HAS_SIZE = 1 << 1,
	IOVM_HAS_COUNT = 1 << 2,
	IOVM_HAS_VCPU = 1 << 3,
	IOVM_HAS_RIP = 1 << 4,
	IOVM_HAS_CR3 = 1 << 5,
	IOVM_HAS_CPL = 1 << 6,
	IOVM_HAS_GS_BASE = 1 << 7, /* the guest kernel's (of its per-CPU data), not user space's */
	IOVM_HAS_CURRENT = 1 << 8, /* the slot given with IOVM_IOC_SLOT could be read */
	IOVM_HAS_PREEMPT_COUNT = 1 << 9,
	IOVM_HAS_TASK = 1 << 10, /* the last iovm_task of this vCPU is the one that did it */
	IOVM_NESTED = 1 << 11,	 /* the access is of a guest of the guest: registers are not given */
	IOVM_STOPPED = 1 << 12,	 /* the BPF program has stopped the VMM at it; stopped_by says for what */
};

struct iovm_record {
	__u64 time;	/* ns, CLOCK_MONOTONIC */
	__u64 address;	/* port, or guest-physical address */
	__u64 value;	/* first element */
	__u64 rip;
	__u64 cr3;	/* as the CPU holds it, PCID and all */
	__u64 gs_base;
	__u64 current_task; /* the guest's `current`, as its own per-CPU slot had it */
	__u32 tgid;	/* of the VMM; as IOVM_IOC_ADD_VM gave it */
	__u32 tid;	/* of the vCPU's thread */
	__u32 count;	/* elements; 1 but for string operations */
	__u32 sequence; /* of the ring: one more for each record, dropped or not; wraps */
	__u16 vcpu;
	__u16 present;
	__u8 kind;
	__u8 direction;
	__u8 size;	/* bytes of an element */
	__u8 cpl;
	__u32 preempt_count; /* the guest's */
	__u32 stopped_by;
};
IOVM_ABI_SIZE(struct iovm_record, 88);

/* The same bytes where kind is IOVM_TASK; what both have is in the same place. */
struct iovm_task {
	__u64 time;
	__u64 current_task;
	__u64 start_time; /* of the clock that IOVM_IOC_GUEST's offset names */
	__u64 mm;
	__u8 comm[16]; /* raw; ends with a 0 if the guest says so */
	__u32 pid;
	__u32 process; /* its tgid in the guest */
	__u32 tgid;
	__u32 tid;
	__u32 flags;
	__u32 sequence;
	__u16 vcpu;
	__u16 present;
	__u8 kind;
	__u8 spare0[3];
	__u64 spare1;
};
IOVM_ABI_SIZE(struct iovm_task, 88);

/* Why a record is not there; indices of the drop counters. */
enum iovm_drop {
	IOVM_DROP_FULL = 0,	 /* the ring had no free slot: the reader was too slow for its size */
	IOVM_DROP_NO_RING = 1,	 /* a CPU that came online after IOVM_IOC_START */
	IOVM_DROPS = 2,
};

/*
 * The first page of each ring, mapped with the slots that follow it at `data`. head and tail count
 * slots, from 0, and never wrap in practice; slot n is at data + n % slots * sizeof(iovm_record).
 * The kernel writes head (release) and the reader tail (release); the kernel keeps its own head and
 * takes any tail that makes no sense for a full ring.
 *
 * `busy` is 1 while the CPU makes a record, from before it takes the time until head is written. So a
 * reader that saw busy 0 at T and then read head knows that whatever comes into this ring later has
 * a later time than T (give it 10 us for the CPUs' store buffers): no order is ever guessed.
 */
struct iovm_ring {
	__u32 abi;
	__u32 record_size;
	__u32 slots;
	__u32 cpu;
	__u64 data;
	__u64 spare0[5];
	__u64 head; /* the kernel's line */
	__u32 busy;
	__u32 spare1;
	__u64 dropped; /* of this ring, all causes */
	__u64 spare2[5];
	__u64 tail; /* the reader's line */
	__u64 spare3[7];
};
IOVM_ABI_SIZE(struct iovm_ring, 192);

/* IOVM_IOC_START answers with the geometry. Ring i is mapped at offset i * ring_bytes. */
struct iovm_start {
	__u32 slots;	  /* in: wanted in each ring; out: what there is (whole pages) */
	__u32 wake_ms;	  /* in: a reader in poll() is woken at most this long after a record */
	__u32 rings;	  /* out */
	__u32 ring_bytes; /* out: first page and slots */
};
IOVM_ABI_SIZE(struct iovm_start, 16);

/* vCPU ids from IOVM_MAX_VCPUS on are recorded, but have neither counters nor slots of their own. */
enum { IOVM_MAX_SLOTS = 1 << 24, IOVM_MAX_VCPUS = 1024, IOVM_MAX_VMS = 4096 };

/*
 * Where the guest's `current` pointer of one vCPU lives, as an address in the VMM's memory (0: not
 * known). The guest's per-CPU data do not move while a kernel runs, so that user space finds the
 * place once, and the probe reads it with page faults off: no walk of guest memory.
 */
struct iovm_slot {
	__u32 tgid;
	__u32 vcpu;
	__u64 address;	     /* of `current` */
	__u64 preempt_count; /* of the CPU's preempt_count */
};
IOVM_ABI_SIZE(struct iovm_slot, 24);

/*
 * How to read a task at the exit: where the guest's kernel addresses are in the VMM (its direct map
 * and its image; few ranges, no page tables), and offsets in task_struct. No ranges: not at all. All
 * of it is believed only so far that reads which fail give no task.
 */
enum { IOVM_MAX_RANGES = 8 };
struct iovm_range {
	__u64 guest;
	__u64 bytes;
	__u64 vmm;
};
struct iovm_guest {
	__u32 tgid; /* of the VMM */
	__u32 ranges;
	struct iovm_range range[IOVM_MAX_RANGES];
	__u32 pid;
	__u32 process; /* task_struct.tgid */
	__u32 start_time;
	__u32 mm;
	__u32 flags;
	__u32 comm;
};
IOVM_ABI_SIZE(struct iovm_guest, 224);

/* The counters of one vCPU of a VM, or with tgid 0 of the whole session. */
struct iovm_counters {
	__u32 tgid; /* in */
	__u32 vcpu; /* in */
	__u64 records;
	__u64 dropped[IOVM_DROPS];
};
IOVM_ABI_SIZE(struct iovm_counters, 32);

/* What this host and module can do. */
enum iovm_feature {
	IOVM_CAN_PIO = 1 << 0, /* the tracepoint is there (kvm is loaded) */
	IOVM_CAN_MMIO = 1 << 1,
	IOVM_CAN_FAST_MMIO = 1 << 2,
	IOVM_CAN_SVM = 1 << 3, /* guest registers of AMD */
	IOVM_CAN_VMX = 1 << 4, /* and of Intel */
};

struct iovm_hello {
	__u32 abi;	/* in: the caller's; out: the module's */
	__u32 features; /* out */
};
IOVM_ABI_SIZE(struct iovm_hello, 8);

/*
 * In this order: HELLO once, ADD_VM as often as wanted (later too), START once. STOP ends the
 * recording: after it nothing is added but by FLUSH, which puts losses still waiting for room into
 * the rings. A VM belongs to one session at a time (EBUSY), ALL_VMS takes those that nobody else has.
 */
#define IOVM_IOC_MAGIC 0xB7
#define IOVM_IOC_HELLO _IOWR(IOVM_IOC_MAGIC, 0, struct iovm_hello)
#define IOVM_IOC_ADD_VM _IOW(IOVM_IOC_MAGIC, 1, __u32)
#define IOVM_IOC_REMOVE_VM _IOW(IOVM_IOC_MAGIC, 2, __u32)
#define IOVM_IOC_ALL_VMS _IO(IOVM_IOC_MAGIC, 3)
#define IOVM_IOC_START _IOWR(IOVM_IOC_MAGIC, 4, struct iovm_start)
#define IOVM_IOC_STOP _IO(IOVM_IOC_MAGIC, 5)
#define IOVM_IOC_FLUSH _IO(IOVM_IOC_MAGIC, 6)
#define IOVM_IOC_SLOT _IOW(IOVM_IOC_MAGIC, 7, struct iovm_slot)
#define IOVM_IOC_COUNTERS _IOWR(IOVM_IOC_MAGIC, 8, struct iovm_counters)
#define IOVM_IOC_GUEST _IOW(IOVM_IOC_MAGIC, 9, struct iovm_guest)

#endif
