# Where things are: segments, the BIOS data area, our variables in the EBDA, the frame of a service.
#
# Sources: IBM PS/2 and PC BIOS Interface Technical Reference (BIOS data area); the rest is ours.

.equ ROM, 0xf0000                               # linear address of this segment
.equ ROM_SEG, 0xf000
.equ BDA, 0x40
.equ EBDA, 0x9f00                               # 4 KiB below 640 KiB
.equ EBDA_LINEAR, EBDA << 4
.equ BASE_KIB, EBDA >> 6

# BIOS data area, offsets in segment BDA.
.equ COM_PORTS, 0x00
.equ LPT_PORTS, 0x08
.equ EBDA_SEGMENT, 0x0e
.equ EQUIPMENT, 0x10
.equ MEMORY_KIB, 0x13
.equ KEY_FLAGS, 0x17
.equ KEY_FLAGS2, 0x18
.equ KEY_ALT, 0x19
.equ KEY_HEAD, 0x1a
.equ KEY_TAIL, 0x1c
.equ KEY_RING, 0x1e
.equ KEY_RING_END, 0x3e
.equ FLOPPY_CALIBRATED, 0x3e
.equ FLOPPY_MOTOR, 0x3f
.equ FLOPPY_TIMEOUT, 0x40
.equ FLOPPY_STATUS, 0x41
.equ FLOPPY_RESULT, 0x42
.equ MODE, 0x49
.equ COLUMNS, 0x4a
.equ PAGE_SIZE, 0x4c
.equ PAGE_START, 0x4e
.equ CURSOR, 0x50
.equ CURSOR_SHAPE, 0x60
.equ PAGE, 0x62
.equ CRTC, 0x63
.equ CGA_MODE, 0x65
.equ CGA_PALETTE, 0x66
.equ RESET_VECTOR, 0x67
.equ TIMER, 0x6c
.equ MIDNIGHT, 0x70
.equ BREAK, 0x71
.equ WARM, 0x72
.equ DISK_STATUS, 0x74
.equ DISK_COUNT, 0x75
.equ LPT_TIMEOUTS, 0x78
.equ COM_TIMEOUTS, 0x7c
.equ KEY_START, 0x80
.equ KEY_END, 0x82
.equ ROWS, 0x84                                 # less one
.equ CHARACTER_HEIGHT, 0x85
.equ VIDEO_CONTROL, 0x87
.equ VIDEO_SWITCHES, 0x88
.equ VIDEO_FLAGS, 0x89
.equ DISPLAY_CODE, 0x8a
.equ KEY_MODE, 0x96
.equ KEY_LEDS, 0x97

# Of the BIOS data area's video fields that nothing else uses, while a service runs.
.equ SERIAL_CONSOLE, 0xba                     # not 0: COM1 mirrors the screen and the keyboard
.equ SERIAL_ESCAPE, 0xbb                      # state of an escape sequence that comes from there
.equ SCROLL_ROWS, 0xb0
.equ SCROLL_WINDOW, 0xb1
.equ SCROLL_FILL, 0xb2
.equ SCROLL_COLUMNS, 0xb3
.equ GRAPHICS_KIND, 0xb4
.equ GRAPHICS_COLOUR, 0xb5
.equ SCROLL_WIDTH, 0xb6
.equ SCROLL_LINES, 0xb8

# Our variables, offsets in segment EBDA.
.equ FLAT_EAX, 0x04
.equ FLAT_BASE, 0x08
.equ LOW_RAM, 0x10                              # bytes of RAM below 4 GiB
.equ LOW_TOP, 0x14                              # where what we reserved at its end begins
.equ HIGH_RAM, 0x18                             # bytes of RAM above 4 GiB, 64 bits
.equ E820_COUNT, 0x20
.equ BOARD, 0x22                                # 0 no PCI, 1 i440FX, 2 Q35, 3 other PCI
.equ NO_DISPLAY, 0x23                           # not 0: COM1 is the console
.equ FW_CFG, 0x24                               # not 0: there is a fw_cfg device
.equ VBE_MODE, 0x26                             # the VBE mode that is set, or 0
.equ FRAME_BUFFER, 0x28                         # linear address
.equ PCI_LAST_BUS, 0x2c
.equ NEXT_BUS, 0x2d
.equ NEXT_IO, 0x30
.equ NEXT_MEMORY, 0x34
.equ RSDP, 0x38                                 # linear address of the RSDP
.equ FSEG_NEXT, 0x3c                            # first free address of the segment's RAM
.equ AHCI_BASE, 0x40                            # linear address of the AHCI registers in use
.equ AHCI_MEMORY, 0x44                          # linear address of our AHCI structures
.equ VGA_BDF, 0x48
.equ FILE_SIZE, 0x4c                            # of the fw_cfg file last found
.equ FILE_KEY, 0x50
.equ BOOT_DRIVE, 0x52
.equ BOOT_CHOICE, 0x53
.equ CONSOLE_ESCAPE, 0x54                       # bytes of an escape sequence taken from COM1
.equ MENU_ITEMS, 0x58                           # 8 bytes

# A disk request.
.equ REQUEST_LBA, 0x60                          # 64 bits
.equ REQUEST_BUFFER, 0x68                       # linear address
.equ REQUEST_COUNT, 0x6c                        # sectors
.equ REQUEST_DONE, 0x6e
.equ REQUEST_WRITE, 0x70                        # 0 read, 1 write, 2 verify
.equ PACKET, 0x74                               # 12 bytes for ATAPI

