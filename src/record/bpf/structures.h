/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few structures of the kernel that the program looks into, with the members that it uses and
 * nothing else: where those are is worked out when the program is loaded, from the types of the
 * running kernel and its modules (CO-RE). No header of any kernel is needed to build it.
 */
#ifndef IOVM_BPF_STRUCTURES_H
#define IOVM_BPF_STRUCTURES_H

#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node {
  struct hlist_node* next;
};
struct hlist_head {
  struct hlist_node* first;
};
struct mm_struct;
struct task_struct {
  int pid;
  int tgid;
  __u64 start_boottime;
  struct task_struct* group_leader;
  struct mm_struct* mm;
  struct hlist_head preempt_notifiers;
};

struct preempt_notifier {
  struct hlist_node link;
};
struct kvm {
  struct mm_struct* mm;
};
struct kvm_vcpu_arch {
  unsigned long regs[17];
  __u32 regs_avail;
  unsigned long cr3;
  unsigned long hflags;
  bool guest_state_protected; /* since 5.11 */
};
struct kvm_vcpu {
  struct kvm* kvm;
  struct preempt_notifier preempt_notifier;
  int vcpu_id;
  struct kvm_vcpu_arch arch;
};
enum kvm_reg {
  VCPU_REGS_RIP = 16,
  VCPU_EXREG_CR3 = 18,
};

/* AMD: the state of the guest is in memory, in the VMCB. */
struct vmcb_seg {
  __u64 base;
};
struct vmcb_save_area {
  struct vmcb_seg gs;
  __u64 kernel_gs_base;
  __u8 cpl;
};
struct vmcb {
  struct vmcb_save_area save;
};
struct vcpu_svm {
  struct kvm_vcpu vcpu;
  struct vmcb* vmcb;
  bool nmi_masked; /* since 6.3 */
};

/* KVM without hardware, on hosts that are VMs themselves. */
struct vcpu_pvm {
  struct kvm_vcpu vcpu;
  int cpl;
};

#pragma clang attribute pop

#endif
