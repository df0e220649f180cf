//! Instructions on the host's processor: an ELF program that runs one instruction on many states, in place, and writes
//! them out.
//!
//! Its code is made of bytes here, so that nothing has to be assembled and nothing is unsafe: the program is an ordinary
//! child process, and whatever it does wrong ends it alone.

use anyhow::{Context, Result};
use lyrebird_machine::suite::vectors::x86::record::{
    FLAGS, INSN, PAD, PATH, RECORD, STACK, WINDOW, WORK, XSAVE,
};
use lyrebird_machine::suite::vectors::x86::{Shape, State, input};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Address of the first record.
const DATA: u64 = 0x1100_0000;
/// Where the program's own stack pointer is kept, behind the record.
const SAVED: u64 = WORK + 0x800;
const CODE: u64 = INSN & !0xFFF;
/// General registers that the instruction has for itself, besides RSP.
const FREE: [u8; 12] = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12];
const RSP: u8 = 4;

/// `mov reg, [r15 + 8 * reg]` or the store.
fn general(code: &mut Vec<u8>, reg: u8, store: bool) {
    let rex = 0x49 | (reg >> 3) << 2;
    code.extend([rex, if store { 0x89 } else { 0x8B }, 0x47 | (reg & 7) << 3, 8 * reg]);
}

fn with(code: &mut Vec<u8>, bytes: &[u8], imm: u64) {
    code.extend(bytes);
    code.extend((imm as u32).to_le_bytes());
}

/// The program's code.
fn code(insn: &[u8], records: usize) -> Vec<u8> {
    let c = &mut Vec::new();
    with(c, &[0x41, 0xBE], DATA); // mov r14d, DATA
    let again = c.len();
    c.extend([0x44, 0x89, 0xF6]); // mov esi, r14d
    with(c, &[0xBF], WORK); // mov edi, WORK
    with(c, &[0xB9], RECORD as u64); // mov ecx, RECORD
    c.extend([0xFC, 0xF3, 0xA4]); // cld; rep movsb
    with(c, &[0x41, 0xBF], WORK); // mov r15d, WORK
    with(c, &[0x48, 0x89, 0x24, 0x25], SAVED); // mov [SAVED], rsp
    c.extend([0xB8, 7, 0, 0, 0, 0x31, 0xD2]); // mov eax, 7; xor edx, edx
    with(c, &[0x49, 0x0F, 0xAE, 0xAF], XSAVE as u64); // xrstor64 [r15 + XSAVE]
    with(c, &[0x41, 0xFF, 0xB7], FLAGS as u64); // push qword [r15 + FLAGS]
    c.push(0x9D); // popfq
    with(c, &[0x41, 0xBD], WINDOW); // mov r13d, WINDOW
    FREE.iter().for_each(|&r| general(c, r, false));
    general(c, RSP, false);
    c.resize((INSN - CODE) as usize, 0x90);
    c.extend(insn);
    let pad = c.len();
    with(c, &[0x41, 0xC6, 0x87], PATH as u64); // mov byte [r15 + PATH], 1
    c.push(1);
    debug_assert_eq!(c.len() - pad, PAD as usize);
    FREE.iter().for_each(|&r| general(c, r, true));
    general(c, RSP, true);
    with(c, &[0x48, 0x8B, 0x24, 0x25], SAVED); // mov rsp, [SAVED]
    c.push(0x9C); // pushfq
    with(c, &[0x41, 0x8F, 0x87], FLAGS as u64); // pop qword [r15 + FLAGS]
    c.push(0xFC); // cld
    c.extend([0xB8, 7, 0, 0, 0, 0x31, 0xD2]);
    with(c, &[0x49, 0x0F, 0xAE, 0xA7], XSAVE as u64); // xsave64 [r15 + XSAVE]
    c.extend([0x44, 0x89, 0xF7]); // mov edi, r14d
    with(c, &[0xBE], WORK); // mov esi, WORK
    with(c, &[0xB9], RECORD as u64);
    c.extend([0xF3, 0xA4]); // rep movsb
    with(c, &[0x49, 0x81, 0xC6], RECORD as u64); // add r14, RECORD
    with(c, &[0x41, 0x81, 0xFE], DATA + (records * RECORD) as u64); // cmp r14d, end
    let from = c.len() as i64 + 6;
    with(c, &[0x0F, 0x82], (again as i64 - from) as u64); // jb again
    // write(1, DATA, all), as often as it takes; exit(0)
    with(c, &[0xBE], DATA); // mov esi, DATA
    with(c, &[0xBA], (records * RECORD) as u64); // mov edx, bytes
    let more = c.len();
    c.extend([0xB8, 1, 0, 0, 0, 0xBF, 1, 0, 0, 0, 0x0F, 0x05]); // mov eax, 1; mov edi, 1; syscall
    c.extend([0x48, 0x01, 0xC6, 0x48, 0x29, 0xC2]); // add rsi, rax; sub rdx, rax
    c.extend([0x7F, (more as i32 - (c.len() as i32 + 2)) as u8]); // jg more
    c.extend([0xB8, 60, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05]); // exit(0)
    std::mem::take(c)
}

