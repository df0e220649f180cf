//! System management mode.

use super::*;

/// Counts at 6000h, moves SMBASE, and resumes: inc dword [6000h]; mov dword [`smbase`], `to`; rsm
fn handler(core: &Core<X64>, at: u64, smbase: u32, to: u32) {
    let count = [0x66, 0xFF, 0x06, 0x00, 0x60];
    let mov = [&[0x66, 0x67, 0xC7, 0x05][..], &smbase.to_le_bytes(), &to.to_le_bytes()].concat();
    put(core, at, &[&count[..], &mov, &[0x0F, 0xAA]].concat());
}

fn count(core: &Core<X64>) -> u32 {
    core.ram.read(0x6000).unwrap()
}

/// The registers, without SMBASE.
fn registers(core: &mut Core<X64>) -> Vec<u64> {
    core.set(state::SMBASE, 0);
    (0..state::ENGINE).map(|n| core.file.word(n)).collect()
}

#[test]
fn a_system_management_interrupt_is_seen_by_its_handler_only() {
    // inc ebx; hlt
    let code: [u8; 3] = [0xFF, 0xC3, 0xF4];
    for (make, smbase) in
        [(long as fn() -> _, 0x3_FF00u32), ((|| protected("pentium")) as fn() -> _, 0x3_FEF8)]
    {
        let start = || {
            let (mut core, _): (Core<X64>, Arc<Board>) = make();
            put(&core, CODE, &code);
            for n in [0, 1, 3, 5, 6, 7] {
                core.set(state::gpr(n), 0x1111 * n as u64);
            }
            segment::put(&mut core, seg::FS, Segment { base: 0x1234_5678, ..Segment::of(0x23, USER_DATA) });
            segment::put(&mut core, seg::GS, Segment::null(0));
            context::set_eflags(&mut core, 0x4_0ED5);
            context::refresh(&mut core);
            core
        };
        let mut plain = start();
        run(&mut plain);
        let mut core = start();
        handler(&core, 0x3_8000, smbase, 0xA_0000);
        core.attention.set(Attention::SMI);
        run(&mut core);
        assert_eq!((count(&core), core.reg(state::SMBASE)), (1, 0xA_0000));
        // The next one comes in the processor's own memory, and wakes it: then it waits again.
        handler(&core, 0xB_8000, smbase - 0x3_0000 + 0xA_0000, 0xA_0000);
        core.attention.set(Attention::SMI);
        core.halted = false;
        assert_eq!(core.run(1000), Exit::Halted);
        assert_eq!(count(&core), 2);
        assert_eq!(registers(&mut core), registers(&mut plain));
        assert_eq!(core.mode, plain.mode);
    }
}

#[test]
fn other_interrupts_wait_for_rsm() {
    let (mut core, _) = long();
    gate_64(&core, 2, 0, 0, 0x9000);
    gate_64(&core, 6, 0, 0, 0xA000);
    // The NMI's handler counts ten more: add dword [6000h], 10; iretq
    put(&core, 0x9000, &[0x83, 0x04, 0x25, 0, 0x60, 0, 0, 10, 0x48, 0xCF]);
    // Notes what it sees: mov eax, [6000h]; mov [6008h], eax; inc dword [6000h]; rsm
    put(&core, 0x3_8000, &[0x66, 0xA1, 0x00, 0x60, 0x66, 0xA3, 0x08, 0x60, 0x66, 0xFF, 0x06, 0x00, 0x60]);
    put(&core, 0x3_800D, &[0x0F, 0xAA]);
    put(&core, 0xA000, &[0xF4]);
    // hlt; rsm
    put(&core, CODE, &[0xF4, 0x0F, 0xAA]);
    core.attention.set(Attention::SMI | Attention::NMI);
    run(&mut core);
    assert_eq!((count(&core), word(&core, 0x6008)), (11, 0));
    assert_eq!(core.reg(state::BLOCKED) & (state::blocked::NMI | state::blocked::SMM), 0);
    // Outside of the mode there is no RSM.
    run(&mut core);
    assert_eq!(core.pc(), 0xA001);
}

#[test]
fn a_map_that_is_no_state_shuts_down() {
    let (mut core, board) = protected("pentium");
    // CR0 with PG and without PE: mov dword [3FFFCh], 80000000h; rsm
    put(&core, 0x3_8000, &[0x66, 0x67, 0xC7, 0x05, 0xFC, 0xFF, 3, 0, 0, 0, 0, 0x80, 0x0F, 0xAA]);
    put(&core, CODE, &[0xF4]);
    core.attention.set(Attention::SMI);
    core.run(1000);
    assert_eq!(board.shut_down.load(Ordering::Relaxed), 1);
}
