# The chips that every PC has: interrupt controllers, timer, clock, DMA, keyboard controller.
#
# Sources: data sheets of Intel 8259A, 8254, 8237A, Motorola MC146818A, and IBM PC/AT Technical Reference (8042).

.section .bios, "ax"
CODE16
chips_start:
    # A20 by port 92h.
    in al, 0x92
    or al, 2
    and al, 0xfe
    out 0x92, al
    # 8259: IRQ 0 to 7 at 08h, 8 to 15 at 70h.
    OUTB 0x20, 0x11
    OUTB 0xa0, 0x11
    OUTB 0x21, 0x08
    OUTB 0xa1, 0x70
    OUTB 0x21, 0x04
    OUTB 0xa1, 0x02
    OUTB 0x21, 0x01
    OUTB 0xa1, 0x01
    OUTB 0x21, 0xb8                             # timer, keyboard, cascade, floppy
    OUTB 0xa1, 0xff
    # 8254: channel 0 at 18.2 Hz, channel 1 as a PC has it.
    OUTB 0x43, 0x34
    xor al, al
    out 0x40, al
    out 0x40, al
    OUTB 0x43, 0x54
    OUTB 0x41, 18
    # 8237: masters cleared, channel 4 cascades.
    xor al, al
    out 0x0d, al
    out 0xda, al
    OUTB 0xd6, 0xc0
    OUTB 0xd4, 0
    # Clock: 32 kHz divider, 24 hours, BCD, no interrupts.
    mov ax, 0x260a
    call cmos_write
    mov ax, 0x020b
    call cmos_write
    mov al, 0x0c
    call cmos_read
    ret

# AL: index, and then the byte there.
cmos_read:
    out 0x70, al
    in al, 0x71
    ret

# AL: index, AH: value.
cmos_write:
    out 0x70, al
    xchg al, ah
    out 0x71, al
    xchg al, ah
    ret

# AX: the word at index AL.
cmos_read_word:
    push bx
    mov bl, al
    inc al
    call cmos_read
    mov bh, al
    mov al, bl
    call cmos_read
    mov ah, bh
    pop bx
    ret

# Keyboard and its controller: self-test, translation, interrupt on.
keyboard_start:
    in al, 0x64
    cmp al, 0xff
    je 6f                                       # there is none
    mov cx, 64                                  # take what lies there
2:  in al, 0x64
    test al, 1
    jz 3f
    in al, 0x60
    loop 2b
3:  mov al, 0xaa
    call controller_command
    call controller_take
    mov al, 0xab
    call controller_command
    call controller_take
    mov al, 0xae
    call controller_command
    mov al, 0xff                                # reset
    call keyboard_send
    call controller_take                        # AAh: the self-test passed
    mov al, 0xf4
    call keyboard_send
    mov al, 0x60
    call controller_command
    mov al, 0x61                                # translation, system flag, interrupt 1, mouse off
    call controller_data
6:  ret

controller_wait:
    push cx
    xor cx, cx
2:  in al, 0x64
    test al, 2
    loopnz 2b
    pop cx
    ret

# AL: command to the controller.
controller_command:
    push ax
    call controller_wait
    pop ax
    out 0x64, al
    ret

# AL: data to the controller or the keyboard.
controller_data:
    push ax
    call controller_wait
    pop ax
    out 0x60, al
    ret

# AL: byte to the keyboard, whose answer comes back in AL.
keyboard_send:
    call controller_data
# AL: the next byte from the controller, with patience; carry if none came.
controller_take:
    push cx
    mov cx, 0xffff
2:  in al, 0x64
    test al, 1
    jnz 3f
    in al, 0x61                                 # about a microsecond
    loop 2b
    stc
    pop cx
    ret
3:  in al, 0x60
    clc
    pop cx
    ret

# Waits CX:DX microseconds by the counts of the 8254's channel 0, or not for ever if that stands still.
wait_microseconds:
    pushad
    movzx eax, cx
    shl eax, 16
    mov ax, dx
    mov ecx, 1193182
    mul ecx
    mov ecx, 1000000
    cmp edx, ecx
    jae 5f
    div ecx
    mov ecx, eax                                # counts to wait
    call timer_count
    mov bx, ax
    mov edx, 1000000                            # looks without a change
