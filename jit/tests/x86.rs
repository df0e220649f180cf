//! The oracle for x86 guests: interpreter and compiled code do the same to a processor, on random programs in 16-, 32- and
//! 64-bit modes. A mismatch is narrowed to the first instruction after which the two differ.

mod pc;

use lyrebird_cpu::core::Core;
use lyrebird_cpu::emit::Cx;
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::x86::decode::Decoded;
use lyrebird_cpu::x86::isa::sse_control::set_mxcsr;
use lyrebird_cpu::x86::table::{Imm, Prefix, Row};
use lyrebird_cpu::x86::{X64, isa, mode, state};
use lyrebird_jit::cache::Options;
use lyrebird_jit::disasm;
use lyrebird_jit::engine::{Jit, Shared};
use pc::{Bits, CODE, DATA, RAM, STACK, difference, processor};

/// Bytes of a program.
const SIZE: u64 = 0x3000;

struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }
    fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }
    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Rows whose effect the two engines may see at different times, or that leave the program.
fn excluded(row: &Row<Core<X64>>) -> bool {
    let p = &row.pattern;
    let words = [
        "HLT", "IRET", "SYS", "RDTSC", "RDPMC", "RSM", "LMSW", "LGDT", "LIDT", "LLDT", "LTR", "WRMSR", "INT",
        "ICEBP", "MWAIT", "MONITOR", "JMPF", "CALLF", "RETF", "LOADALL", "XSETBV", "XRSTOR", "FXRSTOR",
        "CLI", "STI", "POPF", "SWAPGS", "WRFSBASE", "WRGSBASE", "INVD", "WBINVD", "CPUID", "LDMXCSR",
        "VLDMXCSR", "RET", "LEAVE", "ENTER", "POPA",
    ];
    let far =
        matches!(p.imms[0], Some(Imm::Far)) || row.operands.contains("Mp") || row.operands.contains("Sw");
    let control = ["Cd", "Dd", "Cy", "Dy", "Rd,C", "Rd,D", "ES", "SS", "DS", "FS", "GS", "CS"];
    far || words.iter().any(|w| row.name.starts_with(w))
        || control.iter().any(|w| row.operands.contains(w))
        || p.map == 0 && p.opcode == 0xFF && p.digit.is_some_and(|d| (2..6).contains(&d))
}

/// A random instruction of a row.
fn instruction(r: &mut Random, row: &Row<Core<X64>>, m: u32) -> Vec<u8> {
    let (p, wide) = (&row.pattern, mode::is_64(m));
    let mut bytes = Vec::new();
    if p.prefix == Prefix::P66 && !p.vex
        || matches!(p.prefix, Prefix::Any | Prefix::NoRep) && r.below(5) == 0 && !p.vex
    {
        bytes.push(0x66);
    }
    match p.prefix {
        Prefix::F2 if !p.vex => bytes.push(0xF2),
        Prefix::F3 if !p.vex => bytes.push(0xF3),
        Prefix::Any if r.below(12) == 0 && !p.vex => bytes.push(0xF3),
        _ => {}
    }
    if p.lock && !p.vex && r.below(4) == 0 {
        bytes.push(0xF0);
    }
    if r.below(10) == 0 {
        bytes.push(0x64);
    }
    let w = p.w.unwrap_or(r.below(2) == 0);
    let rex = (w as u8) << 3 | if r.below(3) == 0 { r.below(8) as u8 & 5 } else { 0 };
    if p.vex {
        let pp = match p.prefix {
            Prefix::P66 => 1,
            Prefix::F3 => 2,
            Prefix::F2 => 3,
            _ => 0,
        };
        let l = p.l.unwrap_or(r.below(2) == 0) as u8;
        let v = if row.operands.contains('H') || row.operands.contains('B') { r.below(8) as u8 } else { 0 };
        bytes.extend([0xC4, 0xE0 | p.map, (w as u8) << 7 | (!v & 15) << 3 | l << 2 | pp]);
    } else {
        if wide && (rex & 7 != 0 || w && r.below(2) == 0 || p.w == Some(true)) {
            bytes.push(0x40 | rex);
        }
        bytes.extend([&[][..], &[0x0F], &[0x0F, 0x38], &[0x0F, 0x3A]][p.map as usize]);
    }
    bytes.push(p.opcode + if p.plus_r { r.of(&[0, 1, 2, 3, 6, 7]) } else { 0 });
    if p.modrm {
        let digit = p.digit.unwrap_or(r.of(&[0, 1, 2, 3, 6, 7]));
        let register = 0xC0 | digit << 3 | r.of(&[0, 1, 2, 3, 6, 7]);
        // The base register is RBX, or EBX, or BX, which points to data.
        let (base, wide_disp) = if mode::code(m) == 1 { (7, 2) } else { (3, 4) };
        let modrm = match p.exact {
            Some((value, 0xFF)) => value,
            Some((value, _)) => value | r.below(8) as u8,
            None if p.reg || p.anymod || !p.mem && r.below(2) == 0 => register,
            None => r.of(&[0, 0x40, 0x80]) | digit << 3 | base,
        };
        bytes.push(modrm);
        match modrm >> 6 {
            1 => bytes.push(r.below(256) as u8),
            2 => bytes.extend(&(r.below(4096) as u32).to_le_bytes()[..wide_disp]),
            _ => {}
        }
    }
    let prefix66 = bytes[0] == 0x66 && p.prefix != Prefix::P66;
    let z = if (mode::code(m) == 1) == prefix66 { 4 } else { 2 };
    for imm in p.imms.iter().flatten() {
        let (len, x) = match imm {
            Imm::Byte if row.operands.contains("Jb") => (1, r.below(12)),
            Imm::Byte => (1, r.draw()),
            Imm::Word => (2, r.below(16)),
            Imm::Jz => (if wide { 4 } else { z }, r.below(12)),
            Imm::Z | Imm::Far => (z, r.draw()),
            Imm::V => (if wide && w { 8 } else { z }, r.draw()),
            Imm::Moffs => ([0, 2, 4, 8][mode::code(m) as usize], DATA + r.below(4096)),
        };
        bytes.extend(&x.to_le_bytes()[..len]);
    }
    bytes
}

