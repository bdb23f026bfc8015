// SPDX-License-Identifier: GPL-2.0
/* A vCPU says whether its registers are encrypted (SEV-ES and its kin). */
#include <linux/kvm_host.h>

bool test(struct kvm_vcpu *vcpu);
bool test(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.guest_state_protected;
}
