//! Counters that all processors count with, in every size and with every instruction that can.

use crate::shared::{Cpu, address, word};
use crate::{Test, fail, nothing};
use core::arch::asm;
use core::sync::atomic::Ordering::Relaxed;

fn expect(cpu: &Cpu, what: u32, seen: u64, expected: u64) {
    if seen != expected {
        fail(cpu, what, seen, expected);
    }
}

/// LOCK ADD, SUB, INC, DEC, XADD, NEG and XCHG.
pub const AND_ADD: Test = Test { least: 1, prepare: nothing, work: add, check: added };

/// Counters a line apart: where each is.
const LINE: usize = 8;

fn add(cpu: &Cpu) {
    let base = address(0);
    let mut token = 0u64;
    for i in 0..cpu.times {
        let old: u64;
        // SAFETY: the shared data is words that any bits are valid for.
        unsafe {
            asm!(
                "lock inc byte ptr [{b}]",
                "lock add word ptr [{b} + 64], 1",
                "lock sub dword ptr [{b} + 128], 1",
                "lock dec qword ptr [{b} + 192]",
                "mov {t}, 3",
                "lock xadd [{b} + 256], {t}",
                "mov {t:e}, 1",
                "lock xadd [{b} + 320], {t:e}",
                "lock adc qword ptr [{b} + 384], 0",
                b = in(reg) base, t = out(reg) old,
            );
        }
        core::hint::black_box(old);
        // What is swapped is never lost: the sum of what came out and what is left stays.
        let mut mine = i + 1;
        // SAFETY: likewise.
        unsafe { asm!("xchg [{b} + 448], {m}", b = in(reg) base, m = inout(reg) mine) };
        token += mine;
    }
    word(8 * LINE).fetch_add(token, Relaxed);
}

fn added(cpu: &Cpu) {
    let n = cpu.all * cpu.times;
    let of = |line: usize| word(line * LINE).load(Relaxed);
    expect(cpu, 1, of(0), n & 0xFF);
    expect(cpu, 2, of(1), n & 0xFFFF);
    expect(cpu, 3, of(2), n.wrapping_neg() & 0xFFFF_FFFF);
    expect(cpu, 4, of(3), n.wrapping_neg());
    expect(cpu, 5, of(4), 3 * n);
    expect(cpu, 6, of(5), n & 0xFFFF_FFFF);
    expect(cpu, 8, of(7) + of(8), cpu.all * cpu.times * (cpu.times + 1) / 2);
}

/// LOCK CMPXCHG in all sizes, CMPXCHG8B and CMPXCHG16B.
pub const COMPARED: Test = Test { least: 1, prepare: nothing, work: compare, check: compared };

fn compare(cpu: &Cpu) {
    let base = address(0);
    for _ in 0..cpu.times {
        // SAFETY: as in `add`; RBX is put back.
        unsafe {
            asm!(
                "mov al, [{b}]",
                "2: mov {t:e}, eax", "inc {t:e}", "lock cmpxchg [{b}], {t:l}", "jnz 2b",
                "mov ax, [{b} + 64]",
                "3: mov {t:e}, eax", "inc {t:e}", "lock cmpxchg [{b} + 64], {t:x}", "jnz 3b",
                "mov eax, [{b} + 128]",
                "4: mov {t:e}, eax", "inc {t:e}", "lock cmpxchg [{b} + 128], {t:e}", "jnz 4b",
                "mov rax, [{b} + 192]",
                "5: lea {t}, [rax + 1]", "lock cmpxchg [{b} + 192], {t}", "jnz 5b",
                b = in(reg) base, t = out(reg) _, out("rax") _,
            );
            asm!(
                "mov {keep}, rbx",
                "mov eax, [rdi + 256]", "mov edx, [rdi + 260]",
                "2: mov ebx, eax", "mov ecx, edx", "add ebx, 1", "sub ecx, 1",
                "lock cmpxchg8b [rdi + 256]", "jnz 2b",
                "mov rax, [rdi + 320]", "mov rdx, [rdi + 328]",
                "3: mov rbx, rax", "mov rcx, rdx", "add rbx, 1", "sub rcx, 1",
                "lock cmpxchg16b [rdi + 320]", "jnz 3b",
                "mov rbx, {keep}",
                keep = out(reg) _, in("rdi") base, out("rax") _, out("rdx") _, out("rcx") _,
            );
        }
    }
}

