# How much RAM there is, and the map of it.
#
# Source: CMOS 34h/35h (64 KiB units above 16 MiB), 30h/31h (KiB above 1 MiB), 5Bh to 5Dh (64 KiB units above 4 GiB), as
# QEMU's PC boards fill them; ACPI 6.5, table 15.4 (range types).

.section .bios, "ax"
CODE16
# Fills LOW_RAM, LOW_TOP and HIGH_RAM. DS: EBDA.
memory_size:
    mov al, 0x34
    call cmos_read_word
    movzx eax, ax
    shl eax, 16
    jz 2f
    add eax, 16 << 20
    jmp 3f
2:  mov al, 0x30
    call cmos_read_word
    movzx eax, ax
    shl eax, 10
    add eax, 1 << 20
3:  mov [LOW_RAM], eax
    mov [LOW_TOP], eax
    mov al, 0x5b
    call cmos_read_word
    movzx ebx, ax
    mov al, 0x5d
    call cmos_read
    movzx eax, al
    shl eax, 16
    or eax, ebx                                 # in units of 64 KiB
    mov edx, eax
    shl eax, 16
    shr edx, 16
    mov [HIGH_RAM], eax
    mov [HIGH_RAM + 4], edx
    ret

# Makes the memory map, when all that is reserved at the end of RAM is known. DS: EBDA.
memory_map:
    mov di, E820
    mov word ptr [E820_COUNT], 0
    xor ebx, ebx
    mov ecx, EBDA_LINEAR
    mov al, 1
    call map_add
    mov ebx, EBDA_LINEAR
    mov ecx, 0xa0000 - EBDA_LINEAR
    mov al, 2
    call map_add
    mov ebx, ROM
    mov ecx, 0x10000
    mov al, 2
    call map_add
    mov ebx, 1 << 20
    mov ecx, [LOW_TOP]
    sub ecx, ebx
    mov al, 1
    call map_add
    mov ebx, [LOW_TOP]
    mov ecx, [LOW_RAM]
    sub ecx, ebx
    mov al, 2
    call map_add
    cmp byte ptr [BOARD], 2
    jne 2f
    mov ebx, 0xb0000000                         # configuration space
    mov ecx, 0x10000000
    mov al, 2
    call map_add
    mov ebx, 0xfed1c000                         # the chip set's registers
    mov ecx, 0x4000
    mov al, 2
    call map_add
2:  mov ebx, 0xfffc0000                         # this ROM
    mov ecx, 0x40000
    mov al, 2
    call map_add
    mov ecx, [HIGH_RAM]
    mov eax, [HIGH_RAM + 4]
    mov edx, eax
    or edx, ecx
    jz 3f
    mov dword ptr [di], 0
    mov dword ptr [di + 4], 1
    mov [di + 8], ecx
    mov [di + 12], eax
    mov dword ptr [di + 16], 1
    inc word ptr [E820_COUNT]
3:  ret

# EBX: first address, ECX: bytes, AL: type. DI: next entry.
map_add:
    jecxz 2f
    mov [di], ebx
    mov dword ptr [di + 4], 0
    mov [di + 8], ecx
    mov dword ptr [di + 12], 0
    movzx eax, al
    mov [di + 16], eax
    add di, 20
    inc word ptr [E820_COUNT]
2:  ret

CODE32
# Takes ECX bytes, aligned to EDX, from the end of low RAM. EAX: their address; they are cleared.
memory_reserve:
    push edi
    push ecx
    mov eax, [EBDA_LINEAR + LOW_TOP]
    sub eax, ecx
    neg edx
    and eax, edx
    neg edx
    and eax, ~0xf
    # The map keeps whole pages.
    mov [EBDA_LINEAR + LOW_TOP], eax
    mov edi, eax
    push eax
    xor eax, eax
    rep stosb
    pop eax
    pop ecx
    pop edi
    ret

# Rounds what is left down to a page.
memory_round:
    and dword ptr [EBDA_LINEAR + LOW_TOP], ~0xfff
    ret
