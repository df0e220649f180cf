# A Linux kernel that the host hands over through fw_cfg: setup code, kernel, initrd, command line, each at the address
# that the host chose; entered in real mode.
#
# Source: Linux Documentation/arch/x86/boot.rst, "Running the kernel". The host has filled in the setup header.

.section .bios, "ax"
CODE16
# Boots it if there is one.
kernel_boot:
    FLAT kernel_load
    test eax, eax
    jz 2f
    SAY "Starting the kernel.\n"
    cli
    shr eax, 4                                  # EAX: setup code, ECX: command line
    mov bx, ax
    shl eax, 4
    sub ecx, eax
    cmp ecx, 0x10000
    jbe 3f
    mov ecx, 0x10000
3:  sub cx, 16
    mov ss, bx
    mov sp, cx
    mov ds, bx
    mov es, bx
    mov fs, bx
    mov gs, bx
    add bx, 0x20
    push bx
    push 0
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    RETURN_FAR
2:  ret

CODE32
# EAX: address of the setup code, or 0 if there is no kernel; ECX: of the command line.
kernel_load:
    xor eax, eax
    cmp byte ptr [EBDA_LINEAR + FW_CFG], 0
    je 9f
    mov eax, FW_SETUP_SIZE
    call fw_key_word
    test eax, eax
    jz 9f
    mov ecx, eax
    mov eax, FW_SETUP_ADDRESS
    call fw_key_word
    mov edi, eax
    push eax
    mov eax, FW_SETUP_DATA
    call fw_fetch
    mov eax, FW_LINE_SIZE
    call fw_key_word
    mov ecx, eax
    mov eax, FW_LINE_ADDRESS
    call fw_key_word
    mov edi, eax
    push eax
    mov eax, FW_LINE_DATA
    call fw_fetch
    mov eax, FW_KERNEL_SIZE
    call fw_key_word
    mov ecx, eax
    mov eax, FW_KERNEL_ADDRESS
    call fw_key_word
    mov edi, eax
    mov eax, FW_KERNEL_DATA
    call fw_fetch
    mov eax, FW_INITRD_SIZE
    call fw_key_word
    mov ecx, eax
    mov eax, FW_INITRD_ADDRESS
    call fw_key_word
    mov edi, eax
    mov eax, FW_INITRD_DATA
    call fw_fetch
    pop ecx
    pop eax
9:  ret
CODE16
