# The boot sector: loads the program by INT 13h, AH=02h, and what everything shares.

.equ SECTORS, 23                                # after the first
.equ SCRATCH_SECTOR, 30                         # by block number: written and read back
.equ BUFFER, 0xc000
.equ EXIT_PORT, 0xf4
.equ ALL_WELL, 0x10

# Reports whether a check passed: carry if not.
.macro CHECK name
    mov si, offset .Lname\@
    call report
    jmp .Lchecked\@
.Lname\@:
    .asciz "\name"
.Lchecked\@:
.endm

# Fails the check if the condition does not hold: jumps to "failed" on \jump.
.macro UNLESS jump
    \jump failed
.endm

.section .boot, "ax"
CODE16
    jmp start
    nop
    .skip 0x3b                                  # where a diskette's parameters would be
start:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    sti
    cld
    mov [drive], dl
    mov si, offset greeting
    call say
    mov cx, SECTORS                             # one by one: tracks may be short
    mov eax, 1
    mov bx, 0x7e00
2:  push cx
    push eax
    call chs
    mov ax, 0x0201
    int 0x13
    pop eax
    pop cx
    jc 3f
    inc eax
    add bx, 512
    loop 2b
    cmp word ptr [program_end], 0x4c59
    jne 3f
    JUMP_FAR 0, program
3:  mov si, offset not_read
    call say
    jmp finish

# CX, DH, DL: cylinder, sector, head and drive of block EAX, by what AH=08h says of the drive, or a 1.44 MB diskette's.
chs:
    push ebx
    push eax
    movzx ebx, byte ptr [track]
    xor edx, edx
    div ebx
    mov cl, dl
    inc cl
    movzx ebx, byte ptr [heads]
    xor edx, edx
    div ebx
    mov dh, dl
    mov ch, al
    shl ah, 6
    or cl, ah
    mov dl, [drive]
    pop eax
    pop ebx
    ret

# Prints the text at SI on COM1, through INT 14h.
say:
    pusha
    xor dx, dx
2:  lodsb
    test al, al
    jz 3f
    mov ah, 1
    int 0x14
    jmp 2b
3:  popa
    ret

# Ends the emulator with AL.
finish:
    mov al, [outcome]
    mov dx, EXIT_PORT
    out dx, al
    cli
4:  hlt
    jmp 4b

drive:
    .byte 0
track:
    .byte 18
heads:
    .byte 2
outcome:
    .byte 1
failures:
    .byte 0
greeting:
    .asciz "Lyrebird boot sector test\r\n"
not_read:
    .asciz "The program could not be read.\r\n"
    .org 510
    .word 0xaa55
