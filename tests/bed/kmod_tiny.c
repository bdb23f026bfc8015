// SPDX-License-Identifier: Apache-2.0
/*
 * kmod_tiny - a VMM of one file whose guests' registers are known, because it sets them.
 *
 *   kmod_tiny        waits for a line, runs three guests, one after the other in one VM: in real
 *                    mode, in ring 0 and in ring 3 of long mode, each with its own CR3 and GS
 *                    bases; the second changes its CR3 by itself.
 *
 * Each makes a few accesses to ports and to memory that is not there, which are answered here. What
 * a recorder must see is printed first, one access a line, in order:
 *   KIND DIRECTION ADDRESS RIP CPL CR3 GS_BASE      (as kmod_reader names them; GS_BASE 0: none)
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define KERNEL_GS 0xffff888012340000ULL
#define USER_GS 0x7f0000001000ULL

enum {
  MEMORY = 0x200000,
  ROOT_A = 0x2000, /* three roots of the same identity map of the first GiB */
  DIRECTORIES = 0x3000,
  LARGE_PAGES = 0x4000,
  ROOT_B = 0x5000,
  ROOT_C = 0x6000,
  CODE = 0x8000,
  PORT = 0x3f5,
  END_PORT = 0xf4,
  NOWHERE = 0x10000000, /* memory that is not there: MMIO */
  PIO = 1, MMIO = 2, READ = 0, WRITE = 1,
};

/* The guests' code; each label is the place of one access. */
__asm__(".pushsection .rodata\n"
        "real: out %al, %dx\n"
        "      in %dx, %al\n"
        "      .byte 0xe6, 0xf4\n" /* out al, END_PORT */
        "kernel: out %al, %dx\n"
        "      in %dx, %al\n"
        "      mov %al, (%rbx)\n"
        "      mov (%rbx), %al\n"
        "      mov %rcx, %cr3\n"
        "      out %al, %dx\n"
        "      .byte 0xe6, 0xf4\n"
        "user: out %al, %dx\n"
        "      in %dx, %al\n"
        "      mov %al, (%rbx)\n"
        "      mov (%rbx), %al\n"
        "      .byte 0xe6, 0xf4\n"
        "code_end: .popsection\n");
extern const unsigned char real[], kernel[], user[], code_end[];

struct access {
  int kind, direction;
  uint64_t address;
  unsigned at; /* bytes into the guest's code */
};
static const struct access in_real[] = {
    {PIO, WRITE, PORT, 0}, {PIO, READ, PORT, 1}, {PIO, WRITE, END_PORT, 2}, {0, 0, 0, 0}};
static const struct access in_user[] = {{PIO, WRITE, PORT, 0},
                                        {PIO, READ, PORT, 1},
                                        {MMIO, WRITE, NOWHERE, 2},
                                        {MMIO, READ, NOWHERE, 4},
                                        {PIO, WRITE, END_PORT, 6},
                                        {0, 0, 0, 0}};
static const struct access in_kernel[] = {{PIO, WRITE, PORT, 0},
                                          {PIO, READ, PORT, 1},
                                          {MMIO, WRITE, NOWHERE, 2},
                                          {MMIO, READ, NOWHERE, 4},
                                          {PIO, WRITE, PORT, 9},
                                          {PIO, WRITE, END_PORT, 10},
                                          {0, 0, 0, 0}};

static void die(const char* what) {
  perror(what);
  exit(1);
}

static int need(int result, const char* what) {
  if (result < 0) die(what);
  return result;
}

static void put_tables(unsigned char* memory) {
  uint64_t* large = (uint64_t*)(memory + LARGE_PAGES);
  for (uint64_t i = 0; i < 512; i++) large[i] = i << 21 | 0x87; /* present, writable, user, 2 MiB */
  *(uint64_t*)(memory + DIRECTORIES) = LARGE_PAGES | 7;
  *(uint64_t*)(memory + ROOT_A) = DIRECTORIES | 7;
  *(uint64_t*)(memory + ROOT_B) = DIRECTORIES | 7;
  *(uint64_t*)(memory + ROOT_C) = DIRECTORIES | 7;
}

static struct kvm_segment segment(int code, int ring) {
  struct kvm_segment s = {.limit = 0xffffffff, .present = 1, .s = 1, .g = 1};
  s.selector = (uint16_t)((code ? 8 : 16) | ring);
  s.type = code ? 11 : 3;
  s.dpl = (uint8_t)ring;
  s.l = (uint8_t)code;
  s.db = (uint8_t)!code;
  return s;
}

