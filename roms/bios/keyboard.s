# IRQ 1 and INT 16h: the keyboard.
#
# Source: IBM PC/AT Technical Reference (scan codes of set 1, BIOS data area, extended codes), Ralf Brown's INT 16h.

.section .bios, "ax"
# Keys 1 to 39h: characters without and with shift.
key_plain:
    .byte 0, 27, '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '-', '=', 8, 9
    .ascii "qwertyuiop[]"
    .byte 13, 0
    .ascii "asdfghjkl;'`"
    .byte 0
    .ascii "\\zxcvbnm,./"
    .byte 0, '*', 0, ' '
key_shifted:
    .byte 0, 27
    .ascii "!@#$%^&*()_+"
    .byte 8, 0
    .ascii "QWERTYUIOP{}"
    .byte 13, 0
    .ascii "ASDFGHJKL:\"~"
    .byte 0
    .ascii "|ZXCVBNM<>?"
    .byte 0, '*', 0, ' '
# Characters with control; FFh: none.
key_control:
    .byte 0xff, 27, 0xff, 0, 0xff, 0xff, 0xff, 0x1e, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0x7f, 0xff
    .byte 17, 23, 5, 18, 20, 25, 21, 9, 15, 16, 27, 29, 10, 0xff
    .byte 1, 19, 4, 6, 7, 8, 10, 11, 12, 0xff, 0xff, 0xff, 0xff
    .byte 28, 26, 24, 3, 22, 2, 14, 13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ' '
# Digits of the keypad, scan codes 47h to 53h.
key_pad:
    .ascii "789-456+1230."
# Scan codes with control for 47h to 53h, and with alt for the keys of the grey block.
key_pad_control:
    .byte 0x77, 0x8d, 0x84, 0x8e, 0x73, 0x8f, 0x74, 0x90, 0x75, 0x91, 0x76, 0x92, 0x93
key_pad_alt:
    .byte 0x97, 0x98, 0x99, 0x4a, 0x9b, 0x4c, 0x9d, 0x4e, 0x9f, 0xa0, 0xa1, 0xa2, 0xa3

CODE16
irq1:
    sti
    cld
    pushad
    push ds
    push es
    push BDA
    pop ds
    in al, 0x64
    test al, 1
    jz 9f
    in al, 0x60
    mov ah, 0x4f                                # a program may look at it first
    stc
    int 0x15
    jnc 9f
    call key_code
9:  cli
    OUTB 0x20, 0x20
    pop es
    pop ds
    popad
    iret

# AL: scan code.
key_code:
    mov dl, [KEY_MODE]
    and byte ptr [KEY_MODE], 0xfc
    cmp al, 0xe0
    jne 2f
    or byte ptr [KEY_MODE], 2
    ret
2:  cmp al, 0xe1
    jne 3f
    or byte ptr [KEY_MODE], 1
    ret
3:  # DL bit 1: after E0h, bit 0: after E1h.
    mov bl, al
    and bl, 0x7f
    test dl, 1
    jz 4f
    cmp bl, 0x1d                                # pause is E1 1D 45
    jne 5f
    or byte ptr [KEY_MODE], 1
5:  ret
4:  # Shift keys: AH: bit in KEY_FLAGS.
    mov ah, 1
    cmp bl, 0x36
    je 6f
    mov ah, 2
    cmp bl, 0x2a
    je 6f
    mov ah, 4
    cmp bl, 0x1d
    je key_control_alt
    mov ah, 8
    cmp bl, 0x38
    je key_control_alt
    mov ah, 0x10
    cmp bl, 0x46
    je key_lock
    mov ah, 0x20
    cmp bl, 0x45
    je key_lock
    mov ah, 0x40
    cmp bl, 0x3a
    je key_lock
    cmp bl, 0x52
    je key_insert
    test al, 0x80
    jz key_pressed
    ret
6:  test dl, 2                                  # a shift that is not one, around grey keys
    jnz 5b
key_toggle:
    test al, 0x80
    jnz 2f
    or [KEY_FLAGS], ah
    ret
2:  not ah
    and [KEY_FLAGS], ah
    ret

key_control_alt:
    mov bh, ah
    shr bh, 2                                   # left keys are bits 0 and 1 of KEY_FLAGS2
    mov si, KEY_FLAGS2
    test dl, 2
    jz 2f
    mov bh, ah
    mov si, KEY_MODE                            # right keys are bits 2 and 3 of KEY_MODE
2:  test al, 0x80
    jnz 3f
    or [si], bh
    or [KEY_FLAGS], ah
    ret
