# SATA: AHCI controllers, disks and discs, one command at a time.
#
# Source: Serial ATA AHCI 1.3.1, chapters 3 (registers), 4 (memory structures), 10.1 (initialization). Flat code, because
# the registers are above 1 MiB. All ports share one set of structures: only one command is ever under way.

.equ HBA_CONTROL, 0x04
.equ HBA_PORTS, 0x0c
.equ PORT_FIRST, 0x100
.equ PORT_LIST, 0x00
.equ PORT_FIS, 0x08
.equ PORT_STATUS_BITS, 0x10
.equ PORT_COMMAND, 0x18
.equ PORT_TASK, 0x20
.equ PORT_SIGNATURE, 0x24
.equ PORT_SATA, 0x28
.equ PORT_ERROR, 0x30
.equ PORT_ISSUE, 0x38
# In our page: command list, received FIS, command table.
.equ AHCI_FIS, 0x400
.equ AHCI_TABLE, 0x500
.equ AHCI_PACKET, AHCI_TABLE + 0x40
.equ AHCI_REGION, AHCI_TABLE + 0x80

.section .bios, "ax"
CODE16
# Finds all drives. DS: EBDA.
ahci_start:
    mov dword ptr [AHCI_BASE], 0
    mov dword ptr [AHCI_FUNCTION], 0
2:  FLAT ahci_next
    test al, al
    jz 9f
    push ax
    call disk_add
    pop ax
    jc 9f
    mov [si + DRIVE_KIND], al
    mov al, [AHCI_PORT]
    dec al
    mov [si + DRIVE_UNIT], al
    mov eax, [AHCI_BASE]
    mov [si + DRIVE_BASE], eax
    mov eax, [AHCI_FUNCTION]
    shr eax, 8
    dec eax
    mov [si + DRIVE_BDF], ax
    call disk_name
    mov dword ptr [si + DRIVE_SECTORS], 0xffffffff
    test byte ptr [si + DRIVE_KIND], 1
    jz 3f
    call disk_size
3:  call disk_number
    jmp 2b
9:  ret

# The request, for the drive at SI. AH: status.
ahci_transfer:
    FLAT ahci_request
    ret

ahci_disc_read:
    cmp byte ptr [REQUEST_WRITE], 0
    mov ah, 3
    jne 9b
    mov cx, 5                                   # a command fails when the medium changed
2:  push cx
    FLAT ahci_request
    pop cx
    test ah, ah
    loopnz 2b
    ret

CODE32
# EBX: the next function of class ECX, from function EBX on; carry: there is none.
pci_class:
    mov al, 8
    call pci_read
    shr eax, 8
    cmp eax, ecx
    je 3f
    add ebx, 0x100
    mov eax, ebx
    shr eax, 16
    cmp byte ptr [EBDA_LINEAR + PCI_LAST_BUS], al
    jae pci_class
3:  ret

# The next drive: AL: 3 disk, 4 disc, 0 no more. Its identity is at IDENTITY.
ahci_next:
    pushad
    cmp byte ptr [EBDA_LINEAR + BOARD], 0
    je 9f
2:  mov ebp, [EBDA_LINEAR + AHCI_BASE]
    test ebp, ebp
    jnz 4f
3:  # The next controller.
    mov ebx, [EBDA_LINEAR + AHCI_FUNCTION]
    mov ecx, 0x010601
    call pci_class
    jc 9f
    lea eax, [ebx + 0x100]
    mov [EBDA_LINEAR + AHCI_FUNCTION], eax
    mov al, 0x24
    call pci_read
    and eax, ~0xfff
    jz 3b
    mov [EBDA_LINEAR + AHCI_BASE], eax
    mov ebp, eax
    mov byte ptr [EBDA_LINEAR + AHCI_PORT], 0
    mov al, 4                                   # memory, bus master
    call pci_read
    mov ecx, eax
    or ecx, 6
    mov al, 4
    call pci_write_word
    or dword ptr [ebp + HBA_CONTROL], 0x80000000
    cmp dword ptr [EBDA_LINEAR + AHCI_MEMORY], 0
    jne 4f
    mov ecx, 0x1000
    mov edx, 0x1000
    call memory_reserve
    mov [EBDA_LINEAR + AHCI_MEMORY], eax
4:  # The next port.
    movzx ecx, byte ptr [EBDA_LINEAR + AHCI_PORT]
    cmp cl, 32
    jb 5f
    mov dword ptr [EBDA_LINEAR + AHCI_BASE], 0
    jmp 2b
