# VBE services over the Bochs display interface: ports 1CEh (index) and 1CFh (data).
#
# Sources: VESA BIOS Extension 3.0, chapter 4; QEMU docs/specs/standard-vga. Modes have a linear frame buffer, and a
# window of 64 KiB at A000h. Protected-mode entry points, save/restore and DDC are left out.

.equ DISPI_ID, 0
.equ DISPI_X, 1
.equ DISPI_Y, 2
.equ DISPI_DEPTH, 3
.equ DISPI_ENABLE, 4
.equ DISPI_BANK, 5
.equ DISPI_WIDTH, 6
.equ DISPI_X_OFFSET, 8
.equ DISPI_Y_OFFSET, 9
.equ DISPI_MEMORY, 10                           # in units of 64 KiB
.equ V_SIZE, 8

.macro VBE_SIZES x, y, m8, m15, m16, m24, m32
    .word \m8, \x, \y, 8, \m15, \x, \y, 15, \m16, \x, \y, 16, \m24, \x, \y, 24, \m32, \x, \y, 32
.endm

.section .bios, "ax"
vbe_modes:
    VBE_SIZES 640, 480, 0x101, 0x110, 0x111, 0x112, 0x142
    VBE_SIZES 800, 600, 0x103, 0x113, 0x114, 0x115, 0x143
    VBE_SIZES 1024, 768, 0x105, 0x116, 0x117, 0x118, 0x144
    VBE_SIZES 1280, 1024, 0x107, 0x119, 0x11a, 0x11b, 0x145
    VBE_SIZES 1600, 1200, 0x11c, 0x11d, 0x11e, 0x11f, 0x147
    VBE_SIZES 1280, 720, 0x188, 0x189, 0x18a, 0x18b, 0x18c
    VBE_SIZES 1920, 1080, 0x18d, 0x18e, 0x18f, 0x190, 0x191
    .word 0x100, 640, 400, 8, 0x140, 320, 200, 32, 0x141, 640, 400, 32
vbe_modes_end:

CODE16
# AX: register, BX: its value.
dispi_read:
    push dx
    mov dx, 0x1ce
    out dx, ax
    inc dx
    push ax
    in ax, dx
    mov bx, ax
    pop ax
    pop dx
    ret

# AX: register, BX: value to write.
dispi_write:
    push dx
    push ax
    mov dx, 0x1ce
    out dx, ax
    inc dx
    mov ax, bx
    out dx, ax
    pop ax
    pop dx
    ret

# Zero flag clear if there is no such adapter.
dispi_here:
    push ax
    push bx
    mov ax, DISPI_ID
    call dispi_read
    and bl, 0xf0
    cmp bx, 0xb0c0
    pop bx
    pop ax
    ret

# Back to VGA.
vbe_off:
    call dispi_here
    jne 2f
    push ax
    push bx
    mov ax, DISPI_ENABLE
    xor bx, bx
    call dispi_write
    pop bx
    pop ax
2:  push ds
    push EBDA
    pop ds
    mov word ptr [VBE_MODE], 0
    pop ds
    ret

# AH=4Fh.
vbe_service:
    call dispi_here
    jne 8f
    mov bl, al
    xor bh, bh
    cmp bl, 9
    ja 8f
    mov word ptr [bp + R_AX], 0x004f
    add bx, bx
    jmp word ptr cs:[bx + vbe_services]
8:  ret

vbe_services:
    .word vbe_information, vbe_mode_information, vbe_set, vbe_get, vbe_state
    .word vbe_window, vbe_line_length, vbe_start, vbe_palette_width, vbe_palette

vbe_failed:
    mov byte ptr [bp + R_AH], 1
    ret

# AX: 64 KiB units of memory.
vbe_memory:
    push bx
    mov ax, DISPI_MEMORY
    call dispi_read
    mov ax, bx
    pop bx
    ret

