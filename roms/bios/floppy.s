# INT 13h for diskettes, INT 40h, IRQ 6: an NEC uPD765 at 3F0h with DMA channel 2.
#
# Sources: Intel 82077AA data sheet; Intel 8237A; Ralf Brown's INT 13h. Formatting is left out.

.equ FD_DOR, 0x3f2
.equ FD_STATUS, 0x3f4
.equ FD_DATA, 0x3f5
.equ FD_RATE, 0x3f7

.section .bios, "ax"
# Step rate and head times, motor, bytes a sector, sectors a track, gaps, filler, settle and start times.
floppy_parameters:
    .byte 0xaf, 0x02, 0x25, 0x02, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08
# By CMOS type: cylinders, sectors, data rate.
floppy_kinds:
    .byte 0, 0, 0, 40, 9, 2, 80, 15, 0, 80, 9, 2, 80, 18, 0, 80, 36, 3, 80, 36, 3

CODE16
irq6:
    push ds
    push ax
    push BDA
    pop ds
    or byte ptr [FLOPPY_CALIBRATED], 0x80
    OUTB 0x20, 0x20
    pop ax
    pop ds
    iret

# Counts the drives that the CMOS lists. Their controller is reset when it is used.
floppies_start:
    push BDA
    pop ds
    and byte ptr [EQUIPMENT], 0x3e
    mov al, 0x10
    call cmos_read
    test al, 0xf0
    jz 3f
    or byte ptr [EQUIPMENT], 1
    test al, 0x0f
    jz 2f
    or byte ptr [EQUIPMENT], 0x40
2:  mov byte ptr [FLOPPY_CALIBRATED], 0
    SAY "Floppy drive\n"
3:  ret

int40:
    sti
    ENTER EBDA
    call floppy_service
    LEAVE

# The service of the frame, of drive DL.
floppy_service:
    push BDA
    pop ds
    call floppy_kind
    mov ah, [bp + R_AH]
    jc 8f
    cmp ah, 0
    je floppy_reset
    cmp ah, 1
    je 6f
    cmp ah, 2
    je floppy_transfer
    cmp ah, 3
    je floppy_transfer
    cmp ah, 4
    je floppy_transfer
    cmp ah, 8
    je floppy_describe
    cmp ah, 0x15
    je 7f
    cmp ah, 0x16
    je 4f
    cmp ah, 0x17
    je 4f
    cmp ah, 0x18
    je 5f
3:  mov ah, 1
    jmp floppy_end
4:  mov ah, 0
    jmp floppy_end
5:  mov word ptr [bp + R_ES], ROM_SEG
    mov word ptr [bp + R_DI], offset floppy_parameters
    jmp 4b
6:  mov ah, [FLOPPY_STATUS]
    jmp floppy_end
7:  mov byte ptr [bp + R_AH], 1                 # without change line
    NO_CARRY
    ret
8:  cmp ah, 8
    jne 9f
    xor ax, ax                                  # no such drive
    mov [bp + R_BX], ax
    mov [bp + R_CX], ax
    mov [bp + R_DX], ax
    mov [bp + R_ES], ax
    mov [bp + R_DI], ax
    jmp 4b
9:  cmp ah, 0x15
    mov ah, 0x80
    jne floppy_end
    mov byte ptr [bp + R_AH], 0
    NO_CARRY
    ret

# Ends with status AH.
floppy_end:
    mov [FLOPPY_STATUS], ah
    jmp disk_end

# SI: the kind of drive DL; carry if there is none.
floppy_kind:
    cmp dl, 1
    ja 3f
    mov al, 0x10
    call cmos_read
    test dl, dl
    jnz 2f
    shr al, 4
2:  and ax, 0x0f
    jz 3f
    cmp al, 6
    ja 3f
    mov si, ax
    add si, ax
    add si, ax
    add si, offset floppy_kinds
    clc
    ret
3:  stc
    ret

