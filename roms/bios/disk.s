# INT 13h: hard disks and discs, by cylinder, head and sector and by block (EDD).
#
# Sources: Ralf Brown's INT 13h; Phoenix Enhanced Disk Drive 3.0. Diskettes are in floppy.s.

.section .bios, "ax"
CODE16
# SI: entry of drive DL; carry if there is none. DS: EBDA.
disk_find:
    push cx
    mov si, DRIVE_TABLE
    movzx cx, byte ptr [DRIVES]
    jcxz 3f
2:  cmp [si + DRIVE_NUMBER], dl
    je 4f
    add si, DRIVE_SIZE
    loop 2b
3:  stc
4:  pop cx
    ret

int13:
    sti
    ENTER EBDA
    cmp ah, 0x4a
    jb 2f
    cmp ah, 0x4d
    jbe 6f
2:  cmp byte ptr [CD_EMULATION], 0
    je 3f
    cmp dl, [CD_DRIVE]
    je 7f
    # Emulation pushes the other drives of its kind up.
    mov al, [CD_DRIVE]
    xor al, dl
    js 3f
    cmp dl, 0xe0
    jae 3f
    dec dl
3:  test dl, 0x80
    jz 8f
    call disk_find
    jc 9f
    DISPATCH disk_services, 0x4a, 9f
disk_done:
    test byte ptr [bp + R_FLAGS], 1
    mov al, 0
    jz 4f
    mov al, [bp + R_AH]
4:  push BDA
    pop ds
    mov [DISK_STATUS], al
5:  LEAVE
9:  mov ah, 1
    call disk_end
    mov al, 1
    jmp 4b
6:  call cd_service
    jmp 5b
7:  call cd_emulated
    jmp disk_done
8:  call floppy_service
    jmp 5b

disk_services:
    .word disk_reset, disk_status, disk_read, disk_write, disk_verify, disk_invalid, disk_invalid, disk_invalid
    .word disk_parameters, disk_fine, disk_invalid, disk_invalid, disk_fine, disk_fine, disk_invalid, disk_invalid
    .word disk_fine, disk_fine, disk_invalid, disk_invalid, disk_fine, disk_type, disk_invalid, disk_invalid
    .word disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid
    .word disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid
    .word disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid
    .word disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid
    .word disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid, disk_invalid
    .word disk_invalid, edd_check, edd_read, edd_write, edd_verify, edd_lock, disk_invalid, edd_fine
    .word edd_parameters, edd_changed

edd_fine:
disk_reset:
disk_fine:
    mov ah, 0
# Ends a service with status AH.
disk_end:
    mov [bp + R_AH], ah
    cmp ah, 0
    jne 2f
    NO_CARRY
    ret
2:  CARRY
    ret

disk_invalid:
    mov ah, 1
    jmp disk_end

disk_status:
    push ds
    push BDA
    pop ds
    mov al, [DISK_STATUS]
    pop ds
    mov [bp + R_AL], al
    mov ah, al
    jmp disk_end

disk_verify:
    mov byte ptr [REQUEST_WRITE], 2
    jmp 2f
disk_write:
    mov byte ptr [REQUEST_WRITE], 1
    jmp 2f
disk_read:
    mov byte ptr [REQUEST_WRITE], 0
2:  movzx ax, byte ptr [bp + R_AL]
    cmp al, 1
    jb disk_invalid
    cmp al, 128
    ja disk_invalid
    mov [REQUEST_COUNT], ax
    test byte ptr [si + DRIVE_KIND], 1          # not discs
    jz disk_invalid
    # LBA = (cylinder * heads + head) * sectors + sector - 1
    mov cx, [bp + R_CX]
    movzx eax, cl
    shl ax, 2
    mov al, ch                                  # AX: cylinder
    and ah, 3
    movzx edx, byte ptr [si + DRIVE_HEADS]
    mov bl, [bp + R_DH]
    cmp bl, dl
    jae disk_invalid
    imul eax, edx
    movzx edx, bl
    add eax, edx
    movzx edx, byte ptr [si + DRIVE_SPT]
    imul eax, edx
    and ecx, 0x3f
    jz disk_invalid
    cmp cl, dl
    ja disk_invalid
    dec ecx
    add eax, ecx
    mov [REQUEST_LBA], eax
    mov dword ptr [REQUEST_LBA + 4], 0
    movzx eax, word ptr [bp + R_ES]
    shl eax, 4
    movzx ecx, word ptr [bp + R_BX]
    add eax, ecx
    mov [REQUEST_BUFFER], eax
    call disk_transfer
    mov bl, [REQUEST_DONE]
    mov [bp + R_AL], bl
    jmp disk_end

# AH=08h.
disk_parameters:
    mov cx, [si + DRIVE_CYLINDERS]
    dec cx
    cmp cx, 1023
    jbe 2f
    mov cx, 1023
2:  xchg cl, ch
    shl cl, 6
    or cl, [si + DRIVE_SPT]
    mov [bp + R_CX], cx
    mov dh, [si + DRIVE_HEADS]
    dec dh
    mov dl, [DISK_TOTAL]
    mov [bp + R_DX], dx
    mov byte ptr [bp + R_AL], 0
    jmp disk_fine