/// What a random program is made of.
#[derive(Clone, Copy)]
struct Kind {
    bits: Bits,
    /// Its rows.
    pick: fn(&Row<Core<X64>>) -> bool,
    /// Bytes of it. Regions of short ones have loops.
    size: u64,
    /// MXCSR is random, and so are the classes of the numbers in vectors.
    floating: bool,
}

impl Kind {
    const fn everything(bits: Bits) -> Self {
        Self { bits, pick: |_| true, size: SIZE, floating: false }
    }
}

/// 128 bits that are often numbers of some class: zeros, denormal ones, small, large and integral ones, NaNs.
fn numbers(r: &mut Random) -> u128 {
    const DOUBLES: [u64; 8] = [
        0,
        1,
        1 << 52,
        0x3FF0 << 48,
        0x7FEF_FFFF_FFFF_FFFF,
        0x7FF0 << 48,
        0x7FF8 << 48,
        0x7FF0_0000_0000_0001,
    ];
    const SINGLES: [u32; 8] =
        [0, 1, 1 << 23, 0x3F80_0000, 0x7F7F_FFFF, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001];
    let sign = r.below(2);
    let double = |r: &mut Random| match r.below(4) {
        0 => r.of(&DOUBLES) ^ sign << 63,
        1 => (r.below(1 << 20) as f64 / 8.0).to_bits() ^ sign << 63,
        2 => (0x3D0 + r.below(0x60)) << 52 ^ r.draw() ^ r.below(2) << 63,
        _ => r.draw() << 11 ^ r.draw(),
    };
    let single = |r: &mut Random| match r.below(4) {
        0 => r.of(&SINGLES) ^ (r.below(2) as u32) << 31,
        1 => (r.below(1 << 12) as f32 / 8.0).to_bits(),
        2 => (0x68 + r.below(0x30) as u32) << 23 ^ r.draw() as u32 & 0x807F_FFFF,
        _ => r.draw() as u32,
    };
    if r.below(2) == 0 {
        (0..2).fold(0, |v, _| v << 64 | double(r) as u128)
    } else {
        (0..4).fold(0, |v, _| v << 32 | single(r) as u128)
    }
}