/// The program as an ELF file with three segments: code, records, and the page where they are worked on.
fn elf(insn: &[u8], data: &[u8]) -> Vec<u8> {
    let code = code(insn, data.len() / RECORD);
    let (code_at, data_at) = (0x1000usize, 0x1000 + code.len().next_multiple_of(0x1000));
    let mut f = vec![0; data_at + data.len()];
    let mut put = |at: usize, bytes: &[u8]| f[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0x7F, b'E', b'L', b'F', 2, 1, 1]);
    put(16, &[2, 0, 62, 0, 1]);
    put(24, &CODE.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(52, &[64, 0, 56, 0, 3, 0]);
    let segments = [
        (5u32, code_at, CODE, code.len(), code.len()),
        (6, 0, WORK, 0, 0x1000),
        (6, data_at, DATA, data.len(), data.len()),
    ];
    for (n, (flags, at, va, len, memory)) in segments.into_iter().enumerate() {
        let h = 64 + 56 * n;
        put(h, &1u32.to_le_bytes());
        put(h + 4, &flags.to_le_bytes());
        for (field, value) in [at as u64, va, va, len as u64, memory as u64, 0x1000].into_iter().enumerate() {
            put(h + 8 + 8 * field, &value.to_le_bytes());
        }
    }
    put(code_at, &code);
    put(data_at, data);
    f
}

/// Runs the instruction on the host for every state; nothing if the host's processor raised an exception.
///
/// # Errors
/// When no program can be started.
pub fn run(insn: &[u8], states: &[State]) -> Result<Option<Vec<State>>> {
    if states.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut data = Vec::new();
    for state in states {
        let mut state = state.clone();
        state.set_u8(PATH, 0);
        data.extend(state.0);
    }
    let path = std::env::temp_dir().join(format!("lyrebird-hostx86-{}", std::process::id()));
    {
        let mut file = std::fs::File::create(&path).context("a temporary file")?;
        file.write_all(&elf(insn, &data))?;
        file.set_permissions(std::fs::Permissions::from_mode(0o700))?;
    }
    let output = Command::new(&path).stdin(Stdio::null()).output().context("a program to run instructions");
    let _ = std::fs::remove_file(&path);
    let output = output?;
    let whole = output.status.success() && output.stdout.len() == data.len();
    Ok(whole.then(|| output.stdout.chunks(RECORD).map(|r| State(r.to_vec())).collect()))
}

/// A case that the host ran: offset of its seed, state before and after.
pub type Case = (u16, State, State);

/// Cases of an encoding that the host runs without an exception, from seed offset `from` on: `count`, or fewer if too
/// many raise exceptions.
///
/// # Errors
/// When no program can be started.
pub fn cases(insn: &[u8], shape: Shape, seed: u64, from: u16, count: usize) -> Result<Vec<Case>> {
    /// Exceptions without a success before an encoding is given up.
    const HOPELESS: usize = 6;
    let state = |offset: u16| input(seed.wrapping_add(offset as u64), shape, insn.len());
    let offsets: Vec<u16> = (from..).take(count).collect();
    let before: Vec<State> = offsets.iter().map(|&o| state(o)).collect();
    if let Some(after) = run(insn, &before)? {
        return Ok(offsets.into_iter().zip(before).zip(after).map(|((o, b), a)| (o, b, a)).collect());
    }
    let (mut found, mut bad) = (Vec::new(), 0);
    for offset in from.. {
        if found.len() == count || bad > HOPELESS + 3 * found.len() {
            break;
        }
        let before = state(offset);
        match run(insn, std::slice::from_ref(&before))? {
            Some(after) => found.extend(after.into_iter().map(|after| (offset, before.clone(), after))),
            None => bad += 1,
        }
    }
    Ok(found)
}

const _: () = assert!(STACK < 128 && RECORD <= 0x800);
