# Pixels, and characters in graphics modes.

.section .bios, "ax"
CODE16
# GRAPHICS_KIND and AL: how memory is laid out, ES: where it is; carry if the mode is not one of the VGA's.
graphics_kind:
    push si
    mov al, [MODE]
    call mode_find
    jc 2f
    mov al, cs:[si + M_KIND]
    mov [GRAPHICS_KIND], al
    mov es, cs:[si + M_SEGMENT]
2:  pop si
    ret

# DI: offset of line DX, of page BH in planar modes.
graphics_line:
    push ax
    push dx
    mov al, [GRAPHICS_KIND]
    cmp al, CGA2
    ja 2f
    mov ax, dx
    shr ax, 1
    imul di, ax, 80
    test dl, 1
    jz 4f
    add di, 0x2000
    jmp 4f
2:  mov di, [COLUMNS]
    cmp al, PLANAR
    je 3f
    shl di, 3
3:  imul di, dx
    cmp al, PLANAR
    jne 4f
    movzx ax, bh
    and al, 7
    mul word ptr [PAGE_SIZE]
    add di, ax
4:  pop dx
    pop ax
    ret

# CL: shift that makes bytes of a column.
graphics_shift:
    mov cl, 0
    cmp byte ptr [GRAPHICS_KIND], CGA4
    jne 2f
    inc cl
2:  cmp byte ptr [GRAPHICS_KIND], LINEAR
    jne 3f
    mov cl, 3
3:  ret

# AX: index and value for the Graphics Controller.
graphics_register:
    push dx
    mov dx, 0x3ce
    out dx, ax
    pop dx
    ret

# The Graphics Controller as modes have it.
graphics_restore:
    mov ax, 0x0005
    call graphics_register
    mov ax, 0x0003
    call graphics_register
    mov ax, 0xff08
    jmp graphics_register

# AH: 6 or 7, AL: rows, BH: rows in the window, CX: upper left, DX: lower right, BL: colour.
graphics_scroll:
    pusha
    mov [SCROLL_ROWS], al
    mov [SCROLL_FILL], bl
    call graphics_kind
    jc 9f
    cmp al, PLANAR
    jne 2f
    push ax
    mov ax, 0x0105
    call graphics_register
    pop ax
2:  # SI: bytes to the left, BX: bytes of a line of the window.
    sub dl, cl
    inc dl
    mov bl, dl
    mov dl, ch                                  # DL: first row, DH: last row
    mov al, cl
    call graphics_shift
    xor ah, ah
    shl ax, cl
    mov si, ax
    mov bh, 0
    shl bx, cl
    mov [SCROLL_WIDTH], bx
    mov bh, [PAGE]
    # Lines.
    mov al, [CHARACTER_HEIGHT]
    push ax
    mul byte ptr [SCROLL_ROWS]
    mov [SCROLL_LINES], ax
    pop ax
    push ax
    mul dl
    mov cx, ax                                  # CX: first line
    pop ax
    inc dh
    mul dh
    mov dx, ax
    dec dx                                      # DX: last line
    mov bp, sp
    cmp byte ptr ss:[bp + 15], 7                # AH as it was pushed
    je 5f
3:  mov ax, cx
    add ax, [SCROLL_LINES]
    cmp ax, dx
    ja 7f
    call graphics_copy
    inc cx
    jmp 3b
5:  mov ax, dx
    sub ax, [SCROLL_LINES]
    jc 7f
    cmp ax, cx
    jb 7f
    xchg cx, dx
    call graphics_copy
    xchg cx, dx
    dec dx
    jmp 5b
7:  # Lines CX to DX are to be filled.
    call graphics_fill_mode
8:  cmp cx, dx
    ja 6f
    push cx
    push dx
    mov dx, cx
    call graphics_line
    add di, si
    mov cx, [SCROLL_WIDTH]
    mov al, [SCROLL_FILL]
    rep stosb
    pop dx
    pop cx
    inc cx
    jmp 8b
6:  call graphics_restore_mode
9:  popa
    ret

# Copies line AX of the window to line CX.
graphics_copy:
    pusha
    push cx
    mov dx, ax
    call graphics_line
    mov ax, di
    pop dx
    call graphics_line
    add di, si
    add si, ax
    mov cx, [SCROLL_WIDTH]
    rep movs byte ptr es:[di], byte ptr es:[si]
    popa
    ret

# Planar: stores write a colour to all pixels of the byte. CGA: the background is colour 0.
graphics_fill_mode:
    cmp byte ptr [GRAPHICS_KIND], CGA2
    ja 2f
    mov byte ptr [SCROLL_FILL], 0
    ret
2:  cmp byte ptr [GRAPHICS_KIND], PLANAR
    jne 3f
    push ax
    mov ax, 0x0205
    call graphics_register
    mov ax, 0xff08
    call graphics_register
    pop ax
3:  ret

graphics_restore_mode:
    cmp byte ptr [GRAPHICS_KIND], PLANAR
    jne 3b
    jmp graphics_restore

# AH=08h does not read characters back from pixels.
graphics_read_character:
    mov word ptr [bp + R_AX], 0
    ret

# AH=09h and 0Ah: CX times character AL from the cursor.
graphics_write:
    jcxz 3f
    movzx bx, byte ptr [bp + R_BH]
    and bx, 7
    add bx, bx
    mov dx, [bx + CURSOR]
    shr bx, 1
    mov bh, bl
    mov bl, [bp + R_BL]
2:  call graphics_draw_page
    inc dl
    cmp dl, [COLUMNS]
    jae 3f
    loop 2b
3:  ret

# Draws character AL in colour BL at DX on the active page.
graphics_draw:
    mov bh, [PAGE]