# The emulated drive of an El Torito disc.
.equ CD_EMULATION, 0x80                         # 0 none (of 4Bh: media type)
.equ CD_DRIVE, 0x81                             # number of the emulated drive, or of the disc
.equ CD_ENTRY, 0x82                             # offset of the disc's drive entry; 0: no disc was booted
.equ CD_IMAGE, 0x84                             # first block of the image
.equ CD_HEADS, 0x88
.equ CD_SECTORS, 0x89
.equ CD_CYLINDERS, 0x8a
.equ CD_COUNT, 0x8c                             # sectors loaded
.equ CD_SEGMENT, 0x8e

.equ DISK_TOTAL, 0xa0                           # hard disks
.equ CD_TOTAL, 0xa1
.equ DRIVES, 0xa2                               # entries in use
.equ WAIT_COUNT, 0xa4                           # INT 15h, AH=83h
.equ AHCI_FUNCTION, 0xa8                        # the next function to look at, while drives are searched
.equ AHCI_PORT, 0xac

# Drive entries, DRIVE_SIZE bytes each. Hard disks and discs share the table.
.equ DRIVE_TABLE, 0x100
.equ DRIVE_SIZE, 80
.equ DRIVE_MAX, 7
.equ DRIVE_KIND, 0                              # 1 IDE disk, 2 IDE disc, 3 AHCI disk, 4 AHCI disc, 5 virtio disk
.equ DRIVE_UNIT, 1                              # IDE: 0 or 0x10; AHCI: port
.equ DRIVE_PORT, 2                              # IDE: command block; virtio: I/O base
.equ DRIVE_CONTROL, 4                           # IDE: control block
.equ DRIVE_HEADS, 6
.equ DRIVE_SPT, 7
.equ DRIVE_CYLINDERS, 8
.equ DRIVE_SECTORS, 12                          # 64 bits
.equ DRIVE_BASE, 20                             # AHCI: linear address of the registers; virtio: of the queue
.equ DRIVE_NUMBER, 24                           # of INT 13h
.equ DRIVE_BDF, 26
.equ DRIVE_NAME, 28                             # 40 characters and a zero
.equ IDENTITY, 0x800                            # 512 bytes: what a drive says of itself, at POST
.equ BOUNCE, 0x800                              # 2 KiB, for parts of blocks
.equ BOUNCE_LINEAR, EBDA_LINEAR + BOUNCE
.equ E820, 0x400                                # ranges of the memory map, 20 bytes each
.equ E820_MAX, 24

# Memory that POST uses freely.
.equ POST_STACK, 0x7000
.equ POST_BUSES, 0x8000                         # for each bus, the device and function of the bridge to it
.equ POST_FILES, 0x9000                         # table-loader: 64 bytes for each file
.equ DMA_BLOCK, 0x9800                           # fw_cfg: 16 bytes, and 8 of data
.equ POST_SCRIPT, 0x10000                       # table-loader: the script

# The frame that ENTER builds, from BP.
.equ R_ES, 0
.equ R_DS, 2
.equ R_DI, 4
.equ R_SI, 8
.equ R_BP, 12
.equ R_BX, 20
.equ R_BL, 20
.equ R_BH, 21
.equ R_DX, 24
.equ R_DL, 24
.equ R_DH, 25
.equ R_CX, 28
.equ R_CL, 28
.equ R_CH, 29
.equ R_AX, 32
.equ R_AL, 32
.equ R_AH, 33
.equ R_IP, 36
.equ R_CS, 38
.equ R_FLAGS, 40

# Selectors of the descriptor table in flat.s.
.equ SEL_CODE32, 0x08                           # base ROM
.equ SEL_DATA32, 0x10                           # base 0, 4 GiB
.equ SEL_CODE16, 0x18                           # base ROM
.equ SEL_DATA16, 0x20                           # base 0, 64 KiB
.equ SEL_ALIAS32, 0x28                          # the ROM below 4 GiB
.equ SEL_ENTRY32, 0x30                          # code, base 0, 4 GiB

# Builds a frame, and makes \segment the data segment. AX is left as it was.
.macro ENTER segment
    cld
    pushad
    push ds
    push es
    mov bp, sp
    push \segment
    pop ds
.endm

# Ends a service that began with ENTER.
.macro LEAVE
    pop es
    pop ds
    popad
    iret
.endm

# Calls the routine of \table that AH selects; \count entries.
.macro DISPATCH table, count, other
    movzx bx, ah
    cmp bl, \count
    jae \other
    add bx, bx
    mov bx, cs:[bx + \table]
    CALL_BX
.endm

.macro CARRY
    or byte ptr [bp + R_FLAGS], 1
.endm

.macro NO_CARRY
    and byte ptr [bp + R_FLAGS], 0xfe
.endm

# Calls a routine of 32-bit code. BX is lost; EAX goes in and comes back, the others too.
.macro FLAT target
    mov bx, offset \target
    call flat_call
.endm

# Prints a text.
.macro SAY text
    push si
    mov si, offset .Ltext\@
    call print
    pop si
    jmp .Lafter\@
.Ltext\@:
    .asciz "\text"
.Lafter\@:
.endm
