use super::super::loader::{Content, Piece};
use super::*;
use std::collections::BTreeMap;
use std::process::Command;

fn platform(chipset: Chipset) -> Platform {
    let full = chipset != Chipset::Reduced;
    Platform {
        chipset,
        apic_ids: (0..4).collect(),
        pci_hole: (0xc000_0000, 0xfebf_ffff),
        pci_hole_64: Some((0x1_4000_0000, 0x80_0000_0000 - 1)),
        hpet: full,
        serials: [true, true, full, full],
        floppy: chipset == Chipset::Piix,
        i8042: full,
        virtio_mmio: if full { vec![] } else { vec![(0xfeb0_0000, 16), (0xfeb0_0200, 17)] },
    }
}

const CHIPSETS: [Chipset; 3] = [Chipset::Piix, Chipset::Ich9 { ecam: 0xb000_0000 }, Chipset::Reduced];

/// Memory as pieces fill it.
struct Image(Vec<(u64, Vec<u8>)>);

impl Image {
    fn new(pieces: Vec<Piece>) -> Image {
        let bytes = |p: Piece| match p.content {
            Content::Bytes(bytes) => (p.at, bytes),
            Content::File(..) => panic!("tables are in memory"),
        };
        Image(pieces.into_iter().map(bytes).collect())
    }
    fn get(&self, at: u64, len: usize) -> &[u8] {
        let (base, bytes) = self.0.iter().rev().find(|(base, _)| *base <= at).unwrap();
        &bytes[(at - base) as usize..][..len]
    }
    fn number(&self, at: u64, len: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(self.get(at, len));
        u64::from_le_bytes(bytes)
    }
    fn sum(&self, at: u64, len: usize) -> u8 {
        self.get(at, len).iter().fold(0, |sum: u8, b| sum.wrapping_add(*b))
    }
    /// Follows the root pointer at `at`: the tables by signature, each checked.
    fn tables(&self, at: u64) -> BTreeMap<String, Vec<u8>> {
        assert_eq!(self.get(at, 8), b"RSD PTR ");
        assert_eq!((self.sum(at, 20), self.sum(at, 36)), (0, 0));
        let mut found = BTreeMap::new();
        for (root, size) in [(self.number(at + 16, 4), 4), (self.number(at + 24, 8), 8)] {
            let len = self.number(root + 4, 4) as usize;
            assert_eq!(self.sum(root, len), 0);
            for field in (36..len).step_by(size) {
                self.table(self.number(root + field as u64, size), &mut found);
            }
        }
        found
    }
    fn table(&self, at: u64, found: &mut BTreeMap<String, Vec<u8>>) {
        let (signature, len) = (self.get(at, 4), self.number(at + 4, 4) as usize);
        if signature != b"FACS" {
            assert_eq!(self.sum(at, len), 0, "{signature:?}");
        } else {
            assert_eq!(at % 64, 0);
        }
        if signature == b"FACP" {
            assert_eq!(self.number(at + 40, 4), self.number(at + 140, 8));
            self.table(self.number(at + 140, 8), found);
            if self.number(at + 36, 4) != 0 {
                self.table(self.number(at + 36, 4), found);
            }
        }
        found.insert(String::from_utf8_lossy(signature).into(), self.get(at, len).to_vec());
    }
}

