//! A device tree that the user gives (`-dtb`): what belongs to this run is put into it, as QEMU does: the memory there is,
//! the kernel's command line and the initrd. Everything else stays as it is (Devicetree Specification 0.4, chapter 5).

use super::virt::map;
use super::virt_dtb::{Facts, check};
use vm_fdt::{FdtReserveEntry, FdtWriter, FdtWriterNode};

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

enum Token<'a> {
    Begin(&'a str),
    End,
    Property(&'a str, &'a [u8]),
    Done,
}

/// The structure block, token by token.
struct Reader<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.split(|b| *b == 0).next()?).ok()
}

impl<'a> Reader<'a> {
    fn new(dtb: &'a [u8]) -> Option<Self> {
        let block = |at, len| {
            let (at, len) = (word(dtb, at)? as usize, word(dtb, len)? as usize);
            dtb.get(at..at.checked_add(len)?)
        };
        Some(Reader { structure: block(8, 36)?, strings: block(12, 32)? })
    }

    /// Takes `len` bytes and what pads them to a word.
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.structure.get(..len)?;
        self.structure = self.structure.get(len.next_multiple_of(4)..)?;
        Some(taken)
    }

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            match word(self.take(4)?, 0)? {
                BEGIN_NODE => {
                    let name = text(self.structure)?;
                    self.take(name.len() + 1)?;
                    return Some(Token::Begin(name));
                }
                END_NODE => return Some(Token::End),
                PROPERTY => {
                    let head = self.take(8)?;
                    let name = text(self.strings.get(word(head, 4)? as usize..)?)?;
                    return Some(Token::Property(name, self.take(word(head, 0)? as usize)?));
                }
                NOP => {}
                END => return Some(Token::Done),
                _ => return None,
            }
        }
    }
}

/// The memory reservations.
fn reservations(dtb: &[u8]) -> Option<Vec<FdtReserveEntry>> {
    let mut at = word(dtb, 16)? as usize;
    let mut entries = Vec::new();
    loop {
        let pair: [u8; 16] = *dtb.get(at..)?.first_chunk()?;
        let number = |from: usize| pair.iter().skip(from).take(8).fold(0u64, |n, b| n << 8 | u64::from(*b));
        let (address, size) = (number(0), number(8));
        if address == 0 && size == 0 {
            return Some(entries);
        }
        entries.push(FdtReserveEntry::new(address, size).ok()?);
        at = at.checked_add(16)?;
    }
}

/// Writes what this run says about booting into the open node `chosen`.
fn choose(w: &mut FdtWriter, f: &Facts<'_>) -> Result<(), vm_fdt::Error> {
    if let Some((start, end)) = f.initrd {
        w.property_u64("linux,initrd-end", end)?;
        w.property_u64("linux,initrd-start", start)?;
    }
    if !f.append.is_empty() {
        w.property_string("bootargs", &f.append.replace('\0', ""))?;
    }
    Ok(())
}

/// Whether [`choose`] writes a property.
fn chosen(name: &str, f: &Facts<'_>) -> bool {
    match name {
        "linux,initrd-start" | "linux,initrd-end" => f.initrd.is_some(),
        "bootargs" => !f.append.is_empty(),
        _ => false,
    }
}

/// Writes the node of the memory there is, in numbers of so many cells.
fn memory(w: &mut FdtWriter, f: &Facts<'_>, cells: [u32; 2]) -> Result<(), vm_fdt::Error> {
    let node = w.begin_node(&format!("memory@{:x}", map::RAM))?;
    w.property_string("device_type", "memory")?;
    let mut reg = Vec::new();
    for (number, cells) in [map::RAM, f.ram].into_iter().zip(cells) {
        if cells > 1 {
            reg.push((number >> 32) as u32);
        }
        reg.push(number as u32);
    }
    w.property_array_u32("reg", &reg)?;
    w.end_node(node)
}

