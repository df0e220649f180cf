# virtio-blk disks on PCI, by the legacy interface that transitional devices have: registers in I/O space.
#
# Source: Virtual I/O Device 1.2, 4.1.4.8 (legacy interface), 2.7 (split virtqueues), 5.2 (block device).

.equ VIO_FEATURES, 0x04
.equ VIO_QUEUE, 0x08
.equ VIO_QUEUE_SIZE, 0x0c
.equ VIO_SELECT, 0x0e
.equ VIO_NOTIFY, 0x10
.equ VIO_STATUS, 0x12
.equ VIO_CONFIG, 0x14

.section .bios, "ax"
virtio_name:
    .asciz "virtio disk"

CODE16
# Finds all disks. DS: EBDA.
virtio_start:
    mov dword ptr [AHCI_FUNCTION], 0
2:  FLAT virtio_next
    test eax, eax
    jz 9f
    mov edi, eax
    call disk_add
    jc 9f
    mov byte ptr [si + DRIVE_KIND], 5
    mov [si + DRIVE_PORT], di
    mov [si + DRIVE_BASE], ecx
    mov [si + DRIVE_CONTROL], dx                # size of the queue
    mov byte ptr [si + DRIVE_UNIT], 0
    mov eax, [AHCI_FUNCTION]
    shr eax, 8
    dec eax
    mov [si + DRIVE_BDF], ax
    mov dx, [si + DRIVE_PORT]
    add dx, VIO_CONFIG
    in eax, dx
    mov [si + DRIVE_SECTORS], eax
    add dx, 4
    in eax, dx
    mov [si + DRIVE_SECTORS + 4], eax
    call disk_geometry
    mov di, si
    add di, DRIVE_NAME
    push si
    push ds
    pop es
    mov si, offset virtio_name
    mov cx, 12
    rep movs byte ptr es:[di], byte ptr cs:[si]
    pop si
    call disk_number
    jmp 2b
9:  ret

# The request. AH: status.
virtio_transfer:
    FLAT virtio_request
    ret

CODE32
# The next device: EAX: its ports, ECX: memory of its queue, DX: size of that; EAX=0: no more.
virtio_next:
    push esi
    push edi
    cmp byte ptr [EBDA_LINEAR + BOARD], 0
    je 9f
    mov ebx, [EBDA_LINEAR + AHCI_FUNCTION]
2:  mov eax, ebx
    shr eax, 16
    cmp al, [EBDA_LINEAR + PCI_LAST_BUS]
    ja 9f
    xor eax, eax
    call pci_read
    add ebx, 0x100
    cmp eax, 0x10011af4
    jne 2b
    mov [EBDA_LINEAR + AHCI_FUNCTION], ebx
    sub ebx, 0x100
    mov al, 4
    call pci_read
    mov ecx, eax
    or ecx, 5                                   # I/O, bus master
    mov al, 4
    call pci_write_word
    mov al, 0x10
    call pci_read
    add ebx, 0x100
    test al, 1
    jz 2b
    and eax, 0xfffc
    jz 2b
    mov esi, eax
    lea edx, [esi + VIO_STATUS]                 # reset, acknowledge, driver
    OUTB dx, 0
    OUTB dx, 1
    OUTB dx, 3
    lea edx, [esi + VIO_FEATURES]
    xor eax, eax
    out dx, eax
    lea edx, [esi + VIO_SELECT]
    out dx, ax
    lea edx, [esi + VIO_QUEUE_SIZE]
    in ax, dx
    movzx edi, ax                               # EDI: entries
    test edi, edi
    jz 2b
    cmp edi, 1024
    ja 2b
    call virtio_used
    lea ecx, [eax + edi * 8 + 6 + 0x20]         # and a header and a status after it
    mov edx, 0x1000
    call memory_reserve
    mov ecx, eax
    shr eax, 12
    lea edx, [esi + VIO_QUEUE]
    out dx, eax
    lea edx, [esi + VIO_STATUS]
    OUTB dx, 7
    mov eax, esi
    mov edx, edi
    jmp 8f
