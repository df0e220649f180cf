# What the BIOS says: to the screen, to the debug port, and to COM1 if that is the console.

.equ DEBUG_PORT, 0x402

.section .bios, "ax"
CODE16
# Prints the text at CS:SI.
print:
    pusha
2:  mov al, cs:[si]
    inc si
    test al, al
    jz 3f
    call put
    jmp 2b
3:  popa
    ret

# Prints the text at DS:SI.
print_data:
    pusha
2:  lodsb
    test al, al
    jz 3f
    call put
    jmp 2b
3:  popa
    ret

# Prints AL; a line end becomes return and line feed.
put:
    cmp al, 10
    jne put_raw
    push ax
    mov al, 13
    call put_raw
    pop ax
put_raw:
    pusha
    mov dx, DEBUG_PORT
    out dx, al
    mov ah, 0x0e
    mov bx, 7
    int 0x10
    popa
    ret

# Prints EAX in decimal.
print_decimal:
    pushad
    mov ecx, 10
    xor bx, bx
2:  xor edx, edx
    div ecx
    push dx
    inc bx
    test eax, eax
    jnz 2b
3:  pop ax
    add al, '0'
    call put
    dec bx
    jnz 3b
    popad
    ret

# Prints EAX in hexadecimal; CL digits.
print_hex:
    pushad
    mov ch, cl
    mov bl, 8
    sub bl, cl
    shl bl, 2
    mov cl, bl
    shl eax, cl
2:  rol eax, 4
    push ax
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe 3f
    add al, 39
3:  call put
    pop ax
    dec ch
    jnz 2b
    popad
    ret
