# INT 11h, 12h and 15h: equipment, memory, A20, waiting, protected mode, power.
#
# Sources: Ralf Brown's INT 15h; ACPI 6.5, 15.1 (E820h); APM 1.2.

.section .bios, "ax"
CODE16
int11:
    push ds
    push BDA
    pop ds
    mov ax, [EQUIPMENT]
    pop ds
    iret

int12:
    push ds
    push BDA
    pop ds
    mov ax, [MEMORY_KIB]
    pop ds
    iret

int15:
    ENTER EBDA
    cmp ah, 0x4f
    je 9f                                       # no program changes the key: AL and carry stay
    sti
    NO_CARRY
    mov si, offset system_services
2:  mov bl, cs:[si]
    test bl, bl
    jz 3f
    cmp bl, ah
    je 4f
    add si, 3
    jmp 2b
3:  call system_unknown
    jmp 9f
4:  mov bx, cs:[si + 1]
    CALL_BX
9:  LEAVE

.macro SERVICE number, routine
    .byte \number
    .word \routine
.endm
system_services:
    SERVICE 0x24, a20_service
    SERVICE 0x41, system_unknown
    SERVICE 0x53, apm_service
    SERVICE 0x83, system_event
    SERVICE 0x86, system_wait
    SERVICE 0x87, system_move
    SERVICE 0x88, system_extended
    SERVICE 0x90, system_ready
    SERVICE 0x91, system_ready
    SERVICE 0xc0, system_configuration
    SERVICE 0xc1, system_ebda
    SERVICE 0xe8, system_memory
    .byte 0

system_unknown:
    mov byte ptr [bp + R_AH], 0x86
    CARRY
    ret

system_ready:
    mov byte ptr [bp + R_AH], 0
    ret

# AH=24h: A20: 0 off, 1 on, 2 status, 3 what there is.
a20_service:
    mov byte ptr [bp + R_AH], 0
    cmp al, 1
    jb 3f
    je 2f
    cmp al, 3
    ja system_unknown
    mov word ptr [bp + R_BX], 2                 # port 92h
    je 4f
    in al, 0x92
    shr al, 1
    and al, 1
    mov [bp + R_AL], al
4:  ret
2:  in al, 0x92
    or al, 2
    jmp 5f
3:  in al, 0x92
    and al, 0xfd
5:  and al, 0xfe
    out 0x92, al
    ret

# AH=83h: AL=0: sets bit 7 of ES:BX after CX:DX microseconds; AL=1 cancels.
system_event:
    push BDA
    pop ds
    cmp al, 1
    je 2f
    test byte ptr [0xa0], 1
    jnz 3f
    mov ax, [bp + R_BX]
    mov [0x98], ax
    mov ax, [bp + R_ES]
    mov [0x9a], ax
    mov ax, [bp + R_DX]
    mov [0x9c], ax
    mov ax, [bp + R_CX]
    mov [0x9e], ax
    or byte ptr [0xa0], 1
    mov al, 0x0b
    call cmos_read
    mov ah, al
    or ah, 0x40
    mov al, 0x0b
    call cmos_write
    mov byte ptr [bp + R_AH], 0
    jmp clock_unmask
2:  and byte ptr [0xa0], 0xfe
    mov al, 0x0b
    call cmos_read
    mov ah, al
    and ah, 0xbf
    mov al, 0x0b
    jmp cmos_write
3:  CARRY
    ret

# AH=86h: waits CX:DX microseconds.
system_wait:
    mov cx, [bp + R_CX]
    mov dx, [bp + R_DX]
    mov byte ptr [bp + R_AH], 0
    jmp wait_microseconds

# AH=87h: moves CX words by the descriptors at ES:SI: the source's at 10h, the destination's at 18h.
system_move:
    mov es, [bp + R_ES]
    mov si, [bp + R_SI]
    mov al, es:[si + 0x17]
    shl eax, 24
    mov ecx, es:[si + 0x12]
    and ecx, 0xffffff
    or ecx, eax                                 # from
    mov al, es:[si + 0x1f]
    shl eax, 24
    mov edx, es:[si + 0x1a]
    and edx, 0xffffff
    or edx, eax                                 # to
    mov esi, ecx
    mov edi, edx
    movzx ecx, word ptr [bp + R_CX]
    in al, 0x92
    push ax
    or al, 2
    and al, 0xfe
    out 0x92, al
    FLAT move_words
    pop ax
    and al, 0xfe
    out 0x92, al
    mov byte ptr [bp + R_AH], 0
    and byte ptr [bp + R_FLAGS], ~0x40
    or byte ptr [bp + R_FLAGS], 0x40
    ret

