//! Our own guests, built from the sources in this crate by its build script.
//!
//! `demo/` is a bare-metal program for the `virt` board: it turns on the MMU, the interrupt controller, the timer and
//! the UART, says what machine it finds, and takes commands on the serial console. `x86/` is its sister for PCs. `stress/` makes all processors work
//! on the same memory at once, and checks that they do so as the architecture says.

/// The arm64 demo as a Linux `Image`: 0x80000 bytes above the base of RAM, DTB address in x0.
pub fn demo_arm64() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/demo-arm64.Image"))
}

/// The same program as an ELF file; it loads 2 MiB above the base of RAM, where it looks for the DTB
/// if x0 does not point at one.
pub fn demo_arm64_elf() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/demo-arm64.elf"))
}

/// The x86-64 demo: an ELF file at 1 MiB with a multiboot header and a PVH note, entered in 32-bit mode.
pub const X86_DEMO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo-x86.elf"));

/// The BIOS: a ROM that ends at 4 GiB, and whose last 64 KiB are also segment F000h.
pub const BIOS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bios.bin"));

/// A boot sector and the program that it loads: they try the BIOS's services, report on COM1, and write 10h to the
/// debug-exit port F4h if all is well, else 1. It is an image without partitions, for a diskette or a disk, padded to
/// the size of a 1.44 MB diskette.
pub fn boot_test() -> Vec<u8> {
    let mut image = include_bytes!(concat!(env!("OUT_DIR"), "/bootsector.img")).to_vec();
    image.resize(1_474_560, 0);
    image
}

/// The stress guest for arm64 as a Linux `Image`. It runs `rounds` rounds of all tests but those whose bits are set in
/// `skip`, no more after `seconds`. Each test does its work `times` times on each processor. The end comes by
/// semihosting: with code 0, or with 1 after saying what went wrong.
pub fn stress_arm64(rounds: u32, seconds: u32, times: u32, skip: u32) -> Vec<u8> {
    let mut image = include_bytes!(concat!(env!("OUT_DIR"), "/stress-arm64.Image")).to_vec();
    for (at, x) in (64..).step_by(4).zip([rounds, times, skip, seconds]) {
        image[at..at + 4].copy_from_slice(&x.to_le_bytes());
    }
    image
}

/// The stress guest for `microvm`: an ELF file as the demo's. Parameters as for [`stress_arm64`], and the number of
/// processors. It powers off at its end, and resets the machine after saying what went wrong.
pub fn stress_x86(cpus: u32, rounds: u32, seconds: u32, times: u32, skip: u32) -> Vec<u8> {
    const MARK: &[u8] = b"STRESSPARAMETERS";
    let mut image = include_bytes!(concat!(env!("OUT_DIR"), "/stress-x86.elf")).to_vec();
    let mark = image.windows(MARK.len()).position(|bytes| bytes == MARK).unwrap_or(image.len());
    let words = image.get_mut(mark + MARK.len()..).into_iter().flat_map(|bytes| bytes.chunks_exact_mut(4));
    for (to, x) in words.zip([cpus, rounds, times, skip, seconds]) {
        to.copy_from_slice(&x.to_le_bytes());
    }
    image
}

/// The names of the arm64 stress guest's tests; the first one's bit in `skip` is bit 0.
pub fn stress_arm64_tests() -> impl Iterator<Item = &'static str> {
    include_str!(concat!(env!("OUT_DIR"), "/stress-arm64.names")).lines()
}

include!("../stress_x86/names.rs");

