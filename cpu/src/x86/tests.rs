//! Small programs in each mode, on a processor with nothing but RAM.

use super::control::{cr0, cr4, efer};
use super::insn::seg;
use super::segment::{self, Segment};
use super::{Platform, X64, context, gate, mode, model, state};
use crate::code::CodeMap;
use crate::core::{Attention, Core, MANAGEMENT, Physical};
use crate::run::Exit;
use crate::x86::flags::eflags;
use lyrebird_ram::GuestRam;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

mod keys;
mod management;

const RAM: u64 = 16 << 20;

struct Plain;
impl Physical for Plain {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        // The last page below 4 GiB is one of RAM, so that the reset vector is; system management has RAM of its own.
        match pa & !MANAGEMENT {
            0xFFFF_F000 => Some((0xF_F000, true)),
            0xA_0000..0xB_0000 if pa & MANAGEMENT != 0 => Some((pa & 0xFFFF | 0xB_0000, true)),
            pa => (pa < RAM).then_some((pa, true)),
        }
    }
}

#[derive(Default)]
struct Board {
    /// The last port that was written and the value.
    port: AtomicU32,
    shut_down: AtomicU32,
}
impl Platform for Board {
    fn port_write(&self, _: usize, port: u16, _: u32, value: u32) {
        self.port.store((port as u32) << 16 | value & 0xFFFF, Ordering::Relaxed);
    }
    fn port_read(&self, _: usize, port: u16, _: u32) -> u32 {
        port as u32 + 1
    }
    fn acknowledge(&self, _: usize) -> Option<u8> {
        Some(0x21)
    }
    fn triple_fault(&self, _: usize) {
        self.shut_down.fetch_add(1, Ordering::Relaxed);
    }
}

fn processor(model: &str) -> (Core<X64>, Arc<Board>) {
    let board = Arc::new(Board::default());
    let ram = GuestRam::new(RAM).unwrap();
    let arch = X64::new(board.clone(), 1);
    let mut core = Core::new(arch, 0, 0, ram, Arc::new(Plain), Arc::new(CodeMap::new(RAM)));
    model::reset(&mut core, &model::configure(model).unwrap());
    (core, board)
}

fn put(core: &Core<X64>, at: u64, bytes: &[u8]) {
    core.ram.write_bytes(at, bytes).unwrap();
}

fn put64(core: &Core<X64>, at: u64, x: u64) {
    core.ram.write(at, x).unwrap();
}

fn word(core: &Core<X64>, at: u64) -> u64 {
    core.ram.read::<u64>(at).unwrap()
}

/// Runs to HLT.
fn run(core: &mut Core<X64>) {
    core.halted = false;
    assert_eq!(core.run(1000), Exit::Halted, "{}", super::describe::registers(core));
}

const GDT: u64 = 0x1000;
const IDT: u64 = 0x2000;
const TSS: u64 = 0x3000;
const CODE: u64 = 0x8000;

const CODE_32: u64 = 0x00CF_9B00_0000_FFFF;
const DATA_32: u64 = 0x00CF_9300_0000_FFFF;
const CODE_64: u64 = 0x00AF_9B00_0000_FFFF;
const USER_CODE_32: u64 = 0x00CF_FB00_0000_FFFF;
const USER_DATA: u64 = 0x00CF_F300_0000_FFFF;
const USER_CODE_64: u64 = 0x00AF_FB00_0000_FFFF;

/// Descriptors: 8 code, 10 data, 18 user code, 20 user data, 28 TSS.
fn tables(core: &mut Core<X64>, code: u64, user: u64) {
    let tss = |kind: u64| TSS << 16 | 0x0000_8000_0000_0067 | kind << 40;
    for (n, d) in [0, code, DATA_32, user, USER_DATA, tss(9), 0].into_iter().enumerate() {
        put64(core, GDT + 8 * n as u64, d);
    }
    core.set(state::GDT_BASE, GDT);
    core.set(state::GDT_LIMIT, 0xFF);
    core.set(state::IDT_BASE, IDT);
    core.set(state::IDT_LIMIT, 0xFFF);
}

