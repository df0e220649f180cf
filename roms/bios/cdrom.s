# Discs: El Torito, INT 13h AH=4Ah to 4Dh, and the drive that a boot image emulates.
#
# Source: "El Torito" Bootable CD-ROM Format Specification 1.0. The first entry of the catalogue is booted.

.section .bios, "ax"
CODE16
# Reads block EAX of the disc at SI to BOUNCE; carry if that fails.
cd_block:
    mov [REQUEST_LBA], eax
    mov dword ptr [REQUEST_LBA + 4], 0
    mov word ptr [REQUEST_COUNT], 1
    mov byte ptr [REQUEST_WRITE], 0
    mov dword ptr [REQUEST_BUFFER], BOUNCE_LINEAR
    call disk_transfer
    cmp ah, 1
    cmc
    ret

# Boots the disc at SI. Comes back if it cannot be.
cd_boot:
    mov eax, 17                                 # boot record volume descriptor
    call cd_block
    jc 9f
    push ds
    pop es
    mov di, BOUNCE
    cmp dword ptr [di], 0x30444300              # 0, "CD0"
    jne 9f
    cmp dword ptr [di + 7], 0x54204c45          # "EL T"
    jne 9f
    mov eax, [di + 0x47]
    call cd_block
    jc 9f
    cmp byte ptr [BOUNCE], 1
    jne 9f
    cmp word ptr [BOUNCE + 30], 0xaa55
    jne 9f
    mov di, BOUNCE + 32
    cmp byte ptr [di], 0x88                     # bootable
    jne 9f
    mov [CD_ENTRY], si
    mov al, [di + 1]
    and al, 0x0f
    mov [CD_EMULATION], al
    mov bx, [di + 2]
    test bx, bx
    jnz 2f
    mov bx, 0x07c0
2:  mov [CD_SEGMENT], bx
    mov cx, [di + 6]
    test cx, cx
    jnz 3f
    inc cx
3:  mov [CD_COUNT], cx
    mov eax, [di + 8]
    mov [CD_IMAGE], eax
    mov dl, [si + DRIVE_NUMBER]
    cmp byte ptr [CD_EMULATION], 0
    je 4f
    mov dl, 0
    cmp byte ptr [CD_EMULATION], 4
    jb 4f
    mov dl, 0x80
4:  mov [CD_DRIVE], dl
    # The image: CX sectors of 512 bytes to BX:0000, by blocks.
    mov word ptr [REQUEST_COUNT], 0
    add cx, 3
    shr cx, 2
    mov [REQUEST_COUNT], cx
    movzx ebx, bx
    shl ebx, 4
    mov [REQUEST_BUFFER], ebx
    mov eax, [CD_IMAGE]
    mov [REQUEST_LBA], eax
    call disk_transfer
    test ah, ah
    jnz 8f
    call cd_geometry
    SAY "Booting from the disc.\n"
    mov ax, [CD_SEGMENT]
    mov dl, [CD_DRIVE]
    clc
    ret
8:  mov byte ptr [CD_EMULATION], 0
9:  mov word ptr [CD_ENTRY], 0
    mov byte ptr [CD_EMULATION], 0
    stc
    ret

# What the emulated drive looks like.
cd_geometry:
    mov al, [CD_EMULATION]
    mov cx, 80
    mov bx, 0x0f02                              # sectors, heads
    cmp al, 1
    je 2f
    mov bh, 18
    cmp al, 2
    je 2f
    mov bh, 36
    cmp al, 3
    je 2f
    cmp al, 4
    jne 3f
    # A hard disk: the end of the first partition says it.
    mov eax, [CD_IMAGE]
    call cd_block
    mov bl, [BOUNCE + 446 + 5]
    inc bl
    mov bh, [BOUNCE + 446 + 6]
    mov cl, [BOUNCE + 446 + 7]
    mov ch, bh
    shr ch, 6
    and bh, 0x3f
    inc cx
2:  mov [CD_HEADS], bl
    mov [CD_SECTORS], bh
    mov [CD_CYLINDERS], cx
3:  ret

