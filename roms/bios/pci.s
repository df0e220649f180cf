# PCI: shadow RAM, buses, base addresses, interrupt routing, and the chip set's fixed blocks.
#
# Sources: PCI Local Bus 3.0, chapter 6; PCI-to-PCI Bridge 1.2; data sheets of Intel 82441FX (PAM), 82371AB (PIIX4),
# ICH9 and Q35 (PAM, PCIEXBAR). Addresses are handed out upwards, each aligned to its size; a bridge's window is what
# was handed out while its bus was walked. Expansion ROMs are not enabled, and all memory is below 4 GiB.

.equ IO_FIRST, 0xc000
.equ PMBASE, 0x600
.equ SMBASE, 0x700

.section .bios, "ax"
CODE32
# EAX: the doubleword at register AL of the function EBX (bus, device and function in bits 8 to 23).
pci_read:
    push edx
    and eax, 0xfc
    or eax, ebx
    or eax, 0x80000000
    mov edx, 0xcf8
    out dx, eax
    mov dl, 0xfc
    in eax, dx
    pop edx
    ret

# ECX to register AL.
pci_write:
    push edx
    push eax
    and eax, 0xfc
    or eax, ebx
    or eax, 0x80000000
    mov edx, 0xcf8
    out dx, eax
    mov dl, 0xfc
    mov eax, ecx
    out dx, eax
    pop eax
    pop edx
    ret

# The byte CL to register AL.
pci_write_byte:
    push edx
    push eax
    and eax, 0xff
    or eax, ebx
    or eax, 0x80000000
    mov edx, 0xcf8
    push eax
    and al, 0xfc
    out dx, eax
    pop eax
    and eax, 3
    lea edx, [eax + 0xcfc]
    mov al, cl
    out dx, al
    pop eax
    pop edx
    ret

# The word CX to register AL.
pci_write_word:
    push edx
    push eax
    and eax, 0xff
    or eax, ebx
    or eax, 0x80000000
    mov edx, 0xcf8
    push eax
    and al, 0xfc
    out dx, eax
    pop eax
    and eax, 2
    lea edx, [eax + 0xcfc]
    mov eax, ecx
    out dx, ax
    pop eax
    pop edx
    ret

# Finds out which board this is, and copies the ROM to RAM, where the chip set can.
shadow_start:
    mov dword ptr [EBDA_LINEAR + FSEG_NEXT], 0
    mov byte ptr [EBDA_LINEAR + BOARD], 0
    mov edx, 0xcf8
    mov eax, 0x80000000
    out dx, eax
    in eax, dx
    cmp eax, 0x80000000
    jne 9f
    xor ebx, ebx
    xor eax, eax
    call pci_read
    cmp eax, 0xffffffff
    je 9f
    mov ebp, 0x59
    mov dl, 1
    cmp eax, 0x12378086
    je 2f
    mov ebp, 0x90
    inc dl
    cmp eax, 0x29c08086
    je 2f
    inc dl
2:  mov [EBDA_LINEAR + BOARD], dl
    cmp dl, 3
    je 9f
    # From here to the copy's end the code runs at its alias below 4 GiB.
    .byte 0xea
    .long 3f
    .word SEL_ALIAS32
3:  mov eax, ebp
    mov cl, 0x30
    call pci_write_byte
    mov ecx, 0x33
    mov edx, 6
4:  inc eax
    call pci_write_byte
    dec edx
    jnz 4b
    mov esi, 0xffff0000
    mov edi, ROM
    mov ecx, 0x4000
    rep movsd
    mov edi, 0xc0000                            # and no remains that look like an option ROM
    mov ecx, (ROM - 0xc0000) / 4
    xor eax, eax
    rep stosd
    .byte 0xea
    .long 5f
    .word SEL_CODE32
5:  mov eax, offset rom_space + ROM
    mov [EBDA_LINEAR + FSEG_NEXT], eax
9:  ret

# Walks all buses.
pci_start:
    cmp byte ptr [EBDA_LINEAR + BOARD], 0
    je 9f
    mov edi, EBDA_LINEAR
    mov dword ptr [edi + NEXT_IO], IO_FIRST
    mov eax, 0xc0000000
    cmp dword ptr [edi + LOW_RAM], eax
    jbe 2f
    mov eax, 0xe0000000
2:  mov [edi + NEXT_MEMORY], eax
    call chipset_start
    mov byte ptr [edi + NEXT_BUS], 1
    xor ebx, ebx
    mov word ptr [POST_BUSES], 0
    call pci_bus
    mov al, [edi + NEXT_BUS]
    dec al
    mov [edi + PCI_LAST_BUS], al