fn flat(core: &mut Core<X64>, code: u64, cs: u16, ss: u16) {
    segment::put(core, seg::CS, Segment::of(cs, code));
    for s in [seg::SS, seg::DS, seg::ES] {
        let d = if ss & 3 == 3 { USER_DATA } else { DATA_32 };
        segment::put(core, s, Segment::of(ss, d));
    }
    core.set(state::CPL, cs as u32 & 3);
    context::refresh(core);
}

/// 32-bit protected mode, flat, at level 0.
fn protected(model: &str) -> (Core<X64>, Arc<Board>) {
    let (mut core, board) = processor(model);
    core.set(state::CR0, cr0::PE | cr0::ET);
    tables(&mut core, CODE_32, USER_CODE_32);
    flat(&mut core, CODE_32, 8, 0x10);
    core.set(state::RSP, 0x7000);
    core.set_pc(CODE);
    (core, board)
}

fn gate_32(core: &Core<X64>, vector: u64, kind: u64, dpl: u64, to: u64) {
    put64(core, IDT + 8 * vector, to & 0xFFFF | 8 << 16 | (to >> 16) << 48 | (0x80 | kind | dpl << 5) << 40);
}

fn gate_64(core: &Core<X64>, vector: u64, dpl: u64, ist: u64, to: u64) {
    put64(
        core,
        IDT + 16 * vector,
        to & 0xFFFF | 8 << 16 | ist << 32 | (to >> 16 & 0xFFFF) << 48 | (0x8E | dpl << 5) << 40,
    );
    put64(core, IDT + 16 * vector + 8, to >> 32);
}

/// 64-bit mode with the first 16 MiB mapped one to one by 2 MiB pages, at level 0.
fn long() -> (Core<X64>, Arc<Board>) {
    let (mut core, board) = processor("max");
    let (pml4, pdpt, pd) = (0x10000, 0x11000, 0x12000);
    put64(&core, pml4, pdpt | 7);
    put64(&core, pdpt, pd | 7);
    for n in 0..8 {
        put64(&core, pd + 8 * n, n << 21 | 0x87);
    }
    core.set(state::CR3, pml4);
    core.set(state::CR4, cr4::PAE | cr4::PGE);
    core.set(state::EFER, efer::LME | efer::LMA | efer::SCE | efer::NXE);
    core.set(state::CR0, cr0::PE | cr0::PG | cr0::WP | cr0::ET);
    tables(&mut core, CODE_64, USER_CODE_64);
    flat(&mut core, CODE_64, 8, 0x10);
    let tss = Segment { base: TSS, limit: 0x67, ..Segment::of(0x28, 0x0000_8B00_0000_0067) };
    segment::put(&mut core, segment::TR, tss);
    core.set(state::RSP, 0x7000);
    core.set_pc(CODE);
    (core, board)
}

#[test]
fn real_mode_starts_at_the_reset_vector_and_serves_interrupts() {
    let (mut core, board) = processor("max");
    // jmp 0000:8000
    put(&core, 0xF_FFF0, &[0xEA, 0x00, 0x80, 0x00, 0x00]);
    // mov ss, ax; mov sp...; int 21h; out 80h, al; hlt
    put(&core, CODE, &[0x8E, 0xD0, 0xBC, 0x00, 0x70, 0xCD, 0x21, 0xE6, 0x80, 0xF4]);
    // The handler: in al, 60h; iret
    core.ram.write::<u32>(0x21 * 4, 0x0000_9000).unwrap();
    put(&core, 0x9000, &[0xE4, 0x60, 0xCF]);
    run(&mut core);
    assert_eq!(board.port.load(Ordering::Relaxed), 0x80 << 16 | 0x61);
    assert_eq!(core.pc(), CODE + 10);
    assert_eq!(core.reg(state::RSP), 0x7000);
}

