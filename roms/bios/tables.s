.section .bios, "ax"
CODE32
tables_start:
    ret