# AH=08h.
floppy_describe:
    mov ch, cs:[si]
    dec ch
    mov cl, cs:[si + 1]
    mov [bp + R_CX], cx
    mov byte ptr [bp + R_DH], 1
    mov al, [EQUIPMENT]
    mov ah, 0
    test al, 1
    jz 2f
    inc ah
    test al, 0x40
    jz 2f
    inc ah
2:  mov [bp + R_DL], ah
    mov ax, si
    sub ax, offset floppy_kinds
    mov cl, 3
    div cl
    mov ah, 0
    mov [bp + R_BX], ax
    mov word ptr [bp + R_AX], 0
    mov word ptr [bp + R_ES], ROM_SEG
    mov word ptr [bp + R_DI], offset floppy_parameters
    mov ah, 0
    jmp floppy_end

# Waits for the interrupt; carry if it does not come.
floppy_wait:
    push ecx
    sti
    mov ecx, 2000000
2:  test byte ptr [FLOPPY_CALIBRATED], 0x80
    jnz 3f
    in al, 0x61
    dec ecx
    jnz 2b
    stc
    jmp 4f
3:  and byte ptr [FLOPPY_CALIBRATED], 0x7f
    clc
4:  pop ecx
    ret

# Sends AL; carry if the controller does not take it.
floppy_send:
    push ecx
    push dx
    push ax
    mov dx, FD_STATUS
    mov ecx, 100000
2:  in al, dx
    and al, 0xc0
    cmp al, 0x80
    je 3f
    dec ecx
    jnz 2b
    pop ax
    stc
    jmp 4f
3:  pop ax
    inc dx
    out dx, al
    clc
4:  pop dx
    pop ecx
    ret

# AL: a result byte; carry if there is none.
floppy_take:
    push ecx
    push dx
    mov dx, FD_STATUS
    mov ecx, 100000
2:  in al, dx
    and al, 0xc0
    cmp al, 0xc0
    je 3f
    dec ecx
    jnz 2b
    stc
    jmp 4f
3:  inc dx
    in al, dx
    clc
4:  pop dx
    pop ecx
    ret

# Sense interrupt: AL: ST0, AH: cylinder.
floppy_sense:
    mov al, 8
    call floppy_send
    jc 2f
    call floppy_take
    jc 2f
    mov ah, al
    call floppy_take
    xchg al, ah
2:  ret

floppy_reset:
    mov dx, FD_DOR
    and byte ptr [FLOPPY_CALIBRATED], 0x70
    OUTB dx, 0x08
    OUTB dx, 0x0c
    call floppy_wait
    jc floppy_late
    mov cx, 4
2:  call floppy_sense
    loop 2b
    mov al, 3                                   # specify
    call floppy_send
    mov al, 0xaf
    call floppy_send
    mov al, 0x02
    call floppy_send
    mov ah, 0
    jmp floppy_end

floppy_late:
    mov ah, 0x80
    jmp floppy_end

# AH=02h, 03h, 04h.
floppy_transfer:
    mov al, [bp + R_CL]
    and al, 0x3f
    jz 9f
    cmp al, cs:[si + 1]
    ja 9f
    mov al, [bp + R_CH]
    cmp al, cs:[si]
    jae 9f
    cmp byte ptr [bp + R_DH], 1
    ja 9f
    mov al, [bp + R_AL]
    test al, al
    jz 9f
    cmp ah, 4
    je 8f
    jmp 2f
9:  mov ah, 4
    mov byte ptr [bp + R_AL], 0
    jmp floppy_end
8:  mov ah, 0
    jmp floppy_end
2:  # Motor on, drive selected, rate.
    mov cl, [bp + R_DL]
    mov al, 0x10
    shl al, cl
    or [FLOPPY_MOTOR], cl
    mov ah, 1
    shl ah, cl
    or [FLOPPY_MOTOR], ah
    or al, 0x0c
    or al, cl
    mov byte ptr [FLOPPY_TIMEOUT], 255
    mov dx, FD_DOR
    push ax
    in al, dx
    test al, 4
    pop ax
    jnz 3f
    push ax
    push si
    call floppy_reset
    pop si
    pop ax
