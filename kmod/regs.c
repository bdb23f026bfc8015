// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's registers in the middle of an exit, without KVM's private headers.
 *
 * RIP, and CR3 where KVM keeps it, are in struct kvm_vcpu, which is public. What is not:
 *
 * AMD: CPL and the GS bases are in the VMCB. struct vcpu_svm is private, but the pair (pointer to
 * the VMCB, its physical address) stands in its first words after struct kvm_vcpu, and a pair of
 * words of which the one is the other's physical address is nothing else: the place is searched
 * once, and the pair checked each time. CR3 in kvm_vcpu is a copy that KVM makes at each exit.
 *
 * Intel: the VMCS of a loaded vCPU is current on its CPU, so VMREAD gives each field. It fails
 * softly where there is no current VMCS and faults outside VMX operation; both mean "not known".
 * KVM's own cache (regs_avail) is asked first, since what is cached may be newer than the VMCS.
 *
 * Nothing is given of a vCPU whose state is encrypted, nor while it runs a guest of its own.
 */
#include <asm/msr.h>
#include <asm/svm.h>
#include <asm/vmx.h>

#include "iovm.h"

#define CPL_SHIFT 5 /* of DPL in a segment's access rights */

static bool cached(struct kvm_vcpu *vcpu, enum kvm_reg reg)
{
	return test_bit(reg, (unsigned long *)&vcpu->arch.regs_avail);
}

static bool encrypted(struct kvm_vcpu *vcpu)
{
#ifdef IOVM_HAVE_GUEST_STATE_PROTECTED
	return vcpu->arch.guest_state_protected;
#else
	return false;
#endif
}

static void set_rip(struct iovm_record *record, u64 rip)
{
	record->rip = rip;
	record->present |= IOVM_HAS_RIP;
}

static void set_cr3(struct iovm_record *record, u64 cr3)
{
	record->cr3 = cr3;
	record->present |= IOVM_HAS_CR3;
}

static void set_cpl(struct iovm_record *record, u8 cpl)
{
	record->cpl = cpl;
	record->present |= IOVM_HAS_CPL;
}

/*
 * The guest kernel's GS base is the one of the two in the upper half; in the kernel the active one
 * is it, in user space the other. If neither is, this is no 64-bit kernel that uses one.
 */
static void set_gs_base(struct iovm_record *record, u64 active, u64 other)
{
	bool in_user = (record->present & IOVM_HAS_CPL) && record->cpl == 3;
	u64 first = in_user ? other : active, second = in_user ? active : other;
	u64 base = (s64)first < 0 ? first : second;

	if ((s64)base >= 0)
		return;
	record->gs_base = base;
	record->present |= IOVM_HAS_GS_BASE;
}

/* --- AMD ------------------------------------------------------------------------------------ */

enum { PAIR_SEARCHED = 8 }; /* words after struct kvm_vcpu */

/* The word after struct kvm_vcpu at which the pair was found, plus one. */
static int pair_at;

/* The word there and its neighbour, if the one is the address of a page and the other that page's own. */
static struct vmcb *pair(struct kvm_vcpu *vcpu, int at)
{
	const unsigned long *words = (const unsigned long *)(vcpu + 1) + at;
	unsigned long vmcb = READ_ONCE(words[0]);

	if (!vmcb || !PAGE_ALIGNED(vmcb))
		return NULL;
	return __sme_clr(READ_ONCE(words[1])) == __pa(vmcb) ? (struct vmcb *)vmcb : NULL;
}

/* Once for all vCPUs: what stands at that place later is only compared. */
static struct vmcb *search(struct kvm_vcpu *vcpu)
{
	struct vmcb *vmcb;
	int at;

	for (at = 0; at < PAIR_SEARCHED; at++) {
		vmcb = pair(vcpu, at);
		if (vmcb && virt_addr_valid(vmcb)) {
			WRITE_ONCE(pair_at, at + 1);
			return vmcb;
		}
	}
	return NULL;
}

static struct vmcb *find_vmcb(struct kvm_vcpu *vcpu)
{
	int at = READ_ONCE(pair_at);
	struct vmcb *vmcb = at ? pair(vcpu, at - 1) : NULL;