# AH=4Ah, 4Ch: initiate emulation: only by booting. AH=4Bh: what is emulated; AL=0 ends it. AH=4Dh: the catalogue.
cd_service:
    cmp ah, 0x4b
    jne 8f
    mov si, [CD_ENTRY]
    test si, si
    jz 8f
    # The specification packet.
    mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    mov byte ptr es:[di], 0x13
    mov al, [CD_EMULATION]
    mov es:[di + 1], al
    mov al, [CD_DRIVE]
    mov es:[di + 2], al
    mov al, [si + DRIVE_NUMBER]
    and al, 0x0f
    mov es:[di + 3], al
    mov eax, [CD_IMAGE]
    mov es:[di + 4], eax
    mov word ptr es:[di + 8], 0
    mov word ptr es:[di + 10], 0
    mov ax, [CD_SEGMENT]
    mov es:[di + 12], ax
    mov ax, [CD_COUNT]
    mov es:[di + 14], ax
    mov ax, [CD_CYLINDERS]
    mov es:[di + 16], al                        # as in INT 13h: the low byte, and two bits with the sectors
    mov al, ah
    shl al, 6
    or al, [CD_SECTORS]
    mov es:[di + 17], al
    mov al, [CD_HEADS]
    mov es:[di + 18], al
    cmp byte ptr [bp + R_AL], 0
    jne 2f
    mov byte ptr [CD_EMULATION], 0
2:  mov ah, 0
    jmp disk_end
8:  jmp disk_invalid

# A service of the emulated drive.
cd_emulated:
    mov ah, [bp + R_AH]
    cmp ah, 2
    je 4f
    cmp ah, 4
    je 4f
    cmp ah, 8
    je 5f
    cmp ah, 0x15
    je 6f
    cmp ah, 3
    mov bl, 3                                   # write protected
    je 3f
    cmp ah, 0x42
    je 7f
    cmp ah, 1
    jb 2f
    je disk_status
    cmp ah, 0x0c
    je 2f
    cmp ah, 0x0d
    je 2f
    cmp ah, 0x10
    je 2f
    cmp ah, 0x11
    je 2f
    mov bl, 1
    jmp 3f
2:  mov bl, 0
3:  mov ah, bl
    jmp disk_end
4:  mov cx, [bp + R_CX]
    movzx eax, cl
    shl ax, 2
    mov al, ch
    and ah, 3
    movzx edx, byte ptr [CD_HEADS]
    mov bl, [bp + R_DH]
    cmp bl, dl
    jae disk_invalid
    imul eax, edx
    movzx edx, bl
    add eax, edx
    movzx edx, byte ptr [CD_SECTORS]
    imul eax, edx
    and ecx, 0x3f
    jz disk_invalid
    cmp cl, dl
    ja disk_invalid
    add eax, ecx
    dec eax
    movzx cx, byte ptr [bp + R_AL]
    mov es, [bp + R_ES]
    mov di, [bp + R_BX]
    call cd_sectors
    mov [bp + R_AL], cl
    jmp disk_end
5:  mov cx, [CD_CYLINDERS]
    dec cx
    xchg cl, ch
    shl cl, 6
    or cl, [CD_SECTORS]
    mov [bp + R_CX], cx
    mov dh, [CD_HEADS]
    dec dh
    mov dl, 1
    mov [bp + R_DX], dx
    mov byte ptr [bp + R_BL], 4
    mov ax, offset floppy_parameters
    mov [bp + R_DI], ax
    mov word ptr [bp + R_ES], ROM_SEG
    mov bl, 0
    jmp 3b
6:  mov bh, 1
    cmp byte ptr [CD_DRIVE], 0x80
    jb 8f
    mov bh, 3
    mov al, [CD_HEADS]
    mul byte ptr [CD_SECTORS]
    mul word ptr [CD_CYLINDERS]
    mov [bp + R_CX], dx
    mov [bp + R_DX], ax
8:  mov [bp + R_AH], bh
    NO_CARRY
    ret
7:  mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    mov cx, es:[di + 2]
    mov eax, es:[di + 8]
    les di, es:[di + 4]
    call cd_sectors
    jmp disk_end

# CX sectors of 512 bytes from EAX of the image to ES:DI. AH: status, CX: sectors read.
cd_sectors:
    xor bx, bx
2:  cmp bx, cx
    je 4f
    push eax
    push bx
    push cx
    push es
    push di
    mov ebx, eax
    and bx, 3
    shr eax, 2
    add eax, [CD_IMAGE]
    mov si, [CD_ENTRY]
    push bx
    call cd_block
    pop bx
    pop di
    pop es
    jc 3f
    cmp byte ptr [bp + R_AH], 4
    je 5f
    shl bx, 9
    lea si, [bx + BOUNCE]
    mov cx, 256
    rep movsw
5:  pop cx
    pop bx
    pop eax
    inc eax
    inc bx
    jmp 2b
3:  pop cx
    pop cx                                      # sectors done
    pop eax
    mov ah, 0x20
    ret
4:  mov cx, bx
    mov ah, 0
    ret
