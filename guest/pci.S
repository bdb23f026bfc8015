# SPDX-License-Identifier: Apache-2.0
# PCI: enumeration and BARs as a BIOS does them, and a network card to poke.
.include "tiny.inc"
.text
.globl pci_enumerate, pci_rescan, nic_session

.equ ADDRESS, 0xcf8
.equ DATA,    0xcfc
.equ IO_BASE,  0xc000
.equ MEM_BASE, 0xfe000000

# Configuration addresses: bus 0, device in bits 15:11, function 10:8, register.
.equ ENABLE,   0x80000000
.equ FUNCTION, 0x100
.equ DEVICE,   0x800
.equ LAST,     0x80010000

# pci_read: eax = register at eax
pci_read:
    mov dx, ADDRESS
    out dx, eax
    mov dx, DATA
    in eax, dx
    ret

# pci_write: register at eax = ecx
pci_write:
    mov dx, ADDRESS
    out dx, eax
    mov dx, DATA
    mov eax, ecx
    out dx, eax
    ret

# pci_enumerate: all of bus 0; sizes and assigns every BAR, enables decoding
pci_enumerate:
    push ebx
    mov dword ptr [PCI_NEXT_IO], IO_BASE
    mov dword ptr [PCI_NEXT_MEM], MEM_BASE
    mov dword ptr [NIC_IO], 0
    mov dword ptr [NIC_MEM], 0
    mov ebx, ENABLE
1:  mov eax, ebx
    call pci_read
    cmp ax, 0xffff
    je 3f
    call pci_set_up
    mov eax, ebx
    mov al, 0x0c
    call pci_read
    test eax, 0x800000        # more functions?
    jz 3f
2:  add ebx, FUNCTION
    test ebx, 0x700
    jz 4f                     # the add has reached the next device
    mov eax, ebx
    call pci_read
    cmp ax, 0xffff
    je 2b
    call pci_set_up
    jmp 2b
3:  add ebx, DEVICE
4:  cmp ebx, LAST
    jb 1b
    pop ebx
    ret

# pci_set_up: the function at ebx
pci_set_up:
    push ebp
    mov eax, ebx
    mov al, 0x08
    call pci_read             # class
    shr eax, 16
    cmp ax, 0x0600            # host bridge: has no BARs
    je 3f
    push ax
    mov ebp, ebx
    or ebp, 0x10
1:  call pci_size_bar
    add ebp, 4
    mov eax, ebp
    cmp al, 0x28
    jne 1b
    mov eax, ebx
    mov al, 0x04
    call pci_read
    mov ecx, eax
    or cl, 0x07               # I/O, memory, bus master
    mov eax, ebx
    mov al, 0x04
    call pci_write
    pop ax
    cmp ax, 0x0200            # Ethernet
    jne 3f
    call nic_remember
3:  pop ebp
    ret

# pci_size_bar: write ones, see what stays, assign an address of that alignment
pci_size_bar:
    mov eax, ebp
    call pci_read
    mov eax, ebp
    mov ecx, 0xffffffff
    call pci_write
    mov eax, ebp
    call pci_read
    test eax, eax
    jz 3f
    mov si, PCI_NEXT_MEM
    mov edx, 0xfffffff0
    test al, 1
    jz 1f
    mov si, PCI_NEXT_IO
    mov edx, 0xfffffffc
    or eax, 0xffff0000
1:  and eax, edx
    neg eax                   # size, a power of two
    mov ecx, [si]
    dec eax
    add ecx, eax
    not eax
    and ecx, eax              # aligned up
    not eax
    inc eax
    add eax, ecx
    mov [si], eax
    mov eax, ebp
    call pci_write            # ecx, kept
    mov eax, ebp
    call pci_read
3:  ret

# pci_rescan: a look at vendor, command and interrupt line of a few devices
pci_rescan:
    push ebx
    mov ax, 5
    call random_below
    inc ax
    movzx ebx, ax
1:  mov ax, 6
    call random_below
    movzx eax, ax
    shl eax, 11
    or eax, ENABLE
    push eax
    call pci_read
    cmp ax, 0xffff
    pop eax
    je 2f
    push eax
    mov al, 0x04
    call pci_read
    pop eax
    mov al, 0x3c
    call pci_read
2:  dec bx
    jnz 1b
    pop ebx
    ret

# nic_remember: the BARs of the card at ebx
nic_remember:
    mov eax, ebx
    mov al, 0x10
    call pci_read
    and al, 0xf0
    mov [NIC_MEM], eax
    mov eax, ebx
    mov al, 0x14
    call pci_read
    and al, 0xfc
    movzx eax, ax
    mov [NIC_IO], eax
    ret

# Registers of the e1000
.equ CTRL,   0x0000
.equ STATUS, 0x0008
.equ ICR,    0x00c0
.equ IMC,    0x00d8
.equ RAL,    0x5400
.equ RAH,    0x5404

# nic_session: link state by the I/O window, then interrupts and address by MMIO
nic_session:
    mov dx, [NIC_IO]
    test dx, dx
    jz 1f
    mov eax, STATUS
    out dx, eax               # IOADDR
    add dx, 4
    in eax, dx                # IODATA
    mov esi, [NIC_MEM]
    mov dword ptr fs:[esi + IMC], 0xffffffff
    mov eax, fs:[esi + ICR]
    mov eax, fs:[esi + STATUS]
    mov ax, 2
    call random_below
    test ax, ax
    jz 1f
    mov eax, fs:[esi + CTRL]
    mov eax, fs:[esi + RAL]
    mov eax, fs:[esi + RAH]
1:  ret