CODE32
move_words:
    rep movsw
    ret
CODE16

# AX: KiB above 1 MiB, no more than fit into 16 bits, CX, or 15 MiB.
system_kib:
    mov eax, [LOW_TOP]
    sub eax, 1 << 20
    shr eax, 10
    ret

# AH=88h.
system_extended:
    call system_kib
    cmp eax, 0xfc00
    jbe 2f
    mov eax, 0xfc00
2:  mov [bp + R_AX], ax
    ret

# AH=C0h: ES:BX: the configuration table.
system_configuration:
    mov word ptr [bp + R_ES], ROM_SEG
    mov word ptr [bp + R_BX], offset configuration
    mov byte ptr [bp + R_AH], 0
    ret

configuration:
    .word 8
    .byte 0xfc, 0, 1, 0x74, 0x40, 0, 0, 0       # two 8259, clock, INT 15h AH=4Fh, EBDA; INT 16h AH=09h

# AH=C1h: ES: the EBDA.
system_ebda:
    mov word ptr [bp + R_ES], EBDA
    ret

# AX=E801h, E881h: memory; E820h: the map.
system_memory:
    cmp al, 0x20
    je 4f
    cmp al, 0x01
    je 2f
    cmp al, 0x81
    jne system_unknown
2:  call system_kib
    mov ecx, eax
    xor edx, edx
    cmp ecx, 0x3c00
    jbe 3f
    mov ecx, 0x3c00
    sub eax, 0x3c00
    shr eax, 6
    mov edx, eax
3:  mov [bp + R_AX], cx
    mov [bp + R_CX], cx
    mov [bp + R_BX], dx
    mov [bp + R_DX], dx
    cmp byte ptr [bp + R_AL], 0x81
    ret
4:  cmp dword ptr [bp + R_DX], 0x534d4150       # "SMAP"
    jne system_unknown
    cmp dword ptr [bp + R_CX], 20
    jb system_unknown
    mov eax, [bp + R_BX]
    movzx ecx, word ptr [E820_COUNT]
    cmp eax, ecx
    jae system_unknown
    imul si, ax, 20
    add si, E820
    inc eax
    cmp eax, ecx
    jb 5f
    xor eax, eax
5:  mov [bp + R_BX], eax
    mov es, [bp + R_ES]
    mov di, [bp + R_DI]
    mov cx, 10
    rep movsw
    mov dword ptr [bp + R_CX], 20
    mov dword ptr [bp + R_AX], 0x534d4150
    ret

# AH=53h: APM, as much as power-off needs: installation check, connections, CPU idle, set power state.
apm_service:
    cmp al, 0
    je 2f
    cmp al, 1
    je 3f
    cmp al, 4
    je 3f
    cmp al, 5
    je 4f
    cmp al, 6
    je 3f
    cmp al, 7
    je 5f
    cmp al, 8
    je 3f
    cmp al, 0x0e
    je 6f
    cmp al, 0x0f
    je 3f
    mov byte ptr [bp + R_AH], 0x0c
    CARRY
    ret
2:  mov word ptr [bp + R_AX], 0x0102
    mov word ptr [bp + R_BX], 0x504d            # "PM"
    mov word ptr [bp + R_CX], 0
3:  mov byte ptr [bp + R_AH], 0
    cmp byte ptr [bp + R_AL], 0
    jne 7f
    mov byte ptr [bp + R_AH], 1
7:  ret
4:  sti
    hlt
    ret
5:  cmp word ptr [bp + R_CX], 3
    jne 3b
    cmp word ptr [bp + R_BX], 1
    jne 3b
    mov dx, 0x604                               # PM1_CNT: S5
    mov ax, 0x2000
    out dx, ax
    mov dx, 0x8900                              # and the port that emulators take it from
    mov si, offset apm_word
    mov cx, 8
    rep outs dx, byte ptr cs:[si]
    ret
6:  mov word ptr [bp + R_AX], 0x0102
    ret
apm_word:
    .ascii "Shutdown"