9:  xor eax, eax
8:  pop edi
    pop esi
    ret

# EAX: offset of the used ring in a queue of EDI entries.
virtio_used:
    mov eax, edi
    shl eax, 4
    lea eax, [eax + edi * 2 + 6 + 0xfff]
    and eax, ~0xfff
    ret

# The request in pieces of 64 KiB, for the drive at SI. AH: status.
virtio_request:
    pushad
    movzx ebp, si
    add ebp, EBDA_LINEAR
    mov esi, [ebp + DRIVE_BASE]
    movzx edi, word ptr [ebp + DRIVE_CONTROL]
2:  movzx ecx, word ptr [EBDA_LINEAR + REQUEST_COUNT]
    sub cx, [EBDA_LINEAR + REQUEST_DONE]
    jz 8f
    cmp ecx, 128
    jbe 3f
    mov ecx, 128
3:  # EBX: header: type, reserved, sector; the status byte after it.
    call virtio_used
    add eax, esi
    lea ebx, [eax + edi * 8 + 6 + 15]
    and ebx, ~15
    mov edx, eax                                # EDX: used ring
    movzx eax, byte ptr [EBDA_LINEAR + REQUEST_WRITE]
    mov [ebx], eax
    mov dword ptr [ebx + 4], 0
    push eax
    mov eax, [EBDA_LINEAR + REQUEST_LBA]
    mov [ebx + 8], eax
    mov eax, [EBDA_LINEAR + REQUEST_LBA + 4]
    mov [ebx + 12], eax
    mov byte ptr [ebx + 16], 0xff
    # Three descriptors: address, length, flags (1: another follows, 2: the device writes), next.
    mov [esi], ebx
    mov dword ptr [esi + 4], 0
    mov dword ptr [esi + 8], 16
    mov dword ptr [esi + 12], 0x00010001
    mov eax, [EBDA_LINEAR + REQUEST_BUFFER]
    mov [esi + 16], eax
    mov dword ptr [esi + 20], 0
    mov eax, ecx
    shl eax, 9
    mov [esi + 24], eax
    pop eax
    xor al, 1
    add al, al
    inc al
    or eax, 0x00020000
    mov [esi + 28], eax
    lea eax, [ebx + 16]
    mov [esi + 32], eax
    mov dword ptr [esi + 36], 0
    mov dword ptr [esi + 40], 1
    mov dword ptr [esi + 44], 2
    # The available ring: flags (no interrupt), index, entries.
    mov eax, edi
    shl eax, 4
    add eax, esi
    mov word ptr [eax], 1
    push edx
    movzx edx, word ptr [eax + 2]
    push edx
    dec edi
    and edx, edi
    inc edi
    mov word ptr [eax + edx * 2 + 4], 0
    pop edx
    inc edx
    mov [eax + 2], dx
    mov eax, edx
    pop edx
    push edx
    push eax
    movzx edx, word ptr [ebp + DRIVE_PORT]
    add edx, VIO_NOTIFY
    xor eax, eax
    out dx, ax
    pop eax
    pop edx
    push ecx
    mov ecx, 100000000
4:  cmp [edx + 2], ax
    je 5f
    loop 4b
5:  pop ecx
    cmp byte ptr [ebx + 16], 0
    jne 9f
    add [EBDA_LINEAR + REQUEST_DONE], cx
    add [EBDA_LINEAR + REQUEST_LBA], ecx
    adc dword ptr [EBDA_LINEAR + REQUEST_LBA + 4], 0
    shl ecx, 9
    add [EBDA_LINEAR + REQUEST_BUFFER], ecx
    jmp 2b
8:  mov byte ptr [esp + 29], 0                  # AH as it was pushed
    popad
    ret
9:  mov byte ptr [esp + 29], 0x20
    popad
    ret
CODE16
