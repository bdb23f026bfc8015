# SPDX-License-Identifier: Apache-2.0
# The tiny guest: from the reset vector to its end, and its small modes.
#
# It is a BIOS image of its own, so that it runs from the first instruction and
# every exit of the VM is one that stands in these files.
.include "tiny.inc"

.section .reset, "ax"
reset:
    .byte 0xea                # jmp far 0xf000:start
    .word start, 0xf000

.text
start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, STACK_TOP
    cmp dword ptr [PARAM_MAGIC], MAGIC
    jne no_parameters
    mov dword ptr [ERRORS], 0
    mov eax, [PARAM_SEED]
    call random_seed
    mov bx, [PARAM_MODE]
    cmp bx, MODE_REBOOT
    ja no_parameters
    add bx, bx
    call cs:[modes + bx]
end_good:
    mov si, offset text_done
    call print
    mov eax, [ERRORS]
    call print_number
    mov si, offset text_errors
    call print
    outb DEBUG_EXIT, EXIT_OK
halt:
    cli
    hlt
    jmp halt

no_parameters:
    mov si, offset text_no_parameters
    call print
    outb DEBUG_EXIT, EXIT_BAD
    jmp halt

# --- storm: exactly COUNT reads of port 0x61, as fast as they go ---
storm:
    mov ecx, [PARAM_COUNT]
    jecxz 2f
1:  in al, 0x61
    dec ecx
    jnz 1b
2:  mov si, offset text_storm
    jmp print_count

# --- mmio: COUNT accesses to the HPET, read and write by turns ---
.equ HPET_COUNTER, 0xfed000f0
.equ HPET_STATUS,  0xfed00020
mmio:
    call enter_unreal
    mov ecx, [PARAM_COUNT]
    mov esi, HPET_COUNTER
    mov edi, HPET_STATUS
    jecxz 3f
1:  mov eax, fs:[esi]
    dec ecx
    jz 3f
    mov dword ptr fs:[edi], 0
    dec ecx
    jnz 1b
3:  mov si, offset text_mmio
    jmp print_count

# --- string: COUNT rounds of string I/O of fixed lengths ---
string:
    call ide_identify_command # 256 words wait in the disk's data port
    mov di, BUFFER
    mov cx, 256
    mov dx, 0x1f0
    rep insw
    mov ebp, [PARAM_COUNT]
    test ebp, ebp
    jz 2f
1:  mov si, BUFFER
    mov cx, 48
    mov dx, 0x80
    rep outsb
    mov cx, 16
    rep outsw
    mov cx, 8
    rep outsd
    mov di, BUFFER
    mov cx, 64
    mov dx, 0x61
    rep insb
    dec ebp
    jnz 1b
2:  mov si, offset text_string
    jmp print_count

# --- reboot: work, reset by the chipset, work again ---
.equ CMOS_NOTE,     0x7e      # a byte of the CMOS that outlives the reset
.equ REBOOTED,      0x5a
reboot:
    mov al, CMOS_NOTE
    call cmos_read
    cmp al, REBOOTED
    je 1f
    mov si, offset text_first
    call print
    call work
    mov al, CMOS_NOTE
    mov ah, REBOOTED
    call cmos_write
    cli
    outb 0xcf9, 0x02          # PIIX: hard reset, on the change of bit 2
    outb 0xcf9, 0x06
    jmp halt
1:  mov al, CMOS_NOTE
    mov ah, 0
    call cmos_write
    mov si, offset text_second
    call print
    jmp work

print_count:                  # si, then COUNT
    call print
    mov eax, [PARAM_COUNT]
    call print_number
    mov si, offset text_newline
    jmp print

.section .rodata
modes:
    .word work, venom, storm, mmio, string, reboot
text_no_parameters: .asciz "tiny: no parameters at 0x500\n"
text_done:          .asciz "tiny: done, "
text_errors:        .asciz " device errors\n"
text_storm:         .asciz "tiny: storm: reads of port 0x61: "
text_mmio:          .asciz "tiny: mmio: accesses to the HPET: "
text_string:        .asciz "tiny: string: rounds: "
text_first:         .asciz "tiny: reboot: before\n"
text_second:        .asciz "tiny: reboot: after\n"
text_newline:       .asciz "\n"
