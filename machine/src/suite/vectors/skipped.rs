//! Rows that cannot be recorded from a user-mode process, and rows of which only some words can.

/// Why a row is not recorded; `None` if it is.
pub fn reason(name: &str) -> Option<&'static str> {
    const EXCEPTION: &str = "it takes or returns from an exception";
    const WAIT: &str = "it waits, or is a hint without effect on the state";
    const KEYS: &str = "the result depends on keys that a process cannot set";
    const PRIVILEGED: &str = "it needs privilege, or differs between machines as the block of DC ZVA does";
    Some(match name {
        "SVC" | "HVC" | "SMC" | "BRK" | "HLT" | "ERET" | "ERETAA/ERETAB" => EXCEPTION,
        "HINT" | "WFET" | "WFIT" => WAIT,
        "SYS" | "SYSL" | "MSR (immediate)" => PRIVILEGED,
        "XPACI/XPACD" => "the result depends on the size of addresses, which QEMU's user mode makes up",
        "BRAAZ/BRABZ" | "BLRAAZ/BLRABZ" | "RETAA/RETAB" | "BRAA/BRAB" | "BLRAA/BLRAB" | "LDRAA/LDRAB" => KEYS,
        "PACGA" => KEYS,
        _ if name.starts_with("PAC") || name.starts_with("AUT") => KEYS,
        _ => return None,
    })
}

/// Words of a row that can be run, without their register in bits 4 to 0; `None` if all can.
pub fn templates(name: &str) -> Option<&'static [u32]> {
    Some(match name {
        // NZCV, FPCR, FPSR.
        "MRS" => &[0xD53B_4200, 0xD53B_4400, 0xD53B_4420],
        "MSR (register)" => &[0xD51B_4200, 0xD51B_4400, 0xD51B_4420],
        _ => return None,
    })
}