#[test]
fn protected_mode_is_entered_and_left_to_level_3_and_back() {
    let (mut core, _) = protected("486");
    put64(&core, TSS + 4, 0x6000);
    put64(&core, TSS + 8, 0x10);
    gate_32(&core, 0x30, 14, 3, 0x9000);
    // mov ax, 28h; ltr ax; push 23h; push 5000h; push 2; push 1Bh; push 8800h; iretd
    put(
        &core,
        CODE,
        &[
            0x66, 0xB8, 0x28, 0, 0x0F, 0x00, 0xD8, 0x6A, 0x23, 0x68, 0, 0x50, 0, 0, 0x6A, 2, 0x6A, 0x1B,
            0x68, 0, 0x88, 0, 0, 0xCF,
        ],
    );
    // int 30h
    put(&core, 0x8800, &[0xCD, 0x30]);
    put(&core, 0x9000, &[0xF4]);
    run(&mut core);
    assert_eq!(mode::cpl(core.mode), 0);
    assert_eq!(core.reg(state::RSP), 0x6000 - 20);
    let frame: Vec<u32> = (0..5).map(|n| core.ram.read(0x6000 - 20 + 4 * n).unwrap()).collect();
    assert_eq!(frame, [0x8802, 0x1B, 2, 0x5000, 0x23]);
    // The TSS is busy now.
    assert_eq!(core.ram.read::<u8>(GDT + 0x2D).unwrap() & 0xF, 11);
}

#[test]
fn software_interrupts_respect_the_gates_level() {
    let (mut core, _) = protected("486");
    gate_32(&core, 0x30, 14, 0, 0x9000);
    gate_32(&core, 13, 14, 0, 0x9100);
    put64(&core, TSS + 4, 0x6000);
    put64(&core, TSS + 8, 0x10);
    segment::put(&mut core, segment::TR, Segment::of(0x28, TSS << 16 | 0x0000_8B00_0000_0067));
    flat(&mut core, USER_CODE_32, 0x1B, 0x23);
    put(&core, CODE, &[0xCD, 0x30]);
    put(&core, 0x9100, &[0xF4]);
    run(&mut core);
    // The error code names the gate; the return address is the INT itself.
    assert_eq!(core.ram.read::<u32>(0x6000 - 24).unwrap(), 0x30 * 8 + 2);
    assert_eq!(core.ram.read::<u32>(0x6000 - 20).unwrap(), CODE as u32);
}

#[test]
fn long_mode_faults_use_the_interrupt_stack_table() {
    let (mut core, _) = long();
    put64(&core, TSS + 0x24, 0x6008);
    gate_64(&core, 14, 0, 1, 0x9000);
    // mov rax, [0x7fffffff000]
    put(&core, CODE, &[0x48, 0x8B, 0x04, 0x25, 0x00, 0xF0, 0xFF, 0x7F]);
    put(&core, 0x9000, &[0xF4]);
    run(&mut core);
    assert_eq!(core.reg(state::CR2), 0x7FFF_F000);
    assert_eq!(core.reg(state::RSP), 0x6000 - 48);
    let frame: Vec<u64> = (0..6).map(|n| word(&core, 0x6000 - 48 + 8 * n)).collect();
    assert_eq!((frame[0], frame[1], frame[2]), (0, CODE, 8));
    assert_eq!((frame[4], frame[5]), (0x7000, 0x10));
    // RF is set in the image of a fault.
    assert_eq!(frame[3] as u32 & eflags::RF, eflags::RF);
}

#[test]
fn system_calls_go_there_and_back() {
    let (mut core, _) = long();
    core.set(state::STAR, 0x0010_0008 << 32);
    core.set(state::LSTAR, 0x9000);
    core.set(state::FMASK, 0x200);
    core.set(state::gpr(1), 0x8800);
    core.set(state::gpr(11), 0x202);
    // sysretq
    put(&core, CODE, &[0x48, 0x0F, 0x07]);
    // syscall
    put(&core, 0x8800, &[0x0F, 0x05]);
    put(&core, 0x9000, &[0xF4]);
    run(&mut core);
    assert_eq!(core.reg(state::gpr(1)), 0x8802);
    assert_eq!(core.reg(state::gpr(11)), 0x202);
    assert_eq!(core.reg(state::selector(seg::CS)), 8);
    assert_eq!(context::eflags(&core) & eflags::IF, 0);
    assert_eq!(mode::cpl(core.mode), 0);
}

