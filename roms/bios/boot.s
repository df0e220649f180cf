# INT 18h and 19h: the boot order, the menu, and boot sectors.
#
# Sources: BIOS Boot Specification 1.01, 6.5 (boot order); CMOS 38h and 3Dh as QEMU fills them: four bits for each of
# three choices, 1 floppy, 2 disk, 3 disc, 4 network.

.section .bios, "ax"
CODE16
boot:
    call kernel_boot                            # comes back if there is none to boot directly
    SAY "Esc or F12: boot menu\n"
    mov cx, 30                                  # about 1.5 seconds, or less if nobody may wait
    call boot_patience
2:  mov ah, 1
    int 0x16
    jz 3f
    mov ah, 0
    int 0x16
    cmp al, 27
    je boot_menu
    cmp ah, 0x86
    je boot_menu
3:  jcxz 4f
    hlt
    dec cx
    jmp 2b
4:  int 0x19

# CX: ticks to wait for a key: one, or 30 if the host asks for the menu.
boot_patience:
    mov cx, 1
    FLAT boot_asked
    test al, al
    jz 2f
    mov cx, 45
2:  ret

CODE32
boot_asked:
    xor eax, eax
    cmp byte ptr [EBDA_LINEAR + FW_CFG], 0
    je 2f
    mov eax, FW_BOOT_MENU
    call fw_select
    call fw_byte
2:  ret
CODE16

# No boot device, or a program that gave up.
int18:
    push 0
    pop ss
    mov sp, POST_STACK
    sti
    SAY "No bootable device. Press a key to try again.\n"
    mov ah, 0
    int 0x16
    int 0x19

int19:
    push 0
    pop ss
    mov sp, POST_STACK
    sti
    cld
    push EBDA
    pop ds
    mov al, 0x3d
    call cmos_read
    mov bl, al
    mov al, 0x38
    call cmos_read
    shr al, 4
    mov bh, al                                  # BX: three choices, the first lowest
    and bx, 0x0fff
    jnz 2f
    mov bx, 0x0321                              # nobody says: floppy, disk, disc
2:  test bx, bx
    jz 3f
    push bx
    and bl, 15
    call boot_kind
    pop bx
    shr bx, 4
    jmp 2b
3:  int 0x18

# Tries choice BL, and comes back if it does not boot.
boot_kind:
    cmp bl, 1
    jb 9f
    je boot_floppy
    cmp bl, 3
    je boot_disc
    jb boot_disk
    SAY "There is no boot from the network.\n"
9:  ret

boot_floppy:
    push BDA
    pop ds
    test byte ptr [EQUIPMENT], 1
    push EBDA
    pop ds
    jz 9b
    mov dl, 0
    jmp boot_sector

# The first disk, and the others after it.
boot_disk:
    mov dl, 0x80
2:  mov al, dl
    sub al, 0x80
    cmp al, [DISK_TOTAL]
    jae 9b
    push dx
    call boot_sector
    pop dx
    inc dl
    jmp 2b

boot_disc:
    mov dl, 0xe0
2:  push dx
    call boot_disc_number
    pop dx
    inc dl
    mov al, dl
    sub al, 0xe0
    cmp al, [CD_TOTAL]
    jb 2b
    ret

boot_disc_number:
    call disk_find
    jc 2f
    call cd_boot
    jc 2f
    xor bx, bx
    jmp boot_go
2:  ret

# Boots drive DL by its first sector; comes back if it has no mark.
boot_sector:
    push dx
    push ds
    mov si, 3                                   # tries
2:  push 0
    pop es
    mov bx, 0x7c00
    mov ax, 0x0201
    mov cx, 1
    mov dh, 0
    push dx
    int 0x13
    pop dx
    jnc 3f
    mov ah, 0
    int 0x13
    dec si
    jnz 2b
    jmp 4f
3:  cmp word ptr es:[0x7dfe], 0xaa55
    je 5f
4:  pop ds
    pop dx
    ret
5:  SAY "Booting from the disk.\n"
    pop ds
    pop dx
    xor ax, ax
    mov bx, 0x7c00

# Jumps to AX:BX with drive DL.
boot_go:
    push ax
    push bx
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    xor bx, bx
    xor cx, cx
    xor si, si
    xor di, di
    xor bp, bp
    xor dh, dh
    mov ax, 0xaa55
    sti
    RETURN_FAR

# Lists what may be booted, and boots what is chosen.
boot_menu:
    push EBDA
    pop ds
    SAY "\nBoot from:\n"
    mov byte ptr [MENU_ITEMS], 0
    mov di, MENU_ITEMS
    mov bl, '1'
    push ds
    push BDA
    pop ds
    test byte ptr [EQUIPMENT], 1
    pop ds
    jz 2f
    mov byte ptr [di], 0
    inc di
    call menu_number
    SAY "floppy\n"
2:  mov si, DRIVE_TABLE
    movzx cx, byte ptr [DRIVES]
    jcxz 4f
3:  mov al, [si + DRIVE_NUMBER]
    mov [di], al
    inc di
    call menu_number
    push si
    add si, DRIVE_NAME
    call print_data
    pop si
    SAY "\n"
    add si, DRIVE_SIZE
    loop 3b
4:  mov ah, 0
    int 0x16
    cmp al, 27
    je 6f
    cmp al, '1'
    jb 4b
    cmp al, bl
    jae 4b
    sub al, '1'
    movzx bx, al
    mov dl, [bx + MENU_ITEMS]
    cmp dl, 0xe0
    jae 5f
    call boot_sector
    jmp boot_menu
5:  call boot_disc_number
    jmp boot_menu
6:  int 0x19

menu_number:
    mov al, bl
    inc bl
    call put
    SAY "  "
    ret
