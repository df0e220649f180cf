//! Numbers as people write them: decimal, hexadecimal, octal, and sizes with suffixes.

/// An unsigned number: decimal, `0x` hexadecimal or `0` octal.
pub fn parse_u64(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return (!hex.starts_with('+')).then(|| u64::from_str_radix(hex, 16).ok()).flatten();
    }
    if text.len() > 1 && text.starts_with('0') {
        return u64::from_str_radix(&text[1..], 8).ok();
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A size in bytes: a number, with a fraction if there is a suffix, and one of the suffixes `B K M G T P` (powers of
/// 1024, any case). A number without suffix counts in units of `unit` bytes.
pub fn parse_size(text: &str, unit: u64) -> Option<u64> {
    if let Some(n) = parse_u64(text) {
        return n.checked_mul(unit);
    }
    let suffix = text.chars().last()?;
    let scale: u64 = match suffix.to_ascii_uppercase() {
        'B' => 1,
        'K' => 1 << 10,
        'M' => 1 << 20,
        'G' => 1 << 30,
        'T' => 1 << 40,
        'P' => 1 << 50,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if let Some(n) = parse_u64(digits) {
        return n.checked_mul(scale);
    }
    let (whole, fraction) = digits.split_once('.')?;
    let whole: u64 = whole.parse().ok()?;
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let parts: u64 = fraction.parse().ok()?;
    let part = u128::from(parts) * u128::from(scale) / 10u128.pow(fraction.len() as u32);
    whole.checked_mul(scale)?.checked_add(u64::try_from(part).ok()?)
}

/// A size for people: the largest binary unit that divides it.
pub fn show_size(bytes: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(parse_u64("42"), Some(42));
        assert_eq!(parse_u64("0x4_0"), None);
        assert_eq!(parse_u64("0x40"), Some(64));
        assert_eq!(parse_u64("010"), Some(8));
        for bad in ["", "-1", "+1", "0x", "0x+1", "18446744073709551616", "4k", "é"] {
            assert_eq!(parse_u64(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("512", 1 << 20), Some(512 << 20));
        assert_eq!(parse_size("2G", 1 << 20), Some(2 << 30));
        assert_eq!(parse_size("1.5g", 1), Some(3 << 29));
        assert_eq!(parse_size("0x10K", 1), Some(16 << 10));
        for bad in ["", "G", "1.G", ".5G", "-1G", "1.5", "99999999999P", "1X", "1é"] {
            assert_eq!(parse_size(bad, 1), None, "{bad}");
        }
        assert_eq!(show_size(3 << 29), "1536 MiB");
        assert_eq!(show_size(1000), "1000 bytes");
    }
}
