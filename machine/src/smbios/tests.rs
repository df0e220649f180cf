use super::*;

fn machine(ram: (u64, u64)) -> Machine {
    Machine {
        product: "Standard PC (Q35 + ICH9, 2009)".into(),
        version: "pc-q35-10.0".into(),
        uuid: std::array::from_fn(|n| n as u8),
        cpus: 4,
        cpu: "max".into(),
        cpuid: (0x663, 0x78b_fbfd),
        ram,
    }
}

/// Kind, formatted area and strings of each structure.
fn parse(mut tables: &[u8]) -> Vec<(u8, Vec<u8>, Vec<String>)> {
    let mut all = Vec::new();
    while !tables.is_empty() {
        let len = usize::from(tables[1]);
        let (area, rest) = tables.split_at(len);
        let end = rest.windows(2).position(|w| w == [0, 0]).unwrap();
        let strings = rest[..end].split(|b| *b == 0).map(|s| String::from_utf8(s.to_vec()).unwrap());
        let strings = strings.filter(|s| !s.is_empty()).collect();
        all.push((area[0], area.to_vec(), strings));
        tables = &rest[end + 2..];
    }
    all
}

#[test]
fn structures_have_the_lengths_of_the_specification() {
    let [(_, tables), (_, anchor)] = Smbios::new(&machine((3 << 30, 1 << 30))).files();
    let all = parse(&tables);
    let lengths: Vec<(u8, usize)> = all.iter().map(|(kind, area, _)| (*kind, area.len())).collect();
    let expected = [
        (0, 0x1a),
        (1, 0x1b),
        (3, 0x16),
        (4, 0x30),
        (4, 0x30),
        (4, 0x30),
        (4, 0x30),
        (16, 0x17),
        (17, 0x28),
        (19, 0x1f),
        (19, 0x1f),
        (32, 0x0b),
        (127, 4),
    ];
    assert_eq!(lengths, expected);
    assert_eq!(all[1].2, ["Lyrebird", "Standard PC (Q35 + ICH9, 2009)", "pc-q35-10.0"]);
    assert_eq!(all[1].1[8..16], [3, 2, 1, 0, 5, 4, 7, 6]);
    assert_eq!(u16::from_le_bytes([all[8].1[12], all[8].1[13]]), 4096);
    assert_eq!(u32::from_le_bytes(anchor[12..16].try_into().unwrap()) as usize, tables.len());
    let mut handles: Vec<&[u8]> = all.iter().map(|(_, area, _)| &area[2..4]).collect();
    handles.sort();
    handles.dedup();
    assert_eq!(handles.len(), all.len());
}

#[test]
fn the_entry_point_sums_to_zero() {
    let smbios = Smbios::new(&machine((64 << 20, 0)));
    let pieces = smbios.place(DIRECT);
    let Content::Bytes(anchor) = &pieces[0].content else { panic!() };
    assert_eq!(&anchor[..5], b"_SM3_");
    assert_eq!(anchor.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)), 0);
    assert_eq!(u64::from_le_bytes(anchor[16..24].try_into().unwrap()), DIRECT + 32);
    assert_eq!(pieces[1].at, DIRECT + 32);
    let [_, (_, anchor)] = smbios.files();
    assert_eq!(anchor.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)), 0);
}

#[test]
fn much_memory() {
    let [(_, tables), _] = Smbios::new(&machine((3 << 30, 8 << 40))).files();
    let all = parse(&tables);
    let find =
        |kind| all.iter().filter(move |(k, ..)| *k == kind).map(|(_, area, _)| area).collect::<Vec<_>>();
    assert_eq!(find(16)[0][7..11], [0, 0, 0, 0x80]);
    assert_eq!(find(17)[0][12..14], [0xff, 0x7f]);
    assert_eq!(find(19)[1][4..12], [0xff; 8]);
}
