# INT 10h: the dispatcher, palette, fonts, and what the adapter says of itself.
#
# Source: Ralf Brown's Interrupt List, release 61, INT 10h.

.section .bios, "ax"
CODE16
int10:
    sti
    ENTER BDA
    cmp ah, 0x4f
    je 4f
    cmp ah, 0x1a
    je 5f
    cmp ah, 0x1b
    je 6f
    DISPATCH video_services, 0x14, 9f
9:  LEAVE
4:  call vbe_service
    jmp 9b
5:  call video_display_code
    jmp 9b
6:  call video_state
    jmp 9b

video_services:
    .word video_set_mode, video_cursor_shape, video_cursor_set, video_cursor_get
    .word nothing, video_select_page, video_scroll_up, video_scroll_down
    .word video_read_character, video_write_character, video_write_only, video_cga_palette
    .word video_write_pixel, video_read_pixel, video_teletype, video_get_mode
    .word video_palette, video_font, video_alternate, video_write_string

nothing:
    ret

# AH=0Bh: BH=0: border and background BL; BH=1: CGA palette BL.
video_cga_palette:
    mov bl, [bp + R_BL]
    cmp byte ptr [bp + R_BH], 0
    jne 2f
    mov ah, bl
    and ah, 0x1f
    mov al, 0x11
    call attribute_write
    mov al, 0
    jmp attribute_write
2:  mov cx, 3
    mov al, 1
3:  mov ah, al                                  # green, red, brown, or cyan, magenta, white
    add ah, ah
    and bl, 1
    or ah, bl
    or ah, 0x10
    call attribute_write
    inc al
    loop 3b
    ret

# AH=0Fh: AL: mode, AH: columns, BH: page.
video_get_mode:
    mov al, [VIDEO_CONTROL]
    and al, 0x80
    or al, [MODE]
    mov ah, [COLUMNS]
    mov [bp + R_AX], ax
    mov al, [PAGE]
    mov [bp + R_BH], al
    ret

# Attribute Controller register AL gets AH; the screen stays on.
attribute_write:
    push ax
    push dx
    call attribute_reset
    mov dx, 0x3c0
    out dx, al
    xchg al, ah
    out dx, al
    mov al, 0x20
    out dx, al
    pop dx
    pop ax
    ret

# AH: Attribute Controller register AL.
attribute_read:
    push dx
    push ax
    call attribute_reset
    mov dx, 0x3c0
    out dx, al
    inc dx
    in al, dx
    mov ah, al
    dec dx
    call attribute_reset
    mov al, 0x20
    out dx, al
    mov dl, ah
    pop ax
    mov ah, dl
    pop dx
    ret

# AH=10h: palette.
video_palette:
    mov al, [bp + R_AL]
    cmp al, 0
    je 2f
    cmp al, 1
    je 3f
    cmp al, 2
    je 4f
    cmp al, 3
    je 5f
    cmp al, 7
    je 6f
    cmp al, 8
    je 7f
    cmp al, 9
    je palette_read_all
    cmp al, 0x10
    je palette_set_one
    cmp al, 0x12
    je palette_set_block
    cmp al, 0x13
    je palette_page
    cmp al, 0x15
    je palette_get_one
    cmp al, 0x17
    je palette_get_block
    cmp al, 0x18
    je palette_set_mask
    cmp al, 0x19
    je palette_get_mask
    cmp al, 0x1a
    je palette_get_page
    ret
2:  mov al, [bp + R_BL]                         # register BL gets BH
    mov ah, [bp + R_BH]
    jmp attribute_write
3:  mov al, 0x11                                # border
    mov ah, [bp + R_BH]
    jmp attribute_write
4:  mov es, [bp + R_ES]                         # all registers, from ES:DX
    mov di, [bp + R_DX]
    xor al, al
8:  mov ah, es:[di]
    call attribute_write
    inc di
    inc al
    cmp al, 16
    jb 8b
    mov al, 0x11
    mov ah, es:[di]
    jmp attribute_write
5:  mov al, 0x10                                # attribute bit 7: intensity or blinking
    call attribute_read
    mov bl, [bp + R_BL]
    and bl, 1
    shl bl, 3
    and ah, 0xf7
    or ah, bl
    jmp attribute_write
6:  mov al, [bp + R_BL]
    jmp 9f
7:  mov al, 0x11
9:  call attribute_read
    mov [bp + R_BH], ah
    ret

palette_read_all:
    mov es, [bp + R_ES]
    mov di, [bp + R_DX]
    xor al, al
2:  call attribute_read
    mov es:[di], ah
    inc di
    inc al
    cmp al, 16
    jb 2b
    inc al
    call attribute_read
    mov es:[di], ah
    ret

palette_set_one:
    mov dx, 0x3c8
    mov al, [bp + R_BL]
    out dx, al
    inc dx
    mov al, [bp + R_DH]
    out dx, al
    mov al, [bp + R_CH]
    out dx, al
    mov al, [bp + R_CL]
    out dx, al
    ret

