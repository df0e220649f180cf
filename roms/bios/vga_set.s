# Setting a mode: registers, palette, font, memory, and what the BIOS data area says of it.

.section .bios, "ax"
CODE16
# AL: mode number. SI: its entry in ROM; carry if there is none.
mode_find:
    cmp al, 0
    je 2f
    cmp al, 2
    je 2f
    cmp al, 5
    jne 3f
2:  xor al, 1                                   # 0, 2 and 5 are 1, 3 and 4 without colour burst
3:  mov si, offset mode_table
4:  cmp cs:[si + M_NUMBER], al
    je 5f
    add si, M_SIZE
    cmp si, offset mode_table_end
    jb 4b
    stc
    ret
5:  clc
    ret

# AH=00h: set mode AL; bit 7 keeps the memory as it is.
video_set_mode:
    mov al, [bp + R_AL]
    mov cl, al
    and al, 0x7f
    mov ah, al
    call mode_find
    jc 9f
    call vbe_off
    and cl, 0x80
    or cl, 0x60
    mov [VIDEO_CONTROL], cl
    mov [MODE], ah
    mov byte ptr [bp + R_AL], 0x20
    cmp ah, 6
    jne 2f
    mov byte ptr [bp + R_AL], 0x3f
2:  cmp ah, 7
    ja 3f
    mov byte ptr [bp + R_AL], 0x30
3:  call mode_registers
    call mode_palette
    call mode_variables
    mov al, cs:[si + M_HEIGHT]
    call font_of_height
    push ds
    push 0
    pop ds
    mov [0x43 * 4], bx                          # the font of graphics modes
    mov word ptr [0x43 * 4 + 2], ROM_SEG
    pop ds
    cmp byte ptr cs:[si + M_KIND], TEXT
    jne 4f
    push si
    call font_load
    pop si
4:  test byte ptr [VIDEO_CONTROL], 0x80
    jnz 5f
    call mode_clear
5:  xor al, al
    call video_page
    mov dx, 0x3c0                               # the screen on
    OUTB dx, 0x20
9:  ret

# Writes the registers of entry CS:SI.
mode_registers:
    push si
    mov dx, 0x3c2
    mov al, cs:[si + M_MISC]
    out dx, al
    mov dx, 0x3c4
    mov ax, 0x0100                              # synchronous reset
    out dx, ax
    lea bx, [si + M_SEQUENCER]
    mov cx, 0x0401                              # CH: count, CL: first index
    call write_indexed
    mov ax, 0x0300
    out dx, ax
    call crtc_port
    mov ax, 0x0011                              # unprotected
    out dx, ax
    lea bx, [si + M_CRTC]
    mov cx, 0x1900
    call write_indexed
    mov dx, 0x3ce
    lea bx, [si + M_GRAPHICS]
    mov cx, 0x0900
    call write_indexed
    call attribute_reset
    mov dx, 0x3c0
    lea bx, [si + M_ATTRIBUTE]
    xor ah, ah
2:  mov al, ah
    out dx, al
    mov al, cs:[bx]
    out dx, al
    inc bx
    inc ah
    cmp ah, 21
    jb 2b
    mov dx, 0x3c6
    OUTB dx, 0xff
    pop si
    ret

# Writes CH values from CS:BX to the indexed registers at DX from index CL on.
write_indexed:
    mov al, cl
    mov ah, cs:[bx]
    out dx, ax
    inc bx
    inc cl
    dec ch
    jnz write_indexed
    ret

# DX: the CRTC's index port, by the colour select bit of the Miscellaneous Output register.
crtc_port:
    push ax
    mov dx, 0x3cc
    in al, dx
    mov dx, 0x3b4
    test al, 1
    jz 2f
    mov dl, 0xd4
2:  pop ax
    ret

# The next write to 3C0h is an index.
attribute_reset:
    push ax
    push dx
    call crtc_port
    add dx, 6
    in al, dx
    pop dx
    pop ax
    ret

# What the BIOS data area says of entry CS:SI.
mode_variables:
    movzx ax, byte ptr cs:[si + M_COLUMNS]
    mov [COLUMNS], ax
    mov al, cs:[si + M_ROWS]
    mov [ROWS], al
    movzx ax, byte ptr cs:[si + M_HEIGHT]
    mov [CHARACTER_HEIGHT], ax
    mov ax, cs:[si + M_PAGE]
    mov [PAGE_SIZE], ax
    call crtc_port
    mov [CRTC], dx
    mov word ptr [CURSOR_SHAPE], 0x0607
    mov byte ptr [CGA_MODE], 0x29
    mov byte ptr [CGA_PALETTE], 0x30
    mov byte ptr [VIDEO_SWITCHES], 0xf9
    mov byte ptr [VIDEO_FLAGS], 0x11
    mov byte ptr [DISPLAY_CODE], 8
    push es
    push ds
    pop es
    mov di, CURSOR
    xor ax, ax
    mov cx, 8
    rep stosw
    mov [PAGE], al
    mov [PAGE_START], ax
    pop es
    ret

