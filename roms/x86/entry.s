# From the loader's 32-bit protected mode without paging to long mode.
#
# Sources: Multiboot 0.6.96, 3.1 and 3.2; Xen's x86/HVM direct boot ABI; SDM volume 3, 10.8.5 (entering long mode).
# The first 4 GiB are mapped as they are, in 2 MiB pages.

.equ MULTIBOOT_MAGIC, 0x1badb002
.equ MULTIBOOT_FLAGS, 0x10003                   # aligned modules, memory map, and the addresses are in the header
.equ PAGE_FLAGS, 3                              # present, writable
.equ LARGE_PAGE_FLAGS, 0x83

.section .boot, "ax"
.code32
.balign 4
multiboot_header:
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    .long multiboot_header, image_start, image_end, memory_end, multiboot_entry

.global multiboot_entry
multiboot_entry:
    mov ecx, 1
    jmp enter
.global pvh_entry
pvh_entry:
    mov ecx, 2

# ecx: which protocol, ebx: the loader's information.
enter:
    cli
    cld
    mov esp, offset stack_end
    mov [loader_protocol], ecx
    mov [loader_information], ebx
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb no_long_mode
    mov eax, 0x80000001
    cpuid
    test edx, 1 << 29
    jz no_long_mode

    mov edi, offset page_directories
    mov eax, LARGE_PAGE_FLAGS
6:  mov [edi], eax
    mov dword ptr [edi + 4], 0
    add edi, 8
    add eax, 0x200000
    jnc 6b
    mov edi, offset page_pointers
    mov eax, offset page_directories + PAGE_FLAGS
    mov ecx, 4
2:  mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop 2b
    mov dword ptr [page_root], offset page_pointers + PAGE_FLAGS

    mov eax, 0x620                              # CR4: PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, offset page_root
    mov cr3, eax
    mov ecx, 0xc0000080                         # EFER: LME
    rdmsr
    or eax, 1 << 8
    wrmsr
    mov eax, cr0
    and eax, ~0x4                               # not EM
    or eax, 0x80010022                          # PG, WP, NE, MP
    mov cr0, eax
    lgdt [descriptor_table_pointer]
    .byte 0xea                                  # a far jump to the 64-bit segment
    .long long_mode
    .word 8

no_long_mode:
    mov esi, offset no_long_mode_text
    mov edx, 0x3f8
3:  lodsb
    test al, al
    jz 4f
    out dx, al
    jmp 3b
4:  hlt
    jmp 4b
no_long_mode_text:
    .asciz "This processor has no long mode: this program needs an x86-64.\r\n"

.code64
long_mode:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov edi, [loader_protocol]
    mov esi, [loader_information]
    call main
5:  hlt
    jmp 5b

.balign 8
descriptor_table:
    .quad 0
    .quad 0x00af9a000000ffff                    # 64-bit code
    .quad 0x00cf92000000ffff                    # data
descriptor_table_pointer:
    .word . - descriptor_table - 1
    .long descriptor_table

.section .note.pvh, "a", @note
.balign 4
    .long 4, 4, 18                              # name and value sizes, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_entry

.section .bss
.balign 4096
page_root:          .skip 4096
page_pointers:      .skip 4096
page_directories:   .skip 4 * 4096
stack:              .skip 65536
stack_end:
loader_protocol:    .skip 4
loader_information: .skip 4
