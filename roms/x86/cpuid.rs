//! What CPUID says.
//!
//! Source: SDM volume 2, CPUID.

use crate::console::say;
use core::arch::x86_64::{__cpuid, __cpuid_count, CpuidResult};

/// Register, bit and name of the features in leaf 1: edx and ecx.
const LEAF1: [(u8, u8, &str); 17] = [
    (b'd', 4, "tsc"),
    (b'd', 15, "cmov"),
    (b'd', 26, "sse2"),
    (b'c', 0, "sse3"),
    (b'c', 9, "ssse3"),
    (b'c', 19, "sse4.1"),
    (b'c', 20, "sse4.2"),
    (b'c', 23, "popcnt"),
    (b'c', 22, "movbe"),
    (b'c', 25, "aes"),
    (b'c', 1, "pclmul"),
    (b'c', 13, "cx16"),
    (b'c', 28, "avx"),
    (b'c', 12, "fma"),
    (b'c', 29, "f16c"),
    (b'c', 30, "rdrand"),
    (b'c', 21, "x2apic"),
];
/// Of leaf 7: ebx and ecx.
const LEAF7: [(u8, u8, &str); 12] = [
    (b'b', 0, "fsgsbase"),
    (b'b', 3, "bmi1"),
    (b'b', 8, "bmi2"),
    (b'b', 5, "avx2"),
    (b'b', 19, "adx"),
    (b'b', 29, "sha"),
    (b'b', 18, "rdseed"),
    (b'b', 7, "smep"),
    (b'b', 20, "smap"),
    (b'b', 9, "erms"),
    (b'c', 3, "pku"),
    (b'c', 16, "la57"),
];

fn largest() -> u32 {
    __cpuid(0).eax
}

/// Whether there is a local APIC.
pub fn has_apic() -> bool {
    __cpuid(1).edx & 1 << 9 != 0
}

/// Prints the processor's name, maker, family, model and stepping.
pub fn print_name() {
    let mut named = false;
    if __cpuid(0x8000_0000).eax >= 0x8000_0004 {
        for leaf in 0x8000_0002..=0x8000_0004 {
            let CpuidResult { eax, ebx, ecx, edx } = __cpuid(leaf);
            for byte in [eax, ebx, ecx, edx].into_iter().flat_map(u32::to_le_bytes) {
                // Some names begin with spaces.
                named |= byte > b' ';
                if named && byte != 0 {
                    crate::console::put(byte);
                }
            }
        }
    }
    say!("{}", if named { ", " } else { "" });
    let CpuidResult { ebx, ecx, edx, .. } = __cpuid(0);
    [ebx, edx, ecx].into_iter().flat_map(u32::to_le_bytes).for_each(crate::console::put);
    let version = __cpuid(1).eax;
    let (family, model) = (version >> 8 & 0xf, version >> 4 & 0xf);
    let extended = if family == 15 { version >> 20 & 0xff } else { 0 };
    let high = if family == 15 || family == 6 { version >> 12 & 0xf0 } else { 0 };
    say!(" family {} model {} stepping {}", family + extended, model + high, version & 0xf);
}

/// Prints the features that programs look for.
pub fn print_features() {
    print(&LEAF1, __cpuid(1));
    if largest() >= 7 {
        print(&LEAF7, __cpuid_count(7, 0));
    }
}

fn print(names: &[(u8, u8, &str)], leaf: CpuidResult) {
    for &(register, bit, name) in names {
        let value = match register {
            b'b' => leaf.ebx,
            b'c' => leaf.ecx,
            _ => leaf.edx,
        };
        if value >> bit & 1 != 0 {
            say!(" {name}");
        }
    }
}
