//! The target description (GDB manual, appendix G): written from the machine's register groups.

use std::fmt::Write;

use lyrebird_machine::control::{Guest, RegisterGroup, RegisterInfo, RegisterKind, RegisterType, Shape};

/// The description of a machine of this architecture with these groups.
pub fn describe(guest: Guest, groups: &[RegisterGroup]) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n\
         <architecture>{}</architecture>\n",
        guest.gdb_name
    );
    for feature in groups.chunk_by(|a, b| a.feature == b.feature) {
        let _ = writeln!(xml, "<feature name=\"{}\">", feature[0].feature);
        for group in feature {
            for kind in &group.types {
                define(&mut xml, kind);
            }
            for register in &group.registers {
                let _ = writeln!(xml, "{}", reg(register, group));
            }
        }
        xml.push_str("</feature>\n");
    }
    xml.push_str("</target>\n");
    xml
}

fn define(xml: &mut String, kind: &RegisterType) {
    let id = kind.id;
    let _ = match &kind.shape {
        Shape::Vector(element, count) => {
            writeln!(xml, "<vector id=\"{id}\" type=\"{element}\" count=\"{count}\"/>")
        }
        Shape::Union(views) => {
            let _ = writeln!(xml, "<union id=\"{id}\">");
            for (name, of) in views {
                let _ = writeln!(xml, "<field name=\"{name}\" type=\"{of}\"/>");
            }
            writeln!(xml, "</union>")
        }
        Shape::Flags(size, fields) => {
            let _ = writeln!(xml, "<flags id=\"{id}\" size=\"{size}\">");
            for (name, low, high) in fields {
                let _ = writeln!(xml, "<field name=\"{name}\" start=\"{low}\" end=\"{high}\"/>");
            }
            writeln!(xml, "</flags>")
        }
    };
}

fn reg(register: &RegisterInfo, group: &RegisterGroup) -> String {
    let kind = register.format.unwrap_or(match (register.kind, register.bits) {
        (RegisterKind::Pc | RegisterKind::Code, _) => "code_ptr",
        (RegisterKind::Sp | RegisterKind::Data, _) => "data_ptr",
        (RegisterKind::Float, 80) => "i387_ext",
        (RegisterKind::Float, 64) => "ieee_double",
        (RegisterKind::Float, 32) => "ieee_single",
        (_, 65..) => "uint128",
        (_, 33..) => "uint64",
        (_, 17..) => "uint32",
        (_, 9..) => "uint16",
        _ => "uint8",
    });
    let list = group.list.map_or_else(String::new, |list| format!(" group=\"{list}\""));
    let kept = if group.whole { "" } else { " save-restore=\"no\"" };
    let bits = super::arch::bytes(register.bits) * 8;
    format!("<reg name=\"{}\" bitsize=\"{bits}\" type=\"{kind}\"{list}{kept}/>", register.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_one_feature_stand_together() {
        let flags = Shape::Flags(4, vec![("CF", 0, 0), ("IOPL", 12, 13)]);
        let groups = [
            RegisterGroup {
                name: "core",
                registers: vec![
                    RegisterInfo::new("rip", 64, RegisterKind::Pc),
                    RegisterInfo::new("eflags", 32, RegisterKind::Fields).with("i386_eflags"),
                ],
                feature: "org.gnu.gdb.i386.core",
                whole: true,
                types: vec![RegisterType { id: "i386_eflags", shape: flags }],
                ..RegisterGroup::default()
            },
            RegisterGroup {
                name: "x87",
                registers: vec![RegisterInfo::new("st0", 80, RegisterKind::Float)],
                feature: "org.gnu.gdb.i386.core",
                list: Some("float"),
                ..RegisterGroup::default()
            },
        ];
        let xml = describe(Guest { gdb_name: "i386:x86-64", listed: 1 }, &groups);
        assert_eq!(xml.matches("<feature").count(), 1);
        for part in [
            "<architecture>i386:x86-64</architecture>",
            "<flags id=\"i386_eflags\" size=\"4\">\n<field name=\"CF\" start=\"0\" end=\"0\"/>",
            "<reg name=\"eflags\" bitsize=\"32\" type=\"i386_eflags\"/>",
            "<reg name=\"st0\" bitsize=\"80\" type=\"i387_ext\" group=\"float\" save-restore=\"no\"/>",
        ] {
            assert!(xml.contains(part), "{part} is missing in\n{xml}");
        }
    }
}
