/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's registers in the middle of an exit, as far as they are in memory. AMD: RIP and CR3 in
 * struct kvm_vcpu (KVM copies CR3 at each exit), CPL and the GS bases in the VMCB. Intel: the VMCS
 * is no memory, so RIP and CR3 are there only if KVM has asked for them in this exit, and the rest
 * is not. Nothing is given of a vCPU whose state is encrypted, nor while it runs a guest of its
 * own.
 */
#ifndef IOVM_BPF_REGS_H
#define IOVM_BPF_REGS_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "state.h"
#include "structures.h"

extern const volatile struct iovm_bpf_settings settings;

/* Since 6.2: from then on `object` may be loaded from, as one of that type. Only types of vmlinux.
 */
extern void* bpf_rdonly_cast(const void* object, __u32 type) __ksym __weak;

#define cast_to(type, address) \
  ((type*)bpf_rdonly_cast((void*)(address), bpf_core_type_id_kernel(type)))

/* The value of a member of a kernel structure; 0 where it cannot be read. */
#define copy_of(place)                                        \
  ({                                                          \
    __typeof__(place) value_ = 0;                             \
    bpf_probe_read_kernel(&value_, sizeof(value_), &(place)); \
    value_;                                                   \
  })
/* The same, without a call where a load will do: a tenth of the time. */
#define member_of(place) (settings.direct ? (place) : copy_of(place))
#define vmcb_member_of(place) (settings.direct_vmcb ? (place) : copy_of(place))

/* HF_GUEST_MASK is no type that BTF knows: bit 5 until 6.2, bit 0 since. */
static __always_inline bool runs_a_guest(struct kvm_vcpu* vcpu) {
  unsigned long old = 1 << 5, young = 1 << 0;
  unsigned long mask = old | young; /* off AMD, the one that is not it is never set */

  if (settings.svm) mask = bpf_core_field_exists(((struct vcpu_svm*)0)->nmi_masked) ? young : old;
  return (member_of(vcpu->arch.hflags) & mask) != 0;
}

static __always_inline void set_rip(struct iovm_record* record, __u64 rip) {
  record->rip = rip;
  record->present |= IOVM_HAS_RIP;
}

static __always_inline void set_cr3(struct iovm_record* record, __u64 cr3) {
  record->cr3 = cr3;
  record->present |= IOVM_HAS_CR3;
}

static __always_inline void set_cpl(struct iovm_record* record, __u8 cpl) {
  record->cpl = cpl;
  record->present |= IOVM_HAS_CPL;
}

/* The guest kernel's is the one in the upper half: in the kernel the active one, else the other. */
static __always_inline void set_gs_base(struct iovm_record* record, __u64 active, __u64 other) {
  __u64 first = record->cpl == 3 ? other : active, second = record->cpl == 3 ? active : other;
  __u64 base = (__s64)first < 0 ? first : second;

  if ((__s64)base >= 0) return;
  record->gs_base = base;
  record->present |= IOVM_HAS_GS_BASE;
}

static __always_inline void read_svm(struct kvm_vcpu* vcpu, __u64 vmcb_address,
                                     struct iovm_record* record) {
  struct vmcb* vmcb =
      settings.direct_vmcb ? cast_to(struct vmcb, vmcb_address) : (struct vmcb*)vmcb_address;

  set_rip(record, member_of(vcpu->arch.regs[VCPU_REGS_RIP]));
  set_cr3(record, member_of(vcpu->arch.cr3));
  if (!vmcb_address) return;
  set_cpl(record, vmcb_member_of(vmcb->save.cpl));
  set_gs_base(record, vmcb_member_of(vmcb->save.gs.base),
              vmcb_member_of(vmcb->save.kernel_gs_base));
}

static __always_inline void read_vmx(struct kvm_vcpu* vcpu, struct iovm_record* record) {
  __u32 cached = member_of(vcpu->arch.regs_avail);

  if (cached & 1U << bpf_core_enum_value(enum kvm_reg, VCPU_REGS_RIP))
    set_rip(record, member_of(vcpu->arch.regs[VCPU_REGS_RIP]));
  if (cached & 1U << bpf_core_enum_value(enum kvm_reg, VCPU_EXREG_CR3))
    set_cr3(record, member_of(vcpu->arch.cr3));
}

static __always_inline void read_pvm(struct kvm_vcpu* vcpu, __u64 address,
                                     struct iovm_record* record) {
  struct vcpu_pvm* pvm =
      settings.direct ? cast_to(struct vcpu_pvm, address) : (struct vcpu_pvm*)address;

  set_rip(record, member_of(vcpu->arch.regs[VCPU_REGS_RIP]));
  set_cr3(record, member_of(vcpu->arch.cr3));
  if (bpf_core_field_exists(pvm->cpl)) set_cpl(record, (__u8)member_of(pvm->cpl));
}

static __always_inline void read_regs(const struct iovm_cpu_state* cpu,
                                      struct iovm_record* record) {
  struct kvm_vcpu* vcpu =
      settings.direct ? cast_to(struct kvm_vcpu, cpu->vcpu) : (struct kvm_vcpu*)cpu->vcpu;

  if (!cpu->vcpu || cpu->hidden) return;
  if (runs_a_guest(vcpu))
    record->present |= IOVM_NESTED;
  else if (settings.svm)
    read_svm(vcpu, cpu->vmcb, record);
  else if (settings.vmx)
    read_vmx(vcpu, record);
  else if (settings.pvm)
    read_pvm(vcpu, cpu->vcpu, record);
}

#endif