/// A processor before a random program.
fn ready(seed: u64, kind: Kind) -> Core<X64> {
    let Kind { bits, pick, size, floating } = kind;
    let mut c = processor(bits);
    let mut r = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let rows: Vec<_> = isa::interp_table().rows().iter().filter(|row| !excluded(row) && pick(row)).collect();
    let mut at = CODE;
    while at < CODE + size {
        let row = rows[r.below(rows.len() as u64) as usize];
        let bytes = instruction(&mut r, row, c.mode);
        let cx = Cx { mode: c.mode, features: c.features };
        let Some(Decoded::Row(..)) = isa::interp_table().decode(&bytes, cx) else { continue };
        c.ram.write_bytes(at, &bytes).unwrap();
        at += bytes.len() as u64;
    }
    // Jumps back to the start.
    let back = (CODE as i64 - (at as i64 + 5)) as u32;
    let jump = [&[0xE9][..], &back.to_le_bytes()].concat();
    c.ram.write_bytes(at, &jump).unwrap();
    for n in 0..16 {
        let x = match r.below(4) {
            0 => r.below(64),
            1 => DATA + r.below(4096),
            2 => (r.below(64) as i64 - 32) as u64,
            _ => r.draw() << 20 ^ r.draw(),
        };
        c.set(state::gpr(n), x);
        let high = (r.draw() as u128) << 64 ^ (r.draw() as u128) << 90;
        c.set(state::xmm(n), high ^ r.draw() as u128);
        if floating {
            let (low, high) = (numbers(&mut r), numbers(&mut r));
            c.set(state::xmm(n), low);
            c.set(state::ymm_high(n), high);
        }
    }
    if floating {
        // All exceptions masked, any precision and rounding.
        let precision = r.of(&[0, 0x200, 0x300, 0x300]);
        c.set(state::FCW, 0x7F | precision | (r.below(4) as u16) << 10);
        // Flags, denormals as zeros, roundings, flushing; and at times an unmasked exception.
        let mut mxcsr = 0x1F80 | r.of(&[0, 0, 0x8000, 0x40, 0x8040]) as u32 | (r.below(4) as u32) << 13;
        if r.below(4) == 0 {
            mxcsr ^= 0x80 << r.below(6);
        }
        set_mxcsr(&mut c, mxcsr | if r.below(2) == 0 { r.below(64) as u32 } else { 0 });
    }
    c.set(state::gpr(3), if matches!(bits, Bits::Real16) { 0x400 } else { DATA + 0x100 });
    c.set(state::RSP, if matches!(bits, Bits::Real16) { 0xF000 } else { STACK });
    for i in 0..4096 {
        c.ram.write(DATA + i * 8, r.draw() << 13 ^ r.draw()).unwrap();
        if floating && i % 2 == 0 {
            c.ram.write(DATA + i * 8, numbers(&mut r)).unwrap();
        }
    }
    c
}

/// Both engines run `steps` instructions of the program.
fn both(steps: u64, ready: &dyn Fn() -> Core<X64>) -> (Core<X64>, Core<X64>) {
    let (mut a, mut b) = (ready(), ready());
    // A program that shuts its processor down has come to an end.
    let interpreted = a.run(steps);
    assert!(matches!(interpreted, Exit::Budget | Exit::Halted), "{interpreted:?}");
    let options = Options { counting: true, threshold: 1, size: 4 << 20, ..Options::default() };
    let shared = Shared::new(options, b.features).unwrap();
    let compiled = Jit::new(&shared).run(&mut b, steps);
    // A shutdown asks for attention, too, which one engine finds first.
    let shut_down = compiled == Exit::Attention && interpreted == Exit::Halted && b.halted;
    assert!(compiled == interpreted || shut_down, "{interpreted:?} interpreted, {compiled:?} compiled");
    (a, b)
}

