.section .bios, "ax"
CODE16
ahci_start:
    ret
ahci_transfer:
ahci_disc_read:
    mov ah, 1
    ret
