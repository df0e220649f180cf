# Power-on self-test: what happens between the reset vector and the boot.

.section .bios.entry, "ax"
CODE16
# At E05Bh, where programs jump to.
post:
    cli
    cld
    mov al, 0x8f                                # shutdown code: how a 286 came back from protected mode
    out 0x70, al
    in al, 0x71
    mov bl, al
    mov al, 0x8f
    out 0x70, al
    xor al, al
    out 0x71, al
    cmp bl, 5
    je 2f
    cmp bl, 10
    je 3f
    JUMP_FAR ROM_SEG, post_cold
2:  OUTB 0x20, 0x20
3:  push BDA
    pop ds
    .byte 0xff, 0x2e                            # a far jump
    .word RESET_VECTOR

.section .bios, "ax"
CODE16
post_cold:
    xor ax, ax
    mov ss, ax
    mov sp, POST_STACK
    mov ds, ax
    # Clear the BIOS data area, the vectors and the EBDA, but keep the mark of a warm start.
    mov bx, [0x400 + WARM]
    mov es, ax
    mov di, ax
    mov cx, 0x280
    rep stosw
    mov [0x400 + WARM], bx
    push EBDA
    pop es
    xor di, di
    mov cx, 0x800
    rep stosw
    call chips_start
    FLAT shadow_start
    FLAT apic_start
    call vectors_start
    push EBDA
    pop ds
    mov word ptr [0], 4                         # KiB of EBDA
    call memory_size
    FLAT fw_start
    FLAT mtrr_start
    push BDA
    pop ds
    mov word ptr [EBDA_SEGMENT], EBDA
    mov word ptr [MEMORY_KIB], BASE_KIB
    mov word ptr [KEY_START], KEY_RING
    mov word ptr [KEY_END], KEY_RING_END
    mov word ptr [KEY_HEAD], KEY_RING
    mov word ptr [KEY_TAIL], KEY_RING
    mov byte ptr [KEY_MODE], 0x10               # 101 keys
    mov word ptr [EQUIPMENT], 0x0026            # coprocessor, mouse, 80 columns in colour
    call serial_start
    call keyboard_start
    call time_start
    push EBDA
    pop ds
    mov al, [NO_DISPLAY]
    push BDA
    pop ds
    mov [SERIAL_CONSOLE], al
    FLAT pci_start
    call video_start
    sti
    call banner
    FLAT tables_start
    push EBDA
    pop ds
    call roms_start
    call disks_start
    FLAT memory_round
    call memory_map
    call floppies_start
    jmp boot

# The adapter, if there is one: colours and mode 3. INT 10h does not mind if there is none.
video_start:
    push BDA
    pop ds
    mov ax, 3
    int 0x10
    ret

banner:
    SAY "Lyrebird BIOS\n"
    push EBDA
    pop ds
    mov eax, [LOW_RAM]
    shr eax, 20
    mov edx, [HIGH_RAM + 4]
    shl edx, 12
    add eax, edx
    mov edx, [HIGH_RAM]
    shr edx, 20
    add eax, edx
    call print_decimal
    SAY " MiB of memory\n"
    ret

# Option ROMs from C8000h to EFFFFh, in steps of 2 KiB.
roms_start:
    mov ax, 0xc800
2:  mov es, ax
    cmp word ptr es:[0], 0xaa55
    jne 4f
    movzx cx, byte ptr es:[2]                   # in blocks of 512 bytes
    jcxz 4f
    shl cx, 9
    xor si, si
    xor bl, bl
    mov dx, cx
3:  add bl, es:[si]
    inc si
    dec dx
    jnz 3b
    test bl, bl
    jnz 4f
    pusha
    push ds
    push es
    push cs
    push offset roms_back
    push es
    push 3
    RETURN_FAR
roms_back:
    pop es
    pop ds
    popa
    mov ax, es
    shr cx, 4
    add cx, 0x7f
    and cx, 0xff80
    add ax, cx
    jmp 6f
4:  add ax, 0x80
6:  cmp ax, 0xf000
    jb 2b
    ret

# The interrupt vectors, in segment 0.
vectors_start:
    push 0
    pop es
    xor di, di
    mov cx, 120
2:  mov ax, offset nobody
    stosw
    mov ax, ROM_SEG
    stosw
    loop 2b
    mov si, offset vector_list
3:  mov di, cs:[si]
    cmp di, 0xffff
    je 4f
    mov ax, cs:[si + 2]
    mov es:[di], ax
    add si, 4
    jmp 3b
4:  mov di, 8 * 4                               # interrupts that nobody serves end themselves
    mov cx, 8
    mov ax, offset nobody_master
    call 5f
    mov di, 0x70 * 4
    mov cx, 8
    mov ax, offset nobody_slave
    call 5f
    mov word ptr es:[0x08 * 4], offset irq0
    mov word ptr es:[0x09 * 4], offset irq1
    mov word ptr es:[0x0e * 4], offset irq6
    mov word ptr es:[0x70 * 4], offset irq8
    mov dword ptr es:[0x60 * 4], 0
    mov dword ptr es:[0x61 * 4], 0
    mov dword ptr es:[0x1d * 4], 0
    mov dword ptr es:[0x46 * 4], 0
    mov dword ptr es:[0x41 * 4], 0
    ret
5:  mov es:[di], ax
    mov word ptr es:[di + 2], ROM_SEG
    add di, 4
    loop 5b
    ret

.macro VECTOR number, target
    .word \number * 4, \target
.endm
vector_list:
    VECTOR 0x02, nobody
    VECTOR 0x05, nobody
    VECTOR 0x10, int10
    VECTOR 0x11, int11
    VECTOR 0x12, int12
    VECTOR 0x13, int13
    VECTOR 0x14, int14
    VECTOR 0x15, int15
    VECTOR 0x16, int16
    VECTOR 0x17, int17
    VECTOR 0x18, int18
    VECTOR 0x19, int19
    VECTOR 0x1a, int1a
    VECTOR 0x1e, floppy_parameters
    VECTOR 0x1f, font8 + 1024
    VECTOR 0x40, int40
    VECTOR 0x42, int10
    VECTOR 0x43, font16
    .word 0xffff

nobody:
    iret

nobody_slave:
    push ax
    OUTB 0xa0, 0x20
    pop ax
nobody_master:
    push ax
    OUTB 0x20, 0x20
    pop ax
    iret