palette_get_one:
    mov dx, 0x3c7
    mov al, [bp + R_BL]
    out dx, al
    mov dl, 0xc9
    in al, dx
    mov [bp + R_DH], al
    in al, dx
    mov [bp + R_CH], al
    in al, dx
    mov [bp + R_CL], al
    ret

# BX: first, CX: count, ES:DX: values.
palette_set_block:
    push ds
    mov ds, [bp + R_ES]
    mov si, [bp + R_DX]
    mov cx, [bp + R_CX]
    imul cx, cx, 3
    mov dx, 0x3c8
    mov al, [bp + R_BL]
    out dx, al
    inc dx
    rep outsb
    pop ds
    ret

palette_get_block:
    mov es, [bp + R_ES]
    mov di, [bp + R_DX]
    mov cx, [bp + R_CX]
    imul cx, cx, 3
    mov dx, 0x3c7
    mov al, [bp + R_BL]
    out dx, al
    mov dl, 0xc9
    rep insb
    ret

# BL=0: paging mode BH; BL=1: page BH.
palette_page:
    mov bh, [bp + R_BH]
    mov al, 0x10
    call attribute_read
    cmp byte ptr [bp + R_BL], 0
    jne 2f
    and ah, 0x7f
    shl bh, 7
    or ah, bh
    jmp attribute_write
2:  test ah, 0x80
    mov ah, bh
    jnz 3f
    shl ah, 2
3:  and ah, 0x0f
    mov al, 0x14
    jmp attribute_write

palette_get_page:
    mov al, 0x10
    call attribute_read
    shr ah, 7
    mov [bp + R_BL], ah
    mov bl, ah
    mov al, 0x14
    call attribute_read
    test bl, bl
    jnz 2f
    shr ah, 2
2:  mov [bp + R_BH], ah
    ret

palette_set_mask:
    mov dx, 0x3c6
    mov al, [bp + R_BL]
    out dx, al
    ret

palette_get_mask:
    mov dx, 0x3c6
    in al, dx
    mov [bp + R_BL], al
    ret

# AH=11h: fonts.
video_font:
    mov al, [bp + R_AL]
    cmp al, 0x30
    je font_information
    mov ah, al
    and ah, 0x0f
    cmp al, 0x20
    jae font_graphics
    cmp ah, 0
    je 2f
    cmp ah, 1
    mov al, 14
    je 3f
    cmp ah, 2
    mov al, 8
    je 3f
    cmp ah, 4
    mov al, 16
    je 3f
    ret
2:  call font_load_user
    mov al, [bp + R_BH]
    jmp 4f
3:  push ax
    call font_load
    pop ax
4:  test byte ptr [bp + R_AL], 0x10
    jz 5f
# The height of characters becomes AL lines.
font_height:
    movzx bx, al
    mov [CHARACTER_HEIGHT], bx
    mov dx, [CRTC]
    push ax
    mov al, 9
    out dx, al
    inc dx
    in al, dx
    and al, 0xe0
    dec bl
    or al, bl
    out dx, al
    pop ax
    movzx bx, al
    mov ax, 400
    xor dx, dx
    div bx
    mov bl, al
    dec al
    mov [ROWS], al
    mov al, [COLUMNS]
    mul bl
    add ax, ax
    add ax, 0x00ff
    xor al, al
    mov [PAGE_SIZE], ax
    # The cursor stays on the last lines.
    mov dx, [CRTC]
    mov ah, [CHARACTER_HEIGHT]
    dec ah
    push ax
    mov al, 0x0b
    out dx, ax
    pop ax
    dec ah
    mov al, 0x0a
    out dx, ax
5:  ret

# AL=2xh: fonts of graphics modes.
font_graphics:
    push ds
    push 0
    pop ds
    cmp ah, 0
    je 4f
    cmp ah, 1
    je 5f
    mov bx, offset font14
    mov cx, 14
    cmp ah, 2
    je 2f
    mov bx, offset font8
    mov cl, 8
    cmp ah, 3
    je 2f
    mov bx, offset font16
    mov cl, 16
2:  mov [0x43 * 4], bx
    mov word ptr [0x43 * 4 + 2], ROM_SEG
3:  pop ds
    mov [CHARACTER_HEIGHT], cx
    mov bl, [bp + R_BL]
    mov al, [bp + R_DL]
    cmp bl, 0
    je 6f
    mov al, 14
    cmp bl, 1
    je 6f
    mov al, 25
    cmp bl, 2
    je 6f
    mov al, 43
6:  dec al
    mov [ROWS], al
    ret
4:  mov ax, [bp + R_BP]                         # 8x8 of the second half
    mov [0x1f * 4], ax
    mov ax, [bp + R_ES]
    mov [0x1f * 4 + 2], ax
    pop ds
    ret
5:  mov cx, [bp + R_CX]
    mov ax, [bp + R_BP]
    mov [0x43 * 4], ax
    mov ax, [bp + R_ES]
    mov [0x43 * 4 + 2], ax
    jmp 3b

