//! An ELF program that runs one instruction on many records of processor state, in place, and writes them out.
//!
//! Its code is made of bytes here, so that nothing has to be assembled and nothing is unsafe: the program is an ordinary
//! child process.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Bytes of a record: general registers, flags, memory operand, XSAVE area.
pub const RECORD: usize = 1280;
/// Where RFLAGS is in a record; the general registers come first.
pub const FLAGS: usize = 128;
/// Where the memory operand is, and R13 points.
pub const MEMORY: usize = 192;
/// Bytes of the memory operand.
pub const MEMORY_SIZE: usize = 128;
/// Where the XSAVE area is: x87, SSE, AVX in standard form.
pub const XSAVE: usize = 320;
/// Address of the first record.
pub const DATA: u64 = 0x1000_0000;
const CODE: u64 = 0x40_0000;
/// General registers that belong to the instruction: not RSP, R13 (memory operand), R14 and R15 (records).
pub const FREE: [u8; 13] = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13];

/// `mov reg, [r15 + 8 * reg]` or the store.
fn general(code: &mut Vec<u8>, reg: u8, store: bool) {
    let rex = 0x49 | (reg >> 3) << 2;
    code.extend([rex, if store { 0x89 } else { 0x8B }, 0x47 | (reg & 7) << 3, 8 * reg]);
}

/// The program's code.
fn code(insn: &[u8], records: usize) -> Vec<u8> {
    let mut c = Vec::new();
    c.extend([0x41, 0xBF]); // mov r15d, DATA
    c.extend((DATA as u32).to_le_bytes());
    c.extend([0x41, 0xBE]); // mov r14d, records
    c.extend((records as u32).to_le_bytes());
    let again = c.len();
    c.extend([0xB8, 7, 0, 0, 0, 0x31, 0xD2]); // mov eax, 7; xor edx, edx
    c.extend([0x49, 0x0F, 0xAE, 0xAF]); // xrstor64 [r15 + XSAVE]
    c.extend((XSAVE as u32).to_le_bytes());
    c.extend([0x41, 0xFF, 0xB7]); // push qword [r15 + FLAGS]
    c.extend((FLAGS as u32).to_le_bytes());
    c.push(0x9D); // popfq
    c.extend([0x4D, 0x8D, 0xAF]); // lea r13, [r15 + MEMORY]
    c.extend((MEMORY as u32).to_le_bytes());
    FREE[..12].iter().for_each(|&r| general(&mut c, r, false));
    c.extend(insn);
    FREE[..12].iter().for_each(|&r| general(&mut c, r, true));
    c.push(0x9C); // pushfq
    c.extend([0x41, 0x8F, 0x87]); // pop qword [r15 + FLAGS]
    c.extend((FLAGS as u32).to_le_bytes());
    c.push(0xFC); // cld
    c.extend([0xB8, 7, 0, 0, 0, 0x31, 0xD2]);
    c.extend([0x49, 0x0F, 0xAE, 0xA7]); // xsave64 [r15 + XSAVE]
    c.extend((XSAVE as u32).to_le_bytes());
    c.extend([0x49, 0x81, 0xC7]); // add r15, RECORD
    c.extend((RECORD as u32).to_le_bytes());
    c.extend([0x49, 0xFF, 0xCE]); // dec r14
    c.extend([0x0F, 0x85]); // jnz again
    let from = c.len() as i32 + 4;
    c.extend((again as i32 - from).to_le_bytes());
    // write(1, DATA, all), as often as it takes; exit(0)
    c.push(0xBE); // mov esi, DATA
    c.extend((DATA as u32).to_le_bytes());
    c.push(0xBA); // mov edx, bytes
    c.extend(((records * RECORD) as u32).to_le_bytes());
    let more = c.len();
    c.extend([0xB8, 1, 0, 0, 0, 0xBF, 1, 0, 0, 0, 0x0F, 0x05]); // mov eax, 1; mov edi, 1; syscall
    c.extend([0x48, 0x01, 0xC6, 0x48, 0x29, 0xC2]); // add rsi, rax; sub rdx, rax
    c.extend([0x7F, (more as i32 - (c.len() as i32 + 2)) as u8]); // jg more
    c.extend([0xB8, 60, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05]); // exit(0)
    c
}

/// The program as an ELF file with two segments: code, records.
fn elf(insn: &[u8], data: &[u8]) -> Vec<u8> {
    let code = code(insn, data.len() / RECORD);
    let (code_at, data_at) = (0x1000usize, 0x1000 + code.len().next_multiple_of(0x1000));
    let mut f = vec![0; data_at + data.len()];
    let mut put = |at: usize, bytes: &[u8]| f[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0x7F, b'E', b'L', b'F', 2, 1, 1]);
    put(16, &[2, 0, 62, 0, 1]);
    put(24, &CODE.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(52, &[64, 0, 56, 0, 2, 0]);
    for (n, (flags, at, va, len)) in
        [(5u32, code_at, CODE, code.len()), (6, data_at, DATA, data.len())].into_iter().enumerate()
    {
        let h = 64 + 56 * n;
        put(h, &1u32.to_le_bytes());
        put(h + 4, &flags.to_le_bytes());
        put(h + 8, &(at as u64).to_le_bytes());
        put(h + 16, &va.to_le_bytes());
        put(h + 24, &va.to_le_bytes());
        put(h + 32, &(len as u64).to_le_bytes());
        put(h + 40, &(len as u64).to_le_bytes());
        put(h + 48, &0x1000u64.to_le_bytes());
    }
    put(code_at, &code);
    put(data_at, data);
    f
}

/// Runs the instruction on the host for every record; nothing if the host's processor raised an exception.
pub fn run(insn: &[u8], records: &[u8]) -> Option<Vec<u8>> {
    let path = std::env::temp_dir().join(format!("lyrebird-hostx86-{}", std::process::id()));
    {
        let mut file = std::fs::File::create(&path).expect("a temporary file");
        file.write_all(&elf(insn, records)).expect("written");
        file.set_permissions(std::fs::Permissions::from_mode(0o700)).expect("executable");
    }
    let output = Command::new(&path).stdin(Stdio::null()).output().expect("runs");
    let _ = std::fs::remove_file(&path);
    (output.status.success() && output.stdout.len() == records.len()).then_some(output.stdout)
}
