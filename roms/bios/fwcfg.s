# The fw_cfg device, by its I/O ports: keys, and files by name.
#
# Source: QEMU docs/specs/fw_cfg. Selector at 510h, data at 511h, DMA at 514h; what a key holds is little-endian, the
# file directory big-endian.

.equ FW_SELECT, 0x510
.equ FW_DATA, 0x511
.equ FW_DMA, 0x514
.equ DMA_READ, 2
.equ DMA_SKIP, 4
.equ DMA_SELECT, 8
.equ DMA_WRITE, 16
.equ FW_SIGNATURE, 0x00
.equ FW_ID, 0x01
.equ FW_NOGRAPHIC, 0x04
.equ FW_KERNEL_ADDRESS, 0x07
.equ FW_KERNEL_SIZE, 0x08
.equ FW_INITRD_ADDRESS, 0x0a
.equ FW_INITRD_SIZE, 0x0b
.equ FW_BOOT_MENU, 0x0e
.equ FW_KERNEL_ENTRY, 0x10
.equ FW_KERNEL_DATA, 0x11
.equ FW_INITRD_DATA, 0x12
.equ FW_LINE_ADDRESS, 0x13
.equ FW_LINE_SIZE, 0x14
.equ FW_LINE_DATA, 0x15
.equ FW_SETUP_ADDRESS, 0x16
.equ FW_SETUP_SIZE, 0x17
.equ FW_SETUP_DATA, 0x18
.equ FW_DIRECTORY, 0x19

.section .bios, "ax"
CODE32
# Notes whether there is one, and whether it says that there is no display.
fw_start:
    mov eax, FW_SIGNATURE
    call fw_select
    call fw_word
    cmp eax, 0x554d4551                         # "QEMU"
    jne 2f
    mov byte ptr [EBDA_LINEAR + FW_CFG], 1
    mov eax, FW_NOGRAPHIC
    call fw_select
    call fw_byte
    mov [EBDA_LINEAR + NO_DISPLAY], al
2:  ret

# AX: key.
fw_select:
    push edx
    mov edx, FW_SELECT
    out dx, ax
    pop edx
    ret

# AL: the next byte.
fw_byte:
    push edx
    mov edx, FW_DATA
    in al, dx
    pop edx
    ret

# EAX: the next four bytes, little-endian.
fw_word:
    push ecx
    mov ecx, 4
2:  shl eax, 8
    call fw_byte
    loop 2b
    TURN_EAX
    pop ecx
    ret

# EAX: the next four bytes, big-endian.
fw_big:
    push ecx
    mov ecx, 4
2:  shl eax, 8
    call fw_byte
    loop 2b
    pop ecx
    ret

# EAX: key. EAX: the word that it holds.
fw_key_word:
    call fw_select
    jmp fw_word

# EDI: where to, ECX: bytes; of what is selected.
fw_read:
    push edx
    push edi
    push ecx
    mov edx, FW_DATA
    rep insb
    pop ecx
    pop edi
    pop edx
    ret

# ESI: name, ending with a zero byte. EAX: its key, or 0; FILE_SIZE: its size. The name may be in ROM or in RAM.
fw_find:
    push ecx
    push edx
    push edi
    cmp byte ptr [EBDA_LINEAR + FW_CFG], 0
    je 7f
    mov eax, FW_DIRECTORY
    call fw_select
    call fw_big
    mov edx, eax                                # files
2:  test edx, edx
    jz 7f
    dec edx
    call fw_big
    mov [EBDA_LINEAR + FILE_SIZE], eax
    call fw_big
    shr eax, 16
    mov [EBDA_LINEAR + FILE_KEY], eax
    xor ecx, ecx                                # characters seen
    mov edi, 1                                  # equal so far
    push esi
3:  call fw_byte
    test edi, edi
    jz 5f
    cmp al, [esi]
    je 4f
    xor edi, edi
4:  cmp byte ptr [esi], 0
    je 6f
    inc esi
    jmp 5f
6:  cmp edi, 1
    jne 5f
    mov edi, 2                                  # both ended
5:  inc ecx
    cmp ecx, 56
    je 9f
    cmp edi, 2
    jne 3b
    # The rest of the entry does not matter.
    pop esi
    mov eax, [EBDA_LINEAR + FILE_KEY]
    jmp 8f
9:  pop esi
    jmp 2b
7:  xor eax, eax
8:  pop edi
    pop edx
    pop ecx
    ret

# EAX: key, EDI: where to, ECX: bytes. By DMA if the device has that.
fw_fetch:
    jecxz 3f
    push eax
    mov eax, FW_ID
    call fw_key_word
    test al, 2
    pop eax
    jnz 2f
    call fw_select
    jmp fw_read
2:  shl eax, 16
    or eax, DMA_SELECT | DMA_READ
    jmp fw_dma
3:  ret

# A DMA operation: EAX: control, ECX: length, EDI: data. What the device reads and writes is big-endian.
fw_dma:
    push edx
    push esi
    mov esi, DMA_BLOCK
    TURN_EAX
    mov [esi], eax
    mov eax, ecx
    TURN_EAX
    mov [esi + 4], eax
    mov dword ptr [esi + 8], 0
    mov eax, edi
    TURN_EAX
    mov [esi + 12], eax
    mov edx, FW_DMA
    xor eax, eax
    out dx, eax
    mov eax, esi
    TURN_EAX
    add edx, 4
    out dx, eax
2:  cmp dword ptr [esi], 0
    je 3f
    cmp dword ptr [esi], 0x01000000             # an error
    jne 2b
3:  pop esi
    pop edx
    ret