3:  not bh
    and [si], bh
    not ah
    and [KEY_FLAGS], ah
    cmp bl, 0x38
    jne 4f
    xor al, al                                  # a character by its number
    xchg al, [KEY_ALT]
    test al, al
    jz 4f
    mov ah, 0
    jmp key_store
4:  ret

key_lock:
    cmp ah, 0x10
    jne 2f
    test dl, 2
    jnz key_break
2:  shr ah, 4
    shl ah, 4
    test al, 0x80
    jnz 3f
    test [KEY_FLAGS2], ah                       # held down: no repeat
    jnz 4f
    or [KEY_FLAGS2], ah
    xor [KEY_FLAGS], ah
    ret
3:  not ah
    and [KEY_FLAGS2], ah
4:  ret

key_break:
    test al, 0x80
    jnz 2f
    mov byte ptr [BREAK], 0x80
    mov ax, [KEY_START]
    mov [KEY_HEAD], ax
    mov [KEY_TAIL], ax
    int 0x1b
    xor ax, ax
    jmp key_store
2:  ret

key_insert:
    test al, 0x80
    jnz 2f
    xor byte ptr [KEY_FLAGS], 0x80
    jmp key_pressed
2:  ret

# AL, BL: scan code of a key that makes a character; DL bit 1: it is one of the grey ones.
key_pressed:
    mov bh, 0
    mov dh, [KEY_FLAGS]
    cmp bl, 0x53                                # control, alt, delete
    jne 2f
    mov ah, dh
    and ah, 0x0c
    cmp ah, 0x0c
    jne 2f
    mov word ptr [WARM], 0x1234
    JUMP_FAR ROM_SEG, post
2:  mov ah, bl
    cmp bl, 0x3a
    jae key_function
    test dl, 2
    jz 3f
    cmp bl, 0x1c
    je key_grey_enter
    cmp bl, 0x35
    je key_grey_slash
    ret
3:  test dh, 8
    jnz key_with_alt
    test dh, 4
    jnz key_with_control
    mov al, cs:[bx + key_plain]
    mov ch, cs:[bx + key_shifted]
    mov cl, dh
    and cl, 3
    # Caps lock turns shift around for letters.
    test dh, 0x40
    jz 4f
    cmp al, 'a'
    jb 4f
    cmp al, 'z'
    ja 4f
    test cl, cl
    setz cl
4:  test cl, cl
    jz 5f
    mov al, ch
5:  cmp bl, 0x0f                                # back tab has no character
    je 6f
    test al, al
    jz 7f
6:  jmp key_store
7:  ret

key_with_control:
    cmp bl, 0x0f
    jne 2f
    mov ax, 0x9400
    jmp key_store
2:  mov al, cs:[bx + key_control]
    cmp al, 0xff
    je 3f
    jmp key_store
3:  ret

key_with_alt:
    mov al, 0
    cmp bl, 0x39
    je 3f
    cmp bl, 2
    jb 4f
    cmp bl, 0x0d
    ja 2f
    add ah, 0x76                                # digits, minus, equals: 78h to 83h
2:  jmp key_store
3:  mov al, ' '
    jmp key_store
4:  mov ah, 1
    jmp key_store

key_grey_enter:
    mov ax, 0xe00d
    test dh, 4
    jz 2f
    mov al, 10
2:  test dh, 8
    jz key_store
    mov ax, 0xa600
    jmp key_store

key_grey_slash:
    mov ax, 0xe02f
    test dh, 4
    jz 2f
    mov ax, 0x9500
2:  test dh, 8
    jz key_store
    mov ax, 0xa400
    jmp key_store

# Function keys and the keypad.
key_function:
    cmp bl, 0x57
    jae key_high
    cmp bl, 0x47
    jae key_number
    mov al, 0                                   # F1 to F10: 3Bh; 54h shifted, 5Eh control, 68h alt
    test dh, 8
    jz 2f
    add ah, 0x2d
    jmp key_store
2:  test dh, 4
    jz 3f
    add ah, 0x23
    jmp key_store
3:  test dh, 3
    jz key_store
    add ah, 0x19
    jmp key_store

# F11 and F12: 85h; 87h shifted, 89h control, 8Bh alt.
key_high:
    cmp bl, 0x58
    ja 4f
    add ah, 0x2e
    mov al, 0
    test dh, 8
    jz 2f
    add ah, 6
    jmp key_store
2:  test dh, 4
    jz 3f
    add ah, 4
    jmp key_store
3:  test dh, 3
    jz key_store
    add ah, 2
    jmp key_store
4:  ret