static void set_long_mode(int vcpu, int ring, uint64_t cr3, uint64_t gs) {
  struct kvm_sregs s;
  need(ioctl(vcpu, KVM_GET_SREGS, &s), "GET_SREGS");
  s.cr0 = 0x80050033, s.cr3 = cr3, s.cr4 = 0x620, s.efer = 0x500;
  s.cs = segment(1, ring);
  s.ds = s.es = s.fs = s.gs = s.ss = segment(0, ring);
  s.gs.base = gs;
  need(ioctl(vcpu, KVM_SET_SREGS, &s), "SET_SREGS");
}

static void set_kernel_gs(int vcpu, uint64_t base) {
  struct {
    struct kvm_msrs head;
    struct kvm_msr_entry one;
  } msrs = {.head.nmsrs = 1, .one = {.index = 0xc0000102, .data = base}};
  if (ioctl(vcpu, KVM_SET_MSRS, &msrs) != 1) die("SET_MSRS");
}

static void set_real_mode(int vcpu) {
  struct kvm_sregs s;
  need(ioctl(vcpu, KVM_GET_SREGS, &s), "GET_SREGS");
  s.cs.base = 0, s.cs.selector = 0;
  need(ioctl(vcpu, KVM_SET_SREGS, &s), "SET_SREGS");
}

static void set_regs(int vcpu, const unsigned char* code, int ring) {
  struct kvm_regs regs = {.rip = CODE + (uint64_t)(code - real), .rdx = PORT, .rbx = NOWHERE};
  regs.rcx = ROOT_C;
  regs.rflags = ring ? 0x3002 : 2; /* ring 3 needs IOPL 3 */
  need(ioctl(vcpu, KVM_SET_REGS, &regs), "SET_REGS");
}

static void run(int vcpu, struct kvm_run* shared) {
  for (;;) {
    need(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    if (shared->exit_reason == KVM_EXIT_IO) {
      if (shared->io.port == END_PORT) return;
      *((unsigned char*)shared + shared->io.data_offset) = 0x5a;
    } else if (shared->exit_reason == KVM_EXIT_MMIO) {
      shared->mmio.data[0] = 0xa5;
    } else {
      fprintf(stderr, "exit %u\n", shared->exit_reason);
      exit(1);
    }
  }
}

static void expect(const struct access* a, const unsigned char* code, int cpl, uint64_t cr3,
                   uint64_t later_cr3, uint64_t gs) {
  for (; a->kind; a++) {
    uint64_t rip = CODE + (uint64_t)(code - real) + a->at;
    printf("%d %d 0x%lx 0x%lx %d 0x%lx 0x%lx\n", a->kind, a->direction, a->address, rip, cpl,
           a->at > 6 ? later_cr3 : cr3, gs);
  }
}

int main(void) {
  char line[16];
  int kvm = need(open("/dev/kvm", O_RDWR), "/dev/kvm");
  int vm = need(ioctl(kvm, KVM_CREATE_VM, 0), "CREATE_VM");
  ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
  unsigned char* memory =
      mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct kvm_userspace_memory_region slot = {.memory_size = MEMORY,
                                             .userspace_addr = (uintptr_t)memory};
  need(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "memory");
  memcpy(memory + CODE, real, (size_t)(code_end - real));
  put_tables(memory);
  int vcpu = need(ioctl(vm, KVM_CREATE_VCPU, 0), "CREATE_VCPU");
  size_t size = (size_t)need(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "mmap size");
  struct kvm_run* shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

  expect(in_real, real, 0, 0, 0, 0);
  expect(in_kernel, kernel, 0, ROOT_A, ROOT_C, KERNEL_GS);
  expect(in_user, user, 3, ROOT_B, ROOT_B, KERNEL_GS);
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) return 1;

  set_real_mode(vcpu);
  set_regs(vcpu, real, 0);
  run(vcpu, shared);
  set_long_mode(vcpu, 0, ROOT_A, KERNEL_GS);
  set_regs(vcpu, kernel, 0);
  run(vcpu, shared);
  set_long_mode(vcpu, 3, ROOT_B, USER_GS);
  set_kernel_gs(vcpu, KERNEL_GS);
  set_regs(vcpu, user, 3);
  run(vcpu, shared);
  return 0;
}