5:  inc byte ptr [EBDA_LINEAR + AHCI_PORT]
    mov eax, [ebp + HBA_PORTS]
    bt eax, ecx
    jnc 4b
    mov esi, ecx
    shl esi, 7
    lea esi, [ebp + esi + PORT_FIRST]
    mov eax, [esi + PORT_SATA]
    and al, 15
    cmp al, 3
    jne 4b
    call ahci_port
    mov byte ptr [EBDA_LINEAR + PACKET], 0
    mov dh, 3
    mov dl, ATA_IDENTIFY
    cmp dword ptr [esi + PORT_SIGNATURE], 0x101
    je 6f
    mov dh, 4
    mov dl, ATA_IDENTIFY_PACKET
    cmp dword ptr [esi + PORT_SIGNATURE], 0xeb140101
    jne 4b
6:  push edx
    mov eax, EBDA_LINEAR + IDENTITY
    mov ecx, 512
    call ahci_table
    mov [edi + AHCI_TABLE + 2], dl
    mov dword ptr [edi + AHCI_TABLE + 4], 0
    mov dword ptr [edi + AHCI_TABLE + 8], 0
    mov dword ptr [edi + AHCI_TABLE + 12], 0
    call ahci_issue
    pop edx
    jc 4b
    mov al, dh
    jmp 8f
9:  xor al, al
8:  mov [esp + 28], al                          # EAX as it was pushed
    popad
    ret

# Gives port ESI our structures, and starts it.
ahci_port:
    and dword ptr [esi + PORT_COMMAND], ~1
    mov ecx, 1000000
2:  test dword ptr [esi + PORT_COMMAND], 0x8000
    loopnz 2b
    and dword ptr [esi + PORT_COMMAND], ~0x10
    mov ecx, 1000000
3:  test dword ptr [esi + PORT_COMMAND], 0x4000
    loopnz 3b
    mov eax, [EBDA_LINEAR + AHCI_MEMORY]
    mov [esi + PORT_LIST], eax
    mov dword ptr [esi + PORT_LIST + 4], 0
    add eax, AHCI_FIS
    mov [esi + PORT_FIS], eax
    mov dword ptr [esi + PORT_FIS + 4], 0
    mov dword ptr [esi + PORT_ERROR], 0xffffffff
    mov dword ptr [esi + PORT_STATUS_BITS], 0xffffffff
    or dword ptr [esi + PORT_COMMAND], 0x16     # FIS, power, spin
    mov ecx, 4000000
4:  test dword ptr [esi + PORT_TASK], 0x88
    loopnz 4b
    or dword ptr [esi + PORT_COMMAND], 1
    ret

# EDI: our structures, with a table for a read of ECX bytes to EAX.
ahci_table:
    mov edi, [EBDA_LINEAR + AHCI_MEMORY]
    mov dword ptr [edi], 0x00010005             # five words of FIS, one region
    mov dword ptr [edi + 4], 0
    push eax
    lea eax, [edi + AHCI_TABLE]
    mov [edi + 8], eax
    pop eax
    mov dword ptr [edi + 12], 0
    mov [edi + AHCI_REGION], eax
    mov dword ptr [edi + AHCI_REGION + 4], 0
    mov dword ptr [edi + AHCI_REGION + 8], 0
    dec ecx
    mov [edi + AHCI_REGION + 12], ecx
    mov dword ptr [edi + AHCI_TABLE], 0x00008027 # host to device, command
    mov dword ptr [edi + AHCI_TABLE + 16], 0
    ret

# Runs the command in port ESI's slot 0; carry: it failed.
ahci_issue:
    mov dword ptr [esi + PORT_STATUS_BITS], 0xffffffff
    mov dword ptr [esi + PORT_ISSUE], 1
    mov ecx, 50000000
2:  test dword ptr [esi + PORT_STATUS_BITS], 0x40000000
    jnz 3f
    test dword ptr [esi + PORT_ISSUE], 1
    jz 4f
    loop 2b
3:  call ahci_port                              # an error stops the port
    stc
    ret
4:  test byte ptr [esi + PORT_TASK], 1
    jnz 3b
    clc
    ret

