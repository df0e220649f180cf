//! The target description (GDB manual, appendix G): written from the machine's register groups.

use std::fmt::Write;

use lyrebird_machine::control::{RegisterGroup, RegisterInfo, RegisterKind};

/// Types that the standard `fpu` feature refers to: the ways to see a 128-bit vector.
const VECTOR_TYPES: &[(&str, &str, &str, usize)] = &[
    ("v2d", "ieee_double", "d", 2),
    ("v2u", "uint64", "d", 2),
    ("v2i", "int64", "d", 2),
    ("v4f", "ieee_single", "s", 4),
    ("v4u", "uint32", "s", 4),
    ("v4i", "int32", "s", 4),
    ("v8f", "ieee_half", "h", 8),
    ("v8u", "uint16", "h", 8),
    ("v8i", "int16", "h", 8),
    ("v16u", "uint8", "b", 16),
    ("v16i", "int8", "b", 16),
    ("v1u", "uint128", "q", 1),
    ("v1i", "int128", "q", 1),
];

/// The description of an AArch64 machine with these groups.
pub fn describe(groups: &[RegisterGroup]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n\
         <architecture>aarch64</architecture>\n",
    );
    for group in groups {
        let feature = match group.name {
            "core" | "fpu" => format!("org.gnu.gdb.aarch64.{}", group.name),
            other => format!("org.lyrebird.aarch64.{other}"),
        };
        let _ = writeln!(xml, "<feature name=\"{feature}\">");
        if group.registers.iter().any(|r| r.kind == RegisterKind::Vector) {
            vector_types(&mut xml);
        }
        for register in &group.registers {
            let _ = writeln!(xml, "{}", reg(register, group.name));
        }
        xml.push_str("</feature>\n");
    }
    xml.push_str("</target>\n");
    xml
}

fn vector_types(xml: &mut String) {
    for (id, element, _, count) in VECTOR_TYPES {
        let _ = writeln!(xml, "<vector id=\"{id}\" type=\"{element}\" count=\"{count}\"/>");
    }
    for width in ["d", "s", "h", "b", "q"] {
        let _ = writeln!(xml, "<union id=\"vn{width}\">");
        for (id, element, _, _) in VECTOR_TYPES.iter().filter(|t| t.2 == width) {
            let view = match element.chars().next() {
                Some('i') if element.starts_with("ieee") => "f",
                Some('u') => "u",
                _ => "s",
            };
            let _ = writeln!(xml, "<field name=\"{view}\" type=\"{id}\"/>");
        }
        xml.push_str("</union>\n");
    }
    xml.push_str("<union id=\"aarch64v\">\n");
    for width in ["d", "s", "h", "b", "q"] {
        let _ = writeln!(xml, "<field name=\"{width}\" type=\"vn{width}\"/>");
    }
    xml.push_str("</union>\n");
}

fn reg(register: &RegisterInfo, group: &str) -> String {
    let kind = match (register.kind, register.bits) {
        (RegisterKind::Vector, _) => "aarch64v",
        (RegisterKind::Code, _) => "code_ptr",
        (RegisterKind::Data, _) => "data_ptr",
        (_, 128) => "uint128",
        (_, 33..) => "uint64",
        _ => "uint32",
    };
    // The standard features have a place in gdb's own lists; ours are a list of their own.
    let place = match group {
        "core" => "",
        "fpu" => " group=\"float\"",
        _ => " group=\"system\" save-restore=\"no\"",
    };
    let bits = super::arch::bytes(register.bits) * 8;
    format!("<reg name=\"{}\" bitsize=\"{bits}\" type=\"{kind}\"{place}/>", register.name)
}