/// Does what firmware does with the three files; tables end up at `at`, the root pointer at 0xf5000.
fn run_loader(blob: &Blob, at: u64) -> Image {
    let [(_, rsdp), (_, tables), (_, commands)] = blob.files();
    let mut files = BTreeMap::from([("etc/acpi/rsdp", (0xf_5000, rsdp)), ("etc/acpi/tables", (at, tables))]);
    let mut allocated = Vec::new();
    let name = |field: &[u8]| -> &'static str {
        let text = String::from_utf8(field.iter().copied().take_while(|b| *b != 0).collect()).unwrap();
        ["etc/acpi/rsdp", "etc/acpi/tables"].into_iter().find(|known| *known == text).unwrap()
    };
    for c in commands.chunks(128) {
        let word = |at: usize| u32::from_le_bytes(c[at..at + 4].try_into().unwrap()) as usize;
        match word(0) {
            1 => allocated.push((name(&c[4..60]), word(60), c[64])),
            2 => {
                let (to, from, offset, size) =
                    (name(&c[4..60]), name(&c[60..116]), word(116), c[120] as usize);
                let address = files[from].0;
                let field = &mut files.get_mut(to).unwrap().1[offset..offset + size];
                let mut value = [0; 8];
                value[..size].copy_from_slice(field);
                let value = (u64::from_le_bytes(value) + address).to_le_bytes();
                field.copy_from_slice(&value[..size]);
            }
            3 => {
                let (file, offset, start, len) = (name(&c[4..60]), word(60), word(64), word(68));
                let bytes = &mut files.get_mut(file).unwrap().1;
                let sum = bytes[start..start + len].iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
                bytes[offset] = bytes[offset].wrapping_sub(sum);
            }
            other => panic!("command {other}"),
        }
    }
    assert_eq!(allocated, [("etc/acpi/rsdp", 16, 2), ("etc/acpi/tables", 64, 1)]);
    let mut placed: Vec<(u64, Vec<u8>)> = files.into_values().collect();
    placed.sort();
    Image(placed)
}

#[test]
fn every_table_is_found_and_sums_to_zero() {
    for chipset in CHIPSETS {
        let blob = build(&platform(chipset));
        let direct = Image::new(blob.place(DIRECT)).tables(DIRECT);
        let loaded = run_loader(&blob, 0x7fe_0000).tables(0xf_5000);
        let expected: &[&str] = match chipset {
            Chipset::Piix => &["APIC", "DSDT", "FACP", "FACS", "HPET"],
            Chipset::Ich9 { .. } => &["APIC", "DSDT", "FACP", "FACS", "HPET", "MCFG"],
            Chipset::Reduced => &["APIC", "DSDT", "FACP"],
        };
        assert_eq!(direct.keys().collect::<Vec<_>>(), expected);
        assert_eq!(loaded.keys().collect::<Vec<_>>(), expected);
        assert_eq!(direct["DSDT"], loaded["DSDT"]);
        let end = blob.place(DIRECT).iter().map(|p| p.at + p.content.size()).max().unwrap();
        assert!(end < 0x10_0000, "{end:#x}");
    }
}

#[test]
fn processors_and_overrides() {
    let madt = &Image::new(build(&platform(Chipset::Piix)).place(DIRECT)).tables(DIRECT)["APIC"];
    let mut kinds = Vec::new();
    let mut rest = &madt[44..];
    while let [kind, len, ..] = rest {
        kinds.push(*kind);
        rest = &rest[usize::from(*len)..];
    }
    assert_eq!(kinds, [0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 4]);
    assert_eq!(madt[40], 1, "there are 8259s");
}

/// Runs ACPICA's compiler both ways if it is installed: what it disassembles must compile without a warning.
#[test]
fn acpica_agrees() {
    if Command::new("iasl").arg("-v").output().is_err() {
        eprintln!("skipped: no iasl (package acpica-tools)");
        return;
    }
    for (n, chipset) in CHIPSETS.into_iter().enumerate() {
        let dir = std::env::temp_dir().join(format!("lyrebird-acpi-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, bytes) in Image::new(build(&platform(chipset)).place(DIRECT)).tables(DIRECT) {
            std::fs::write(dir.join(format!("{name}.dat")), bytes).unwrap();
            let run = |args: &[&str]| {
                let out = Command::new("iasl").args(args).current_dir(&dir).output().unwrap();
                let text = [out.stdout, out.stderr].concat();
                (out.status.success(), String::from_utf8_lossy(&text).into_owned())
            };
            let (good, text) = run(&["-d", &format!("{name}.dat")]);
            assert!(good && !text.contains("rror"), "{name}: {text}");
            let (good, text) = run(&[&format!("{name}.dsl")]);
            assert!(good && (name != "DSDT" || text.contains("0 Errors, 0 Warnings")), "{name}: {text}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