# The request in pieces of 64 KiB, for the drive at SI. AH: status.
ahci_request:
    pushad
    movzx ebp, si
    add ebp, EBDA_LINEAR
    movzx esi, byte ptr [ebp + DRIVE_UNIT]
    shl esi, 7
    add esi, [ebp + DRIVE_BASE]
    add esi, PORT_FIRST
    call ahci_port
2:  movzx ecx, word ptr [EBDA_LINEAR + REQUEST_COUNT]
    movzx eax, word ptr [EBDA_LINEAR + REQUEST_DONE]
    sub ecx, eax
    jz 8f
    mov edx, 128
    test byte ptr [ebp + DRIVE_KIND], 1
    jnz 3f
    mov edx, 32
3:  mov eax, [EBDA_LINEAR + REQUEST_BUFFER]
    test al, 1                                  # regions begin at even addresses
    jz 4f
    mov edx, 1
4:  cmp ecx, edx
    jbe 5f
    mov ecx, edx
5:  mov edx, ecx                                # EDX: sectors of this piece
    shl ecx, 9
    test byte ptr [ebp + DRIVE_KIND], 1
    jnz 6f
    shl ecx, 2
6:  push ecx
    test al, 1
    jz 7f
    call ahci_bounce
7:  call ahci_table
    call ahci_fis
    call ahci_issue
    pop ecx
    jc 9f
    mov eax, [EBDA_LINEAR + REQUEST_BUFFER]
    test al, 1
    jz 7f
    cmp byte ptr [EBDA_LINEAR + REQUEST_WRITE], 0
    jne 7f
    push esi
    push ecx
    mov esi, BOUNCE_LINEAR
    mov edi, eax
    rep movsb
    pop ecx
    pop esi
7:  add [EBDA_LINEAR + REQUEST_BUFFER], ecx
    add [EBDA_LINEAR + REQUEST_DONE], dx
    add [EBDA_LINEAR + REQUEST_LBA], edx
    adc dword ptr [EBDA_LINEAR + REQUEST_LBA + 4], 0
    jmp 2b
8:  mov byte ptr [esp + 29], 0                  # AH as it was pushed
    popad
    ret
9:  mov byte ptr [esp + 29], 0x20
    popad
    ret

# EAX: the bounce buffer, which has what is to be written.
ahci_bounce:
    cmp byte ptr [EBDA_LINEAR + REQUEST_WRITE], 0
    je 2f
    push esi
    push ecx
    mov esi, eax
    mov edi, BOUNCE_LINEAR
    rep movsb
    pop ecx
    pop esi
2:  mov eax, BOUNCE_LINEAR
    ret

# The command for EDX sectors.
ahci_fis:
    test byte ptr [ebp + DRIVE_KIND], 1
    jz 3f
    mov byte ptr [edi + AHCI_TABLE + 2], 0x25   # READ DMA EXT
    cmp byte ptr [EBDA_LINEAR + REQUEST_WRITE], 0
    je 2f
    mov byte ptr [edi + AHCI_TABLE + 2], 0x35   # WRITE DMA EXT
    or byte ptr [edi], 0x40
2:  mov eax, [EBDA_LINEAR + REQUEST_LBA]
    mov ecx, eax
    and eax, 0xffffff
    or eax, 0x40000000
    mov [edi + AHCI_TABLE + 4], eax
    shr ecx, 24
    mov eax, [EBDA_LINEAR + REQUEST_LBA + 4]
    shl eax, 8
    or eax, ecx
    and eax, 0xffffff
    mov [edi + AHCI_TABLE + 8], eax
    mov [edi + AHCI_TABLE + 12], edx
    ret
3:  or byte ptr [edi], 0x20                     # ATAPI
    mov byte ptr [edi + AHCI_TABLE + 2], ATA_PACKET
    mov dword ptr [edi + AHCI_TABLE + 4], 0x00080000 # bytes at a time, unless by DMA
    mov dword ptr [edi + AHCI_TABLE + 8], 0
    mov dword ptr [edi + AHCI_TABLE + 12], 0
    mov byte ptr [edi + AHCI_TABLE + 3], 1      # DMA
    lea ecx, [edi + AHCI_PACKET]
    mov dword ptr [ecx], 0x28                   # READ (10)
    mov eax, [EBDA_LINEAR + REQUEST_LBA]
    xchg al, ah
    rol eax, 16
    xchg al, ah
    mov [ecx + 2], eax
    mov dword ptr [ecx + 6], 0
    mov [ecx + 8], dl
    mov dword ptr [ecx + 9], 0
    ret
CODE16