# AL=00h: 512 bytes at ES:DI, or 256 if the caller does not ask for VBE 2.
vbe_information:
    mov es, [bp + R_ES]
    mov di, [bp + R_DI]
    mov cx, 256
    cmp dword ptr es:[di], 0x32454256           # "VBE2"
    jne 2f
    mov cx, 512
2:  push di
    xor al, al
    rep stosb
    pop di
    mov dword ptr es:[di], 0x41534556           # "VESA"
    mov word ptr es:[di + 4], 0x0300
    mov word ptr es:[di + 6], offset vbe_name
    mov word ptr es:[di + 8], ROM_SEG
    mov dword ptr es:[di + 10], 1               # palette of 8 bits
    lea ax, [di + 34]                           # the list is in the caller's block
    mov es:[di + 14], ax
    mov es:[di + 16], es
    call vbe_memory
    mov es:[di + 18], ax
    mov word ptr es:[di + 22], offset vbe_name
    mov word ptr es:[di + 24], ROM_SEG
    mov word ptr es:[di + 26], offset vbe_name
    mov word ptr es:[di + 28], ROM_SEG
    mov word ptr es:[di + 30], offset vbe_name
    mov word ptr es:[di + 32], ROM_SEG
    add di, 34
    mov si, offset vbe_modes
3:  call vbe_fits
    jc 4f
    mov ax, cs:[si]
    stosw
4:  add si, V_SIZE
    cmp si, offset vbe_modes_end
    jb 3b
    mov word ptr es:[di], 0xffff
    ret

vbe_name:
    .asciz "Lyrebird"

# CX: bytes of a pixel of mode CS:SI, DX: bytes of a line.
vbe_line:
    movzx cx, byte ptr cs:[si + 6]
    add cx, 7
    shr cx, 3
    mov dx, cs:[si + 2]
    imul dx, cx
    ret

# Carry if the memory is too small for mode CS:SI.
vbe_fits:
    pushad
    call vbe_line
    movzx eax, dx
    movzx ecx, word ptr cs:[si + 4]
    mul ecx
    shr eax, 16
    mov cx, ax
    call vbe_memory
    cmp cx, ax
    cmc
    popad
    ret

# CX: number of a mode. SI: its entry; carry if there is none.
vbe_find:
    mov si, offset vbe_modes
    and cx, 0x1ff
2:  cmp cs:[si], cx
    je vbe_fits
    add si, V_SIZE
    cmp si, offset vbe_modes_end
    jb 2b
    stc
    ret

# AL=01h: 256 bytes of mode CX at ES:DI.
vbe_mode_information:
    mov cx, [bp + R_CX]
    call vbe_find
    jc vbe_failed
    mov es, [bp + R_ES]
    mov di, [bp + R_DI]
    push di
    xor ax, ax
    mov cx, 128
    rep stosw
    pop di
    mov word ptr es:[di], 0x009b                # supported, colour, graphics, linear frame buffer
    mov byte ptr es:[di + 2], 7
    mov word ptr es:[di + 4], 64
    mov word ptr es:[di + 6], 64
    mov word ptr es:[di + 8], 0xa000
    mov word ptr es:[di + 12], offset vbe_window_far
    mov word ptr es:[di + 14], ROM_SEG
    call vbe_line
    mov es:[di + 16], dx
    mov es:[di + 50], dx
    mov ax, cs:[si + 2]
    mov es:[di + 18], ax
    mov ax, cs:[si + 4]
    mov es:[di + 20], ax
    mov word ptr es:[di + 22], 0x1008           # cells
    mov byte ptr es:[di + 24], 1
    mov al, cs:[si + 6]
    mov es:[di + 25], al
    mov byte ptr es:[di + 26], 1
    mov byte ptr es:[di + 27], 6                # direct colour
    mov bx, offset vbe_fields
    cmp al, 8
    jne 2f
    mov byte ptr es:[di + 27], 4                # packed pixels
2:  cmp cs:[bx], al
    je 3f
    add bx, 9
    jmp 2b
