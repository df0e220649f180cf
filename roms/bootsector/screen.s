# INT 10h.

.equ BDA_SEGMENT, 0x40

.section .program, "ax"
CODE16
check_text:
    mov ax, 3
    int 0x10
    mov ah, 0x0f
    int 0x10
    cmp ax, 0x5003
    jne failed
    mov ah, 2
    mov bh, 0
    mov dx, 0x0510
    int 0x10
    mov ax, 0x0958                              # five times X
    mov bx, 0x001e
    mov cx, 5
    int 0x10
    mov ah, 3
    mov bh, 0
    int 0x10
    cmp dx, 0x0510                              # the cursor stayed
    jne failed
    mov ah, 8
    mov bh, 0
    int 0x10
    cmp ax, 0x1e58
    jne failed
    push 0xb800
    pop es
    cmp word ptr es:[(5 * 80 + 20) * 2], 0x1e58
    jne failed
    cmp word ptr es:[(5 * 80 + 21) * 2], 0x0720
    jne failed
    push 0
    pop es
    mov ax, 0x1301                              # a string
    mov bx, 0x002f
    mov cx, 3
    mov dx, 0x0a00
    mov bp, offset string
    int 0x10
    push 0xb800
    pop es
    cmp dword ptr es:[10 * 160], 0x2f622f61
    jne failed
    push 0
    pop es
    jmp passed
string:
    .ascii "abc"

check_scroll:
    push 0xb800
    pop es
    mov dword ptr es:[0], 0x07420741
    mov dword ptr es:[160], 0x07440743
    mov ax, 0x0601                              # the first column only
    mov bh, 0x70
    mov cx, 0
    mov dx, 0x1800
    int 0x10
    cmp dword ptr es:[0], 0x07420743
    jne failed
    cmp word ptr es:[24 * 160], 0x7020
    jne failed
    mov ax, 0x0702
    mov bh, 0x17
    mov cx, 0
    mov dx, 0x184f
    int 0x10
    cmp dword ptr es:[0], 0x17201720
    jne failed
    cmp dword ptr es:[2 * 160], 0x07420743
    jne failed
    mov ax, 0x0600                              # all of it
    mov bh, 7
    mov cx, 0
    mov dx, 0x184f
    int 0x10
    cmp dword ptr es:[2 * 160], 0x07200720
    jne failed
    jmp passed

check_teletype:
    mov ah, 2
    mov bh, 0
    mov dx, 0x184e
    int 0x10
    mov cx, 3
2:  mov ax, 0x0e41
    mov bx, 7
    push cx
    int 0x10
    pop cx
    loop 2b
    push 0xb800
    pop es
    cmp dword ptr es:[23 * 160 + 156], 0x07410741
    jne failed
    cmp word ptr es:[24 * 160], 0x0741
    jne failed
    mov ax, 0x0e08
    int 0x10
    mov ax, 0x0e0a
    int 0x10
    mov ah, 3
    mov bh, 0
    int 0x10
    cmp dx, 0x1800
    jne failed
    jmp passed

check_pixels:
    mov si, offset pixel_modes
2:  lodsb
    test al, al
    jz passed
    mov ah, 0
    push si
    int 0x10
    pop si
    mov ax, 0x0c03                              # colour 3 at 101, 57
    mov bh, 0
    mov cx, 101
    mov dx, 57
    int 0x10
    mov ax, 0x0d00
    mov bh, 0
    mov cx, 101
    mov dx, 57
    int 0x10
    mov ah, 3
    and ah, [si]
    cmp al, ah
    jne failed
    mov ax, 0x0d00
    mov cx, 102
    int 0x10
    test al, al
    jnz failed
    # A character has dots, of the colour it should have.
    mov ah, 2
    mov bh, 0
    mov dx, 0x0101
    int 0x10
    mov ax, 0x0edb
    mov bx, 1
    int 0x10
    mov ax, 0x0d00
    mov bh, 0
    mov cx, 12
    push si
    push ds
    push BDA_SEGMENT
    pop ds
    mov dl, [0x85]
    pop ds
    mov dh, 0
    add dx, 2
    int 0x10
    pop si
    cmp al, 1
    jne failed
    inc si
    jmp 2b
# Modes, and which bits a colour has.
pixel_modes:
    .byte 0x12, 15, 0x13, 255, 0x04, 3, 0x06, 1, 0x0d, 15, 0x10, 15, 0

check_palette:
    mov ax, 0x13
    int 0x10
    mov ax, 0x1010
    mov bx, 200
    mov dh, 1
    mov cx, 0x0203
    int 0x10
    xor cx, cx
    xor dx, dx
    mov ax, 0x1015
    mov bx, 200
    int 0x10
    cmp cx, 0x0203
    jne failed
    cmp dh, 1
    jne failed
    mov ax, 0x1015                              # yellow
    mov bx, 14
    int 0x10
    cmp cx, 0x3f15
    jne failed
    cmp dh, 0x3f
    jne failed
    mov ax, 3
    int 0x10
    mov ax, 0x1007
    mov bl, 6
    int 0x10
    cmp bh, 0x14
    jne failed
    jmp passed

check_fonts:
    mov ax, 0x1130
    mov bh, 6
    push es
    push bp
    int 0x10
    mov al, es:[bp + 0xdb * 16]
    mov ah, es:[bp + ' ' * 16]
    pop bp
    pop es
    cmp ax, 0x00ff
    jne failed
    cmp cx, 16
    jne failed
    cmp dl, 24
    jne failed
    mov ax, 0x1112                              # 50 rows
    mov bl, 0
    int 0x10
    mov ax, 0x1130
    mov bh, 3
    push es
    push bp
    int 0x10
    pop bp
    pop es
    cmp cx, 8
    jne failed
    cmp dl, 49
    jne failed
    mov ax, 0x1a00
    int 0x10
    cmp al, 0x1a
    jne failed
    mov ax, 3
    int 0x10
    jmp passed

check_vbe:
    mov dword ptr [BUFFER], 0x32454256
    mov di, BUFFER
    mov ax, 0x4f00
    int 0x10
    cmp ax, 0x004f
    jne passed                                  # an adapter that is only a VGA
    cmp dword ptr [BUFFER], 0x41534556
    jne failed
    mov ax, 0x4f01
    mov cx, 0x112                               # 640x480, 24 bits
    mov di, BUFFER
    int 0x10
    cmp ax, 0x004f
    jne failed
    cmp word ptr [BUFFER + 16], 1920
    jne failed
    cmp dword ptr [BUFFER + 18], 0x01e00280
    jne failed
    cmp dword ptr [BUFFER + 40], 0
    je failed
    mov ax, 0x4f02
    mov bx, 0x4112
    int 0x10
    cmp ax, 0x004f
    jne failed
    mov ax, 0x4f03
    int 0x10
    cmp bx, 0x4112
    jne failed
    mov ax, 0x4f01                              # no such mode
    mov cx, 0x1ff
    mov di, BUFFER
    int 0x10
    cmp ah, 0
    je failed
    mov ax, 3
    int 0x10
    mov ax, 0x4f03
    int 0x10
    cmp bx, 3
    jne failed
    jmp passed

program_end:
    .word 0x4c59