fn compare(kind: Kind) {
    let bits = kind.bits;
    let number = |name: &str, or| std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(or);
    let first: u64 = number("SEED", 1);
    let mut executed = 0;
    for seed in first..first + number("SEEDS", 8) {
        let ready = || ready(seed, kind);
        if std::env::var_os("VERBOSE").is_some() {
            eprintln!("seed {seed}");
        }
        let differs = |steps| {
            let (a, b) = both(steps, &ready);
            difference(&a, &b)
        };
        let most = 4000;
        executed += both(most, &ready).0.icount;
        if differs(most).is_none() {
            continue;
        }
        let (mut good, mut bad) = (0, most);
        while bad - good > 1 {
            let middle = (good + bad) / 2;
            if differs(middle).is_some() { bad = middle } else { good = middle }
        }
        // A difference that goes away again hides the first one.
        if let Some(first) = (1..bad.min(200)).find(|&steps| differs(steps).is_some()) {
            (good, bad) = (first - 1, first);
        }
        let mut before = ready();
        let mut trail = String::new();
        for step in 0..good {
            if step + number("TRAIL", 8) > good {
                let (at, mut bytes) = (before.pc(), [0; 15]);
                before.ram.read_bytes(at & (RAM - 1), &mut bytes).unwrap();
                trail += &format!(
                    "  {at:#x}: {} flags {:#x}\n",
                    disasm::x86_line(&bytes, at, before.mode),
                    before.reg(state::FLAGS)
                );
            }
            before.run(1);
        }
        let mut bytes = [0; 15];
        let at = before.pc();
        before.ram.read_bytes(at & (RAM - 1), &mut bytes).unwrap();
        let line = disasm::x86_line(&bytes, at, before.mode);
        let general: Vec<_> = (0..16).map(|n| format!("{:x}", before.reg(state::gpr(n)))).collect();
        panic!(
            "{bits:?} seed {seed}\n{trail}  step {bad} at {at:#x}: {line}\n  flags {:#x} general {}\n{}",
            before.reg(state::FLAGS),
            general.join(" "),
            differs(bad).unwrap_or_default()
        );
    }
    // Programs that end at once compare nothing.
    let seeds = number("SEEDS", 8);
    println!("{bits:?}: {executed} instructions");
    assert!(executed > 200 * seeds, "{executed} instructions of {seeds} programs");
}

#[test]
fn everything_in_64_bits() {
    compare(Kind::everything(Bits::Long64));
}

#[test]
fn everything_in_32_bits() {
    compare(Kind::everything(Bits::Flat32));
}

#[test]
fn everything_in_real_mode() {
    compare(Kind::everything(Bits::Real16));
}

/// Rows of vectors, and those that look at flags.
fn vectors(row: &Row<Core<X64>>) -> bool {
    let flags =
        ["SET", "CMOV", "J"].iter().any(|name| row.name.starts_with(name)) && row.operands.contains('b');
    row.operands.contains(['V', 'W', 'U']) || row.name.starts_with("VZERO") || flags
}

/// Rows of floating point.
fn floating(row: &Row<Core<X64>>) -> bool {
    let ends = ["PS", "PD", "SS", "SD", "SI", "DQ"].iter().any(|end| row.name.ends_with(end));
    vectors(row) && (ends || row.name.starts_with('J') || row.name.starts_with("STMXCSR"))
}

#[test]
fn vectors_in_64_bits() {
    compare(Kind { bits: Bits::Long64, pick: vectors, size: 0x400, floating: true });
}

#[test]
fn floating_point_in_64_bits() {
    compare(Kind { bits: Bits::Long64, pick: floating, size: 0x180, floating: true });
}

#[test]
fn floating_point_in_32_bits() {
    compare(Kind { bits: Bits::Flat32, pick: floating, size: 0x800, floating: true });
}

/// Rows of the x87, and those that look at flags.
fn x87(row: &Row<Core<X64>>) -> bool {
    let flags = ["SET", "CMOV", "SAHF"].iter().any(|name| row.name.starts_with(name));
    let short = row.name.starts_with('J') && row.operands.contains('b');
    flags || short || row.pattern.map == 0 && matches!(row.pattern.opcode, 0xD8..=0xDF | 0x9B)
}

/// Those of them that leave the control word alone.
fn x87_plain(row: &Row<Core<X64>>) -> bool {
    const CONTROL: [&str; 5] = ["FLDCW", "FLDENV", "FRSTOR", "FNINIT", "FNSAVE"];
    x87(row) && !CONTROL.contains(&row.name)
}

#[test]
fn x87_in_64_bits() {
    compare(Kind { bits: Bits::Long64, pick: x87_plain, size: 0x300, floating: true });
}

#[test]
fn x87_in_32_bits() {
    compare(Kind { bits: Bits::Flat32, pick: x87_plain, size: 0x300, floating: true });
}

#[test]
fn x87_with_its_control_word() {
    compare(Kind { bits: Bits::Long64, pick: x87, size: 0x300, floating: true });
}

#[test]
fn x87_and_mmx() {
    let pick =
        |row: &Row<Core<X64>>| x87_plain(row) || row.operands.contains(['P', 'Q', 'N']) || row.name == "EMMS";
    compare(Kind { bits: Bits::Long64, pick, size: 0x800, floating: true });
}

/// Random code of flags, branches, shifts, and accesses to memory.
fn flag_code(r: &mut Random, count: u64) -> Vec<u8> {
    const REGISTERS: [u8; 4] = [0, 1, 2, 6];
    let mut code = Vec::new();
    for _ in 0..count {
        let (a, b) = (r.of(&REGISTERS), r.of(&REGISTERS));
        let (disp, imm) = (r.below(32) as u8 * 4, r.draw() as u8);
        let both = 0xC0 | a << 3 | b;
        let digit = r.of(&[0u8, 1, 4, 5, 7]);
        let rex = 0x40 | (r.below(2) as u8) << 3;
        let alu = r.of(&[0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39, 0x85]);
        code.extend(match r.below(16) {
            0..=2 => vec![rex, alu, both],
            3 => vec![rex, 0x83, 0xC0 | (r.below(8) as u8) << 3 | b, imm],
            4 => vec![rex, 0xC1, 0xC0 | digit << 3 | b, imm],
            5 => vec![r.of(&[0x40, 0x66]), r.of(&[0xC1, 0xC0]), 0xC0 | digit << 3 | b & 3, imm],
            6 => vec![rex, r.of(&[0xD3, 0xD2, 0xD1]), 0xC0 | digit << 3 | b],
            7 => vec![rex, 0xFF, 0xC0 | (r.below(2) as u8) << 3 | b],
            8 => vec![rex, 0xF7, r.of(&[0xD8, 0xD0, 0xE0, 0xE8]) | b],
            9 => vec![rex, 0x0F, 0xAF, both],
            10 => vec![rex, 0x8B, 0x43 | a << 3, disp],
            11 => vec![rex, r.of(&[0x89, 0x01, 0x29, 0x3B, 0x13]), 0x43 | a << 3, disp],
            12 => vec![0x40, 0x0F, 0x90 | imm & 15, 0xC0 | b],
            13 => vec![rex, 0x0F, 0x40 | imm & 15, both],
            14 => vec![0x9C, 0x8F, 0x43, disp],
            _ => {
                let inner_count = 1 + r.below(3);
                let inner = flag_code(r, inner_count.min(count / 2));
                match u8::try_from(inner.len()) {
                    Ok(len @ ..0x80) => [&[0x70 | imm & 15, len], &inner[..]].concat(),
                    _ => inner,
                }
            }
        });
    }
    code
}

/// Loops of flags whose blocks are left in every way, without counting: what nobody sees is not computed.
#[test]
fn flags_at_the_edges_of_blocks() {
    let number = |name: &str, or| std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(or);
    let first: u64 = number("SEED", 1);
    for seed in first..first + number("SEEDS", 8) {
        let ready = || {
            let c = ready(seed, Kind::everything(Bits::Long64));
            let mut r = Random(seed | 1 << 40);
            let mut code = vec![0x41, 0xBF, 60, 0, 0, 0];
            let start = code.len();
            for _ in 0..3 {
                let count = 2 + r.below(10);
                code.extend(flag_code(&mut r, count));
                // CALL of what is in the next page.
                let to = 0x1000 - (code.len() as i32 + 5);
                code.push(0xE8);
                code.extend(to.to_le_bytes());
            }
            code.extend([0x49, 0xFF, 0xCF, 0x0F, 0x85]);
            let back = start as i32 - (code.len() as i32 + 4);
            code.extend(back.to_le_bytes());
            code.push(0xF4);
            assert!(code.len() < 0x1000);
            c.ram.write_bytes(CODE, &code).unwrap();
            // PUSHFQ, POP [RBX + 16], RET
            let routine = [&flag_code(&mut r, 3)[..], &[0x9C, 0x8F, 0x43, 0x10, 0xC3]].concat();
            c.ram.write_bytes(CODE + 0x1000, &routine).unwrap();
            c
        };
        let (mut a, mut b) = (ready(), ready());
        assert_eq!(a.run(1 << 20), Exit::Halted, "seed {seed}");
        let options = Options { threshold: 1, size: 4 << 20, ..Options::default() };
        let shared = Shared::new(options, b.features).unwrap();
        assert_eq!(Jit::new(&shared).run(&mut b, u64::MAX >> 1), Exit::Halted, "seed {seed}");
        if let Some(text) = difference(&a, &b) {
            panic!("seed {seed}\n{text}");
        }
    }
}
