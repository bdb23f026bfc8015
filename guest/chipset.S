# SPDX-License-Identifier: Apache-2.0
# The parts of every PC: PIC, PIT, RTC and CMOS, keyboard controller, UART.
.include "tiny.inc"
.text
.globl pic_init, pit_init, pit_read, cmos_read, cmos_write, cmos_survey
.globl rtc_read_time, keyboard_init, a20_on, uart_init, uart_line

pic_init:
    outb 0x20, 0x11           # ICW1: edge, cascade, ICW4
    outb 0xa0, 0x11
    outb 0x21, 0x08           # ICW2: vectors
    outb 0xa1, 0x70
    outb 0x21, 0x04           # ICW3: slave on IRQ 2
    outb 0xa1, 0x02
    outb 0x21, 0x01           # ICW4: 8086 mode
    outb 0xa1, 0x01
    outb 0x21, 0xff           # all masked
    outb 0xa1, 0xff
    ret

.equ PIT_DIVISOR, 11932       # 100 Hz
pit_init:
    outb 0x43, 0x34           # channel 0, low and high byte, rate generator
    outb 0x40, (PIT_DIVISOR & 0xff)
    outb 0x40, (PIT_DIVISOR >> 8)
    ret

# pit_read: latch and read channel 0, 1 to 4 times
pit_read:
    push bx
    mov ax, 4
    call random_below
    inc ax
    mov bx, ax
1:  outb 0x43, 0x00
    inb 0x40
    inb 0x40
    dec bx
    jnz 1b
    pop bx
    ret

cmos_read:                    # al = register al
    out 0x70, al
    in al, 0x71
    ret

cmos_write:                   # register al = ah
    out 0x70, al
    mov al, ah
    out 0x71, al
    ret

# cmos_survey: what a BIOS asks of the CMOS: drive types, equipment, memory
cmos_survey:
    push bx
    mov bl, 0x0d
1:  mov al, bl
    call cmos_read
    inc bl
    cmp bl, 0x36
    jne 1b
    pop bx
    ret

# rtc_read_time: all fields, after any update in progress; again if it changed
rtc_read_time:
    push bx
1:  call rtc_wait
    xor al, al
    call cmos_read
    mov bh, al                # seconds
    mov si, offset rtc_fields
2:  cs lodsb
    test al, al
    jz 3f
    call cmos_read
    jmp 2b
3:  call rtc_wait
    xor al, al
    call cmos_read
    cmp al, bh
    jne 1b
    pop bx
    ret

rtc_wait:                     # bounded, as a driver's is
    mov cx, 64
1:  mov al, 0x0a
    call cmos_read
    test al, 0x80
    jz 2f
    loop 1b
2:  ret

keyboard_init:
    call keyboard_ready
    outb 0x64, 0xad           # disable the keyboard
    call keyboard_ready
    outb 0x64, 0xaa           # self test
    mov cx, 64
1:  in al, 0x64
    test al, 1
    jnz 2f
    loop 1b
2:  in al, 0x60
    call keyboard_ready
    outb 0x64, 0x60           # command byte: no interrupts
    call keyboard_ready
    outb 0x60, 0x64
    ret

keyboard_ready:
    mov cx, 64
1:  in al, 0x64
    test al, 2
    jz 2f
    loop 1b
2:  ret

a20_on:
    in al, 0x92
    or al, 2
    and al, 0xfe
    out 0x92, al
    ret

.equ UART, 0x3f8
.equ UART_LINES, 3            # in the table below
uart_init:
    outb UART+1, 0x00       # no interrupts
    outb UART+3, 0x80       # divisor latch
    outb UART+0, 0x01       # 115200 baud
    outb UART+1, 0x00
    outb UART+3, 0x03       # 8n1
    outb UART+2, 0x07       # FIFOs on and empty
    outb UART+4, 0x03       # DTR, RTS
    inb UART+5
    inb UART+6
    ret

# uart_line: one of a few log lines, each byte after a look at the LSR
uart_line:
    mov ax, UART_LINES
    call random_below
    mov si, ax
    add si, si
    mov si, cs:[uart_lines + si]
1:  cs lodsb
    test al, al
    jz 2f
    call uart_byte
    jmp 1b
2:  ret

uart_byte:
    mov ah, al
    mov cx, 128
1:  inb UART+5
    test al, 0x20
    jnz 2f
    loop 1b
2:  outb UART, ah
    ret

.section .rodata
rtc_fields: .byte 2, 4, 6, 7, 8, 9, 0
uart_lines: .word line_a, line_b, line_c
line_a: .asciz "tiny: all is well\r\n"
line_b: .asciz "tiny: disk read\r\n"
line_c: .asciz "tiny: time kept, floppy turning\r\n"
