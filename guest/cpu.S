# SPDX-License-Identifier: Apache-2.0
# Voice, random numbers, 4 GiB data segments, interrupts.
.include "tiny.inc"
.text
.globl print, print_number, random_seed, random_below, enter_unreal
.globl apic_pass_pic, interrupts_on, wait_ticks, irq_arm, irq_wait

# print: the string at cs:si
print:
    cs lodsb
    test al, al
    jz 1f
    out DEBUGCON, al
    jmp print
1:  ret

# print_number: eax, decimal
print_number:
    push ebx
    mov ebx, 10
    xor cx, cx
1:  xor edx, edx
    div ebx
    push dx
    inc cx
    test eax, eax
    jnz 1b
2:  pop ax
    add al, '0'
    out DEBUGCON, al
    loop 2b
    pop ebx
    ret

# random_seed: eax; any value will do
random_seed:
    imul eax, eax, 0x9e3779b1
    xor eax, 0x2545f491
    jnz 1f
    inc eax
1:  mov [RANDOM], eax
    ret

# random_below: ax = 0 .. ax - 1, by xorshift32; changes eax and ecx only
random_below:
    push edx
    movzx edx, ax
    mov eax, [RANDOM]
    mov ecx, eax
    shl ecx, 13
    xor eax, ecx
    mov ecx, eax
    shr ecx, 17
    xor eax, ecx
    mov ecx, eax
    shl ecx, 5
    xor eax, ecx
    mov [RANDOM], eax
    shr eax, 16
    imul eax, edx
    shr eax, 16
    pop edx
    ret

# enter_unreal: fs reaches 4 GiB, everything else stays in real mode
enter_unreal:
    pushfd
    cli
    lgdt cs:[gdt_register]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 1f
1:  mov cx, 8
    mov fs, cx
    and al, 0xfe
    mov cr0, eax
    jmp 2f
2:  xor cx, cx
    mov fs, cx                # base 0; the limit stays
    popfd
    ret

# apic_pass_pic: have the local APIC hand the PIC's interrupts through, as at
# power-on it does not; needs enter_unreal
apic_pass_pic:
    mov esi, 0xfee00000
    mov dword ptr fs:[esi + 0xf0], 0x1ff      # spurious vector, enable
    mov dword ptr fs:[esi + 0x350], 0x8700    # LINT0: ExtINT, level
    mov dword ptr fs:[esi + 0x360], 0x8400    # LINT1: NMI
    ret

# interrupts_on: handlers for timer, floppy and disk; the PIC is set up, all masked
interrupts_on:
    mov cx, 256
    xor di, di
1:  mov word ptr [di], offset on_other
    mov word ptr [di + 2], 0xf000
    add di, 4
    loop 1b
    mov word ptr [0x08 * 4], offset on_timer
    mov word ptr [0x0e * 4], offset on_floppy
    mov word ptr [0x76 * 4], offset on_disk
    mov dword ptr [TICKS], 0
    sti
    outb 0x21, 0xba           # timer, cascade and floppy
    outb 0xa1, 0xbf           # disk
    ret

on_timer:
    push ax
    inc dword ptr [TICKS]
    mov al, 0x20
    out 0x20, al
    pop ax
    iret

on_floppy:
    push ax
    or byte ptr [IRQ_SEEN], IRQ_FLOPPY
    mov al, 0x20
    out 0x20, al
    pop ax
    iret

on_disk:
    push ax
    push dx
    mov dx, 0x1f7             # reading the status withdraws the interrupt
    in al, dx
    or byte ptr [IRQ_SEEN], IRQ_DISK
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop dx
    pop ax
    iret

on_other:
    iret

# wait_ticks: at least ax timer ticks
wait_ticks:
    movzx eax, ax
    add eax, [TICKS]
1:  hlt
    cmp [TICKS], eax
    js 1b
    ret

# irq_arm: forget the interrupts in al that came before
irq_arm:
    not al
    and [IRQ_SEEN], al
    ret

# irq_wait: until an interrupt in al came; carry after 3 s without.
# An interrupt between test and hlt is seen one tick later. The loop never
# clears IF: an interrupt that becomes pending while IF is clear has KVM ask for
# an interrupt window, and under TCG's SVM that window does not open.
irq_wait:
    mov ecx, [TICKS]
    add ecx, 300
1:  test [IRQ_SEEN], al
    jnz 2f
    cmp [TICKS], ecx
    jns 3f
    hlt
    jmp 1b
2:  clc
    ret
3:  stc
    ret

.section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf93000000ffff  # data, base 0, limit 4 GiB
gdt_register:
    .word gdt_register - gdt - 1
    .long gdt + 0xf0000