fn compared(cpu: &Cpu) {
    let n = cpu.all * cpu.times;
    let of = |line: usize| word(line * LINE).load(Relaxed);
    expect(cpu, 11, of(0), n & 0xFF);
    expect(cpu, 12, of(1), n & 0xFFFF);
    expect(cpu, 13, of(2), n & 0xFFFF_FFFF);
    expect(cpu, 14, of(3), n);
    expect(cpu, 15, of(4), n & 0xFFFF_FFFF | n.wrapping_neg() << 32);
    expect(cpu, 16, of(5), n);
    expect(cpu, 17, word(5 * LINE + 1).load(Relaxed), n.wrapping_neg());
}

/// Bits of each processor's own beside those of others: BTS, BTR, BTC, OR, AND, XOR.
pub const BITS: Test = Test { least: 1, prepare: nothing, work: bits, check: no_bits };

fn bits(cpu: &Cpu) {
    let (base, bit, mask) = (address(0), cpu.number, 1u64 << cpu.number);
    for _ in 0..cpu.times {
        let carries: u64;
        // SAFETY: as in `add`.
        unsafe {
            asm!(
                "xor {c:e}, {c:e}",
                "lock bts qword ptr [{b}], {n}", "adc {c}, {c}",
                "lock btr qword ptr [{b}], {n}", "adc {c}, {c}",
                "lock btc dword ptr [{b}], {n:e}", "adc {c}, {c}",
                "lock btc dword ptr [{b}], {n:e}", "adc {c}, {c}",
                "lock or [{b} + 64], {m:l}",
                "lock xor [{b} + 64], {m:l}",
                "lock or [{b} + 128], {m}",
                "not {m}",
                "lock and [{b} + 128], {m}",
                "not {m}",
                c = out(reg) carries, b = in(reg) base, n = in(reg) bit, m = inout(reg) mask => _,
            );
        }
        expect(cpu, 21, carries, 0b0101);
    }
}

fn no_bits(cpu: &Cpu) {
    for line in 0..3 {
        expect(cpu, 22, word(line * LINE).load(Relaxed), 0);
    }
}

/// Counters across the ends of lines and pages.
pub const SPLIT: Test = Test { least: 1, prepare: nothing, work: split, check: whole };

/// Byte offsets of the counters, each across an end.
const SPLITS: [u64; 4] = [0x3E, 0x7C, 0xFFE, 0x1FFF];

fn split(cpu: &Cpu) {
    // They are slow everywhere.
    for _ in 0..cpu.times / 64 + 1 {
        for at in SPLITS {
            // SAFETY: as in `add`.
            unsafe {
                asm!("lock add dword ptr [{b}], 0x1000001", b = in(reg) address(0) + at);
                asm!(
                    "mov eax, [{b}]",
                    "2: lea {t:e}, [rax + 0x1000001]", "lock cmpxchg [{b}], {t:e}", "jnz 2b",
                    b = in(reg) address(0) + 0x4000 + at, t = out(reg) _, out("rax") _,
                );
            }
        }
    }
}

fn whole(cpu: &Cpu) {
    let n = cpu.all * (cpu.times / 64 + 1);
    for at in SPLITS {
        for place in [address(0) + at, address(0) + at + 0x4000] {
            // SAFETY: as in `add`.
            let seen = unsafe { core::ptr::with_exposed_provenance::<u32>(place as usize).read_unaligned() };
            expect(cpu, 31, seen.into(), u64::from((n as u32).wrapping_mul(0x100_0001)));
        }
    }
}