# AH=15h: CX:DX: sectors.
disk_type:
    mov eax, [si + DRIVE_SECTORS]
    mov [bp + R_DX], ax
    shr eax, 16
    mov [bp + R_CX], ax
    mov byte ptr [bp + R_AH], 3                 # a disk, and no error
    NO_CARRY
    ret

# Transfers REQUEST_COUNT sectors of the drive at SI, and sets REQUEST_DONE. AH: status.
disk_transfer:
    mov word ptr [REQUEST_DONE], 0
    # Within the drive?
    mov eax, [REQUEST_LBA]
    mov edx, [REQUEST_LBA + 4]
    movzx ecx, word ptr [REQUEST_COUNT]
    add eax, ecx
    adc edx, 0
    jc 8f
    sub eax, 1
    sbb edx, 0
    cmp edx, [si + DRIVE_SECTORS + 4]
    ja 8f
    jb 2f
    cmp eax, [si + DRIVE_SECTORS]
    jae 8f
2:  cmp byte ptr [REQUEST_WRITE], 2
    jb 3f
    mov ax, [REQUEST_COUNT]
    mov [REQUEST_DONE], ax
    mov ah, 0
    ret
3:  mov bl, [si + DRIVE_KIND]
    cmp bl, 1
    je ata_transfer
    cmp bl, 2
    je atapi_read
    cmp bl, 3
    je ahci_transfer
    cmp bl, 4
    je ahci_disc_read
    cmp bl, 5
    je virtio_transfer
8:  mov ah, 4                                   # sector not found
    ret

# AH=41h.
edd_check:
    cmp word ptr [bp + R_BX], 0x55aa
    jne disk_invalid
    mov word ptr [bp + R_BX], 0xaa55
    mov byte ptr [bp + R_AH], 0x30              # version 3.0
    mov word ptr [bp + R_CX], 5                 # packets, parameters
    test byte ptr [si + DRIVE_KIND], 1
    jnz 2f
    or word ptr [bp + R_CX], 2                  # locking, ejecting
2:  NO_CARRY
    ret

# AH=42h, 43h, 44h: the packet at DS:SI.
edd_verify:
    mov byte ptr [REQUEST_WRITE], 2
    jmp 2f
edd_write:
    test byte ptr [si + DRIVE_KIND], 1
    mov ah, 3                                   # write protected
    jz disk_end
    mov byte ptr [REQUEST_WRITE], 1
    jmp 2f
edd_read:
    mov byte ptr [REQUEST_WRITE], 0
2:  mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    cmp byte ptr es:[di], 16
    jb disk_invalid
    mov ax, es:[di + 2]
    mov [REQUEST_COUNT], ax
    mov eax, es:[di + 8]
    mov [REQUEST_LBA], eax
    mov eax, es:[di + 12]
    mov [REQUEST_LBA + 4], eax
    movzx eax, word ptr es:[di + 6]
    shl eax, 4
    movzx ecx, word ptr es:[di + 4]
    add eax, ecx
    cmp dword ptr es:[di + 4], 0xffffffff
    jne 3f
    cmp byte ptr es:[di], 24
    jb disk_invalid
    mov eax, es:[di + 16]                       # a flat address; below 1 MiB for IDE
3:  mov [REQUEST_BUFFER], eax
    cmp word ptr [REQUEST_COUNT], 0
    je disk_fine
    call disk_transfer
    mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    mov bx, [REQUEST_DONE]
    mov es:[di + 2], bx
    jmp disk_end

edd_lock:
    mov byte ptr [bp + R_AL], 0
    jmp disk_fine

edd_changed:
    jmp disk_fine

# AH=48h: parameters, at DS:SI.
edd_parameters:
    mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    mov cx, es:[di]
    cmp cx, 26
    jb disk_invalid
    mov ax, 26
    cmp cx, 30
    jb 2f
    mov ax, 30
    cmp cx, 66
    jb 2f
    mov ax, 66
2:  mov es:[di], ax
    mov word ptr es:[di + 2], 0                 # no DMA boundary errors
    xor eax, eax
    mov es:[di + 4], eax
    mov es:[di + 8], eax
    mov es:[di + 12], eax
    mov eax, [si + DRIVE_SECTORS]
    mov es:[di + 16], eax
    mov eax, [si + DRIVE_SECTORS + 4]
    mov es:[di + 20], eax
    mov word ptr es:[di + 24], 512
    test byte ptr [si + DRIVE_KIND], 1
    jnz 3f
    mov word ptr es:[di + 2], 0x74              # removable, with lock, may change, no media geometry
    mov word ptr es:[di + 24], 2048
    mov dword ptr es:[di + 16], 0xffffffff
    mov dword ptr es:[di + 20], 0xffffffff
    jmp 4f
3:  cmp dword ptr [si + DRIVE_SECTORS + 4], 0
    jne 4f
    movzx eax, byte ptr [si + DRIVE_HEADS]
    movzx ecx, byte ptr [si + DRIVE_SPT]
    mov es:[di + 8], eax
    mov es:[di + 12], ecx
    mul ecx
    mov ecx, eax
    mov eax, [si + DRIVE_SECTORS]
    xor edx, edx
    div ecx
    mov es:[di + 4], eax
    or word ptr es:[di + 2], 2