# AL=30h: ES:BP: font BH, CX: height of characters, DL: rows less one.
font_information:
    mov ax, [CHARACTER_HEIGHT]
    mov [bp + R_CX], ax
    mov al, [ROWS]
    mov [bp + R_DL], al
    mov bl, [bp + R_BH]
    mov word ptr [bp + R_ES], ROM_SEG
    mov ax, offset font14
    cmp bl, 2
    je 3f
    mov ax, offset font8
    cmp bl, 3
    je 3f
    mov ax, offset font8 + 1024
    cmp bl, 4
    je 3f
    mov ax, offset font16
    cmp bl, 6
    jae 3f
    push ds
    push 0
    pop ds
    mov si, 0x1f * 4
    cmp bl, 0
    je 2f
    mov si, 0x43 * 4
2:  mov ax, [si + 2]
    mov [bp + R_ES], ax
    mov ax, [si]
    pop ds
3:  mov [bp + R_BP], ax
    ret

# BX: the ROM's font of height AL.
font_of_height:
    mov bx, offset font16
    cmp al, 16
    je 2f
    mov bx, offset font14
    cmp al, 14
    je 2f
    mov bx, offset font8
2:  ret

# Loads the ROM's font of height AL into plane 2.
font_load:
    call font_of_height
    mov si, bx
    push ds
    push ROM_SEG
    pop ds
    movzx ax, al
    mov bx, ax                                  # bytes of a character
    mov cx, 256
    xor dx, dx
    xor ah, ah
    mov al, 0
    call font_copy
    pop ds
    ret

# AL=00h and 10h: CX characters of BH bytes from DX on, at ES:BP, into block BL.
font_load_user:
    push ds
    mov ds, [bp + R_ES]
    mov si, [bp + R_BP]
    movzx bx, byte ptr [bp + R_BH]
    mov cx, [bp + R_CX]
    mov dx, [bp + R_DX]
    mov al, [bp + R_BL]
    call font_copy
    pop ds
    ret

# DS:SI: glyphs of BX bytes, CX of them for characters from DX on, AL: block.
font_copy:
    push es
    and al, 7
    mov ah, al                                  # blocks are at 0, 16, 32, 48, 8, 24, 40, 56 KiB
    and ax, 0x0403
    shl al, 2
    shr ah, 1
    or al, ah
    movzx di, al
    shl di, 12
    shl dx, 5
    add di, dx
    mov dx, 0x3c4                               # plane 2, in sequence
    mov ax, 0x0402
    out dx, ax
    mov ax, 0x0704
    out dx, ax
    mov ax, 0x0204
    call graphics_register
    mov ax, 0x0005
    call graphics_register
    mov ax, 0x0406
    call graphics_register
    push 0xa000
    pop es
    jcxz 3f
2:  push cx
    push di
    mov cx, bx
    rep movsb
    pop di
    pop cx
    add di, 32
    loop 2b
3:  mov dx, 0x3c4
    mov ax, 0x0302
    out dx, ax
    mov ax, 0x0304
    out dx, ax
    mov ax, 0x0004
    call graphics_register
    mov ax, 0x1005
    call graphics_register
    mov dx, 0x3cc
    in al, dx
    mov ah, 0x0a
    test al, 1
    jz 4f
    mov ah, 0x0e
4:  mov al, 6
    call graphics_register
    pop es
    ret

# AH=12h: what the adapter is (BL=10h), and switches.
video_alternate:
    mov bl, [bp + R_BL]
    cmp bl, 0x10
    jne 2f
    mov word ptr [bp + R_BX], 0x0003            # colour, 256 KiB
    mov word ptr [bp + R_CX], 0x0009
    ret
2:  cmp bl, 0x30
    jb 3f
    cmp bl, 0x36
    ja 3f
    mov byte ptr [bp + R_AL], 0x12
3:  ret

# AH=1Ah: display combination: VGA with a colour monitor.
video_display_code:
    cmp byte ptr [bp + R_AL], 1
    ja 3f
    je 2f
    mov al, [DISPLAY_CODE]
    mov ah, 0
    mov [bp + R_BX], ax
2:  mov byte ptr [bp + R_AL], 0x1a
3:  ret

# AH=1Bh: 64 bytes of state at ES:DI.
video_state:
    mov es, [bp + R_ES]
    mov di, [bp + R_DI]
    mov word ptr es:[di], offset video_abilities
    mov word ptr es:[di + 2], ROM_SEG
    add di, 4
    mov si, MODE
    mov cx, 30
    rep movsb
    mov si, ROWS
    mov cx, 3
    rep movsb
    mov al, [DISPLAY_CODE]
    mov ah, 0
    stosw
    mov ax, 16                                  # colours
    stosw
    mov al, 8                                   # pages
    stosb
    mov al, 2                                   # 400 lines
    stosb
    xor ax, ax
    mov cx, 8
    rep stosb
    mov al, 3                                   # 256 KiB
    stosb
    xor al, al
    mov cx, 13
    rep stosb
    mov byte ptr [bp + R_AL], 0x1b
    ret

video_abilities:
    .byte 0xff, 0xe0, 0x0f, 0, 0, 0, 0, 7, 2, 8, 0xff, 0x0e, 0, 0, 0x3f, 0
