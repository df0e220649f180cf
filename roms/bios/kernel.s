.section .bios, "ax"
CODE16
kernel_boot:
    ret