	return likely(vmcb) ? vmcb : search(vcpu);
}

static void read_svm(struct kvm_vcpu *vcpu, struct iovm_record *record)
{
	struct vmcb *vmcb = find_vmcb(vcpu);

	record->rip = vcpu->arch.regs[VCPU_REGS_RIP];
	record->cr3 = vcpu->arch.cr3;
	record->present |= IOVM_HAS_RIP | IOVM_HAS_CR3;
	if (!vmcb)
		return;
	set_cpl(record, vmcb->save.cpl);
	set_gs_base(record, vmcb->save.gs.base, vmcb->save.kernel_gs_base);
}

/* --- Intel ---------------------------------------------------------------------------------- */

static bool read_vmcs(unsigned long field, u64 *value)
{
	unsigned long out = 0;
	u8 failed = 1;

	asm volatile("1: vmread %[field], %[out]\n\t"
		     "setna %[failed]\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : [out] "=&r"(out), [failed] "+&q"(failed)
		     : [field] "r"(field)
		     : "cc");
	*value = out;
	return !failed;
}

/* KVM's own CR3 is the guest's unless the guest can load it without an exit. */
static bool cr3_is_in_vmcs(struct kvm_vcpu *vcpu)
{
	u64 primary, secondary;

	if (!read_vmcs(CPU_BASED_VM_EXEC_CONTROL, &primary) ||
	    !(primary & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS) ||
	    !read_vmcs(SECONDARY_VM_EXEC_CONTROL, &secondary) ||
	    !(secondary & SECONDARY_EXEC_ENABLE_EPT))
		return false;
	return (secondary & SECONDARY_EXEC_UNRESTRICTED_GUEST) || (vcpu->arch.cr0 & X86_CR0_PG);
}

static void read_vmx_cr3(struct kvm_vcpu *vcpu, struct iovm_record *record)
{
	u64 cr3;

	if (cached(vcpu, VCPU_EXREG_CR3) || !cr3_is_in_vmcs(vcpu))
		set_cr3(record, vcpu->arch.cr3);
	else if (read_vmcs(GUEST_CR3, &cr3))
		set_cr3(record, cr3);
}

static void read_vmx(struct kvm_vcpu *vcpu, struct iovm_record *record)
{
	u64 rip, rights, gs_base, other = 0;

	/* The first VMREAD tells whether there is a VMCS to read at all. */
	if (!read_vmcs(GUEST_SS_AR_BYTES, &rights))
		return;
	if (cached(vcpu, VCPU_REGS_RIP))
		set_rip(record, vcpu->arch.regs[VCPU_REGS_RIP]);
	else if (read_vmcs(GUEST_RIP, &rip))
		set_rip(record, rip);
	read_vmx_cr3(vcpu, record);
	/* Real mode is ring 0, whatever the segments that stand in for it say. */
	set_cpl(record, vcpu->arch.cr0 & X86_CR0_PE ? (rights >> CPL_SHIFT) & 3 : 0);
	if (!read_vmcs(GUEST_GS_BASE, &gs_base))
		return;
	/*
	 * In user space the kernel's base is in the MSR, and it is the guest's as long as KVM has
	 * not given the CPU back; then it is the VMM's own, which is in the lower half.
	 */
	if ((s64)gs_base >= 0)
		rdmsrl(MSR_KERNEL_GS_BASE, other);
	set_gs_base(record, gs_base, other);
}

/* --- Either --------------------------------------------------------------------------------- */

void iovm_regs_read(struct kvm_vcpu *vcpu, struct iovm_record *record)
{
	if (encrypted(vcpu))
		return;
	if (vcpu->arch.hflags & HF_GUEST_MASK) {
		record->present |= IOVM_NESTED;
		return;
	}
	if (boot_cpu_has(X86_FEATURE_SVM))
		read_svm(vcpu, record);
	else if (boot_cpu_has(X86_FEATURE_VMX))
		read_vmx(vcpu, record);
}

u32 iovm_regs_features(void)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		return IOVM_CAN_SVM;
	return boot_cpu_has(X86_FEATURE_VMX) ? IOVM_CAN_VMX : 0;
}
