//! Instructions that store by a helper to code of the region that they are in, right before it runs.

mod pc;

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::x86::{X64, state};
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared};
use pc::{Bits, CODE, DATA, difference, processor};

/// Turns of the loop; every 64th changes the code.
const TURNS: u32 = 6400;
/// Where the code is that changes: behind what XSAVE stores first, in an area that is aligned for it.
const PLACE: i32 = CODE as i32 + 0x4A0;
/// The XMM registers in what FXSAVE and XSAVE store.
const XMM: i32 = 160;
/// The x87's stack in what FNSAVE stores in 64-bit mode.
const ST: i32 = 28;
/// The code: ADD EBX, imm32; JMP RBP.
const BODY: [u8; 16] = [0x81, 0xC3, 1, 0, 0, 0, 0xFF, 0xE5, 0, 0, 0, 0, 0, 0, 0, 0];

/// A loop of the code at [`PLACE`], which `change` stores anew from [`DATA`] now and then. It may use RAX, RSI and RDI.
fn program(change: impl FnOnce(&mut VecAssembler<X64Relocation>)) -> Core<X64> {
    let c = processor(Bits::Long64);
    let mut asm = VecAssembler::<X64Relocation>::new(CODE as usize);
    let data = DATA as i32;
    dynasm!(asm; .arch x64
        ; mov r8d, TURNS as i32
        ; lea rbp, [->tail]
        ; ->start:
        ; test r8b, 63
        ; jnz >over
        ; inc DWORD [data + 2]
    );
    change(&mut asm);
    dynasm!(asm; .arch x64
        ; over:
        ; jmp ->place
        ; ->tail:
        ; dec r8d
        ; jnz ->start
        ; hlt
    );
    while asm.offset().0 < PLACE as usize - CODE as usize {
        asm.push(0x90);
    }
    dynasm!(asm; .arch x64; ->place:);
    let mut program = asm.finalize().unwrap();
    program.extend(BODY);
    c.ram.write_bytes(CODE, &program).unwrap();
    c.ram.write_bytes(DATA, &BODY).unwrap();
    c
}

/// Runs it on both engines.
fn run(change: impl Fn(&mut VecAssembler<X64Relocation>)) {
    let (mut a, mut b) = (program(&change), program(&change));
    a.set(state::gpr(3), 0);
    b.set(state::gpr(3), 0);
    assert_eq!(a.run(1 << 20), Exit::Halted);
    let right = (1..=TURNS).rev().scan(1, |add, turn| {
        *add += u32::from(turn % 64 == 0);
        Some(*add)
    });
    assert_eq!(a.reg(state::gpr(3)) as u32, right.sum::<u32>());
    let options = Options { threshold: 1, size: 4 << 20, ..Options::default() };
    let shared = Shared::new(options, b.features).unwrap();
    let mut jit = Jit::new(&shared);
    assert_eq!(jit.run(&mut b, u64::MAX >> 1), Exit::Halted);
    assert_eq!(difference(&a, &b), None);
    assert!(jit.entries < u64::from(TURNS), "{} entries", jit.entries);
}

#[test]
fn repeated_moves() {
    run(|asm| {
        dynasm!(asm; .arch x64
            ; mov edi, PLACE
            ; mov esi, DATA as i32
            ; mov ecx, 8
            ; rep movsb
        );
    });
}

#[test]
fn one_repeated_store() {
    run(|asm| {
        dynasm!(asm; .arch x64
            ; mov edi, PLACE
            ; mov rax, [DATA as i32]
            ; mov ecx, 1
            ; rep stosq
        );
    });
}

#[test]
fn a_store() {
    run(|asm| dynasm!(asm; .arch x64; mov rax, [DATA as i32]; mov [PLACE], rax));
}

#[test]
fn fxsave() {
    run(|asm| dynasm!(asm; .arch x64; movups xmm0, [DATA as i32]; fxsave [PLACE - XMM]));
}

#[test]
fn xsave() {
    run(|asm| {
        dynasm!(asm; .arch x64
            ; movups xmm0, [DATA as i32]
            ; mov eax, 3
            ; xor edx, edx
            ; xsave [PLACE - XMM]
        );
    });
}

#[test]
fn fnsave() {
    run(|asm| dynasm!(asm; .arch x64; fninit; fld TWORD [DATA as i32]; fnsave [PLACE - ST]));
}

#[test]
fn masked_bytes() {
    run(|asm| {
        dynasm!(asm; .arch x64
            ; movups xmm0, [DATA as i32]
            ; pcmpeqd xmm1, xmm1
            ; mov edi, PLACE
            ; maskmovdqu xmm0, xmm1
        );
    });
}

#[test]
fn masked_bytes_of_mmx() {
    run(|asm| {
        dynasm!(asm; .arch x64
            ; movq mm0, [DATA as i32]
            ; pcmpeqd mm1, mm1
            ; mov edi, PLACE
            ; maskmovq mm0, mm1
        );
    });
}