4:  cmp word ptr es:[di], 30
    jb 7f
    mov dword ptr es:[di + 26], 0xffffffff
    cmp word ptr es:[di], 66
    jb 7f
    # The device path.
    push di
    add di, 30
    mov ax, 0xbedd
    stosw
    mov ax, 36
    stosw
    xor ax, ax
    stosw
    mov eax, 0x20494350                         # "PCI "
    stosd
    mov eax, 0x20415441                         # "ATA     "
    stosd
    mov eax, 0x20202020
    stosd
    movzx eax, word ptr [si + DRIVE_BDF]        # bus, slot, function, channel
    mov dl, al
    and dl, 7
    shr al, 3
    xchg al, ah
    shl edx, 16
    and edx, 0xff0000
    or eax, edx
    stosd
    xor eax, eax
    stosd
    mov al, [si + DRIVE_UNIT]
    shr al, 4
    stosd
    xor eax, eax
    stosd
    stosw
    pop di
    mov bx, di
    add bx, 30
    mov cx, 35
    xor al, al
5:  sub al, es:[bx]
    inc bx
    loop 5b
    mov es:[di + 65], al
7:  jmp disk_fine

# Sets the geometry of the drive at SI from its sectors: 63 a track, and as many heads as 1024 cylinders need.
disk_geometry:
    mov byte ptr [si + DRIVE_SPT], 63
    mov ecx, 16
    mov eax, [si + DRIVE_SECTORS]
    xor edx, edx
    cmp dword ptr [si + DRIVE_SECTORS + 4], 0
    je 2f
    mov eax, 0xffffffff
2:  mov ebx, 63
    div ebx
    mov ebx, eax                                # tracks
3:  mov eax, ebx
    xor edx, edx
    div ecx
    cmp eax, 1024
    jbe 4f
    cmp ecx, 255
    jae 4f
    shl ecx, 1
    cmp ecx, 256
    jb 3b
    mov ecx, 255
    jmp 3b
4:  cmp eax, 1024
    jbe 5f
    mov eax, 1024
5:  test eax, eax
    jnz 6f
    inc eax
6:  mov [si + DRIVE_CYLINDERS], ax
    mov [si + DRIVE_HEADS], cl
    ret

# SI: a new entry; carry if the table is full. DS: EBDA.
disk_add:
    mov al, [DRIVES]
    cmp al, DRIVE_MAX
    cmc
    jc 2f
    movzx si, al
    imul si, si, DRIVE_SIZE
    add si, DRIVE_TABLE
    inc byte ptr [DRIVES]
    clc
2:  ret

# Numbers the entry at SI as a hard disk, or as a disc, and says its name.
disk_number:
    test byte ptr [si + DRIVE_KIND], 1
    jz 2f
    mov al, [DISK_TOTAL]
    inc byte ptr [DISK_TOTAL]
    add al, 0x80
    push ds
    push BDA
    pop ds
    inc byte ptr [DISK_COUNT]
    pop ds
    jmp 3f
2:  mov al, [CD_TOTAL]
    inc byte ptr [CD_TOTAL]
    add al, 0xe0
3:  mov [si + DRIVE_NUMBER], al
    movzx eax, al
    mov cl, 2
    call print_hex
    SAY "h: "
    push si
    add si, DRIVE_NAME
    call print_data
    pop si
    test byte ptr [si + DRIVE_KIND], 1
    jz 4f
    SAY ", "
    mov eax, [si + DRIVE_SECTORS]
    mov edx, [si + DRIVE_SECTORS + 4]
    shrd eax, edx, 11
    call print_decimal
    SAY " MiB"
4:  SAY "\n"
    ret

# Copies the name of 40 characters at IDENTITY's word 27, without its padding, to the entry at SI.
disk_name:
    push si
    lea di, [si + DRIVE_NAME]
    mov bx, IDENTITY + 54
    mov cx, 20
    push di
2:  mov ax, [bx]
    xchg al, ah
    mov [di], ax
    add bx, 2
    add di, 2
    loop 2b
    pop bx
3:  dec di
    cmp di, bx
    jb 4f
    cmp byte ptr [di], ' '
    jbe 3b
4:  mov byte ptr [di + 1], 0
    pop si
    ret

# The size of the disk whose identity is at IDENTITY, for the entry at SI.
disk_size:
    mov eax, [IDENTITY + 120]
    xor edx, edx
    test byte ptr [IDENTITY + 167], 4           # 48-bit addresses
    jz 2f
    mov eax, [IDENTITY + 200]
    mov edx, [IDENTITY + 204]
2:  mov [si + DRIVE_SECTORS], eax
    mov [si + DRIVE_SECTORS + 4], edx
    jmp disk_geometry

# Finds all drives: IDE, AHCI, virtio.
disks_start:
    push EBDA
    pop ds
    call ata_start
    call ahci_start
    jmp virtio_start
