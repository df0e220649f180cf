# ACPI tables and SMBIOS from the host, through fw_cfg.
#
# Sources: the table-loader interface of QEMU's fw_cfg (commands of 128 bytes: a number, file names of 56 characters,
# arguments); ACPI 6.5, 5.2.5 (RSDP); SMBIOS 3.7, 5.2 (entry points).
#
# ALLOCATE reads a file into memory: at the end of RAM, or for the RSDP into this segment. ADD_POINTER adds a file's
# address to a field of another, ADD_CHECKSUM makes a range of a file sum to zero, WRITE_POINTER tells the host an
# address. The script is copied to POST_SCRIPT first, because fw_cfg has one cursor.

.equ FILE_NAME, 0                               # of the entries at POST_FILES
.equ FILE_ADDRESS, 56
.equ FILE_LENGTH, 60
.equ FILE_ENTRY, 64
.equ FILE_MAX, 24

.section .bios, "ax"
table_loader_name:
    .asciz "etc/table-loader"
smbios_tables_name:
    .asciz "etc/smbios/smbios-tables"
smbios_anchor_name:
    .asciz "etc/smbios/smbios-anchor"

CODE32
tables_start:
    call acpi_load
    jmp smbios_load

acpi_load:
    mov esi, offset table_loader_name + ROM
    call fw_find
    test eax, eax
    jz 9f
    mov ecx, [EBDA_LINEAR + FILE_SIZE]
    cmp ecx, 0x10000
    ja 9f
    call fw_select
    mov edi, POST_SCRIPT
    call fw_read
    push ecx
    mov edi, POST_FILES
    mov ecx, FILE_ENTRY * FILE_MAX / 4
    xor eax, eax
    rep stosd
    pop ecx
    mov esi, POST_SCRIPT
    shr ecx, 7
    jz 9f
2:  push ecx
    push esi
    mov eax, [esi]
    add esi, 4
    cmp eax, 1
    jne 3f
    call table_allocate
    jmp 6f
3:  cmp eax, 2
    jne 4f
    call table_pointer
    jmp 6f
4:  cmp eax, 3
    jne 5f
    call table_checksum
    jmp 6f
5:  cmp eax, 4
    jne 6f
    call table_report
6:  pop esi
    pop ecx
    add esi, 128
    loop 2b
9:  ret

# ESI: a name in the script. EDI: its entry, or a free one if there is none; zero flag: it was there.
table_file:
    push ecx
    mov edi, POST_FILES
    mov ecx, FILE_MAX
2:  cmp byte ptr [edi], 0
    je 4f
    push esi
    push edi
    push ecx
    mov ecx, 56
3:  mov al, [esi]
    cmp al, [edi]
    jne 5f
    inc esi
    inc edi
    test al, al
    jz 5f
    loop 3b
5:  pop ecx
    pop edi
    pop esi
    je 6f
    add edi, FILE_ENTRY
    loop 2b
    mov edi, POST_FILES + FILE_ENTRY * (FILE_MAX - 1)
4:  or al, 1                                    # not zero
6:  pop ecx
    ret

# Name, alignment, zone (1: anywhere, 2: segment F000h).
table_allocate:
    call table_file
    je 9f
    push edi
    push esi
    mov ecx, 14
    rep movsd
    pop esi
    pop edi
    call fw_find
    test eax, eax
    jz 9f
    mov ecx, [EBDA_LINEAR + FILE_SIZE]
    mov [edi + FILE_LENGTH], ecx
    mov edx, [esi + 56]
    cmp edx, 16
    jae 2f
    mov edx, 16
2:  push eax
    cmp byte ptr [esi + 60], 2
    je 4f
3:  call memory_reserve
    jmp 5f
4:  call rom_reserve
    test eax, eax
    jz 3b
5:  mov [edi + FILE_ADDRESS], eax
    mov edi, eax
    pop eax
    call fw_select
    jmp fw_read
9:  ret

# EAX: the address of ECX bytes in this segment's RAM, or of the EBDA's beginning if that is not RAM; 0: no room.
rom_reserve:
    mov eax, [EBDA_LINEAR + FSEG_NEXT]
    test eax, eax
    jz 3f
    add eax, 15
    and eax, ~15
    lea edx, [eax + ecx]
    cmp edx, offset rom_space_end + ROM
    ja 2f
    mov [EBDA_LINEAR + FSEG_NEXT], edx
    ret