3:  push di
    push si
    lea si, [bx + 1]
    add di, 31
    mov cx, 8
    rep movs byte ptr es:[di], byte ptr cs:[si]
    pop si
    pop di
    mov eax, es:[di + 31]
    mov es:[di + 54], eax
    mov eax, es:[di + 35]
    mov es:[di + 58], eax
    mov byte ptr es:[di + 30], 1
    push ds
    push EBDA
    pop ds
    mov eax, [FRAME_BUFFER]
    pop ds
    test eax, eax
    jnz 4f
    mov eax, 0xe0000000                         # an adapter that is not on PCI has it there
4:  mov es:[di + 40], eax
    # Pages less one.
    call vbe_memory
    movzx ebx, ax
    shl ebx, 16
    movzx eax, word ptr cs:[si + 4]
    movzx ecx, dx
    push edx
    mul ecx
    xchg eax, ebx
    xor edx, edx
    div ebx
    pop edx
    dec ax
    cmp ax, 255
    jbe 4f
    mov ax, 255
4:  mov es:[di + 29], al
    mov es:[di + 52], al
    mov es:[di + 53], al
    ret

# Depth; size and position of red, green, blue, reserved.
vbe_fields:
    .byte 8, 0, 0, 0, 0, 0, 0, 0, 0
    .byte 15, 5, 10, 5, 5, 5, 0, 1, 15
    .byte 16, 5, 11, 6, 5, 5, 0, 0, 0
    .byte 24, 8, 16, 8, 8, 8, 0, 0, 0
    .byte 32, 8, 16, 8, 8, 8, 0, 8, 24

# AL=02h: sets mode BX; bit 14 linear frame buffer, bit 15 keeps memory.
vbe_set:
    mov cx, [bp + R_BX]
    test cx, 0x0100
    jz 4f
    call vbe_find
    jc vbe_failed
    mov ax, DISPI_ENABLE
    xor bx, bx
    call dispi_write
    mov ax, DISPI_X
    mov bx, cs:[si + 2]
    call dispi_write
    inc ax
    mov bx, cs:[si + 4]
    call dispi_write
    inc ax
    movzx bx, byte ptr cs:[si + 6]
    call dispi_write
    # Some registers of the VGA matter still: chained, with the palette and the screen on.
    push si
    mov al, 0x13
    call mode_find
    call mode_registers
    mov dx, 0x3c0
    OUTB dx, 0x20
    call mode_palette
    pop si
    mov ax, DISPI_ENABLE
    mov bx, 0x41
    mov cx, [bp + R_BX]
    test ch, 0x80
    jz 2f
    or bl, 0x80
2:  call dispi_write
    mov ax, DISPI_BANK
    xor bx, bx
    call dispi_write
    mov byte ptr [MODE], 0x7f
    mov ax, cs:[si + 2]
    shr ax, 3
    mov [COLUMNS], ax
    mov ax, cs:[si + 4]
    shr ax, 4
    dec ax
    mov [ROWS], al
    mov byte ptr [CHARACTER_HEIGHT], 16
    push EBDA
    pop ds
    mov ax, [bp + R_BX]
    mov [VBE_MODE], ax
    ret
4:  push word ptr [bp + R_AX]
    mov al, cl
    and ch, 0x80
    or al, ch
    mov [bp + R_AL], al
    call video_set_mode
    pop word ptr [bp + R_AX]
    ret

# AL=03h: BX: mode.
vbe_get:
    movzx ax, byte ptr [MODE]
    push ds
    push EBDA
    pop ds
    cmp word ptr [VBE_MODE], 0
    je 2f
    mov ax, [VBE_MODE]
    and ah, 0x7f
2:  pop ds
    mov [bp + R_BX], ax
    ret

# AL=04h: nothing of the state needs saving but the mode, which the caller knows.
vbe_state:
    cmp byte ptr [bp + R_DL], 0
    jne vbe_failed
    mov word ptr [bp + R_BX], 1
    ret

# AL=05h: window BL: BH=0 sets position DX, BH=1 gets it.
vbe_window:
    cmp byte ptr [bp + R_BL], 0
    jne vbe_failed
    mov ax, DISPI_BANK
    cmp byte ptr [bp + R_BH], 0
    jne 2f
    mov bx, [bp + R_DX]
    jmp dispi_write