/// The tree with memory, command line and initrd of this run.
///
/// # Errors
/// What is wrong with it.
pub(super) fn patch(dtb: &[u8], f: &Facts<'_>) -> Result<Vec<u8>, String> {
    check(dtb)?;
    let corrupt = || "its structure block is corrupt".to_owned();
    let refused = |e: vm_fdt::Error| format!("it cannot be used: {e}");
    let mut reader = Reader::new(dtb).ok_or_else(corrupt)?;
    let reserved = reservations(dtb).ok_or("its memory reservations are corrupt")?;
    let mut w = FdtWriter::new_with_mem_reserv(&reserved).map_err(refused)?;
    w.set_boot_cpuid_phys(word(dtb, 28).unwrap_or(0));
    let mut open: Vec<FdtWriterNode> = Vec::new();
    let (mut skipped, mut found, mut inside) = (0, false, false);
    // What holds if the root does not say.
    let mut cells = [2, 1];
    loop {
        match reader.next().ok_or_else(corrupt)? {
            Token::Begin(name) => {
                let is_memory = open.len() == 1 && (name == "memory" || name.starts_with("memory@"));
                if skipped > 0 || is_memory {
                    skipped += 1;
                    continue;
                }
                open.push(w.begin_node(name).map_err(refused)?);
                inside = open.len() == 2 && name == "chosen";
                if inside {
                    found = true;
                    choose(&mut w, f).map_err(refused)?;
                }
            }
            Token::Property(..) if skipped > 0 => {}
            Token::Property(name, _) if inside && chosen(name, f) => {}
            Token::Property(name, value) => {
                if open.len() == 1
                    && let Some(cell) =
                        ["#address-cells", "#size-cells"].iter().zip(&mut cells).find(|(n, _)| **n == name)
                {
                    *cell.1 = word(value, 0).unwrap_or(0);
                }
                w.property(name, value).map_err(refused)?;
            }
            Token::End if skipped > 0 => skipped -= 1,
            Token::End => {
                if open.len() == 1 {
                    if !found {
                        let node = w.begin_node("chosen").map_err(refused)?;
                        choose(&mut w, f).and_then(|()| w.end_node(node)).map_err(refused)?;
                    }
                    if !cells.iter().all(|n| (1..=2).contains(n)) {
                        return Err("its addresses or sizes do not have one or two cells".into());
                    }
                    memory(&mut w, f, cells).map_err(refused)?;
                }
                inside = false;
                w.end_node(open.pop().ok_or_else(corrupt)?).map_err(refused)?;
            }
            Token::Done => break,
        }
    }
    w.finish().map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::super::virt_dtb;
    use super::*;

    fn facts(append: &str, initrd: Option<(u64, u64)>) -> Facts<'_> {
        Facts { cpus: 1, ram: 64 << 20, gicv3: false, model: "max", append, initrd, pmu: false }
    }

    /// All properties by path.
    fn properties(dtb: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut reader = Reader::new(dtb).unwrap();
        let (mut path, mut all) = (Vec::new(), Vec::new());
        loop {
            match reader.next().unwrap() {
                Token::Begin(name) => path.push(name.to_owned()),
                Token::End => drop(path.pop()),
                Token::Property(name, value) => {
                    all.push((format!("{}/{name}", path.join("/")), value.to_vec()))
                }
                Token::Done => return all,
            }
        }
    }

    fn value(dtb: &[u8], path: &str) -> Option<Vec<u8>> {
        let mut found: Vec<_> = properties(dtb).into_iter().filter(|(p, _)| p == path).collect();
        assert!(found.len() < 2, "{path} is there twice");
        found.pop().map(|(_, value)| value)
    }

    #[test]
    fn what_belongs_to_the_run_is_replaced_and_the_rest_stays() {
        let given = virt_dtb::build(&facts("old words", Some((1, 2)))).unwrap();
        let f = Facts { ram: 0x1_2340_0000, ..facts("new", Some((0x4800_0000, 0x4801_0000))) };
        let made = patch(&given, &f).unwrap();
        check(&made).unwrap();
        assert_eq!(value(&made, "/chosen/bootargs").unwrap(), b"new\0");
        assert_eq!(value(&made, "/chosen/linux,initrd-start").unwrap(), 0x4800_0000u64.to_be_bytes());
        let reg = [map::RAM.to_be_bytes(), f.ram.to_be_bytes()].concat();
        assert_eq!(value(&made, "/memory@40000000/reg").unwrap(), reg);
        let changed = ["/chosen/bootargs", "/chosen/linux,initrd-start", "/chosen/linux,initrd-end"];
        for (path, old) in properties(&given) {
            if !changed.contains(&path.as_str()) && !path.starts_with("/memory@") {
                assert_eq!(value(&made, &path), Some(old), "{path}");
            }
        }
        // Nothing given: what the tree says stays.
        let made = patch(&given, &facts("", None)).unwrap();
        assert_eq!(value(&made, "/chosen/bootargs").unwrap(), b"old words\0");
    }

    #[test]
    fn a_tree_without_chosen_gets_one_and_cells_are_respected() {
        let mut w = FdtWriter::new().unwrap();
        let root = w.begin_node("").unwrap();
        w.property_u32("#address-cells", 1).unwrap();
        w.property_u32("#size-cells", 1).unwrap();
        w.end_node(root).unwrap();
        let given = w.finish().unwrap();
        let made = patch(&given, &facts("words", None)).unwrap();
        assert_eq!(value(&made, "/chosen/bootargs").unwrap(), b"words\0");
        assert_eq!(value(&made, "/memory@40000000/reg").unwrap(), [0x40, 0, 0, 0, 4, 0, 0, 0]);
        for cut in 0..given.len() {
            let mut bad = given.clone();
            bad[cut] ^= 0xFF;
            let _ = patch(&bad, &facts("words", None));
            let _ = patch(&given[..cut], &facts("words", None));
        }
    }
}
