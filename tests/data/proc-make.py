#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the fixture trees tests/data/proc-*: what /proc shows of hosts with VMs.

One host is a few lines below; the trees are checked in, so tests need no Python.
Run it in tests/data after a change here.
"""
import os
import shutil
import sys

RUN = "16 0x{:x} 0xae80 0x0 0x0 0x0 0x0 0x7ffd 0x7f11"
HUGE = b"x" * 100_000


def put(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def process(tree, pid, words, *, comm=None, exe=None, fds=(), threads=(), maps="", parent=1):
    """fds: (number, target); threads: (tid, comm, text of syscall)."""
    root = f"{tree}/{pid}"
    words = [w if isinstance(w, bytes) else w.encode() for w in words]
    comm = comm or (os.path.basename(words[0]).decode("latin-1")[:15] if words else "kthread")
    put(f"{root}/cmdline", b"".join(w + b"\0" for w in words))
    put(f"{root}/comm", f"{comm}\n")
    put(f"{root}/status", f"Name:\t{comm}\nUmask:\t0022\nState:\tS (sleeping)\nPid:\t{pid}\nPPid:\t{parent}\n")
    put(f"{root}/maps", maps)
    if exe:
        os.symlink(exe, f"{root}/exe")
    os.makedirs(f"{root}/fd", exist_ok=True)
    put(f"{root}/fd/.keep", "")
    for number, target in fds:
        os.symlink(target, f"{root}/fd/{number}")
    for tid, name, call in threads or [(pid, comm, "running")]:
        put(f"{root}/task/{tid}/comm", f"{name}\n")
        put(f"{root}/task/{tid}/syscall", f"{call}\n")


def vcpus(first, ids):
    return [(first + i, f"anon_inode:kvm-vcpu:{n}") for i, n in enumerate(ids)]


def kvm(vm_fd, first, ids):
    return [(0, "/dev/null"), (vm_fd - 1, "/dev/kvm"), (vm_fd, "anon_inode:kvm-vm")] + vcpus(first, ids)


def no_vms(tree):
    process(tree, 1, ["/sbin/init"], comm="systemd", exe="/usr/lib/systemd/systemd", fds=[(0, "/dev/null")])
    process(tree, 2, [])
    # QEMU without KVM has no KVM descriptors: it is no VM that could be recorded.
    process(tree, 900, ["qemu-system-x86_64", "-name", "slow", "-accel", "tcg"], exe="/usr/bin/qemu-system-x86_64",
            fds=[(0, "/dev/null"), (5, "anon_inode:[eventfd]")])


def mixed(tree):
    no_vms(tree)
    qemu = "/usr/bin/qemu-system-x86_64"
    process(tree, 4101,
            [qemu, "-name", "guest=web-1,debug-threads=on", "-S", "-machine", "pc,accel=kvm", "-m", "size=2097152k",
             "-smp", "4", "-uuid", "6C2F1C3E-0A4B-4A2E-9D53-5E0D3B1F0001"],
            comm="qemu-system-x86", exe=qemu, fds=kvm(12, 20, range(4)),
            threads=[(4101, "qemu-system-x86", "271 0x5 0x1 0x0 0x0 0x8 0x0 0x7ffd 0x7f11"),
                     (4105, "call_rcu", "202 0x5 0x1 0x0 0x0 0x8 0x0 0x7ffd 0x7f11"),
                     (4110, "CPU 0/KVM", RUN.format(20)), (4111, "CPU 1/KVM", "running"),
                     (4112, "CPU 2/KVM", RUN.format(22)), (4113, "CPU 3/KVM", "running")])
    # No debug-threads: the one that is blocked tells its descriptor, the one that runs stays unknown.
    process(tree, 4202, ["/usr/bin/kvm", "-name", "db-1", "-m", "512", "-smp", "2"], comm="kvm", exe=qemu,
            fds=kvm(9, 13, range(2)),
            threads=[(4202, "kvm", "running"), (4206, "kvm", RUN.format(14)), (4207, "kvm", "running")])
    # Three cores in two sockets: KVM's ids are APIC ids, with a gap; the comm counts 0 to 5.
    process(tree, 4303, [qemu, "-name", "odd,,name,debug-threads=on", "-smp", "6,sockets=2,cores=3", "-m", "1.5G"],
            comm="qemu-system-x86", exe=qemu + " (deleted)", fds=kvm(9, 30, [0, 1, 2, 4, 5, 6]),
            threads=[(4303, "qemu-system-x86", "running")] +
                    [(4310 + i, f"CPU {i}/KVM", "running") for i in range(6)])
    process(tree, 5301, ["/firecracker", "--id=fc-web", "--api-sock", "/run/firecracker.socket"], comm="firecracker",
            exe="/firecracker", fds=kvm(11, 16, range(2)),
            threads=[(5301, "firecracker", "running"), (5305, "fc_vcpu 0", "running"),
                     (5306, "fc_vcpu 1", RUN.format(17))],
            maps="7f0000000000-7f0008000000 rw-p 00000000 00:00 0 \n"
                 "7f0008000000-7f0010000000 rw-p 00000000 00:00 0 \n"
                 "7f0020000000-7f0080000000 r--p 00000000 00:00 0 \n"
                 "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n")
    process(tree, 5302,
            ["cloud-hypervisor", "--api-socket", "path=/run/vms/ch-db.sock", "--memory", "size=1024M,shared=on",
             "--platform", "uuid=11111111-2222-3333-4444-555555555555"],
            exe="/usr/bin/cloud-hypervisor", fds=kvm(8, 21, [0]),
            threads=[(5302, "cloud-hyperviso", "running"), (5309, "vcpu0", "running")])
    process(tree, 5303, ["crosvm", "run", "--name", "cros", "-m", "256"], exe="/usr/bin/crosvm", fds=kvm(7, 9, [0]),
            threads=[(5303, "crosvm", "running"), (5311, "crosvm_vcpu0", "running")])
    # crosvm's device jail: a copy of the VM, no vCPU
    process(tree, 5304, ["crosvm", "run", "--name", "cros", "-m", "256"], comm="pcivirtio-net",
            exe="/usr/bin/crosvm", fds=[(7, "anon_inode:kvm-vm")], parent=5303)
    process(tree, 5401, ["lkvm", "run", "-n", "tool", "--mem", "128", "-c", "1"], exe="/usr/bin/lkvm",
            fds=kvm(4, 5, [0]), threads=[(5401, "lkvm", "running"), (5404, "kvm-vcpu-0", "running")])
    # Nobody knows this one: called by its program, found by its pid. An old kernel's descriptors.
    process(tree, 6001, ["./my-vmm", "--name", "not-ours"], exe="/opt/my-vmm",
            fds=[(3, "anon_inode:kvm-vm"), (4, "anon_inode:kvm-vcpu"), (5, "anon_inode:kvm-vcpu")],
            threads=[(6001, "my-vmm", "running"), (6002, "my-vmm", RUN.format(5)), (6003, "my-vmm", RUN.format(4))])


def twins(tree):
    no_vms(tree)
    for pid in (71, 72):
        process(tree, pid, ["qemu-system-x86_64", "-name", "web-1"], exe="/usr/bin/qemu-system-x86_64",
                fds=kvm(5, 6, [0]))


def hostile(tree):
    no_vms(tree)
    qemu = "/usr/bin/qemu-system-x86_64"
    process(tree, 31, [qemu, "-name", b"\x1b[2J\x1b]0;owned\x07evil\nname\xff\xe2\x80\xae"], exe=qemu, fds=kvm(5, 6, [0]),
            threads=[(31, "x", "running"), (32, "CPU 0/KVM\x1b[31m", "running"), (33, "CPU 65536/KVM", "running"),
                     (34, "CPU -1/KVM", "running"), (35, "CPU /KVM", "running"), (36, "vcpu", "running")])
    process(tree, 41, [qemu, "-name", HUGE, "-m", "99999999999999999999G"], exe=qemu, fds=kvm(5, 6, [0]),
            threads=[(41, "x", "16 0xffffffffffffffff 0xae80 0x0"), (42, "x", "16 0x6 0xae81 0x0"),
                     (43, "x", "16 0x6 0xae80"), (44, "x", "")])
    # A QEMU of no words; descriptors with numbers that are none; the pid of another as a name.
    process(tree, 51, [], comm="qemu", exe=qemu,
            fds=[(5, "anon_inode:kvm-vm"), (6, "anon_inode:kvm-vcpu:99999999999"), (7, "anon_inode:kvm-vcpu:-1"),
                 (8, "anon_inode:kvm-vcpu:"), (9, "anon_inode:kvm-vcpu:1x"), (10, "/tmp/anon_inode:kvm-vcpu:3")])
    process(tree, 61, [qemu, "-name", "31", "-m"], exe=qemu, fds=kvm(5, 6, [65535]))
    process(tree, 62, [qemu, "-name"], exe=qemu, fds=kvm(5, 6, [0]), parent=62)


def main():
    for name, make in (("proc-no-vms", no_vms), ("proc-mixed", mixed), ("proc-twins", twins),
                       ("proc-hostile", hostile)):
        shutil.rmtree(name, ignore_errors=True)
        make(name)
    return 0


if __name__ == "__main__":
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
