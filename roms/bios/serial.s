# INT 14h: COM ports; INT 17h: printers. And COM1 as the console of a machine without a display.
#
# Sources: National Semiconductor PC16550D; Ralf Brown's INT 14h and 17h; ECMA-48 for the keys.

.section .bios, "ax"
serial_ports:
    .word 0x3f8, 0x2f8, 0x3e8, 0x2e8
# Divisors of 110, 150, 300, 600, 1200, 2400, 4800, 9600 baud.
serial_divisors:
    .word 1047, 768, 384, 192, 96, 48, 24, 12

CODE16
# Finds the ports, and sets up COM1. DS: BDA.
serial_start:
    mov si, offset serial_ports
    mov di, COM_PORTS
    mov cx, 4
    xor bl, bl
2:  mov dx, cs:[si]
    add si, 2
    add dx, 7                                   # the scratch register keeps what is written
    OUTB dx, 0x5a
    in al, dx
    cmp al, 0x5a
    jne 3f
    sub dx, 7
    mov [di], dx
    add di, 2
    inc bl
3:  loop 2b
    shl bl, 1
    and byte ptr [EQUIPMENT + 1], 0xf1
    or [EQUIPMENT + 1], bl
    mov dx, [COM_PORTS]
    test dx, dx
    jz 4f
    add dx, 3
    OUTB dx, 0x83
    sub dx, 3
    OUTB dx, 1                                  # 115200 baud
    inc dx
    OUTB dx, 0
    inc dx
    inc dx
    OUTB dx, 3
    inc dx
    OUTB dx, 3
4:  mov dword ptr [COM_TIMEOUTS], 0x01010101
    mov dword ptr [LPT_TIMEOUTS], 0x14141414
    ret

# AL goes to COM1, if that is the console.
serial_mirror:
    cmp byte ptr [SERIAL_CONSOLE], 0
    jne 2f
    ret
2:  pusha
    mov ah, al
    mov dx, 0x3fd
    mov cx, 0xffff
3:  in al, dx
    test al, 0x20
    loopz 3b
    mov al, ah
    mov dl, 0xf8
    out dx, al
    popa
    ret

# Characters from COM1, if that is the console, become keys.
serial_keys:
    cmp byte ptr [SERIAL_CONSOLE], 0
    jne 2f
    ret
2:  pusha
    mov dx, 0x3fd
    in al, dx
    cmp al, 0xff
    je 9f
    test al, 1
    jz 9f
    mov dl, 0xf8
    in al, dx
    mov bl, [SERIAL_ESCAPE]
    mov byte ptr [SERIAL_ESCAPE], 0
    cmp bl, 1
    je 5f
    cmp bl, 2
    je 6f
    cmp al, 27
    jne 4f
    # An escape by itself is a key; a sequence follows at once.
    mov dl, 0xfd
    mov cx, 0x2000
3:  in al, dx
    test al, 1
    loopz 3b
    mov al, 27
    jz 4f
    mov byte ptr [SERIAL_ESCAPE], 1
    jmp 9f
4:  cmp al, 127
    jne 7f
    mov al, 8
7:  call serial_scan
    call key_store
    jmp 9f
5:  cmp al, '['
    je 8f
    cmp al, 'O'
    jne 9f
8:  mov byte ptr [SERIAL_ESCAPE], 2
    jmp 9f
6:  mov ah, 0x48                                # A to D: up, down, right, left
    cmp al, 'A'
    je 2f
    mov ah, 0x50
    cmp al, 'B'
    je 2f
    mov ah, 0x4d
    cmp al, 'C'
    je 2f
    mov ah, 0x4b
    cmp al, 'D'
    je 2f
    mov ah, 0x47
    cmp al, 'H'
    je 2f
    mov ah, 0x4f
    cmp al, 'F'
    jne 9f
2:  mov al, 0
    call key_store
9:  popa
    ret

# AH: the scan code of character AL.
serial_scan:
    push si
    xor si, si
2:  cmp al, cs:[si + key_plain]
    je 3f
    cmp al, cs:[si + key_shifted]
    je 3f
    cmp al, cs:[si + key_control]
    je 3f
    inc si
    cmp si, 0x3a
    jb 2b
    xor si, si
3:  push bx
    mov bx, si
    mov ah, bl
    pop bx
    pop si
    ret

# DX: the port of COM (BX: COM_PORTS) or LPT (LPT_PORTS) number DX; carry if there is none.
port_find:
    cmp word ptr [bp + R_DX], 4
    cmc
    jc 2f
    add bx, [bp + R_DX]
    add bx, [bp + R_DX]
    mov dx, [bx]
    cmp dx, 1
2:  ret

int14:
    sti
    ENTER BDA
    mov bx, COM_PORTS
    call port_find
    jc 9f
    mov ax, [bp + R_AX]
    cmp ah, 0
    je 2f
    cmp ah, 1
    je 3f
    cmp ah, 2
    je 5f
    cmp ah, 3
    je 7f
9:  mov byte ptr [bp + R_AH], 0x80
8:  LEAVE
2:  # Rate in bits 5 to 7, the line control register's bits below.
    add dx, 3
    OUTB dx, 0x83
    movzx bx, byte ptr [bp + R_AL]
    shr bx, 5
    add bx, bx
    mov ax, cs:[bx + serial_divisors]
    sub dx, 3
    out dx, al
    inc dx
    mov al, ah
    out dx, al
    inc dx
    inc dx
    mov al, [bp + R_AL]
    and al, 0x1f
    out dx, al
    sub dx, 2
    OUTB dx, 0
    dec dx
    jmp 7f
3:  add dx, 5
    xor cx, cx
4:  in al, dx
    test al, 0x20
    loopz 4b
    jz 9b
    sub dx, 5
    mov al, [bp + R_AL]
    out dx, al
    add dx, 5
    in al, dx
    and al, 0x7f
    mov [bp + R_AH], al
    jmp 8b
5:  add dx, 5
    mov ecx, 200000
6:  in al, dx
    test al, 1
    jnz 2f
    dec ecx
    jnz 6b
    jmp 9b
2:  and al, 0x1e
    mov [bp + R_AH], al
    sub dx, 5
    in al, dx
    mov [bp + R_AL], al
    jmp 8b
7:  add dx, 5
    in al, dx
    mov [bp + R_AH], al
    inc dx
    in al, dx
    mov [bp + R_AL], al
    jmp 8b

int17:
    sti
    ENTER BDA
    mov bx, LPT_PORTS
    call port_find
    mov ah, 1                                   # time-out
    jc 4f
    cmp byte ptr [bp + R_AH], 1
    je 3f
    ja 2f
    mov al, [bp + R_AL]
    out dx, al
    inc dx
    inc dx
    OUTB dx, 0x0d                               # strobe
    OUTB dx, 0x0c
    dec dx
    dec dx
    jmp 2f
3:  inc dx
    inc dx
    OUTB dx, 0x08
    OUTB dx, 0x0c
    dec dx
    dec dx
2:  inc dx
    in al, dx
    mov ah, al
    and ah, 0xf8
    xor ah, 0x48
4:  mov [bp + R_AH], ah
    LEAVE