3:  mov dx, FD_DOR
    out dx, al
    mov dx, FD_RATE
    mov al, cs:[si + 2]
    out dx, al
    test [FLOPPY_CALIBRATED], ah
    jnz 4f
    push ax
    and byte ptr [FLOPPY_CALIBRATED], 0x7f
    mov al, 7                                   # recalibrate
    call floppy_send
    mov al, cl
    call floppy_send
    call floppy_wait
    call floppy_sense
    pop ax
    or [FLOPPY_CALIBRATED], ah
4:  and byte ptr [FLOPPY_CALIBRATED], 0x7f
    mov al, 0x0f                                # seek
    call floppy_send
    jc floppy_late
    call floppy_head
    call floppy_send
    mov al, [bp + R_CH]
    call floppy_send
    call floppy_wait
    jc floppy_late
    call floppy_sense
    # DMA: address, count, direction.
    movzx eax, word ptr [bp + R_ES]
    shl eax, 4
    movzx ebx, word ptr [bp + R_BX]
    add eax, ebx
    movzx ecx, byte ptr [bp + R_AL]
    shl cx, 9
    dec cx
    mov bx, ax
    add bx, cx
    mov ah, 9                                   # crosses a boundary of 64 KiB
    jc floppy_failed
    movzx eax, word ptr [bp + R_ES]
    shl eax, 4
    movzx ebx, word ptr [bp + R_BX]
    add eax, ebx
    mov ebx, eax
    OUTB 0x0a, 6
    out 0x0c, al
    mov al, 0x46                                # to memory
    cmp byte ptr [bp + R_AH], 3
    jne 5f
    mov al, 0x4a
5:  out 0x0b, al
    mov al, bl
    out 0x04, al
    mov al, bh
    out 0x04, al
    shr ebx, 16
    mov al, bl
    out 0x81, al
    mov al, cl
    out 0x05, al
    mov al, ch
    out 0x05, al
    OUTB 0x0a, 2
    and byte ptr [FLOPPY_CALIBRATED], 0x7f
    mov al, 0xe6
    cmp byte ptr [bp + R_AH], 3
    jne 6f
    mov al, 0xc5
6:  call floppy_send
    call floppy_head
    call floppy_send
    mov al, [bp + R_CH]
    call floppy_send
    mov al, [bp + R_DH]
    call floppy_send
    mov al, [bp + R_CL]
    call floppy_send
    mov al, 2
    call floppy_send
    mov al, cs:[si + 1]
    call floppy_send
    mov al, 0x1b
    call floppy_send
    mov al, 0xff
    call floppy_send
    call floppy_wait
    jc floppy_failed_late
    mov di, FLOPPY_RESULT
    mov cx, 7
7:  call floppy_take
    jc floppy_failed_late
    mov [di], al
    inc di
    loop 7b
    mov byte ptr [FLOPPY_TIMEOUT], 37
    mov ah, 0
    test byte ptr [FLOPPY_RESULT], 0xc0
    jz floppy_end
    mov ah, 3
    test byte ptr [FLOPPY_RESULT + 1], 2
    jnz floppy_failed
    mov ah, 4
    test byte ptr [FLOPPY_RESULT + 1], 4
    jnz floppy_failed
    mov ah, 0x20
floppy_failed:
    mov byte ptr [FLOPPY_TIMEOUT], 37
    mov byte ptr [bp + R_AL], 0
    jmp floppy_end
floppy_failed_late:
    mov ah, 0x80
    jmp floppy_failed

# AL: head and drive, as commands have them.
floppy_head:
    mov al, [bp + R_DH]
    shl al, 2
    or al, [bp + R_DL]
    ret
