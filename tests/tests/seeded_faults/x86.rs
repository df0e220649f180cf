//! An x86-64 guest for `microvm`, which shows the faults that are not Arm's alone.

use super::Program;
use lyrebird_machine::config::{Board, Config, MicrovmBoard};

/// Each instruction with the fault that shows there first, if one does. It powers off by the generic event device.
#[rustfmt::skip]
const CODE: &[(&[u8], &str)] = &[
    (&[0x48, 0x8d, 0x1d, 0xf9, 0x0f, 0x00, 0x00], ""), // lea rbx, [data]
    (&[0x0f, 0x20, 0xe1], ""), // mov rcx, cr4
    (&[0x81, 0xc9, 0x00, 0x06, 0x00, 0x00], ""), // or ecx, 0x600
    (&[0x0f, 0x22, 0xe1], ""), // mov cr4, rcx
    (&[0x0f, 0x10, 0x4b, 0x40], ""), // movups xmm1, [rbx + 64]
    (&[0x0f, 0x10, 0x53, 0x50], ""), // movups xmm2, [rbx + 80]
    (&[0x48, 0xc7, 0xc0, 0xf0, 0xff, 0xff, 0xff], ""), // mov rax, -16
    (&[0xb9, 0x00, 0x00, 0x00, 0x80], ""), // mov ecx, 0x80000000
    (&[0x48, 0x63, 0xc9], "sxtw-lost"), // movsxd rcx, ecx
    (&[0x0f, 0xbe, 0x13], "load-sign-lost"), // movsx edx, byte ptr [rbx]
    (&[0x48, 0x39, 0xc0], ""), // cmp rax, rax
    (&[0xbe, 0x05, 0x00, 0x00, 0x00], ""), // mov esi, 5
    (&[0x48, 0x0f, 0x44, 0xf1], "select-inverted"), // cmove rsi, rcx
    (&[0x48, 0xc7, 0xc7, 0x07, 0x00, 0x00, 0x00], ""), // mov rdi, 7
    (&[0xf0, 0x48, 0x0f, 0xc1, 0x7b, 0x10], ""), // lock xadd [rbx + 16], rdi
    (&[0x49, 0x89, 0xc8], ""), // mov r8, rcx
    (&[0xf0, 0x4c, 0x0f, 0xb1, 0x43, 0x18], ""), // lock cmpxchg [rbx + 24], r8
    (&[0x4c, 0x8b, 0x0b], ""), // mov r9, [rbx]
    (&[0x49, 0x0f, 0xc9], "rev-width"), // bswap r9
    (&[0x48, 0xc1, 0xf9, 0x03], "arithmetic-shift-lost"), // sar rcx, 3
    (&[0xf3, 0x4c, 0x0f, 0xbd, 0xd3], "clz-as-bsr"), // lzcnt r10, rbx
    (&[0x66, 0x89, 0x43, 0x20], "store-narrow"), // mov [rbx + 32], ax
    (&[0x49, 0xc7, 0xc3, 0xff, 0xff, 0xff, 0xff], ""), // mov r11, -1
    (&[0x41, 0x29, 0xf3], "upper-half-kept"), // sub r11d, esi
    (&[0x49, 0xf7, 0xd9], "negation-as-not"), // neg r9
    (&[0x45, 0x31, 0xe4], ""), // xor r12d, r12d
    (&[0x75, 0x04], "branch-next"), // jne 1f
    (&[0x90], ""), // nop
    (&[0x90], ""), // nop
    (&[0x90], ""), // nop
    (&[0x90], ""), // nop
    (&[0xe8, 0x00, 0x00, 0x00, 0x00], "link-target"), // 1: call 2f
    (&[0x90], ""), // 2: nop
    (&[0x90], ""), // nop
    (&[0x90], ""), // nop
    (&[0x90], ""), // nop
    (&[0x90], ""), // nop
    (&[0x41, 0x5d], ""), // pop r13
    (&[0x0f, 0x28, 0xc1], ""), // movaps xmm0, xmm1
    (&[0x66, 0x0f, 0xdc, 0xc2], "saturation-lost"), // paddusb xmm0, xmm2
    (&[0x0f, 0x28, 0xd9], ""), // movaps xmm3, xmm1
    (&[0x66, 0x0f, 0xfe, 0xda], "lane-width"), // paddd xmm3, xmm2
    (&[0x0f, 0x28, 0xe2], ""), // movaps xmm4, xmm2
    (&[0x66, 0x0f, 0x72, 0xe4, 0x01], "vector-shift-amount"), // psrad xmm4, 1
    (&[0x66, 0x41, 0x0f, 0x3a, 0x16, 0xd6, 0x01], "lane-number"), // pextrd r14d, xmm2, 1
    (&[0xb8, 0x00, 0x02, 0xa0, 0xfe], ""), // mov eax, 0xfea00200
    (&[0xc6, 0x00, 0x34], ""), // mov byte ptr [rax], 0x34
    (&[0xeb, 0xfe], ""), // jmp .
];

/// What RBX points to, a page behind the code.
const DATA: [u64; 12] = [
    0x8899_AABB_CCDD_EEF0,
    0,
    0x1111,
    0xFFFF_FFFF_FFFF_FFF0,
    0,
    0,
    0,
    0,
    // Two vectors.
    0x80FF_F0FF_80FF_F0FF,
    0x7FFF_FFFF_0123_4567,
    0xF0FF_01FF_FF80_FF81,
    0x1122_3344_5566_7788,
];

const LOADED: u64 = 0x10_0000;
const PAGE: usize = 4096;

/// The guest as an ELF file of one segment.
fn image() -> Vec<u8> {
    const EM_X86_64: u16 = 62;
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    // Executable, machine, version.
    [2, EM_X86_64, 1, 0].iter().for_each(|x: &u16| bytes.extend(x.to_le_bytes()));
    // Entry, program headers, no sections; no flags, sizes and numbers of headers.
    [LOADED, 64, 0].iter().for_each(|x: &u64| bytes.extend(x.to_le_bytes()));
    [0, 0, 64, 56, 1, 0, 0, 0].iter().for_each(|x: &u16| bytes.extend(x.to_le_bytes()));
    let size = (PAGE + DATA.len() * 8) as u64;
    // PT_LOAD with all rights: offset, addresses, sizes, alignment.
    [1, 7].iter().for_each(|x: &u32| bytes.extend(x.to_le_bytes()));
    let segment = [PAGE as u64, LOADED, LOADED, size, size, PAGE as u64];
    segment.iter().for_each(|x: &u64| bytes.extend(x.to_le_bytes()));
    bytes.resize(PAGE, 0);
    CODE.iter().for_each(|(code, _)| bytes.extend(*code));
    bytes.resize(2 * PAGE, 0);
    DATA.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    bytes
}

fn config() -> Config {
    Config { board: Board::Microvm(MicrovmBoard::default()), ..Config::default() }
}

const PROGRAM: Program = Program { name: "x86-64", image, config };

#[test]
fn without_a_fault_the_engines_agree() -> anyhow::Result<()> {
    PROGRAM.agrees()
}

#[test]
fn each_fault_is_found_and_named() {
    let (mut place, mut tried, mut wrong) = (LOADED, 0, Vec::new());
    for (code, fault) in CODE {
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        if !fault.is_empty() {
            tried += 1;
            if let Err(e) = PROGRAM.differs(fault, &format!("{place:#x}: {hex} ")) {
                wrong.push(format!("{fault}: {e:#}"));
            }
        }
        place += code.len() as u64;
    }
    assert!(tried >= 12 && wrong.is_empty(), "{}", wrong.join("\n"));
}
