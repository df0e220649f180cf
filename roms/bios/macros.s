# What 16-bit code in the assembler's Intel syntax needs.

# Real-mode code, and flat code. In 16-bit code the assembler makes calls and returns that push and pop 32 bits, which
# real services could not share with indirect calls; these are of the mode's own size.
.macro CODE16
    .code16
    .set FLAT_CODE, 0
.endm

.macro CODE32
    .code32
    .set FLAT_CODE, 1
.endm

.macro ret
    .byte 0xc3
.endm

.macro call target
    .byte 0xe8
    .if FLAT_CODE
    .long \target - . - 4
    .else
    .word \target - . - 2
    .endif
.endm

# Calls the routine at BX or EBX.
.macro CALL_BX
    .byte 0xff, 0xd3
.endm

# A far return; the assembler's own would pop 32 bits.
.macro RETURN_FAR
    .byte 0xcb
.endm

.macro JUMP_FAR segment, target
    .byte 0xea
    .word \target, \segment
.endm

.macro OUTB port, value
    mov al, \value
    out \port, al
.endm

# Turns the bytes of EAX around: a 386 has no BSWAP.
.macro TURN_EAX
    xchg al, ah
    rol eax, 16
    xchg al, ah
.endm
