# IDE: disks by PIO, and ATAPI packets.
#
# Source: ATA/ATAPI-6 (T13/1410D), chapters 8 (commands) and 9 (protocols); SFF-8020i for READ (10). Both channels at
# their ISA ports.

.equ ATA_READ, 0x20
.equ ATA_WRITE, 0x30
.equ ATA_READ_EXT, 0x24
.equ ATA_WRITE_EXT, 0x34
.equ ATA_PACKET, 0xa0
.equ ATA_IDENTIFY_PACKET, 0xa1
.equ ATA_FLUSH, 0xe7
.equ ATA_IDENTIFY, 0xec

.section .bios, "ax"
CODE16
# Finds up to four drives. DS: EBDA.
ata_start:
    mov dx, 0x1f0
    mov bx, 0x3f6
    call 2f
    mov dx, 0x170
    mov bx, 0x376
2:  push dx
    add dx, 7
    in al, dx
    pop dx
    cmp al, 0xff                                # nothing on this channel
    je 4f
    push dx
    mov dx, bx                                  # reset, without interrupts
    OUTB dx, 0x0e
    push bx
    push cx
    mov cx, 0
    mov dx, 20
    call wait_microseconds
    pop cx
    pop bx
    mov dx, bx
    OUTB dx, 0x0a
    pop dx
    mov cl, 0
    call ata_find
    mov cl, 0x10
    call ata_find
4:  ret

# The drive CL (0 or 10h) at DX, whose control block is at BX.
ata_find:
    pushad
    push dx
    mov al, 0xa0
    or al, cl
    add dx, 6
    out dx, al
    call ata_pause
    pop dx
    call ata_idle
    jc 9f
    # Does it keep what is written?
    push dx
    add dx, 2
    OUTB dx, 0x55
    inc dx
    OUTB dx, 0xaa
    in al, dx
    dec dx
    mov ah, al
    in al, dx
    pop dx
    cmp ax, 0xaa55
    jne 9f
    call disk_add
    jc 9f
    mov byte ptr [si + DRIVE_KIND], 1
    mov [si + DRIVE_UNIT], cl
    mov [si + DRIVE_PORT], dx
    mov [si + DRIVE_CONTROL], bx
    mov word ptr [si + DRIVE_BDF], 0x0009
    mov al, ATA_IDENTIFY
    call ata_identify
    jc 3f
    call disk_name
    call disk_size
    mov eax, [si + DRIVE_SECTORS]
    or eax, [si + DRIVE_SECTORS + 4]
    jz 8f
    jmp 4f
3:  mov al, ATA_IDENTIFY_PACKET
    call ata_identify
    jc 8f
    mov byte ptr [si + DRIVE_KIND], 2
    call disk_name
    mov dword ptr [si + DRIVE_SECTORS], 0xffffffff
4:  call disk_number
    jmp 9f
8:  dec byte ptr [DRIVES]
9:  popad
    ret

# Sends command AL to the drive at SI, and reads what it says to IDENTITY; carry if it does not.
ata_identify:
    pushad
    mov dx, [si + DRIVE_PORT]
    add dx, 7
    out dx, al
    call ata_pause
    sub dx, 7
    call ata_idle
    jc 9f
    push dx
    add dx, 7
    in al, dx
    pop dx
    test al, 1
    stc
    jnz 9f
    test al, 8
    stc
    jz 9f
    push ds
    pop es
    mov di, IDENTITY
    mov cx, 256
    rep insw
    clc
9:  popad
    ret

# Four reads of the status: 400 ns. DX: command block.
ata_pause:
    push ax
    push dx
    or dl, 7
    in al, dx
    in al, dx
    in al, dx
    in al, dx
    pop dx
    pop ax
    ret

# Waits until the drive at DX is not busy; carry if it stays so.
ata_idle:
    push eax
    push ecx
    push dx
    add dx, 7
    mov ecx, 0x400000
2:  in al, dx
    cmp al, 0xff
    je 3f
    test al, 0x80
    jz 4f
    dec ecx
    jnz 2b
3:  stc
4:  pop dx
    pop ecx
    pop eax
    ret

# Waits for data; carry and AH if there is an error. DX: command block.
ata_ready:
    call ata_idle
    mov ah, 0x80
    jc 9f
    push ecx
    push dx
    add dx, 7
    mov ecx, 0x10000
2:  in al, dx
    test al, 0x21
    jnz 3f
    test al, 8
    jnz 4f
    dec ecx
    jnz 2b
3:  pop dx
    pop ecx
    mov ah, 0x20                                # controller failure
    stc
    ret
4:  pop dx
    pop ecx
    clc
9:  ret

# ES:DI (and SI the same): where REQUEST_BUFFER points.
request_pointer:
    push eax
    mov eax, [REQUEST_BUFFER]
    mov di, ax
    and di, 15
    shr eax, 4
    mov es, ax
    pop eax
    ret

# The request, a sector at a time, in commands of 128. AH: status.
ata_transfer:
    mov dx, [si + DRIVE_PORT]
2:  mov cx, [REQUEST_COUNT]
    sub cx, [REQUEST_DONE]
    jz 8f
    cmp cx, 128
    jbe 3f
    mov cx, 128
3:  call ata_command
    jc 9f
4:  call ata_ready
    jc 9f
    call request_pointer
    push cx
    mov cx, 256
    cmp byte ptr [REQUEST_WRITE], 0
    jne 5f
    rep insw
    jmp 6f