#[test]
fn a_fault_without_handlers_shuts_down() {
    let (mut core, board) = long();
    core.set(state::IDT_LIMIT, 0);
    // ud2
    put(&core, CODE, &[0x0F, 0x0B]);
    run(&mut core);
    assert_eq!(board.shut_down.load(Ordering::Relaxed), 1);
    // It stays down.
    core.halted = false;
    core.attention.set(Attention::IRQ);
    assert_eq!(super::exception::wakes(&core) & Attention::IRQ, 0);
}

#[test]
fn interrupts_wait_for_the_instruction_behind_sti() {
    let (mut core, _) = long();
    gate_64(&core, 0x21, 0, 0, 0x9000);
    // sti; inc rax; inc rax; hlt
    put(&core, CODE, &[0xFB, 0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0xF4]);
    put(&core, 0x9000, &[0xF4]);
    core.attention.set(Attention::IRQ);
    run(&mut core);
    assert_eq!(core.reg(state::gpr(0)), 1);
    assert_eq!(gate::ip(&core), 0x9001);
    assert_eq!(word(&core, 0x7000 - 40), CODE + 4);
}

#[test]
fn interrupts_that_cannot_be_masked_wait_for_it_too() {
    let (mut core, _) = long();
    gate_64(&core, 2, 0, 0, 0x9100);
    // sti; inc rax; inc rax; hlt
    put(&core, CODE, &[0xFB, 0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0xF4]);
    put(&core, 0x9100, &[0xF4]);
    core.run(1);
    core.attention.set(Attention::IRQ | Attention::NMI);
    run(&mut core);
    assert_eq!((core.reg(state::gpr(0)), gate::ip(&core)), (1, 0x9101));
    assert_eq!(word(&core, 0x7000 - 40), CODE + 4);
}

#[test]
fn single_steps_follow_each_instruction() {
    let (mut core, _) = long();
    gate_64(&core, 1, 0, 0, 0x9000);
    // push 102h; popf; inc rax; inc rax; hlt
    put(&core, CODE, &[0x68, 0x02, 0x01, 0, 0, 0x9D, 0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0xF4]);
    // inc rbx; iretq
    put(&core, 0x9000, &[0x48, 0xFF, 0xC3, 0x48, 0xCF]);
    run(&mut core);
    assert_eq!(core.reg(state::gpr(0)), 2);
    // Behind both INCs; HLT waits before its trap.
    assert!(core.reg(state::gpr(3)) >= 2);
    assert_eq!(core.reg(state::DR6) & 1 << 14, 1 << 14);
}

#[test]
fn breakpoints_trap_on_instructions_and_data() {
    let (mut core, _) = long();
    gate_64(&core, 1, 0, 0, 0x9000);
    core.set(state::dr(0), CODE + 3);
    core.set(state::dr(1), 0x5004);
    // DR0 on execution, DR1 on stores of 4 bytes
    core.set(state::DR7, 0x400 | 1 | 4 | 0b1101 << 20);
    context::refresh(&mut core);
    // inc rax; inc rax; mov [0x5000], rax; hlt
    put(&core, CODE, &[0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0x48, 0x89, 0x04, 0x25, 0, 0x50, 0, 0, 0xF4]);
    // The handler notes DR6, adds RF to the image, returns.
    // mov rcx, dr6; or rdx, rcx; xor ecx, ecx; mov dr6, rcx; or dword [rsp+16], 10000h; inc rbx; iretq
    put(
        &core,
        0x9000,
        &[
            0x0F, 0x21, 0xF1, 0x48, 0x09, 0xCA, 0x31, 0xC9, 0x0F, 0x23, 0xF1, 0x81, 0x4C, 0x24, 0x10, 0, 0,
            1, 0, 0x48, 0xFF, 0xC3, 0x48, 0xCF,
        ],
    );
    run(&mut core);
    assert_eq!(core.reg(state::gpr(3)), 2);
    assert_eq!(core.reg(state::gpr(2)) & 0xF, 3);
    assert_eq!(word(&core, 0x5000), 2);
}