2:  call dispi_read
    mov [bp + R_DX], bx
    ret

# The same for a far call, from the mode's information block.
vbe_window_far:
    push ax
    push bx
    mov ax, DISPI_BANK
    test bh, bh
    jnz 2f
    mov bx, dx
    call dispi_write
    jmp 3f
2:  call dispi_read
    mov dx, bx
3:  pop bx
    pop ax
    RETURN_FAR

# AL=06h: length of a line: BL=0 sets CX pixels, 1 gets, 2 sets CX bytes, 3 gets the maximum.
vbe_line_length:
    call vbe_pixel_bytes
    jcxz 9f
    mov ax, [bp + R_CX]
    mov bl, [bp + R_BL]
    cmp bl, 1
    je 3f
    cmp bl, 3
    je 3f
    cmp bl, 2
    jne 2f
    xor dx, dx
    div cx
2:  mov bx, ax
    mov ax, DISPI_WIDTH
    call dispi_write
3:  mov ax, DISPI_WIDTH
    call dispi_read
    mov [bp + R_CX], bx
    imul bx, cx
    mov [bp + R_BX], bx
    call vbe_memory
    movzx ecx, bx
    movzx eax, ax
    shl eax, 16
    xor edx, edx
    div ecx
    mov [bp + R_DX], ax
    ret
9:  jmp vbe_failed

# CX: bytes of a pixel; 0 if no VBE mode is set.
vbe_pixel_bytes:
    mov ax, DISPI_ENABLE
    call dispi_read
    xor cx, cx
    test bl, 1
    jz 2f
    mov ax, DISPI_DEPTH
    call dispi_read
    lea cx, [bx + 7]
    shr cx, 3
2:  ret

# AL=07h: start of the display: CX pixels, DX lines.
vbe_start:
    mov bl, [bp + R_BL]
    and bl, 0x7f
    cmp bl, 1
    je 2f
    ja 9f
    mov ax, DISPI_X_OFFSET
    mov bx, [bp + R_CX]
    call dispi_write
    inc ax
    mov bx, [bp + R_DX]
    jmp dispi_write
2:  mov ax, DISPI_X_OFFSET
    call dispi_read
    mov [bp + R_CX], bx
    inc ax
    call dispi_read
    mov [bp + R_DX], bx
    ret
9:  jmp vbe_failed

# AL=08h: width of palette entries: BL=0 sets BH bits, 1 gets.
vbe_palette_width:
    mov ax, DISPI_ENABLE
    call dispi_read
    cmp byte ptr [bp + R_BL], 0
    jne 2f
    and bl, ~0x20
    cmp byte ptr [bp + R_BH], 8
    jb 3f
    or bl, 0x20
3:  or bl, 0x80                                 # the memory stays
    call dispi_write
2:  mov al, 6
    test bl, 0x20
    jz 4f
    mov al, 8
4:  mov [bp + R_BH], al
    ret

# AL=09h: palette: BL=0 sets CX entries from DX on from ES:DI (blue, green, red, 0), 1 gets.
vbe_palette:
    mov es, [bp + R_ES]
    mov di, [bp + R_DI]
    mov cx, [bp + R_CX]
    mov ah, [bp + R_BL]
    and ah, 0x7f
    cmp ah, 1
    ja 9b
    jcxz 4f
    mov dx, 0x3c8
    sub dl, ah                                  # 3C7h reads
    mov al, [bp + R_DL]
    out dx, al
    mov dx, 0x3c9
2:  test ah, ah
    jnz 3f
    mov al, es:[di + 2]
    out dx, al
    mov al, es:[di + 1]
    out dx, al
    mov al, es:[di]
    out dx, al
    jmp 5f
3:  in al, dx
    mov es:[di + 2], al
    in al, dx
    mov es:[di + 1], al
    in al, dx
    mov es:[di], al
5:  add di, 4
    loop 2b
4:  ret