2:  xor eax, eax
    ret
3:  cmp ecx, 64                                 # programs look for the RSDP in the EBDA's first KiB, too
    ja 2b
    mov eax, EBDA_LINEAR + 0x3c0
    cmp dword ptr [eax], 0
    jne 2b
    ret

# File with the pointer, file pointed at, offset, size.
table_pointer:
    push esi
    add esi, 56
    call table_file
    pop esi
    jne 9f
    mov edx, [edi + FILE_ADDRESS]
    call table_file
    jne 9f
    mov ecx, [esi + 112]
    movzx eax, byte ptr [esi + 116]
    add eax, ecx
    cmp eax, [edi + FILE_LENGTH]
    ja 9f
    add ecx, [edi + FILE_ADDRESS]
    cmp byte ptr [esi + 116], 4
    jb 9f
    add [ecx], edx
    cmp byte ptr [esi + 116], 8
    jne 9f
    adc dword ptr [ecx + 4], 0
9:  ret

# File, offset of the checksum, first byte, bytes.
table_checksum:
    call table_file
    jne 9f
    mov edx, [esi + 60]
    mov ecx, [esi + 64]
    lea eax, [edx + ecx]
    cmp eax, [edi + FILE_LENGTH]
    ja 9f
    mov eax, [esi + 56]
    cmp eax, [edi + FILE_LENGTH]
    jae 9f
    mov edi, [edi + FILE_ADDRESS]
    add eax, edi
    add edx, edi
    xor bl, bl
    jecxz 3f
2:  add bl, [edx]
    inc edx
    loop 2b
3:  sub [eax], bl
9:  ret

# File of the host, file pointed at, offset in the first, offset in the second, size: through the DMA interface, which
# is the one that writes. Without it the host does not hear of the address.
table_report:
    push esi
    add esi, 56
    call table_file
    pop esi
    jne 9f
    mov edx, [edi + FILE_ADDRESS]
    add edx, [esi + 116]
    call fw_find
    test eax, eax
    jz 9f
    # The data of the write: the address, from 64 bits.
    mov edi, DMA_BLOCK + 16
    mov [edi], edx
    mov dword ptr [edi + 4], 0
    shl eax, 16
    or eax, DMA_SELECT | DMA_SKIP
    mov ecx, [esi + 112]
    call fw_dma
    mov eax, DMA_WRITE
    movzx ecx, byte ptr [esi + 120]
    jmp fw_dma
9:  ret

# The SMBIOS structures go to the end of RAM, the anchor to this segment, where programs look for it.
smbios_load:
    mov esi, offset smbios_tables_name + ROM
    call fw_find
    test eax, eax
    jz 9f
    mov ecx, [EBDA_LINEAR + FILE_SIZE]
    push eax
    mov edx, 16
    call memory_reserve
    mov ebp, eax                                # EBP: structures
    mov edi, eax
    pop eax
    call fw_select
    call fw_read
    mov esi, offset smbios_anchor_name + ROM
    call fw_find
    test eax, eax
    jz 9f
    cmp dword ptr [EBDA_LINEAR + FSEG_NEXT], 0
    je 9f
    push eax
    mov ecx, [EBDA_LINEAR + FILE_SIZE]
    call rom_reserve
    mov edi, eax
    pop eax
    test edi, edi
    jz 9f
    call fw_select
    call fw_read
    cmp dword ptr [edi], 0x5f4d535f             # "_SM_": 2.1
    jne 3f
    mov [edi + 0x18], ebp
    mov eax, edi
    lea edi, [eax + 0x10]
    mov ecx, 15
    mov byte ptr [edi + 5], 0
    call sum
    mov [edi + 5], bl
    mov edi, eax
    movzx ecx, byte ptr [edi + 5]
    mov byte ptr [edi + 4], 0
    call sum
    mov [edi + 4], bl
    ret
3:  cmp dword ptr [edi], 0x334d535f             # "_SM3_"
    jne 9f
    mov [edi + 0x10], ebp
    mov dword ptr [edi + 0x14], 0
    movzx ecx, byte ptr [edi + 6]
    mov byte ptr [edi + 5], 0
    call sum
    mov [edi + 5], bl
9:  ret

# BL: what makes the ECX bytes at EDI sum to zero.
sum:
    push edi
    xor bl, bl
2:  sub bl, [edi]
    inc edi
    loop 2b
    pop edi
    ret
CODE16