# The same on page BH. Bit 7 of the colour asks for exclusive-or.
graphics_draw_page:
    pusha
    push es
    push fs
    mov [GRAPHICS_COLOUR], bl
    push ax
    call graphics_kind
    pop ax
    jc 9f
    # FS:SI: the glyph.
    xor ah, ah
    mov cx, [CHARACTER_HEIGHT]
    push dx
    mul cx
    pop dx
    push ds
    push 0
    pop ds
    lfs si, [0x43 * 4]
    pop ds
    add si, ax
    push dx
    mov al, dh
    mul cl
    mov dx, ax
    call graphics_line
    pop dx
    push cx
    call graphics_shift
    xor dh, dh
    shl dx, cl
    pop cx
    add di, dx
2:  mov al, fs:[si]
    inc si
    push cx
    push di
    call graphics_row
    pop di
    pop cx
    # The next line.
    mov ax, [COLUMNS]
    cmp byte ptr [GRAPHICS_KIND], PLANAR
    je 4f
    cmp byte ptr [GRAPHICS_KIND], LINEAR
    je 3f
    xor di, 0x2000
    test di, 0x2000
    jnz 5f
    mov ax, 80
    jmp 4f
3:  shl ax, 3
4:  add di, ax
5:  loop 2b
    call graphics_restore_mode
9:  pop fs
    pop es
    popa
    ret

# Draws the eight pixels AL at ES:DI.
graphics_row:
    mov bl, al
    mov ah, [GRAPHICS_COLOUR]
    cmp byte ptr [GRAPHICS_KIND], LINEAR
    je 6f
    cmp byte ptr [GRAPHICS_KIND], PLANAR
    jne 4f
    # Planar, write mode 2.
    push ax
    mov ax, 0x0205
    call graphics_register
    pop ax
    test ah, 0x80
    jnz 2f
    push ax
    mov ax, 0xff08
    call graphics_register
    pop ax
    mov byte ptr es:[di], 0
    jmp 3f
2:  push ax
    mov ax, 0x1803
    call graphics_register
    pop ax
3:  push ax
    mov ah, bl
    mov al, 8
    call graphics_register
    pop ax
    mov al, es:[di]                             # fills the latches
    and ah, 0x0f
    mov es:[di], ah
    ret
4:  cmp byte ptr [GRAPHICS_KIND], CGA2
    je 8f
    # Two bits a pixel: each bit of the row becomes the colour's two.
    mov cx, 8
    xor dx, dx
5:  shl dx, 2
    shl bl, 1
    jnc 7f
    mov al, ah
    and al, 3
    or dl, al
7:  loop 5b
    xchg dl, dh
    test ah, 0x80
    jz 9f
    xor dx, es:[di]
9:  mov es:[di], dx
    ret
8:  test ah, 0x80
    jz 9f
    xor bl, es:[di]
9:  mov es:[di], bl
    ret
6:  mov cx, 8
2:  shl bl, 1
    jc 4f
    test ah, 0x80
    jnz 5f
    mov byte ptr es:[di], 0
    jmp 5f
4:  mov al, ah
    test ah, 0x80
    jz 3f
    and al, 0x7f
    xor al, es:[di]
3:  mov es:[di], al
5:  inc di
    loop 2b
    ret

# AH=0Ch: pixel at CX, DX of page BH gets colour AL; bit 7 asks for exclusive-or.
video_write_pixel:
    call pixel_place
    jc 9f
    mov ah, [bp + R_AL]
    cmp byte ptr [GRAPHICS_KIND], LINEAR
    je 6f
    cmp byte ptr [GRAPHICS_KIND], PLANAR
    je 3f
    # BL: mask of the pixel, CL: its shift.
    mov al, ah
    shl al, cl
    and al, bl
    test ah, 0x80
    jnz 2f
    not bl
    and es:[di], bl
    or es:[di], al
    ret
2:  xor es:[di], al
    ret
3:  push ax
    mov ax, 0x0205
    call graphics_register
    mov al, 8
    mov ah, bl
    call graphics_register
    pop ax
    test ah, 0x80
    jz 4f
    push ax
    mov ax, 0x1803
    call graphics_register
    pop ax
4:  mov al, es:[di]
    and ah, 0x0f
    mov es:[di], ah
    jmp graphics_restore
6:  mov es:[di], ah
9:  ret

# AH=0Dh: AL: colour of the pixel at CX, DX.
video_read_pixel:
    call pixel_place
    jc 9f
    cmp byte ptr [GRAPHICS_KIND], PLANAR
    je 2f
    mov al, es:[di]
    and al, bl
    shr al, cl
    mov [bp + R_AL], al
    ret
2:  xor bh, bh                                  # BH: colour
    mov ax, 0x0304
3:  call graphics_register
    shl bh, 1
    test es:[di], bl
    jz 4f
    inc bh
4:  dec ah
    jns 3b
    mov [bp + R_AL], bh
    mov ax, 0x0004
    call graphics_register
9:  ret

# ES:DI: byte of the caller's pixel, BL: its mask, CL: its shift. Carry if there are no pixels.
pixel_place:
    call graphics_kind
    jc 9f
    cmp al, TEXT
    stc
    je 9f
    mov bh, [bp + R_BH]
    mov dx, [bp + R_DX]
    call graphics_line
    mov cx, [bp + R_CX]
    mov dx, cx
    mov al, [GRAPHICS_KIND]
    mov bl, 0xff
    cmp al, LINEAR
    je 4f
    cmp al, CGA4
    je 3f
    shr dx, 3
    not cl
    and cl, 7
    mov bl, 1
    shl bl, cl
    jmp 5f
3:  shr dx, 2
    not cl
    and cl, 3
    add cl, cl
    mov bl, 3
    shl bl, cl
    jmp 5f
4:  mov cl, 0
5:  add di, dx
    clc
9:  ret
