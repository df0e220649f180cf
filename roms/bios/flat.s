# The reset vector, and the way from real mode to flat 32-bit protected mode and back.
#
# Source: SDM volume 3, 10.1.4 (first instruction) and 10.9 (mode switching).

.section .bios.reset, "ax"
CODE16
    JUMP_FAR ROM_SEG, post
    .ascii "11/21/26"
    .byte 0, 0xfc, 0                            # model: AT

.section .bios, "ax"
CODE16
.balign 8
flat_table:
    .quad 0
    .quad 0x00409b0f0000ffff                    # SEL_CODE32
    .quad 0x00cf93000000ffff                    # SEL_DATA32
    .quad 0x00009b0f0000ffff                    # SEL_CODE16
    .quad 0x000093000000ffff                    # SEL_DATA16
    .quad 0xff409bff0000ffff                    # SEL_ALIAS32
    .quad 0x00cf9b000000ffff                    # SEL_ENTRY32
flat_table_end:
flat_pointer:
    .word flat_table_end - flat_table - 1
    .long flat_table + ROM
real_pointer:
    .word 0x3ff
    .long 0

# BX: offset of a 32-bit routine. All other registers go in and come back; flags and segments stay. Interrupts are off
# meanwhile, so this does not work in virtual-8086 mode: only what cannot do without may use it.
flat_call:
    pushf
    cli
    push ds
    push es
    push fs
    push gs
    push EBDA
    pop ds
    mov [FLAT_EAX], eax
    xor eax, eax
    mov ax, ss
    shl eax, 4
    mov [FLAT_BASE], eax
    lgdtd cs:[flat_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    JUMP_FAR SEL_CODE32, flat_in
CODE32
flat_in:
    mov ax, SEL_DATA32
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    movzx esp, sp
    add esp, [EBDA_LINEAR + FLAT_BASE]
    movzx ebx, bx
    mov eax, [EBDA_LINEAR + FLAT_EAX]
    cld
    CALL_BX
    mov [EBDA_LINEAR + FLAT_EAX], eax
    sub esp, [EBDA_LINEAR + FLAT_BASE]
    .byte 0xea
    .long flat_out
    .word SEL_CODE16
CODE16
flat_out:
    mov ax, SEL_DATA16
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    JUMP_FAR ROM_SEG, flat_real
flat_real:
    lidtd cs:[real_pointer]
    mov ax, EBDA
    mov ds, ax
    mov eax, [FLAT_BASE]
    shr eax, 4
    mov ss, ax
    mov eax, [FLAT_EAX]
    pop gs
    pop fs
    pop es
    pop ds
    popf
    ret