# Clears the memory of entry CS:SI.
mode_clear:
    push es
    mov es, cs:[si + M_SEGMENT]
    xor di, di
    mov cx, 0x4000
    mov ax, 0x0720
    cmp byte ptr cs:[si + M_KIND], TEXT
    je 2f
    xor ax, ax
    cmp byte ptr cs:[si + M_KIND], CGA2
    jbe 2f
    mov cx, 0x8000
2:  rep stosw
    pop es
    ret

# The palette of entry CS:SI.
mode_palette:
    mov al, cs:[si + M_PALETTE]
    mov dx, 0x3c8
    push ax
    OUTB dx, 0
    pop ax
    inc dx
    cmp al, 2
    je palette_256
    xor cl, cl
2:  cmp al, 3
    je 5f
    mov ah, cl
    cmp al, 1
    jne 6f
    # CGA: bit 4 is the intensity of all three, and dark yellow is brown.
    and ah, 0x17
    test ah, 0x10
    jz 3f
    or ah, 0x38
3:  cmp ah, 6
    jne 6f
    mov ah, 0x14
6:  call palette_ega
    jmp 7f
5:  # Monochrome: bit 3 is normal, with bit 4 bright.
    push ax
    xor ah, ah
    test cl, 0x18
    jz 8f
    mov ah, 0x2a
    test cl, 0x10
    jz 8f
    mov ah, 0x3f
8:  mov al, ah
    out dx, al
    out dx, al
    out dx, al
    pop ax
7:  inc cl
    cmp cl, 64
    jb 2b
    ret

# Writes the colour of the EGA value AH (rgbRGB) to the palette at DX.
palette_ega:
    push ax
    push cx
    mov cx, 3
2:  xor al, al
    test ah, 4
    jz 3f
    mov al, 0x2a
3:  test ah, 0x20
    jz 4f
    add al, 0x15
4:  out dx, al
    shl ah, 1
    loop 2b
    pop cx
    pop ax
    ret

# 16 colours, 16 greys, nine circles of 24 hues, and black.
palette_256:
    xor cl, cl
2:  mov ah, cl                                  # IRGB to rgbRGB
    and ah, 7
    test cl, 8
    jz 3f
    or ah, 0x38
3:  cmp cl, 6
    jne 4f
    mov ah, 0x14
4:  call palette_ega
    inc cl
    cmp cl, 16
    jb 2b
    mov bx, offset palette_greys
    mov cx, 16
5:  mov al, cs:[bx]
    out dx, al
    out dx, al
    out dx, al
    inc bx
    loop 5b
    mov bx, offset palette_levels
    mov ah, 9
6:  mov di, offset palette_hues
7:  mov cx, 3
8:  push bx
    add bl, cs:[di]
    adc bh, 0
    mov al, cs:[bx]
    pop bx
    out dx, al
    inc di
    loop 8b
    cmp di, offset palette_hues_end
    jb 7b
    add bx, 5
    dec ah
    jnz 6b
    mov cx, 24
    xor al, al
9:  out dx, al
    loop 9b
    ret

palette_greys:
    .byte 0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f
# Of each circle, the five levels that a primary colour takes.
palette_levels:
    .byte 0x00, 0x10, 0x1f, 0x2f, 0x3f, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x2d, 0x31, 0x36, 0x3a, 0x3f
    .byte 0x00, 0x07, 0x0e, 0x15, 0x1c, 0x0e, 0x11, 0x15, 0x18, 0x1c, 0x14, 0x16, 0x18, 0x1a, 0x1c
    .byte 0x00, 0x04, 0x08, 0x0c, 0x10, 0x08, 0x0a, 0x0c, 0x0e, 0x10, 0x0b, 0x0c, 0x0d, 0x0f, 0x10
# Once around: from blue to red to green to blue.
palette_hues:
    .byte 0,0,4, 1,0,4, 2,0,4, 3,0,4, 4,0,4, 4,0,3, 4,0,2, 4,0,1, 4,0,0, 4,1,0, 4,2,0, 4,3,0
    .byte 4,4,0, 3,4,0, 2,4,0, 1,4,0, 0,4,0, 0,4,1, 0,4,2, 0,4,3, 0,4,4, 0,3,4, 0,2,4, 0,1,4
palette_hues_end:
