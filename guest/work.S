# SPDX-License-Identifier: Apache-2.0
# Work as a BIOS and drivers do it: the same protocols in every run, in an order
# and amount that the seed decides. And the same with an attack in the middle.
.include "tiny.inc"
.equ PIECES, 11               # in the table below
.text
.globl work, venom

work:
    call power_on
    mov ebp, [PARAM_ROUNDS]
    test ebp, ebp
    jz 2f
1:  call round
    dec ebp
    jnz 1b
2:  cli
    ret

venom:
    call power_on
    mov ebp, [PARAM_ROUNDS]
    mov ebx, ebp
    shr ebx, 1
1:  cmp ebp, ebx
    jne 2f
    mov si, offset text_flood
    call print
    call fdc_flood
2:  test ebp, ebp
    jz 3f
    call round
    dec ebp
    jmp 1b
3:  cli
    ret

# power_on: what a BIOS does once
power_on:
    mov si, offset text_power_on
    call print
    call a20_on
    call pic_init
    call keyboard_init
    call cmos_survey
    call enter_unreal
    call apic_pass_pic
    call pci_enumerate
    call uart_init
    call interrupts_on
    call pit_init             # only now, see irq_wait
    call ide_init
    call fdc_init
    jmp uart_line

# round: 2 to 6 pieces of work, then a pause of up to 6 ticks
round:
    push bx
    mov ax, 5
    call random_below
    add ax, 2
    mov bx, ax
1:  mov ax, PIECES
    call random_below
    mov si, ax
    add si, si
    call cs:[pieces + si]
    dec bx
    jnz 1b
    mov ax, 6
    call random_below
    inc ax
    call wait_ticks
    pop bx
    ret

.section .rodata
pieces:                       # a piece that stands here twice comes twice as often
    .word ide_session, ide_session, ide_session
    .word fdc_session, fdc_session
    .word rtc_read_time, uart_line, uart_line, pit_read, pci_rescan, nic_session
text_power_on: .asciz "tiny: power on\n"
text_flood:    .asciz "tiny: flood\n"
