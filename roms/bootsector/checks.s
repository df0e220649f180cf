# Memory, disk, keyboard, clock. A check ends with "passed" or by a jump to "failed".

.section .program, "ax"
CODE16
program:
    call check_geometry
    CHECK "int 13h geometry"
    call check_write
    CHECK "int 13h write and read"
    call check_edd
    CHECK "int 13h extensions"
    call check_size
    CHECK "int 12h, 88h, E801h sizes"
    call check_map
    CHECK "int 15h memory map"
    call check_move
    CHECK "int 15h block move"
    call check_gate
    CHECK "int 15h A20"
    call check_configuration
    CHECK "int 15h configuration"
    call check_keys
    CHECK "int 16h keyboard"
    call check_clock
    CHECK "int 1ah clock"
    call check_pci
    CHECK "int 1ah PCI"
    call check_text
    CHECK "int 10h text"
    call check_scroll
    CHECK "int 10h scrolling"
    call check_teletype
    CHECK "int 10h teletype"
    call check_pixels
    CHECK "int 10h pixels"
    call check_palette
    CHECK "int 10h palette"
    call check_fonts
    CHECK "int 10h fonts"
    call check_vbe
    CHECK "int 10h VBE"
    mov ax, 3
    int 0x10
    cmp byte ptr [failures], 0
    mov si, offset all_failed
    jne 2f
    mov byte ptr [outcome], ALL_WELL
    mov si, offset all_passed
2:  call say
    jmp finish

all_passed:
    .asciz "PASS\r\n"
all_failed:
    .asciz "FAIL\r\n"
text_passed:
    .asciz ": ok\r\n"
text_failed:
    .asciz ": FAILED\r\n"

# SI: the check's name; carry: it failed.
report:
    pushf
    push 0
    pop ds
    push 0
    pop es
    cld
    sti
    call say
    popf
    mov si, offset text_passed
    jnc 2f
    mov si, offset text_failed
    inc byte ptr [failures]
2:  jmp say

passed:
    clc
    ret
failed:
    stc
    ret

check_geometry:
    mov ah, 8
    mov dl, [drive]
    xor di, di
    push es
    int 0x13
    pop es
    jc failed
    inc dh
    jz failed
    mov [heads], dh
    and cl, 0x3f
    jz failed
    mov [track], cl
    mov ah, 0x15
    mov dl, [drive]
    int 0x13
    jc failed
    cmp ah, 0
    je failed
    # A cylinder that is not there.
    mov ax, 0x0201
    mov bx, BUFFER
    mov cx, 0x0000                              # no sector 0
    mov dh, 0
    mov dl, [drive]
    int 0x13
    jnc failed
    mov ah, 1
    mov dl, [drive]
    int 0x13
    cmp ah, 0
    je failed
    jmp passed

check_write:
    mov di, BUFFER
    mov cx, 256
    mov ax, 0x1234
2:  stosw
    imul ax, ax, 5
    inc ax
    loop 2b
    mov eax, SCRATCH_SECTOR
    mov bx, BUFFER
    call chs
    mov ax, 0x0301
    int 0x13
    jnc 3f
    cmp ah, 3                                   # the drive that a disc emulates cannot be written
    jne failed
    jmp passed
3:  mov eax, SCRATCH_SECTOR
    mov bx, BUFFER + 1024
    call chs
    mov ax, 0x0201
    int 0x13
    jc failed
    cmp al, 1
    jne failed
compare:
    mov si, BUFFER
    mov di, BUFFER + 1024
    mov cx, 256
    repe cmpsw
    jne failed
    jmp passed

check_edd:
    mov dl, [drive]
    test dl, 0x80
    jz passed                                   # diskettes have none
    mov ah, 0x41
    mov bx, 0x55aa
    int 0x13
    jc failed
    cmp bx, 0xaa55
    jne failed
    test cl, 1
    jz failed
    mov di, BUFFER + 1024
    mov cx, 256
    xor ax, ax
    rep stosw
    mov si, offset packet
    mov ah, 0x42
    mov dl, [drive]
    int 0x13
    jc failed
    call compare
    jc failed
    mov dword ptr [packet + 8], 0xffffffff      # far beyond the end
    mov si, offset packet
    mov ah, 0x42
    mov dl, [drive]
    int 0x13
    jnc failed
    mov word ptr [BUFFER], 30
    mov si, BUFFER
    mov ah, 0x48
    mov dl, [drive]
    int 0x13
    jc failed
    cmp word ptr [BUFFER + 24], 512
    jne failed
    cmp dword ptr [BUFFER + 16], 0
    je failed
    jmp passed

packet:
    .word 16, 1, BUFFER + 1024, 0
    .quad SCRATCH_SECTOR

check_size:
    int 0x12
    cmp ax, 600
    jb failed
    cmp ax, 640
    ja failed
    mov ah, 0x88
    int 0x15
    jc failed
    cmp ax, 1024
    jb failed
    mov ax, 0xe801
    int 0x15
    jc failed
    cmp ax, cx
    jne failed
    cmp bx, dx
    jne failed
    int 0x11
    test al, 0x30                               # a display
    jz failed
    jmp passed

