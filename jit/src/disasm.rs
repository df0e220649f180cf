//! Disassembly for people: capstone's, and where it knows no name for a guest instruction, the name of our row.

use capstone::prelude::*;
use lyrebird_cpu::arm::a64;
use std::fmt::Write;

/// One A64 instruction at address `at` as text. What capstone does not know is `.inst` with the row's name behind it.
pub fn a64(word: u32, at: u64) -> String {
    thread_local! {
        static ENGINE: Option<Capstone> =
            Capstone::new().arm64().mode(arch::arm64::ArchMode::Arm).build().ok();
    }
    let known = ENGINE.with(|engine| {
        let insns = engine.as_ref()?.disasm_count(&word.to_le_bytes(), at, 1).ok()?;
        let i = insns.first()?;
        Some(format!("{} {}", i.mnemonic()?, i.op_str().unwrap_or_default()).trim_end().to_string())
    });
    known.unwrap_or_else(|| match row(word) {
        Some(name) => format!(".inst {word:#010x} // {name}"),
        None => format!(".inst {word:#010x}"),
    })
}

/// The A64 instruction that `bytes` begin with, as a line of a trace shows it.
pub fn a64_line(bytes: &[u8], at: u64, _mode: u32) -> String {
    match bytes.first_chunk() {
        Some(&bytes) => {
            let word = u32::from_le_bytes(bytes);
            format!("{word:08x}  {}", a64(word, at))
        }
        None => format!(".byte {bytes:02x?}"),
    }
}

/// The x86 instruction that `bytes` begin with, in code of so many bits: its length and text in Intel's notation. `None`
/// if capstone does not know it.
pub fn x86(bytes: &[u8], at: u64, bits: u32) -> Option<(usize, String)> {
    use arch::x86::ArchMode;
    thread_local! {
        static ENGINES: [Option<Capstone>; 3] = [ArchMode::Mode16, ArchMode::Mode32, ArchMode::Mode64]
            .map(|mode| Capstone::new().x86().mode(mode).build().ok());
    }
    ENGINES.with(|engines| {
        let engine = match bits {
            16 => &engines[0],
            32 => &engines[1],
            _ => &engines[2],
        };
        let insns = engine.as_ref()?.disasm_count(bytes, at, 1).ok()?;
        let i = insns.first()?;
        let text = format!("{} {}", i.mnemonic()?, i.op_str().unwrap_or_default());
        Some((i.len(), text.trim_end().to_string()))
    })
}

/// The x86 instruction that `bytes` are, as a line of a trace shows it; `mode` is the processor's mode word.
pub fn x86_line(bytes: &[u8], at: u64, mode: u32) -> String {
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let text =
        x86(bytes, at, 8 << lyrebird_cpu::x86::mode::code(mode)).map_or("(bad)".into(), |(_, text)| text);
    format!("{hex:<30}  {text}")
}

/// The name of the row that decodes a word on a model that has everything.
pub fn row(word: u32) -> Option<&'static str> {
    a64::interp_table().find(word, u64::MAX).map(|(_, row)| row.name)
}

/// Host code at address `base`, an instruction a line.
pub fn host(code: &[u8], base: u64) -> String {
    let mut text = String::new();
    let engine = Capstone::new().x86().mode(arch::x86::ArchMode::Mode64).build();
    let Ok(engine) = engine else { return text };
    let mut at = 0;
    while let Some(rest) = code.get(at..).filter(|rest| !rest.is_empty()) {
        let insns = engine.disasm_all(rest, base + at as u64);
        for i in insns.iter().flat_map(|all| all.iter()) {
            let (name, operands) = (i.mnemonic().unwrap_or("?"), i.op_str().unwrap_or(""));
            let _ = writeln!(text, "  {:#x}: {}", i.address(), format!("{name} {operands}").trim_end());
            at += i.len();
        }
        // What capstone does not know is shown byte by byte.
        if let Some(byte) = code.get(at) {
            let _ = writeln!(text, "  {:#x}: .byte {byte:#04x}", base + at as u64);
            at += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_have_their_names() {
        for (word, text) in [
            (0x9100_4020, "add x0, x1, #0x10"),
            (0xAB02_0C20, "adds x0, x1, x2, lsl #3"),
            (0xA8C1_0BE1, "ldp x1, x2, [sp], #0x10"),
            (0x9A83_B041, "csel x1, x2, x3, lt"),
            (0x3628_0041, "tbz w1, #5, #0x1008"),
            (0x54FF_FFC1, "b.ne #0xff8"),
            (0xF821_0062, "ldadd x1, x2, [x3]"),
            (0x88E1_FC62, "casal w1, w2, [x3]"),
            (0x78BF_C041, "ldaprh w1, [x2]"),
            (0xDAC1_0041, "pacia x1, x2"),
            (0xD65F_0BFF, "retaa"),
            (0xF820_1441, "ldraa x1, [x2, #8]"),
            (0xCE02_0C20, "eor3 v0.16b, v1.16b, v2.16b, v3.16b"),
            (0xCE62_8C20, "rax1 v0.2d, v1.2d, v2.2d"),
            (0xCEC0_8420, "sm4e v0.4s, v1.4s"),
            (0x4E82_9420, "sdot v0.4s, v1.16b, v2.16b"),
            (0x6E82_CC20, "fcmla v0.4s, v1.4s, v2.4s, #0x5a"),
            (0x1E7E_0020, "fjcvtzs w0, d1"),
            (0x6E82_8420, "sqrdmlah v0.4s, v1.4s, v2.4s"),
            (0xD500_401F, "cfinv"),
            (0x4EE2_E020, "pmull2 v0.1q, v1.2d, v2.2d"),
        ] {
            assert_eq!(a64(word, 0x1000), text, "{word:#x}");
        }
    }

    #[test]
    fn what_capstone_does_not_know_has_our_name() {
        let (mut ours, mut all) = (0, 0);
        for r in a64::interp_table().rows() {
            let fields = [0, 0x5555_5555, 0xAAAA_AAAA, 0x0108_0421].map(|x| r.value | x & !r.mask);
            for word in fields.into_iter().filter(|&w| row(w) == Some(r.name)) {
                let text = a64(word, 0x1000);
                all += 1;
                if text.starts_with(".inst") {
                    ours += 1;
                    assert!(text.ends_with(r.name), "{}: {text}", r.name);
                }
            }
        }
        // Rows hold unallocated encodings, too; those have no other name.
        assert!(ours * 6 < all, "{ours} of {all} instructions have no name");
        assert_eq!(a64(0x0000_FFFF, 0), "udf #0xffff");
        assert_eq!(a64(0xFFFF_FFFF, 0), ".inst 0xffffffff");
    }

    #[test]
    fn x86_code_is_shown_in_its_size() {
        let text = |bytes: &[u8], bits| x86(bytes, 0x7C00, bits);
        assert_eq!(text(&[0xB8, 1, 2, 3, 4], 16), Some((3, "mov ax, 0x201".into())));
        assert_eq!(text(&[0xB8, 1, 2, 3, 4], 32), Some((5, "mov eax, 0x4030201".into())));
        assert_eq!(text(&[0x48, 0x01, 0xD8], 64), Some((3, "add rax, rbx".into())));
        assert_eq!(text(&[0x06], 64).map(|x| x.0), None);
    }

    #[test]
    fn host_code_is_shown_to_its_end() {
        assert_eq!(host(&[0x90, 0x06, 0xC3], 0x10), "  0x10: nop\n  0x11: .byte 0x06\n  0x12: ret\n");
    }
}
