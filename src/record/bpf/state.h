/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the BPF program shares with the process that loads it, besides the records themselves
 * (iovm_abi.h): the state of each vCPU, in an array that both have in their memory; settings; and
 * where a tracepoint's arguments are.
 */
#ifndef IOVM_BPF_STATE_H
#define IOVM_BPF_STATE_H

#include "iovm_abi.h"

/*
 * One for each vCPU that has been seen or told of, and before those one for each CPU: for accesses
 * of which it is not known whose they are, or that found no state left. Its only writer is the
 * thread of that vCPU (or that CPU), but for slot and preempt_count, which user space writes.
 */
struct iovm_vcpu_state {
  __u64 records;
  __u64 dropped[IOVM_DROPS];
  __u64 gap; /* records that are in no ring yet: the next one says so first */
  __u64 gap_first;
  __u32 gap_cause;
  __u32 tgid; /* 0: of any vCPU on one CPU */
  __u32 tid;
  __u32 vcpu;
  __u64 slot; /* of the guest's `current`, in the VMM; 0: not known */
  __u64 preempt_count;
  struct iovm_task task; /* the last one told; no time: none */
};

/*
 * Of each CPU, written by it alone: preemption is off while a tracepoint's program runs. Whose the
 * last access was is kept, since they come in bursts of one thread; any other thread is looked at
 * anew, and so are all when the set of VMs changes.
 */
struct iovm_cpu_state {
  __u32 sequence;
  __u32 unwoken;  /* records since the reader was woken */
  __u64 notifier; /* what KVM has put on that thread */
  __u64 vcpu;     /* struct kvm_vcpu; 0: not known */
  __u64 vmcb;
  __u64 born; /* that thread: with its number, no other */
  __u32 tid;
  __u32 epoch;
  __u32 state; /* in the array above; or one of those below */
  __u32 guest; /* how to read its tasks */
  __u16 vcpu_id;
  __u16 hidden; /* the guest's registers are encrypted */
  __u32 spare[17];
};
enum { IOVM_FOREIGN = 0xffffffff, IOVM_SHARED = 0xfffffffe };

enum { IOVM_BPF_MOST_STATES = 8192, IOVM_BPF_MOST_GUESTS = IOVM_MAX_VMS };

/*
 * A VM is the process of that number which began then: numbers come round again, and the next
 * process that has one is not the VM that was asked for. Its beginning is in the ticks in which
 * /proc/PID/stat tells it (USER_HZ).
 */
enum { IOVM_BPF_TICK_NS = 10000000 };
struct iovm_bpf_vm {
  __u64 start;
  __u32 guest; /* in guests */
  __u32 spare;
};
struct iovm_bpf_vcpu {
  __u64 start;
  __u32 tgid;
  __u32 vcpu;
};

/*
 * Writes at which the VMM is stopped: all that is tested at one address. Only VMs in the table of
 * VMs are stopped, at accesses of their vCPUs. A mask of 0 is any value, also one not known.
 */
enum { IOVM_BPF_STOP_TESTS = 16, IOVM_BPF_MOST_STOPS = 1024 };
struct iovm_stop_at {
  __u64 address;
  __u32 kind; /* IOVM_PIO, IOVM_MMIO */
  __u32 spare;
};
struct iovm_stop_test {
  __u64 mask; /* value & mask is from first to last, or is not if negated */
  __u64 first;
  __u64 last;
  __u32 number; /* iovm_record.stopped_by; not 0 */
  __u8 sizes;   /* a sum of 1, 2, 4, 8; 0: any */
  __u8 negated;
  __u16 spare;
};
struct iovm_stop_tests {
  __u32 count;
  __u32 spare;
  struct iovm_stop_test test[IOVM_BPF_STOP_TESTS];
};

/*
 * The record of a write that stopped its VM and found no room in the ring: one for each state. The
 * program writes it while `waits` is 0, user space takes it and makes that 0 again.
 */
struct iovm_left_stop {
  struct iovm_record record;
  __u32 waits;
  __u32 spare;
};

/* Set before the program is loaded; never changes. Positions are found by name in the BTF. */
struct iovm_bpf_settings {
  __u32 cpus; /* possible ones: states from here on are vCPUs' */
  __u8 svm, vmx, pvm;
  __u8 direct;      /* the verifier takes loads from KVM's structures: no helper to read them */
  __u8 direct_vmcb; /* the same of those of kvm_amd */
  __u8 no_vmcb;     /* those are not known */
  __u8 stops;       /* some writes stop the VMM; else the verifier drops all that is for that */
  __u8 pio_rw, pio_port, pio_size, pio_count, pio_data;
  __u8 mmio_type, mmio_len, mmio_gpa, mmio_val;
  __u8 fast_gpa;
};

/* May change while it runs. */
struct iovm_bpf_control {
  __u32 epoch;   /* of the set of VMs, never 0: a thread that was looked at in another is looked at
                    again */
  __u32 all_vms; /* not only those that are in the table */
  __u32 next_state; /* the first that is nobody's */
  __u32 wake_every; /* records of one ring */
};

#endif
