//! Protection keys of user pages.

use super::*;
use crate::x86::{control, cpuid, maintenance};

#[test]
fn protection_keys_limit_loads_and_stores_but_not_fetches() {
    let (mut core, _) = long();
    gate_64(&core, 14, 0, 1, 0x9000);
    put64(&core, TSS + 0x24, 0x6000);
    put(&core, 0x9000, &[0xF4]);
    // User pages of 2 MiB: 200000h with key 5, 400000h with key 0.
    put64(&core, 0x12008, 0x20_0087 | 5 << 59);
    const LOAD: [u8; 7] = [0x8B, 0x34, 0x25, 0, 0, 0x20, 0];
    const STORE: [u8; 7] = [0x89, 0x34, 0x25, 0, 0, 0x20, 0];
    const WRPKRU: [u8; 3] = [0x0F, 0x01, 0xEF];
    const RDPKRU: [u8; 3] = [0x0F, 0x01, 0xEE];
    // Page fault's error code, or none, of a load and a store that are done before, too, under PKRU 0.
    let mut code = |user: bool, wp: bool, pkru: u32, what: [u8; 7]| {
        control::set_cr4(&mut core, cr4::PAE | cr4::PKE).unwrap();
        control::set_cr0(&mut core, cr0::PE | cr0::PG | cr0::ET | if wp { cr0::WP } else { 0 }).unwrap();
        core.set(state::PKRU, 0);
        let (cs, d) = if user { (0x1B, USER_CODE_64) } else { (8, CODE_64) };
        flat(&mut core, d, cs, if user { 0x23 } else { 0x10 });
        core.set(state::gpr(0), pkru.into());
        core.set(state::gpr(1), 0);
        core.set(state::gpr(2), 0);
        core.set(state::RSP, 0x7000);
        core.set_pc(CODE);
        let last: &[u8] = if user { &[0xCC] } else { &[0xF4] };
        put(&core, CODE, &[&LOAD[..], &STORE, &WRPKRU, &what, &RDPKRU, last].concat());
        core.code.stored(CODE, 64);
        put64(&core, 0x6000 - 48, u64::MAX);
        run(&mut core);
        assert_eq!(core.reg(state::PKRU), pkru);
        word(&core, 0x6000 - 48)
    };
    // Level 3 is tried with faults only: it cannot halt.
    let (ad, wd) = (1 << 10, 2 << 10);
    for user in [false, true] {
        let u = if user { 4 } else { 0 };
        assert_eq!(code(user, true, ad, LOAD), 0x21 | u);
        assert_eq!(code(user, true, ad, STORE), 0x23 | u);
        assert_eq!(code(user, true, wd, STORE), 0x23 | u);
    }
    assert_eq!(code(true, false, wd, STORE), 0x27);
    assert_eq!(code(false, false, ad, STORE), 0x23);
    let none = u64::MAX;
    assert_eq!(code(false, false, wd, STORE), none);
    assert_eq!(code(false, true, wd, LOAD), none);
    // Rights of other keys.
    assert_eq!(code(false, true, !(3 << 10), STORE), none);
    assert_eq!(core.reg(state::gpr(0)) as u32, !(3 << 10));
    // A change of keys that no page has forgets nothing.
    let entries = |core: &Core<X64>| core.tlb.iter().count();
    let before = entries(&core);
    assert!(before > 0);
    maintenance::set_pkru(&mut core, !(3 << 10) ^ 3 << 20);
    assert_eq!(entries(&core), before);
    maintenance::set_pkru(&mut core, ad);
    assert_eq!(entries(&core), 0);
    // Code runs where data cannot be read: nop; hlt
    core.set(state::PKRU, ad);
    put(&core, 0x20_0000, &[0x90, 0xF4]);
    core.set_pc(0x20_0000);
    run(&mut core);
    assert_eq!(core.pc(), 0x20_0002);
    // Without CR4.PKE the instructions do not exist; with it ECX must be 0.
    gate_64(&core, 6, 0, 1, 0x9000);
    gate_64(&core, 13, 0, 1, 0x9000);
    for (pke, ecx, frame) in [(0, 0, 40), (cr4::PKE, 1, 48)] {
        control::set_cr4(&mut core, cr4::PAE | pke).unwrap();
        core.set(state::gpr(1), ecx);
        core.set(state::RSP, 0x7000);
        core.set_pc(CODE);
        put(&core, CODE, &RDPKRU);
        core.code.stored(CODE, 8);
        run(&mut core);
        assert_eq!(core.reg(state::RSP), 0x6000 - frame);
    }
}

#[test]
fn extended_state_has_room_for_the_protection_key_rights() {
    let (mut core, _) = processor("max");
    control::set_cr4(&mut core, cr4::OSXSAVE | cr4::PKE).unwrap();
    let leaf = |core: &Core<X64>, n| cpuid::leaf_registers(core, 0xD, n);
    assert_eq!(leaf(&core, 0), [0x207, 576, 2696, 0]);
    core.set(state::XCR0, 0x207);
    assert_eq!(leaf(&core, 0), [0x207, 2696, 2696, 0]);
    assert_eq!(leaf(&core, 1)[1], 576 + 256 + 8);
    assert_eq!(leaf(&core, 9), [8, 2688, 0, 0]);
    // PKU and OSPKE.
    assert_eq!(cpuid::leaf_registers(&core, 7, 0)[2] >> 3 & 3, 3);
    let (client, _) = processor("Skylake-Client");
    assert_eq!(leaf(&client, 0), [7, 576, 832, 0]);
}
