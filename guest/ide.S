# SPDX-License-Identifier: Apache-2.0
# The disk: ATA by programmed I/O on the primary channel, by string and by word.
.include "tiny.inc"
.text
.globl ide_init, ide_identify_command, ide_session

.equ DATA,     0x1f0
.equ FEATURES, 0x1f1
.equ COUNT,    0x1f2
.equ LBA_LOW,  0x1f3
.equ LBA_MID,  0x1f4
.equ LBA_HIGH, 0x1f5
.equ DRIVE,    0x1f6
.equ COMMAND,  0x1f7          # and status
.equ CONTROL,  0x3f6
.equ POLLS,    256

# ide_ready: until not BSY
ide_ready:
    mov cx, POLLS
1:  inb COMMAND
    test al, 0x80
    jz 2f
    loop 1b
    stc
    ret
2:  clc
    ret

# ide_data_ready: until not BSY and DRQ; an error of the disk is one here too
ide_data_ready:
    mov cx, POLLS
1:  inb COMMAND
    test al, 0x80
    jnz 2f
    test al, 0x01
    jnz 3f
    test al, 0x08
    jnz 4f
2:  loop 1b
3:  stc
    ret
4:  clc
    ret

ide_identify_command:
    outb CONTROL, 0x02        # no interrupt: polled
    outb DRIVE, 0xa0
    call ide_ready
    jc 1f
    outb COMMAND, 0xec
    call ide_data_ready
1:  ret

# ide_take: one sector by `rep insw`
ide_take:
    mov di, BUFFER
    mov cx, 256
    mov dx, DATA
    rep insw
    ret

# ide_take_by_word: one sector by 256 `in`
ide_take_by_word:
    mov di, BUFFER
    mov cx, 256
    mov dx, DATA
1:  in ax, dx
    stosw
    loop 1b
    ret

ide_give:
    mov si, BUFFER
    mov cx, 256
    mov dx, DATA
    rep outsw
    ret

ide_init:
    call ide_identify_command
    jc ide_failed
    call ide_take
    outb CONTROL, 0x00        # from here on with interrupts
    ret

ide_failed:
    inc dword ptr [ERRORS]
    ret

# ide_start: command bl at LBA eax (below 2^24), bh sectors
ide_start:
    push eax
    call ide_ready
    mov al, IRQ_DISK
    call irq_arm
    outb DRIVE, 0xe0
    outb FEATURES, 0
    outb COUNT, bh
    pop ecx
    outb LBA_LOW, cl
    outb LBA_MID, ch
    shr ecx, 16
    outb LBA_HIGH, cl
    outb COMMAND, bl
    ret

# ide_next_sector: its interrupt, then its DRQ
ide_next_sector:
    mov al, IRQ_DISK
    call irq_wait
    jc 1f
    mov al, IRQ_DISK
    call irq_arm
    call ide_data_ready
1:  ret

random_lba:
    mov ax, 2048              # of the first MiB
    call random_below
    movzx eax, ax
    ret

ide_read:
    push bx
    mov ax, 4
    call random_below
    inc ax
    mov bh, al
    mov bl, 0x20              # READ SECTORS
    call random_lba
    call ide_start
1:  call ide_next_sector
    jc ide_session_failed
    mov ax, 8
    call random_below
    test ax, ax
    jz 2f
    call ide_take
    dec bh
    jnz 1b
    pop bx
    ret
2:  call ide_take_by_word
    dec bh
    jnz 1b
    pop bx
    ret
ide_session_failed:           # with bx on the stack
    pop bx
    jmp ide_failed

ide_write:
    push bx
    mov bx, 0x0130            # WRITE SECTORS, one
    call random_lba
    call ide_start
    call ide_data_ready       # the first sector comes without an interrupt
    jc ide_session_failed
    call ide_give
    mov al, IRQ_DISK
    call irq_wait
    jc ide_session_failed
    call ide_ready
    mov al, IRQ_DISK
    call irq_arm
    outb COMMAND, 0xe7        # FLUSH CACHE
    mov al, IRQ_DISK
    call irq_wait
    jc ide_session_failed
    call ide_ready
    pop bx
    ret

# ide_smart: SMART READ DATA
ide_smart:
    call ide_ready
    mov al, IRQ_DISK
    call irq_arm
    outb DRIVE, 0xa0
    outb FEATURES, 0xd0
    outb COUNT, 1
    outb LBA_MID, 0x4f
    outb LBA_HIGH, 0xc2
    outb COMMAND, 0xb0
    call ide_next_sector
    jc ide_failed
    jmp ide_take

# ide_session: reads mostly, then writes, seldom SMART
ide_session:
    mov ax, 10
    call random_below
    cmp ax, 6
    jb ide_read
    cmp ax, 9
    jb ide_write
    jmp ide_smart