#[test]
fn tasks_switch_and_return() {
    let (mut core, _) = protected("80386");
    let other = 0x4000;
    put64(&core, GDT + 0x30, other << 16 | 0x0000_8900_0000_0067);
    segment::put(&mut core, segment::TR, Segment::of(0x28, TSS << 16 | 0x0000_8B00_0000_0067));
    put64(&core, GDT + 0x28, TSS << 16 | 0x0000_8B00_0000_0067);
    let set = |offset: u64, x: u32| core.ram.write(other + offset, x).unwrap();
    set(32, 0x9000);
    set(36, 2);
    set(40, 0x1234);
    set(56, 0x5000);
    for s in [72, 80, 84] {
        set(s, 0x10);
    }
    set(76, 8);
    // call 30h:0; inc ebx; hlt
    put(&core, CODE, &[0x9A, 0, 0, 0, 0, 0x30, 0, 0x43, 0xF4]);
    // inc eax; mov [6000h], eax; iretd
    put(&core, 0x9000, &[0x40, 0xA3, 0, 0x60, 0, 0, 0xCF]);
    core.set(state::gpr(3), 7);
    run(&mut core);
    assert_eq!(core.reg(state::gpr(3)), 8);
    assert_eq!(word(&core, 0x6000) as u32, 0x1235);
    assert_eq!(core.reg(state::selector(segment::TR)), 0x28);
    // The called task's image was saved, and it is available again.
    assert_eq!(core.ram.read::<u32>(other + 40).unwrap(), 0x1235);
    assert_eq!(core.ram.read::<u8>(GDT + 0x35).unwrap() & 0xF, 9);
    assert_eq!(core.ram.read::<u16>(other).unwrap(), 0x28);
}

#[test]
fn virtual_8086_mode_runs_and_traps() {
    let (mut core, _) = protected("pentium");
    put64(&core, TSS + 4, 0x6000);
    put64(&core, TSS + 8, 0x10);
    gate_32(&core, 13, 14, 0, 0x9000);
    segment::put(&mut core, segment::TR, Segment::of(0x28, TSS << 16 | 0x0000_8B00_0000_0067));
    // IRETD to 0800:0000 with VM: frame of nine words
    let frame = [0u32, 0x800, 0x2_0002, 0x100, 0x500, 1, 2, 3, 4];
    for (n, x) in frame.into_iter().enumerate() {
        core.ram.write(0x6F00 + 4 * n as u64, x).unwrap();
    }
    core.set(state::RSP, 0x6F00);
    core.set_pc(0xA000);
    put(&core, 0xA000, &[0xCF]);
    // inc ax; cli
    put(&core, 0x8000, &[0x40, 0xFA]);
    put(&core, 0x9000, &[0xF4]);
    run(&mut core);
    assert_eq!(core.reg(state::gpr(0)) & 0xFFFF, 1);
    assert_eq!(core.mode & mode::VM, 0);
    let saved: Vec<u32> = (0..10).map(|n| core.ram.read(0x6000 - 40 + 4 * n).unwrap()).collect();
    assert_eq!(&saved[..3], &[0, 1, 0x800]);
    assert_eq!(saved[3] & eflags::VM, eflags::VM);
    assert_eq!(&saved[4..], &[0x100, 0x500, 1, 2, 3, 4]);
    assert!(segment::get(&core, seg::DS).is_unusable());
}