/// What the demo's `bench` prints on every machine that computes right: loop, checksum.
pub const DEMO_CHECKSUMS: [(&str, u64); 5] = [
    ("integer", 0x51f2_32a3_32c8_2dad),
    ("calls", 0x0001_da31),
    ("memory", 0x2913_2269_d83d_a971),
    ("float", 0x4119_97d4_105c_2a25),
    ("vector", 0x5100_0000_f01b_b216),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_has_the_boot_protocols_header() {
        let image = demo_arm64();
        let word = |at: usize| u64::from_le_bytes(image[at..at + 8].try_into().unwrap());
        assert_eq!(&image[56..60], b"ARM\x64");
        assert_eq!(word(8), 0x80000, "offset from the base of RAM");
        assert!(word(16) as usize > image.len(), "the size counts the memory after the image");
        // The first instruction branches over the header.
        let first = u32::from_le_bytes(image[..4].try_into().unwrap());
        assert_eq!(first >> 26, 0b000101);
        assert!((first & 0x3ff_ffff) >= 16);
    }

    #[test]
    fn x86_demo_has_both_headers() {
        let elf = goblin::elf::Elf::parse(X86_DEMO).unwrap();
        let segment = &elf.program_headers[0];
        assert_eq!((elf.header.e_machine, segment.p_paddr), (goblin::elf::header::EM_X86_64, 0x10_0000));
        let words: Vec<u32> = X86_DEMO[..8192]
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect();
        let at = words
            .iter()
            .position(|&word| word == 0x1bad_b002)
            .expect("a multiboot header in the first 8 KiB");
        assert_eq!(words[at].wrapping_add(words[at + 1]).wrapping_add(words[at + 2]), 0, "its checksum");
        let header = u64::from(words[at + 3]);
        assert_eq!(header - segment.p_paddr, at as u64 * 4 - segment.p_offset, "it is where it says");
        assert!(u64::from(words[at + 5]) <= segment.p_paddr + segment.p_filesz, "the end of what is loaded");
        let mut notes = elf.iter_note_headers(X86_DEMO).unwrap().map(Result::unwrap);
        let note = notes.find(|note| note.name == "Xen" && note.n_type == 18).expect("a PVH note");
        let entry = u64::from(u32::from_le_bytes(note.desc.try_into().unwrap()));
        assert!((segment.p_paddr..segment.p_paddr + segment.p_filesz).contains(&entry));
    }

    #[test]
    fn bios_begins_at_the_reset_vector_and_has_what_programs_look_for() {
        assert_eq!(BIOS.len(), 0x1_0000);
        // A far jump into segment F000h, the date, the model byte of an AT.
        assert_eq!((BIOS[0xfff0], &BIOS[0xfff3..0xfff5]), (0xea, &[0x00, 0xf0][..]));
        assert_eq!((BIOS[0xfff7], BIOS[0xfffa], BIOS[0xfffe]), (b'/', b'/', 0xfc));
        assert_eq!(
            u16::from_le_bytes([BIOS[0xfff1], BIOS[0xfff2]]),
            0xe05b,
            "POST begins where programs jump to"
        );
        // The 8x8 font, where programs for CGA read it: a space is empty, a letter is not.
        let glyph = |character: u8| &BIOS[0xfa6e + 8 * usize::from(character)..][..8];
        assert_eq!(glyph(b' '), [0; 8]);
        for character in b'!'..=b'~' {
            assert_ne!(glyph(character), [0; 8], "{}", char::from(character));
        }
    }

    #[test]
    fn every_printable_character_has_its_own_glyph() {
        // The 8x16 font begins the space that the linker script gives to fonts.
        let glyph = |character: u8| &BIOS[0xb900 + 16 * usize::from(character)..][..16];
        for a in b' '..=b'~' {
            for b in a + 1..=b'~' {
                assert_ne!(glyph(a), glyph(b), "{} and {}", char::from(a), char::from(b));
            }
        }
        assert_eq!(glyph(0xdb), [0xff; 16], "a full block");
    }

    #[test]
    fn boot_test_is_a_bootable_diskette() {
        let image = boot_test();
        assert_eq!((image.len(), &image[510..512]), (2 * 80 * 18 * 512, &[0x55, 0xaa][..]));
        assert_eq!(image[0], 0xeb, "it begins with a jump over the parameter block");
    }

    #[test]
    fn checksums_are_what_the_loops_compute() {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let (mut x, mut integer) = (88_172_645_463_325_252_u64, 0_u64);
        for _ in 0..4_000_000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            integer = integer.wrapping_add(x.wrapping_mul(GOLDEN));
            if x & 8 != 0 {
                integer = integer.rotate_right(9);
            }
        }
        let (mut fib, mut next) = (0_u64, 1);
        for _ in 0..26 {
            (fib, next) = (next, fib + next);
        }
        let mut array: Vec<u64> = (0..8192).map(|index| index * 8).collect();
        let (mut at, mut memory) = (1_u64, 0_u64);
        for left in (1..=2_000_000).rev() {
            at = at.wrapping_mul(GOLDEN).wrapping_add(left);
            let slot = &mut array[(at >> 51) as usize];
            *slot ^= at;
            memory = memory.wrapping_add(*slot);
        }
        let (mut x, mut float) = (0.3_f64, 0.0);
        for _ in 0..1_000_000 {
            x = x * (1.0 - x) * 3.99;
            float += x.sqrt() / (x + 1.0);
        }
        let (mut a, mut b, mut c) = ([1.0_f32, 2.0, 3.0, -4.0], [0.0_f32; 4], [1_u32; 4]);
        for _ in 0..1_000_000 {
            for lane in 0..4 {
                a[lane] = (-b[lane]).mul_add(0.125, a[lane]);
                b[lane] += a[lane] * 0.125;
                c[lane] = c[lane].wrapping_mul(0x9e37_79b9).wrapping_add(0x9e37_79b9) ^ b[lane].to_bits();
            }
        }
        let lane = |index: usize| u64::from(c[index] ^ c[(index + 2) % 4]);
        let computed = [integer, fib, memory, float.to_bits(), lane(0) | lane(1) << 32];
        for ((name, expected), computed) in DEMO_CHECKSUMS.into_iter().zip(computed) {
            assert_eq!(computed, expected, "{name}");
        }
    }

    #[test]
    fn elf_loads_the_image_where_it_runs() {
        let elf = goblin::elf::Elf::parse(demo_arm64_elf()).unwrap();
        assert_eq!((elf.header.e_machine, elf.entry), (goblin::elf::header::EM_AARCH64, 0x4020_0000));
        let segment = &elf.program_headers[0];
        assert_eq!((segment.p_vaddr, segment.p_paddr), (0x4020_0000, 0x4020_0000));
        assert_eq!(&demo_arm64_elf()[segment.file_range()], demo_arm64());
    }
}