2:  call timer_count
    mov si, bx
    sub si, ax                                  # it counts down
    mov bx, ax
    movzx esi, si
    test esi, esi
    jnz 3f
    dec edx
    jnz 4f
    jmp 5f
3:  mov edx, 1000000
4:  sub ecx, esi
    ja 2b
5:  popad
    ret

# AX: the count of channel 0.
timer_count:
    pushf
    cli
    OUTB 0x43, 0
    in al, 0x40
    mov ah, al
    in al, 0x40
    xchg al, ah
    popf
    ret

CODE32
# The local APIC, if CPUID says that there is one, passes the 8259's interrupts on.
# Source: SDM volume 3, 11.4 (local APIC), 11.5.1 (local vector table).
apic_start:
    pushfd
    pop eax
    mov ecx, eax
    xor eax, 1 << 21                            # a processor that can change ID has CPUID
    push eax
    popfd
    pushfd
    pop eax
    xor eax, ecx
    test eax, 1 << 21
    jz 2f
    mov eax, 1
    cpuid
    test edx, 1 << 9
    jz 2f
    mov edi, 0xfee00000
    mov dword ptr [edi + 0xf0], 0x1ff
    mov dword ptr [edi + 0x350], 0x700          # LINT0: ExtINT
    mov dword ptr [edi + 0x360], 0x400          # LINT1: NMI
2:  ret

# Memory types, if there are registers for them: RAM is written back; A0000h to BFFFFh and what is from where PCI's
# memory begins to 4 GiB is not cached.
# Source: SDM volume 3, 12.11 (MTRRs).
mtrr_start:
    pushfd
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    xor eax, ecx
    test eax, 1 << 21
    jz 9f
    mov eax, 1
    cpuid
    and edx, 0x1020                             # MSRs and MTRRs
    cmp edx, 0x1020
    jne 9f
    mov ecx, 0x2ff                              # off meanwhile
    xor eax, eax
    xor edx, edx
    wrmsr
    mov esi, offset mtrr_fixed + ROM
2:  movzx ecx, word ptr [esi]
    jecxz 3f
    movzx eax, byte ptr [esi + 2]
    imul eax, eax, 0x01010101
    mov edx, eax
    wrmsr
    add esi, 3
    jmp 2b
3:  mov ecx, 0xfe                               # how many variable ranges
    rdmsr
    test al, al
    jz 4f
    # The width of physical addresses says how long a mask is.
    mov eax, 0x80000000
    cpuid
    mov ebx, 36
    cmp eax, 0x80000008
    jb 5f
    mov eax, 0x80000008
    cpuid
    movzx ebx, al
5:  mov ecx, ebx
    sub ecx, 32
    mov edx, 1
    shl edx, cl
    dec edx                                     # the mask's upper half
    push edx
    mov eax, 0xc0000000
    cmp [EBDA_LINEAR + LOW_RAM], eax
    jbe 6f
    mov eax, 0xe0000000
6:  push eax
    xor edx, edx
    mov ecx, 0x200
    wrmsr
    pop eax
    pop edx
    or eax, 0x800
    mov ecx, 0x201
    wrmsr
4:  mov ecx, 0x2ff
    mov eax, 0xc06                              # on, fixed ones too; else write-back
    xor edx, edx
    wrmsr
9:  ret

# Fixed-range registers, and the type that all of their parts get.
mtrr_fixed:
    .word 0x250
    .byte 6
    .word 0x258
    .byte 6
    .word 0x259
    .byte 0
    .word 0x268
    .byte 5
    .word 0x269
    .byte 5
    .word 0x26a
    .byte 5
    .word 0x26b
    .byte 5
    .word 0x26c
    .byte 5
    .word 0x26d
    .byte 5
    .word 0x26e
    .byte 5
    .word 0x26f
    .byte 5
    .word 0
CODE16
