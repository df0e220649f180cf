# How the other processors come from their start-up interrupt to long mode: code that is copied to 8000h.
#
# Source: SDM volume 3, 9.4 (initialization) and 10.8.5 (entering long mode).

.equ AT, 0x8000

.section .rodata
.global other_start
.global other_end
.balign 16
.code16
other_start:
    jmp other_real
    .balign 8
# What the first processor fills in: page tables, stacks, where to go.
other_root:     .quad 0
other_stacks:   .quad 0
other_entry:    .quad 0
other_table:
    .quad 0
    .quad 0x00af9a000000ffff                    # 64-bit code
    .quad 0x00cf92000000ffff                    # data
    .quad 0x00cf9a000000ffff                    # 32-bit code
other_table_pointer:
    .word 31
    .long AT + (other_table - other_start)
.equ ROOT, AT + (other_root - other_start)
.equ STACKS, AT + (other_stacks - other_start)
.equ ENTRY, AT + (other_entry - other_start)
.equ TABLE_POINTER, AT + (other_table_pointer - other_start)

other_real:
    cli
    xor ax, ax
    mov ds, ax
    lgdt [TABLE_POINTER]
    mov eax, cr0
    or eax, 1
    mov cr0, eax
    .byte 0x66, 0xea                            # a far jump to the 32-bit segment
    .long AT + (other_protected - other_start)
    .word 24
.code32
other_protected:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov eax, 0x620                              # CR4: PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, [ROOT]
    mov cr3, eax
    mov ecx, 0xc0000080                         # EFER: LME
    rdmsr
    or eax, 1 << 8
    wrmsr
    mov eax, cr0
    and eax, ~0x60000004                        # not EM, CD, NW
    or eax, 0x80010022                          # PG, WP, NE, MP
    mov cr0, eax
    .byte 0xea                                  # a far jump to the 64-bit segment
    .long AT + (other_long - other_start)
    .word 8
.code64
other_long:
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov ecx, 0xfee00020                         # the local APIC's ID is the processor's number
    mov eax, [rcx]
    shr eax, 24
    mov edi, eax
    inc eax
    shl eax, 15
    mov ecx, offset STACKS
    mov rsp, [rcx]
    add rsp, rax
    mov ecx, offset ENTRY
    mov rax, [rcx]
    call rax
    ud2
other_end:
