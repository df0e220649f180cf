//! Test suites that cannot be run, and tests that fail.

use super::inputs::write;
use super::{Case, case, place, run_all};

const CASES: &[Case] = &[
    case("test", 2, &["PATH"]),
    case("test missing", 3, &["'missing'", "No such file"]),
    case("test nothing", 3, &["'nothing'", ".MOO"]),
    case("test empty.MOO", 3, &["'empty.MOO'", "empty"]),
    case("test magic.MOO", 3, &["'magic.MOO'", "no MOO file"]),
    case("test cut.MOO", 3, &["'cut.MOO'", "cut off"]),
    case("test short.MOO", 3, &["'short.MOO'", "0 tests, not 1"]),
    case("test version.MOO", 3, &["'version.MOO'", "version 9.0"]),
    case("test cpu.MOO", 3, &["'cpu.MOO'", "Z80"]),
    case("test huge.MOO", 3, &["'huge.MOO'", "cut off"]),
    case("test packed.MOO.gz", 3, &["'packed.MOO.gz'", "gzip"]),
    case("test text.json", 3, &["'text.json'", "line 1"]),
    case("test register.json", 3, &["'register.json'", "eflax"]),
    case("test cut.vec", 3, &["'cut.vec'"]),
    case("test head.vec", 3, &["'head.vec'", "version"]),
    case("test unknown", 3, &["'unknown'", "no file of tests"]),
    case("test beside", 3, &["'beside'", "metadata.json"]),
    case("test bad.cfg", 3, &["'bad.cfg'", "line 2"]),
    case("test empty.cfg", 3, &["'empty.cfg'", "no test"]),
    case("test open.cfg", 3, &["'open.cfg'", "quote"]),
    case("test good.MOO -accel warp", 2, &["warp", "interp"]),
    case("test good.MOO -accel verify", 5, &["verify", "interp"]),
    case("test good.MOO -cpu 80986", 2, &["80986", "80286"]),
    case("test good.MOO -filter other", 2, &["other"]),
    case("test good.MOO -filter good:7", 2, &["good:7"]),
    case("test good.MOO -jobs 0", 2, &["-jobs 0"]),
    case("test good.MOO -jobs many", 2, &["jobs", "many"]),
    case("test good.MOO -timeout never", 2, &["-timeout"]),
    case("test good.MOO -report pdf:x", 2, &["pdf", "junit"]),
    case("test good.MOO -report junit", 2, &["FORMAT:FILE"]),
    case("test good.MOO -report junit:/nowhere/x", 1, &["/nowhere/x"]),
    case("test good.MOO -post 80", 2, &["-post 80", "PORT:CODE"]),
    case("test good.MOO -post 0x80:0x100", 2, &["a code is a byte"]),
    case("test good.MOO -log 0xE9:missing", 3, &["'missing'"]),
    case("test good.MOO -exit 1 -guest z80", 2, &["z80", "i386"]),
    case("test good.MOO -exit 1 -args '", 2, &["quote"]),
    case("test missing -exit 1", 3, &["'missing'"]),
    case("test good.MOO -nonsense", 2, &["-nonsense"]),
    case("test wrong.MOO", 9, &["ax is 0002, should be 0003", "inc ax", "again: lyrebird test", "wrong:0"]),
    case("test wrong.MOO -accel interp", 9, &["ax is 0002, should be 0003"]),
    case("test wrong.json", 9, &["ax is 0002, should be 0003"]),
    case("test far.MOO", 9, &["above 16 MiB"]),
    case("test endless.MOO", 9, &["endless:0"]),
];

fn chunk(tag: &str, inner: &[u8]) -> Vec<u8> {
    [tag.as_bytes(), &(inner.len() as u32).to_le_bytes(), inner].concat()
}

fn head(version: u8, cpu: &str) -> Vec<u8> {
    chunk("MOO ", &[&[version, 0, 0, 0, 1, 0, 0, 0], cpu.as_bytes()].concat())
}

/// A file with one test: `code` at 0:0400h, AX 1 before.
fn moo(code: &[u8], at: u32, ax: u8, ip: u16) -> Vec<u8> {
    let bytes = chunk("BYTS", &[&(code.len() as u32).to_le_bytes(), code].concat());
    // AX, CS and IP in the mask of fourteen.
    let registers = chunk("REGS", &[&0x1011u16.to_le_bytes()[..], &[1, 0, 0, 0, 0, 4]].concat());
    let mut ram = (code.len() as u32).to_le_bytes().to_vec();
    for (n, byte) in code.iter().enumerate() {
        ram.extend((at + n as u32).to_le_bytes());
        ram.push(*byte);
    }
    let before = chunk("INIT", &[registers, chunk("RAM ", &ram)].concat());
    let after = [&0x1001u16.to_le_bytes()[..], &[ax, 0], &ip.to_le_bytes()].concat();
    let after = chunk("FINA", &[chunk("REGS", &after), chunk("RAM ", &[0; 4])].concat());
    let test = [vec![0; 4], chunk("NAME", b"\x06\0\0\0inc ax"), bytes, before, after].concat();
    [head(1, "C286"), chunk("TEST", &test)].concat()
}

#[test]
fn suites() {
    let at = place("suites");
    let inc = [0x40, 0xF4];
    let json = |register: &str, ax: u8| {
        format!(
            r#"[{{"name": "inc ax", "bytes": [64], "initial": {{"regs": {{"{register}": 1, "cs": 0, "ip": 1024}},
                "ram": [[1024, 64]]}}, "final": {{"regs": {{"ax": {ax}, "ip": 1025}}, "ram": []}}}}]"#
        )
    };
    let good = moo(&inc, 0x400, 2, 0x402);
    for directory in ["nothing", "beside"] {
        std::fs::create_dir_all(at.join(directory)).expect("a directory");
    }
    let files: &[(&str, Vec<u8>)] = &[
        ("good.MOO", good.clone()),
        ("wrong.MOO", moo(&inc, 0x400, 3, 0x402)),
        ("far.MOO", moo(&inc, 0x0100_0400, 2, 0x402)),
        ("endless.MOO", moo(&[0xEB, 0xFE, 0xF4], 0x400, 1, 0x402)),
        ("empty.MOO", Vec::new()),
        ("magic.MOO", b"ELF \x04\0\0\0abcd".to_vec()),
        ("cut.MOO", good[..good.len() - 3].to_vec()),
        ("short.MOO", head(1, "C286")),
        ("version.MOO", head(9, "C286")),
        (
            "cpu.MOO",
            good.iter()
                .enumerate()
                .map(|(n, b)| b"Z80 ".get(n.wrapping_sub(16)).copied().unwrap_or(*b))
                .collect(),
        ),
        ("huge.MOO", [head(1, "C286"), b"TEST\xFF\xFF\xFF\xFF".to_vec()].concat()),
        ("packed.MOO.gz", super::inputs::truncated_gzip()),
        ("text.json", b"nonsense".to_vec()),
        ("register.json", json("eflax", 2).into()),
        ("wrong.json", json("ax", 3).into()),
        ("cut.vec", b"LYRVEC01\xFF\0\0\0abc".to_vec()),
        ("head.vec", b"LYRVEC99".to_vec()),
        ("unknown", b"what is this".to_vec()),
        ("beside/x.MOO", good),
        ("beside/metadata.json", b"{".to_vec()),
        ("bad.cfg", b"[a]\nnonsense\n".to_vec()),
        ("empty.cfg", b"# nothing\n".to_vec()),
        ("open.cfg", b"[a]\nfile = good.MOO\nextra_params = -append 'x\n".to_vec()),
    ];
    for (name, bytes) in files {
        write(&at, name, bytes);
    }
    run_all(&at, CASES);
}