# The map has RAM at 0 and at 1 MiB, and none above the BIOS data.
check_map:
    xor ebx, ebx
    xor bp, bp
2:  mov eax, 0xe820
    mov edx, 0x534d4150
    mov ecx, 24
    mov di, BUFFER
    int 0x15
    jc failed
    cmp eax, 0x534d4150
    jne failed
    cmp dword ptr [BUFFER + 4], 0
    jne 4f
    cmp dword ptr [BUFFER + 16], 1
    jne 4f
    cmp dword ptr [BUFFER], 0
    jne 3f
    or bp, 1
3:  cmp dword ptr [BUFFER], 0x100000
    jne 4f
    or bp, 2
4:  test ebx, ebx
    jnz 2b
    cmp bp, 3
    jne failed
    mov eax, 0xe820                             # without the signature
    xor edx, edx
    mov ecx, 24
    int 0x15
    jnc failed
    jmp passed

# 512 bytes to 2 MiB and back.
check_move:
    mov si, BUFFER
    mov word ptr [si], 0x5aa5
    mov word ptr [si + 510], 0xa55a
    mov dword ptr [descriptors + 0x12], 0x93000000 + BUFFER
    mov dword ptr [descriptors + 0x1a], 0x93200000
    call move
    jc failed
    mov dword ptr [descriptors + 0x12], 0x93200000
    mov dword ptr [descriptors + 0x1a], 0x93000000 + BUFFER + 1024
    call move
    jc failed
    jmp compare

move:
    mov si, offset descriptors
    mov cx, 256
    mov ah, 0x87
    int 0x15
    ret

descriptors:
    .quad 0, 0, 0x0000930000000000 + 0xffff, 0x0000930000000000 + 0xffff, 0, 0

check_gate:
    mov ax, 0x2402
    int 0x15
    jc failed
    mov ax, 0x2401
    int 0x15
    jc failed
    mov ax, 0x2402
    int 0x15
    jc failed
    cmp al, 1
    jne failed
    jmp passed

check_configuration:
    mov ah, 0xc0
    push es
    int 0x15
    mov ax, es:[bx]
    mov cl, es:[bx + 2]
    pop es
    jc failed
    cmp ax, 8
    jb failed
    cmp cl, 0xfc
    jne failed
    mov ax, 0xee00                              # no such service
    int 0x15
    jnc failed
    jmp passed

check_keys:
    mov ah, 1                                   # empty the ring
    int 0x16
    jz 2f
    mov ah, 0
    int 0x16
    jmp check_keys
2:  mov ah, 5
    mov cx, 0x1e61
    int 0x16
    test al, al
    jnz failed
    mov ah, 5
    mov cx, 0x48e0                              # a grey key
    int 0x16
    mov ah, 1
    int 0x16
    jz failed
    cmp ax, 0x1e61
    jne failed
    mov ah, 0
    int 0x16
    cmp ax, 0x1e61
    jne failed
    mov ah, 0x11
    int 0x16
    jz failed
    cmp ax, 0x48e0
    jne failed
    mov ah, 0                                   # as an old program sees it
    int 0x16
    cmp ax, 0x4800
    jne failed
    mov ah, 1
    int 0x16
    jnz failed
    # Fifteen keys fit.
    mov bp, 0
3:  mov ah, 5
    mov cx, 0x1e61
    int 0x16
    test al, al
    jnz 4f
    inc bp
    cmp bp, 40
    jb 3b
4:  cmp bp, 15
    jne failed
5:  mov ah, 1
    int 0x16
    jz 6f
    mov ah, 0
    int 0x16
    jmp 5b
6:  mov ah, 2
    int 0x16
    jmp passed

check_clock:
    mov ah, 0
    int 0x1a
    mov bx, dx
    mov ah, 0x86                                # 0.15 s
    mov cx, 2
    mov dx, 0x49f0
    int 0x15
    jc failed
    mov ah, 0
    int 0x1a
    sub dx, bx
    jz failed
    cmp dx, 200
    ja failed
    mov ah, 2
    int 0x1a
    jc failed
    cmp ch, 0x23
    ja failed
    cmp cl, 0x59
    ja failed
    mov ah, 4
    int 0x1a
    jc failed
    cmp ch, 0x20
    jne failed
    test dl, dl
    jz failed
    jmp passed

check_pci:
    mov ax, 0xb101
    int 0x1a
    jc passed                                   # a board without PCI
    cmp edx, 0x20494350
    jne failed
    mov ax, 0xb103                              # the host bridge
    mov ecx, 0x060000
    xor si, si
    int 0x1a
    jc failed
    test bx, bx
    jnz failed
    mov ax, 0xb10a
    xor di, di
    int 0x1a
    jc failed
    mov dx, cx                                  # vendor
    shr ecx, 16                                 # device
    xor si, si
    mov ax, 0xb102
    int 0x1a
    jc failed
    test bx, bx
    jnz failed
    jmp passed
