# INT 1Ah, AH=B1h: PCI BIOS.
#
# Source: PCI BIOS Specification 2.1, chapter 3. The 32-bit entry (AL=01h returns no such service) is left out.

.section .bios, "ax"
CODE16
pci_bios:
    push EBDA
    pop ds
    cmp byte ptr [BOARD], 0
    je 8f
    cmp al, 1
    je 2f
    cmp al, 2
    je pci_find_device
    cmp al, 3
    je pci_find_class
    cmp al, 8
    jb 8f
    cmp al, 0x0d
    ja 8f
    jmp pci_access
2:  mov word ptr [bp + R_AX], 0x0001            # mechanism 1
    mov dword ptr [bp + R_DX], 0x20494350       # "PCI "
    mov word ptr [bp + R_BX], 0x0210
    mov al, [PCI_LAST_BUS]
    mov [bp + R_CL], al
    ret
8:  mov byte ptr [bp + R_AH], 0x81
    CARRY
    ret

# EAX: the doubleword at register DI of function BX.
pci_get:
    push dx
    movzx eax, bx
    shl eax, 8
    or eax, 0x80000000
    mov dx, di
    mov al, dl
    and al, 0xfc
    mov dx, 0xcf8
    out dx, eax
    mov dl, 0xfc
    in eax, dx
    pop dx
    ret

# SI-th device CX of vendor DX: BX.
pci_find_device:
    mov si, [bp + R_SI]
    xor bx, bx
    xor di, di
2:  call pci_get                                # the vendor in the lower half
    cmp ax, 0xffff
    je 4f
    cmp ax, [bp + R_DX]
    jne 4f
    shr eax, 16
    cmp ax, [bp + R_CX]
    jne 4f
    sub si, 1
    jc pci_found
4:  call pci_next
    jnc 2b
pci_not_found:
    mov byte ptr [bp + R_AH], 0x86
    CARRY
    ret
pci_found:
    mov [bp + R_BX], bx
    mov byte ptr [bp + R_AH], 0
    ret

# SI-th function of class ECX: BX.
pci_find_class:
    mov si, [bp + R_SI]
    xor bx, bx
2:  xor di, di
    call pci_get
    cmp ax, 0xffff
    je 4f
    mov di, 8
    call pci_get
    shr eax, 8
    mov edx, [bp + R_CX]
    and edx, 0xffffff
    cmp eax, edx
    jne 4f
    sub si, 1
    jc pci_found
4:  call pci_next
    jnc 2b
    jmp pci_not_found

# BX: the next function there may be; carry: there is none.
pci_next:
    test bl, 7
    jnz 2f
    push di
    mov di, 0x0c
    call pci_get
    pop di
    test eax, 0x800000
    jnz 2f
    add bx, 7
2:  inc bx
    push ax
    mov al, [PCI_LAST_BUS]
    cmp al, bh
    pop ax
    ret

# AL=08h, 09h, 0Ah: reads byte, word, doubleword at DI of BX into ECX; 0Bh, 0Ch, 0Dh write.
pci_access:
    mov bx, [bp + R_BX]
    mov di, [bp + R_DI]
    mov cl, al
    call pci_get                                # selects it, too
    mov dx, di
    and dx, 3
    or dx, 0xcfc
    mov eax, [bp + R_CX]
    cmp cl, 8
    je 2f
    cmp cl, 9
    je 3f
    cmp cl, 10
    je 4f
    cmp cl, 11
    je 5f
    cmp cl, 12
    je 6f
    out dx, eax
    jmp 9f
2:  in al, dx
    mov [bp + R_CL], al
    jmp 9f
3:  in ax, dx
    mov [bp + R_CX], ax
    jmp 9f
4:  in eax, dx
    mov [bp + R_CX], eax
    jmp 9f
5:  out dx, al
    jmp 9f
6:  out dx, ax
9:  mov byte ptr [bp + R_AH], 0
    ret