key_number:
    cmp bl, 0x53
    ja 4b
    sub bl, 0x47
    test dl, 2
    jnz 5f
    test dh, 8
    jz 3f
    mov al, cs:[bx + key_pad]                   # alt and digits make a number
    sub al, '0'
    cmp al, 9
    ja 2f
    mov cl, al
    mov al, [KEY_ALT]
    mov ch, 10
    mul ch
    add al, cl
    mov [KEY_ALT], al
    ret
2:  mov al, 0
    jmp key_store
3:  test dh, 4
    jnz 7f
    mov al, cs:[bx + key_pad]
    cmp al, '-'
    je key_store
    cmp al, '+'
    je key_store
    # Num lock or shift, but not both, makes digits.
    mov cl, dh
    shr cl, 5
    and cl, 1
    test dh, 3
    jz 4f
    xor cl, 1
4:  test cl, cl
    jnz key_store
    mov al, 0
    jmp key_store
5:  mov al, 0xe0
    test dh, 8
    jz 6f
    mov ah, cs:[bx + key_pad_alt]
    mov al, 0
    jmp key_store
6:  test dh, 4
    jz key_store
    mov ah, cs:[bx + key_pad_control]
    jmp key_store
7:  mov ah, cs:[bx + key_pad_control]
    mov al, 0

# Puts AX into the ring; a key that does not fit is lost. Carry if so.
key_store:
    push bx
    push si
    cli
    mov bx, [KEY_TAIL]
    lea si, [bx + 2]
    cmp si, [KEY_END]
    jb 2f
    mov si, [KEY_START]
2:  cmp si, [KEY_HEAD]
    stc
    je 3f
    mov [bx], ax
    mov [KEY_TAIL], si
    clc
3:  sti
    pop si
    pop bx
    ret

# INT 16h.
int16:
    sti
    ENTER BDA
    cmp ah, 0
    je 2f
    cmp ah, 0x10
    je 3f
    cmp ah, 1
    je 4f
    cmp ah, 0x11
    je 5f
    cmp ah, 2
    je 6f
    cmp ah, 0x12
    je 7f
    cmp ah, 5
    je 8f
    cmp ah, 9
    jne 9f
    mov byte ptr [bp + R_AL], 0x30              # extended functions are here
9:  LEAVE
2:  call key_wait
    call key_plain_code
    jc 2b
    mov [bp + R_AX], ax
    jmp 9b
3:  call key_wait
    mov [bp + R_AX], ax
    jmp 9b
4:  call key_look
    jz key_none
    call key_plain_code
    jnc key_some
    call key_take                               # one that old programs do not know
    jmp 4b
5:  call key_look
    jz key_none
    jmp key_some
6:  mov al, [KEY_FLAGS]
    mov [bp + R_AL], al
    jmp 9b
7:  mov al, [KEY_FLAGS]
    mov ah, [KEY_FLAGS2]
    and ah, 0x73
    mov bl, [KEY_MODE]
    and bl, 0x0c
    or ah, bl
    mov [bp + R_AX], ax
    jmp 9b
8:  mov ax, [bp + R_CX]
    call key_store
    setc [bp + R_AL]
    jmp 9b

key_none:
    or byte ptr [bp + R_FLAGS], 0x40
    LEAVE
key_some:
    and byte ptr [bp + R_FLAGS], 0xbf
    mov [bp + R_AX], ax
    LEAVE

# AX: the next key, without taking it; zero flag if there is none.
key_look:
    call serial_keys
    mov bx, [KEY_HEAD]
    mov ax, [bx]
    cmp bx, [KEY_TAIL]
    ret

# Takes the key that key_look showed.
key_take:
    mov bx, [KEY_HEAD]
    inc bx
    inc bx
    cmp bx, [KEY_END]
    jb 2f
    mov bx, [KEY_START]
2:  mov [KEY_HEAD], bx
    ret

# AX: the next key, taken.
key_wait:
    cli
    call key_look
    jnz 2f
    sti
    cmp byte ptr [SERIAL_CONSOLE], 0            # COM1 does not interrupt
    jne key_wait
    hlt
    jmp key_wait
2:  call key_take
    sti
    ret

# AX: as programs know it that came before the keyboard with grey keys; carry: they do not know the key.
key_plain_code:
    cmp ah, 0xe0
    jne 2f
    mov ah, 0x1c
    cmp al, 0x2f
    jne 4f
    mov ah, 0x35
    jmp 4f
2:  cmp ah, 0x84
    ja 5f
    cmp al, 0xe0
    jne 4f
    mov al, 0
4:  clc
    ret
5:  stc
    ret
