# Text services of INT 10h. In text modes they work on characters and attributes; in graphics modes they draw.

.section .bios, "ax"
CODE16
# AH=01h: cursor shape CH to CL.
video_cursor_shape:
    mov cx, [bp + R_CX]
    mov [CURSOR_SHAPE], cx
    # Programs give lines of a cell of eight; the registers count those of the font.
    mov ax, cx
    cmp byte ptr [CHARACTER_HEIGHT], 8
    jbe 3f
    test ah, 0x20
    jnz 3f
    and ah, 0x1f
    and al, 0x1f
    cmp ah, 7
    ja 3f
    cmp al, 7
    ja 3f
    mov bl, [CHARACTER_HEIGHT]
    cmp ah, 6                                   # the last lines stay the last lines
    jb 2f
    mov al, bl
    dec al
    mov ah, al
    dec ah
    jmp 3f
2:  shl ah, 1
    shl al, 1
    inc al
3:  mov cx, ax
    mov dx, [CRTC]
    mov ah, ch
    mov al, 0x0a
    out dx, ax
    mov ah, cl
    mov al, 0x0b
    out dx, ax
    ret

# AH=02h: cursor of page BH to row DH, column DL.
video_cursor_set:
    mov dx, [bp + R_DX]
    movzx bx, byte ptr [bp + R_BH]
# BX: page, DX: position.
cursor_put:
    and bx, 7
    add bx, bx
    mov [bx + CURSOR], dx
    shr bx, 1
    cmp bl, [PAGE]
    jne 2f
    call cursor_show
2:  ret

# Shows the cursor of the active page.
cursor_show:
    pusha
    movzx bx, byte ptr [PAGE]
    add bx, bx
    mov dx, [bx + CURSOR]
    mov al, [COLUMNS]
    mul dh
    xor dh, dh
    add ax, dx
    mov bx, [PAGE_START]
    shr bx, 1
    add bx, ax
    mov dx, [CRTC]
    mov al, 0x0e
    mov ah, bh
    out dx, ax
    inc al
    mov ah, bl
    out dx, ax
    popa
    ret

# AH=03h: DX: cursor of page BH, CX: shape.
video_cursor_get:
    movzx bx, byte ptr [bp + R_BH]
    and bx, 7
    add bx, bx
    mov ax, [bx + CURSOR]
    mov [bp + R_DX], ax
    mov ax, [CURSOR_SHAPE]
    mov [bp + R_CX], ax
    ret

# AH=05h: page AL is shown.
video_select_page:
    mov al, [bp + R_AL]
video_page:
    and al, 7
    mov [PAGE], al
    movzx ax, al
    mul word ptr [PAGE_SIZE]
    mov [PAGE_START], ax
    mov bx, ax
    cmp byte ptr [MODE], 7
    ja 2f
    shr bx, 1
2:  mov dx, [CRTC]
    mov al, 0x0c
    mov ah, bh
    out dx, ax
    inc al
    mov ah, bl
    out dx, ax
    cmp byte ptr [MODE], 3
    jbe cursor_show
    cmp byte ptr [MODE], 7
    je cursor_show
    ret

# Carry if this is a text mode; ES: its segment.
text_mode:
    mov ax, 0xb800
    cmp byte ptr [MODE], 3
    jbe 2f
    mov ah, 0xb0
    cmp byte ptr [MODE], 7
    je 2f
    clc
    ret
2:  mov es, ax
    stc
    ret

# DI: offset of the cell at row DH, column DL, of page BH.
cell:
    push ax
    push dx
    mov al, [COLUMNS]
    mul dh
    xor dh, dh
    add ax, dx
    add ax, ax
    mov di, ax
    movzx ax, bh
    and al, 7
    mul word ptr [PAGE_SIZE]
    add di, ax
    pop dx
    pop ax
    ret

# AH=06h, 07h: scrolls the window CX to DX by AL rows up or down; new rows have attribute BH.
video_scroll_up:
video_scroll_down:
    mov cx, [bp + R_CX]
    mov dx, [bp + R_DX]
    mov ax, [bp + R_AX]
    mov bl, [bp + R_BH]
# AH: 6 or 7, AL: rows, CX: upper left, DX: lower right, BL: attribute.
scroll:
    mov bh, [COLUMNS]
    dec bh
    cmp dl, bh
    jbe 2f
    mov dl, bh
2:  cmp dh, [ROWS]
    jbe 3f
    mov dh, [ROWS]
3:  cmp cl, dl
    ja 9f
    cmp ch, dh
    ja 9f
    # Rows in the window.
    mov bh, dh
    sub bh, ch
    inc bh
    test al, al
    jz 4f
    cmp al, bh
    jbe 5f
4:  mov al, bh
5:  push ax
    call text_mode
    pop ax
    jnc graphics_scroll
    # BX: distance of rows in bytes, negative when scrolling down; SI: the same times the rows to scroll.
    mov [SCROLL_ROWS], al
    mov [SCROLL_WINDOW], bh
    mov [SCROLL_FILL], bl
    sub dl, cl
    inc dl
    mov [SCROLL_COLUMNS], dl
    mov dl, cl
    cmp ah, 7
    je 6f
    mov dh, ch                                  # up: from the first row on