#[test]
fn pages_fault_with_their_reasons() {
    let (mut core, _) = long();
    gate_64(&core, 14, 0, 0, 0x9000);
    put(&core, 0x9000, &[0xF4]);
    // Page 0x40000 by 4 KiB pages: read-only, user, not to be executed.
    let (pd, pt) = (0x12000, 0x13000);
    put64(&core, pd + 8, pt | 7);
    put64(&core, pt, 0x0030_0000 | 5 | 1 << 63);
    put64(&core, pt + 8, 0x0030_1000 | 1 << 51 | 7);
    let mut error = |bytes: &[u8], user: bool| {
        if user {
            flat(&mut core, USER_CODE_64, 0x1B, 0x23);
            put64(&core, TSS + 4, 0x7000);
        } else {
            flat(&mut core, CODE_64, 8, 0x10);
        }
        core.set(state::RSP, 0x7000);
        core.tlb.flush(|_| true);
        core.set_pc(CODE);
        put(&core, CODE, bytes);
        core.code.stored(CODE, 16);
        run(&mut core);
        word(&core, 0x7000 - 48)
    };
    // mov [200000h], eax
    let store = [0x89, 0x04, 0x25, 0, 0, 0x20, 0];
    assert_eq!(error(&store, false), 3);
    assert_eq!(error(&store, true), 7);
    // mov eax, [201000h]: a reserved bit
    assert_eq!(error(&[0x8B, 0x04, 0x25, 0, 0x10, 0x20, 0], true), 4 | 1 | 8);
    // mov eax, [202000h]: not present
    assert_eq!(error(&[0x8B, 0x04, 0x25, 0, 0x20, 0x20, 0], true), 4);
    // jmp 200000h: NX
    assert_eq!(error(&[0xE9, 0xFB, 0x7F, 0x1F, 0], true), 4 | 1 | 16);
    // A read sets the accessed flags only.
    assert_eq!(word(&core, pt) & 0x60, 0);
    put(&core, CODE, &[0x8B, 0x04, 0x25, 0, 0, 0x20, 0, 0xF4]);
    core.code.stored(CODE, 16);
    flat(&mut core, CODE_64, 8, 0x10);
    core.set_pc(CODE);
    run(&mut core);
    assert_eq!(word(&core, pt) & 0x60, 0x20);
}

#[test]
fn smap_is_lifted_by_ac() {
    let (mut core, _) = long();
    gate_64(&core, 14, 0, 1, 0x9000);
    put64(&core, TSS + 0x24, 0x6000);
    // Code in a supervisor page, data in a user page.
    put64(&core, 0x12000, 0x83);
    super::control::set_cr4(&mut core, cr4::PAE | cr4::SMAP | cr4::SMEP).unwrap();
    // stac; mov eax, [300000h]; clac; mov eax, [300000h]
    let load = [0x8B, 0x04, 0x25, 0, 0, 0x30, 0];
    put(&core, CODE, &[&[0x0F, 0x01, 0xCB][..], &load, &[0x0F, 0x01, 0xCA], &load].concat());
    put(&core, 0x9000, &[0xF4]);
    run(&mut core);
    assert_eq!(word(&core, 0x6000 - 48), 1);
    assert_eq!(word(&core, 0x6000 - 40), CODE + 13);
}

#[test]
fn cpuid_agrees_with_itself() {
    for m in model::MODELS {
        let what = model::configure(m.name).unwrap();
        let (core, _) = processor(m.name);
        let [last, ..] = super::cpuid::leaf_registers(&core, 0, 0);
        assert_eq!(last, what.cpuid.last, "{}", m.name);
        for b in super::cpuid::BITS {
            // A bit and its feature come together.
            if b.feature != 0 && m.name != "486" {
                assert_eq!(
                    what.cpuid.has((b.leaf, b.bit)),
                    what.features & b.feature != 0,
                    "{} {}",
                    m.name,
                    b.name
                );
            }
        }
    }
    let (core, _) = processor("max,-sse2");
    assert_eq!(super::cpuid::leaf_registers(&core, 1, 0)[3] >> 26 & 1, 0);
    assert!(model::configure("max,+nonsense").is_err());
    assert!(model::configure("nothing").is_err());
}

#[test]
fn every_mode_describes_itself() {
    let (core, _) = long();
    let text = super::describe::registers(&core);
    assert!(text.contains("RIP=0000000000008000") && text.contains("CPL=0"), "{text}");
}

#[test]
fn memory_that_is_not_there_reads_as_ones() {
    let (mut core, _) = protected("pentium");
    // mov [0x8000_0000], eax; mov eax, [0x8000_0000]; movzx ebx, word [0x8000_0010]; hlt
    put(&core, CODE, &[0xA3, 0, 0, 0, 0x80, 0xA1, 0, 0, 0, 0x80]);
    put(&core, CODE + 10, &[0x0F, 0xB7, 0x1D, 0x10, 0, 0, 0x80, 0xF4]);
    run(&mut core);
    assert_eq!(core.reg(state::gpr(0)), 0xFFFF_FFFF);
    assert_eq!(core.reg(state::gpr(3)), 0xFFFF);
}
