// SPDX-License-Identifier: GPL-2.0
/* KVM's register cache and AMD's VMCB, as regs.c uses them. */
#include <asm/svm.h>
#include <linux/kvm_host.h>

u64 test(struct kvm_vcpu *vcpu, struct vmcb *vmcb);
u64 test(struct kvm_vcpu *vcpu, struct vmcb *vmcb)
{
	return vcpu->arch.regs[VCPU_REGS_RIP] + vcpu->arch.cr3 + vcpu->arch.regs_avail +
	       (vcpu->arch.hflags & HF_GUEST_MASK) + vmcb->save.cpl + vmcb->save.gs.base +
	       vmcb->save.kernel_gs_base;
}
