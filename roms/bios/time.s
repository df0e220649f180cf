# IRQ 0, IRQ 8 and INT 1Ah: ticks, the clock, the alarm; PCI BIOS calls go on to pcibios.s.
#
# Source: IBM PC/AT Technical Reference; Ralf Brown's INT 1Ah.

.equ DAY, 0x1800b0                              # ticks

.section .bios, "ax"
CODE16
irq0:
    push ds
    push eax
    push BDA
    pop ds
    mov eax, [TIMER]
    inc eax
    cmp eax, DAY
    jb 2f
    xor eax, eax
    inc byte ptr [MIDNIGHT]
2:  mov [TIMER], eax
    cmp byte ptr [FLOPPY_TIMEOUT], 0
    je 3f
    dec byte ptr [FLOPPY_TIMEOUT]
    jnz 3f
    push dx                                     # motors off
    mov dx, 0x3f2
    OUTB dx, 0x0c
    and byte ptr [FLOPPY_MOTOR], 0xf0
    pop dx
3:  int 0x1c
    cli
    OUTB 0x20, 0x20
    pop eax
    pop ds
    iret

# The clock's periodic interrupt serves INT 15h, AH=83h; its alarm is INT 4Ah.
irq8:
    pushad
    push ds
    push es
    push BDA
    pop ds
    mov al, 0x0c
    call cmos_read
    mov ah, al
    test ah, 0x40
    jz 3f
    sub dword ptr [0x9c], 976                   # microseconds
    ja 3f
    les bx, [0x98]
    or byte ptr es:[bx], 0x80
    and byte ptr [0xa0], 0xfe
    push ax
    mov al, 0x0b
    call cmos_read
    mov ah, al
    and ah, 0xbf
    mov al, 0x0b
    call cmos_write
    pop ax
3:  test ah, 0x20
    jz 4f
    int 0x4a
4:  cli
    OUTB 0xa0, 0x20
    OUTB 0x20, 0x20
    pop es
    pop ds
    popad
    iret

# Sets the tick count from the clock. DS: BDA.
time_start:
    mov al, 0
    call cmos_bcd
    movzx ebx, al
    mov al, 2
    call cmos_bcd
    movzx eax, al
    imul eax, eax, 60
    add ebx, eax
    mov al, 4
    call cmos_bcd
    movzx eax, al
    imul eax, eax, 3600
    add eax, ebx
    mov ecx, DAY                                # a day has 86400 seconds
    mul ecx
    mov ecx, 86400
    div ecx
    mov [TIMER], eax
    mov byte ptr [MIDNIGHT], 0
    ret

# AL: index, and then the value there, which is in BCD.
cmos_bcd:
    call cmos_read
    mov ah, al
    and al, 15
    shr ah, 4
    aad
    ret

# Waits until the clock is not about to change; carry if it never is ready.
clock_ready:
    push cx
    mov cx, 0xffff
2:  mov al, 0x0a
    call cmos_read
    test al, 0x80
    jz 3f
    loop 2b
    stc
3:  pop cx
    ret

int1a:
    sti
    ENTER BDA
    NO_CARRY
    cmp ah, 0xb1
    je 2f
    DISPATCH time_services, 8, 3f
    LEAVE
2:  call pci_bios
    LEAVE
3:  CARRY
    LEAVE

time_services:
    .word time_get, time_set, clock_get, clock_set, date_get, date_set, alarm_set, alarm_off

time_get:
    cli
    mov eax, [TIMER]
    mov [bp + R_DX], ax
    shr eax, 16
    mov [bp + R_CX], ax
    xor al, al
    xchg al, [MIDNIGHT]
    sti
    mov [bp + R_AL], al
    ret

time_set:
    cli
    mov ax, [bp + R_CX]
    mov [TIMER + 2], ax
    mov ax, [bp + R_DX]
    mov [TIMER], ax
    mov byte ptr [MIDNIGHT], 0
    sti
    ret

clock_failed:
    CARRY
    ret

clock_get:
    call clock_ready
    jc clock_failed
    mov al, 0
    call cmos_read
    mov [bp + R_DH], al
    mov al, 2
    call cmos_read
    mov [bp + R_CL], al
    mov al, 4
    call cmos_read
    mov [bp + R_CH], al
    mov al, 0x0b
    call cmos_read
    and al, 1
    mov [bp + R_DL], al
    ret

clock_set:
    call clock_stop
    mov ah, [bp + R_DH]
    mov al, 0
    call cmos_write
    mov ah, [bp + R_CL]
    mov al, 2
    call cmos_write
    mov ah, [bp + R_CH]
    mov al, 4
    call cmos_write
    mov bl, [bp + R_DL]
    and bl, 1
    jmp clock_go

# Keeps the clock from changing.
clock_stop:
    mov al, 0x0b
    call cmos_read
    or al, 0x80
    mov ah, al
    mov al, 0x0b
    jmp cmos_write

# Lets it go on; BL: daylight saving.
clock_go:
    mov al, 0x0b
    call cmos_read
    and al, 0x7e
    or al, bl
    mov ah, al
    mov al, 0x0b
    jmp cmos_write

date_get:
    call clock_ready
    jc clock_failed
    mov al, 7
    call cmos_read
    mov [bp + R_DL], al
    mov al, 8
    call cmos_read
    mov [bp + R_DH], al
    mov al, 9
    call cmos_read
    mov [bp + R_CL], al
    mov al, 0x32
    call cmos_read
    mov [bp + R_CH], al
    ret

date_set:
    call clock_stop
    mov ah, [bp + R_DL]
    mov al, 7
    call cmos_write
    mov ah, [bp + R_DH]
    mov al, 8
    call cmos_write
    mov ah, [bp + R_CL]
    mov al, 9
    call cmos_write
    mov ah, [bp + R_CH]
    mov al, 0x32
    call cmos_write
    mov al, 0x0b
    call cmos_read
    mov bl, al
    and bl, 1
    jmp clock_go

alarm_set:
    mov al, 0x0b
    call cmos_read
    test al, 0x20
    jnz clock_failed
    mov bl, al
    mov ah, [bp + R_DH]
    mov al, 1
    call cmos_write
    mov ah, [bp + R_CL]
    mov al, 3
    call cmos_write
    mov ah, [bp + R_CH]
    mov al, 5
    call cmos_write
    mov ah, bl
    or ah, 0x20
    mov al, 0x0b
    call cmos_write
# Lets the clock interrupt.
clock_unmask:
    in al, 0xa1
    and al, 0xfe
    out 0xa1, al
    in al, 0x21
    and al, 0xfb
    out 0x21, al
    ret

alarm_off:
    mov al, 0x0b
    call cmos_read
    mov ah, al
    and ah, 0xdf
    mov al, 0x0b
    jmp cmos_write