9:  ret

# Blocks at fixed addresses, and interrupt routes: PIRQ A to D at IRQ 10, 10, 11, 11.
chipset_start:
    cmp byte ptr [edi + BOARD], 1
    je 2f
    cmp byte ptr [edi + BOARD], 2
    jne 9f
    xor ebx, ebx                                # configuration space at B0000000h
    mov al, 0x64
    xor ecx, ecx
    call pci_write
    mov al, 0x60
    mov ecx, 0xb0000001
    call pci_write
    mov ebx, 31 << 11                           # LPC
    mov al, 0x40
    mov ecx, PMBASE | 1
    call pci_write
    mov al, 0x44
    mov cl, 0x80                                # ACPI on, at IRQ 9
    call pci_write_byte
    mov al, 0xf0
    mov ecx, 0xfed1c001                         # RCBA
    call pci_write
    mov al, 0x60
    mov ecx, 0x0b0b0a0a
    call pci_write
    mov al, 0x68
    call pci_write
    jmp 8f
2:  mov ebx, 1 << 11                            # the ISA bridge
    mov al, 0x60
    mov ecx, 0x0b0b0a0a
    call pci_write
8:  mov edx, 0x4d0                              # level: 9, 10, 11
    OUTB dx, 0
    inc edx
    OUTB dx, 0x0e
9:  ret

# Walks the bus of EBX (its number in bits 16 to 23).
pci_bus:
    and ebx, 0xff0000
2:  xor eax, eax
    call pci_read
    cmp ax, 0xffff
    je 4f
    test eax, eax
    jz 4f
    call pci_function
    test bh, 7                                  # function 0 says whether there are others
    jnz 3f
    mov al, 0x0c
    call pci_read
    test eax, 0x800000
    jz 5f
3:  add ebx, 0x100
    jmp 6f
4:  test bh, 7
    jnz 3b
5:  add ebx, 0x800
6:  test bx, bx                                 # all 32 devices, 8 functions
    jnz 2b
    sub ebx, 0x10000
    ret

# One function.
pci_function:
    mov al, 0x0c
    call pci_read
    shr eax, 16
    and al, 0x7f
    mov ecx, 6
    cmp al, 1
    jb 2f
    mov ecx, 2
    je 2f
    ret
2:  push eax
    call pci_bars
    call pci_interrupt
    pop eax
    cmp al, 1
    je pci_bridge
    call pci_special
    mov al, 4
    call pci_read
    mov ecx, eax
    or ecx, 0x103                               # I/O, memory, SERR
    mov al, 4
    jmp pci_write_word

# Sizes and places ECX base addresses.
pci_bars:
    mov ebp, 0x10
2:  push ecx
    mov eax, ebp
    mov ecx, 0xffffffff
    call pci_write
    mov eax, ebp
    call pci_read
    test eax, eax
    jz 7f
    mov edx, eax
    test al, 1
    jnz 4f
    and eax, ~15
    neg eax                                     # size
    mov esi, [edi + NEXT_MEMORY]
    mov ecx, 0x1000                             # no two share a page
    cmp eax, ecx
    ja 3f
    mov eax, ecx
3:  dec eax
    add esi, eax
    jc 6f
    not eax
    and esi, eax
    neg eax
    lea ecx, [esi + eax]
    cmp ecx, 0xfec00000
    ja 6f
    cmp ecx, esi
    jb 6f
    mov [edi + NEXT_MEMORY], ecx
    mov ecx, esi
    jmp 5f
4:  and eax, ~3
    or eax, 0xffff0000
    neg eax
    mov esi, [edi + NEXT_IO]
    dec eax
    add esi, eax
    not eax
    and esi, eax
    neg eax
    lea ecx, [esi + eax]
    cmp ecx, 0x10000
    ja 6f
    mov [edi + NEXT_IO], ecx
    mov ecx, esi
5:  mov eax, ebp
    call pci_write
    jmp 8f
6:  xor ecx, ecx                                # no room
    mov eax, ebp
    call pci_write
8:  and dl, 7                                   # 64 bits: the upper half is 0
    cmp dl, 4
    jne 7f
    add ebp, 4
    mov eax, ebp
    xor ecx, ecx
    call pci_write
    pop ecx
    dec ecx
    jz 9f
    jmp 3f
7:  pop ecx
3:  add ebp, 4
    dec ecx
    jnz 2b
9:  ret

# The interrupt line, by the pin, the slot, and the bridges above.
pci_interrupt:
    mov al, 0x3c
    call pci_read
    movzx ecx, ah
    jecxz 9f
    dec ecx                                     # ECX: pin
    push ebx