6:  mov bh, [PAGE]
    call cell
    movzx bx, byte ptr [COLUMNS]
    add bx, bx
    cmp ah, 7
    jne 7f
    neg bx
7:  movzx ax, byte ptr [SCROLL_ROWS]
    imul ax, bx
    mov si, ax
    mov dl, [SCROLL_WINDOW]
    sub dl, [SCROLL_ROWS]                       # rows to move
8:  test dl, dl
    jz 2f
    push si
    push di
    movzx cx, byte ptr [SCROLL_COLUMNS]
    add si, di
    rep movs word ptr es:[di], word ptr es:[si]
    pop di
    pop si
    add di, bx
    dec dl
    jmp 8b
2:  mov ah, [SCROLL_FILL]
    mov al, ' '
    push di
    movzx cx, byte ptr [SCROLL_COLUMNS]
    rep stosw
    pop di
    add di, bx
    dec byte ptr [SCROLL_ROWS]
    jnz 2b
9:  ret

# AH=08h: AL: character, AH: attribute at the cursor of page BH.
video_read_character:
    call text_mode
    jnc graphics_read_character
    movzx bx, byte ptr [bp + R_BH]
    call cursor_cell
    mov ax, es:[di]
    mov [bp + R_AX], ax
    ret

# DI: the cell of page BX's cursor.
cursor_cell:
    and bx, 7
    add bx, bx
    mov dx, [bx + CURSOR]
    shr bx, 1
    mov bh, bl
    jmp cell

# AH=09h: CX times character AL with attribute BL from the cursor of page BH. AH=0Ah: only the character.
video_write_character:
video_write_only:
    call text_mode
    mov ax, [bp + R_AX]
    mov cx, [bp + R_CX]
    jnc graphics_write
    movzx bx, byte ptr [bp + R_BH]
    call cursor_cell
    jcxz 3f
    cmp ah, 9
    mov ah, [bp + R_BL]
    jne 2f
    rep stosw
    ret
2:  stosb
    inc di
    loop 2b
3:  ret

# AH=0Eh: character AL like a teletype; in graphics modes in colour BL.
video_teletype:
    mov al, [bp + R_AL]
    movzx bx, byte ptr [PAGE]
    mov ch, [bp + R_BL]
    xor cl, cl                                  # keep the attribute
# AL: character, BX: page, CH: attribute or colour, CL: not 0 if the attribute is to be set.
teletype:
    call serial_mirror
    push bx
    add bx, bx
    mov dx, [bx + CURSOR]
    pop bx
    cmp al, 13
    je 2f
    cmp al, 10
    je 3f
    cmp al, 8
    je 4f
    cmp al, 7
    je 9f
    call teletype_draw
    inc dl
    cmp dl, [COLUMNS]
    jb 8f
    inc dh
2:  xor dl, dl
    cmp al, 13
    je 8f
    jmp 5f
3:  inc dh
5:  cmp dh, [ROWS]
    jbe 8f
    mov dh, [ROWS]
    pusha
    mov bh, [PAGE]
    push cx
    call text_mode
    pop cx
    mov bl, 0
    jnc 6f
    mov dl, 0
    call cell
    mov bl, es:[di + 1]                         # the new row looks like the last one
6:  mov ax, 0x0601
    xor cx, cx
    mov dl, [COLUMNS]
    dec dl
    mov dh, [ROWS]
    call scroll
    popa
    jmp 8f
4:  test dl, dl
    jz 8f
    dec dl
8:  call cursor_put
9:  ret

# Draws character AL at DX on page BX.
teletype_draw:
    pusha
    push ax
    call text_mode
    pop ax
    jnc 3f
    mov bh, bl
    call cell
    mov es:[di], al
    test cl, cl
    jz 2f
    mov es:[di + 1], ch
2:  popa
    ret
3:  mov bl, ch
    call graphics_draw
    popa
    ret

# AH=13h: the string of CX characters at ES:BP from DX on page BH; AL bit 0 moves the cursor, bit 1 says that
# attributes are in the string.
video_write_string:
    mov cx, [bp + R_CX]
    jcxz 9f
    movzx bx, byte ptr [bp + R_BH]
    and bx, 7
    add bx, bx
    push word ptr [bx + CURSOR]
    shr bx, 1
    mov dx, [bp + R_DX]
    mov si, [bp + R_BP]
2:  call cursor_put
    mov es, [bp + R_ES]
    mov al, es:[si]
    inc si
    mov ah, [bp + R_BL]
    test byte ptr [bp + R_AL], 2
    jz 3f
    mov ah, es:[si]
    inc si
3:  push cx
    push si
    mov ch, ah
    mov cl, 1
    call teletype
    pop si
    pop cx
    mov di, bx
    add di, di
    mov dx, [di + CURSOR]
    loop 2b
    pop dx
    test byte ptr [bp + R_AL], 1
    jnz 9f
    call cursor_put
9:  ret