5:  push si
    push ds
    mov si, di
    push es
    pop ds
    rep outsw
    pop ds
    pop si
6:  pop cx
    call ata_pause
    add dword ptr [REQUEST_BUFFER], 512
    inc word ptr [REQUEST_DONE]
    add dword ptr [REQUEST_LBA], 1
    adc dword ptr [REQUEST_LBA + 4], 0
    loop 4b
    jmp 2b
8:  cmp byte ptr [REQUEST_WRITE], 0
    je 7f
    call ata_idle
    add dx, 7
    OUTB dx, ATA_FLUSH
    sub dx, 7
    call ata_pause
    call ata_idle
7:  mov ah, 0
9:  ret

# Starts the request's command for CX sectors; carry and AH if the drive is busy.
ata_command:
    call ata_idle
    mov ah, 0x80
    jc 9f
    push dx
    mov eax, [REQUEST_LBA]
    mov ebx, eax
    shr ebx, 28
    or ebx, [REQUEST_LBA + 4]
    jnz 3f
    add dx, 6
    rol eax, 8
    and al, 15
    or al, 0xe0
    or al, [si + DRIVE_UNIT]
    out dx, al
    ror eax, 8
    sub dx, 6
    call ata_pause
    inc dx
    inc dx
    call ata_count
    mov bl, ATA_READ
    mov bh, ATA_WRITE
    jmp 4f
3:  add dx, 6
    mov al, 0x40
    or al, [si + DRIVE_UNIT]
    out dx, al
    sub dx, 6
    call ata_pause
    inc dx
    inc dx
    OUTB dx, 0
    inc dx
    mov al, [REQUEST_LBA + 3]
    out dx, al
    inc dx
    mov al, [REQUEST_LBA + 4]
    out dx, al
    inc dx
    mov al, [REQUEST_LBA + 5]
    out dx, al
    sub dx, 3
    call ata_count
    mov bl, ATA_READ_EXT
    mov bh, ATA_WRITE_EXT
4:  cmp byte ptr [REQUEST_WRITE], 0
    je 5f
    mov bl, bh
5:  add dx, 4
    mov al, bl
    out dx, al
    pop dx
    call ata_pause
    clc
9:  ret

# Count CL and the low address bytes, from the sector count register at DX, which comes back one further.
ata_count:
    mov al, cl
    out dx, al
    inc dx
    mov al, [REQUEST_LBA]
    out dx, al
    inc dx
    mov al, [REQUEST_LBA + 1]
    out dx, al
    inc dx
    mov al, [REQUEST_LBA + 2]
    out dx, al
    sub dx, 2
    ret

# The packet for reading CX blocks at REQUEST_LBA, at PACKET.
packet_read:
    mov word ptr [PACKET], 0x0028               # READ (10)
    mov eax, [REQUEST_LBA]
    xchg al, ah
    rol eax, 16
    xchg al, ah
    mov [PACKET + 2], eax
    mov dword ptr [PACKET + 6], 0
    mov [PACKET + 8], cl
    mov word ptr [PACKET + 10], 0
    ret

# Blocks of 2048 bytes, as many at a time as a segment holds whatever the offset is; a command that fails because the
# medium changed is tried again.
.equ BLOCKS_AT_ONCE, 31
atapi_read:
    cmp byte ptr [REQUEST_WRITE], 0
    mov ah, 3
    jne 9f
2:  mov cx, [REQUEST_COUNT]
    sub cx, [REQUEST_DONE]
    mov ah, 0
    je 9f
    cmp cx, BLOCKS_AT_ONCE
    jbe 6f
    mov cx, BLOCKS_AT_ONCE
6:  mov bl, 5
3:  call packet_read
    call atapi_packet
    jnc 4f
    dec bl
    jnz 3b
    ret
4:  movzx ecx, cx
    add [REQUEST_DONE], cx
    add [REQUEST_LBA], ecx
    shl ecx, 11
    add [REQUEST_BUFFER], ecx
    jmp 2b
9:  ret

# Sends PACKET to the drive at SI, and reads what comes to the request's buffer. Carry and AH: it failed.
atapi_packet:
    push bx
    push cx
    mov dx, [si + DRIVE_PORT]
    call ata_idle
    mov ah, 0x80
    jc 9f
    add dx, 6
    mov al, 0xa0
    or al, [si + DRIVE_UNIT]
    out dx, al
    call ata_pause
    sub dx, 5
    OUTB dx, 0                                  # no DMA
    add dx, 3
    OUTB dx, 0                                  # bytes at a time: as many as there may be
    inc dx
    OUTB dx, BLOCKS_AT_ONCE * 8
    add dx, 2
    OUTB dx, ATA_PACKET
    sub dx, 7
    call ata_pause
    call ata_ready
    jc 9f
    push si
    mov si, PACKET
    mov cx, 6
    rep outsw
    pop si
    call request_pointer
2:  call ata_pause
    call ata_idle
    mov ah, 0x80
    jc 9f
    add dx, 7
    in al, dx
    sub dx, 7
    test al, 1
    mov ah, 0x20
    stc
    jnz 9f
    test al, 8
    jz 3f
    add dx, 4
    in al, dx
    mov cl, al
    inc dx
    in al, dx
    mov ch, al
    sub dx, 5
    shr cx, 1
    rep insw
    jmp 2b
3:  clc
9:  pop cx
    pop bx
    ret