2:  mov edx, ebx
    shr edx, 16
    and edx, 0xff                               # EDX: bus
    jz 3f
    mov eax, ebx
    shr eax, 11
    and eax, 31
    add ecx, eax
    movzx ebx, word ptr [POST_BUSES + edx * 2]
    shl ebx, 8
    jmp 2b
3:  mov eax, ebx
    shr eax, 11
    and eax, 31
    cmp byte ptr [edi + BOARD], 2
    jne 4f
    cmp al, 25
    jae 5f                                      # devices 25 to 31 of Q35 do not rotate
    add ecx, eax
    jmp 5f
4:  lea ecx, [ecx + eax - 1]
5:  pop ebx
    and ecx, 3
    shr ecx, 1
    add ecx, 10
    mov al, 0x3c
    call pci_write_byte
9:  ret

# Functions that need more than base addresses.
pci_special:
    xor eax, eax
    call pci_read
    cmp eax, 0x71138086                         # PIIX4 power management
    jne 2f
    mov al, 0x3c
    mov cl, 9
    call pci_write_byte
    mov al, 0x40
    mov ecx, PMBASE | 1
    call pci_write
    mov al, 0x80
    mov cl, 1
    call pci_write_byte
    mov al, 0x90
    mov ecx, SMBASE | 1
    call pci_write
    mov al, 0xd2
    mov cl, 9
    call pci_write_byte
    ret
2:  cmp eax, 0x29308086                         # ICH9 SMBus
    jne 3f
    mov al, 0x20
    mov ecx, SMBASE | 1
    call pci_write
    mov al, 0x40
    mov cl, 1
    jmp pci_write_byte
3:  cmp eax, 0x70108086                         # PIIX3 IDE
    jne 4f
    mov al, 0x40
    mov ecx, 0x80008000                         # both channels are decoded
    jmp pci_write
4:  mov al, 8
    call pci_read
    shr eax, 16
    cmp ax, 0x0300                              # VGA
    jne 9f
    mov eax, ebx
    shr eax, 8
    mov [edi + VGA_BDF], ax
    mov al, 0x10
    call pci_read
    and al, 0xf0
    mov [edi + FRAME_BUFFER], eax
9:  ret

# A bridge: its bus gets the next number, and its windows what its bus takes.
pci_bridge:
    add dword ptr [edi + NEXT_IO], 0xfff
    and dword ptr [edi + NEXT_IO], ~0xfff
    add dword ptr [edi + NEXT_MEMORY], 0xfffff
    and dword ptr [edi + NEXT_MEMORY], ~0xfffff
    push dword ptr [edi + NEXT_IO]
    push dword ptr [edi + NEXT_MEMORY]
    movzx edx, byte ptr [edi + NEXT_BUS]
    inc byte ptr [edi + NEXT_BUS]
    mov eax, ebx
    shr eax, 8
    mov [POST_BUSES + edx * 2], ax
    mov al, 0x18
    mov ecx, ebx
    shr ecx, 16
    mov ch, dl
    or ecx, 0xff0000
    call pci_write
    push ebx
    push ecx
    mov ebx, edx
    shl ebx, 16
    call pci_bus
    pop ecx
    pop ebx
    mov eax, ecx
    movzx ecx, cx
    movzx edx, byte ptr [edi + NEXT_BUS]
    dec edx
    shl edx, 16
    or ecx, edx
    mov al, 0x18
    call pci_write
    # Windows: base above limit closes one.
    add dword ptr [edi + NEXT_IO], 0xfff
    and dword ptr [edi + NEXT_IO], ~0xfff
    add dword ptr [edi + NEXT_MEMORY], 0xfffff
    and dword ptr [edi + NEXT_MEMORY], ~0xfffff
    pop ecx
    mov edx, [edi + NEXT_MEMORY]
    dec edx
    and edx, 0xfff00000
    shr ecx, 16
    or ecx, edx
    mov al, 0x20
    call pci_write
    mov ecx, 0x0000fff0                         # nothing prefetchable
    mov al, 0x24
    call pci_write
    pop ecx
    shr ecx, 8
    mov edx, [edi + NEXT_IO]
    dec edx
    and edx, 0xf000
    or ecx, edx
    mov al, 0x1c
    call pci_write_word
    mov al, 0x30
    xor ecx, ecx
    call pci_write
    mov al, 4
    call pci_read
    mov ecx, eax
    or ecx, 0x107
    mov al, 4
    jmp pci_write_word
