//! "Did you mean": the candidate nearest to what was typed.

/// The candidate that is nearest to `typed`, if one is near enough to be a slip of the finger.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (typed.chars().count() / 3).min(3);
    candidates
        .into_iter()
        .filter(|c| !c.is_empty())
        .map(|c| (distance(&typed.to_lowercase(), &c.to_lowercase()), c))
        .filter(|&(d, c)| d <= limit || (typed.len() >= 3 && c.starts_with(typed)))
        .min_by_key(|&(d, _)| d)
        .map(|(_, c)| c)
}

/// `; did you mean 'x'?`, or nothing.
pub fn hint<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, candidates).map(|c| format!("; did you mean '{c}'?")).unwrap_or_default()
}

/// Edit distance in which exchanging two neighbours counts as one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let mut d = (above[j] + usize::from(ca != cb)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == *cb {
                d = d.min(before[j - 1] + 1);
            }
            row.push(d);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let options = ["kernel", "initrd", "append", "nographic", "smp"];
        assert_eq!(nearest("kenrel", options), Some("kernel"));
        assert_eq!(nearest("nografic", options), Some("nographic"));
        assert_eq!(nearest("spm", options), Some("smp"));
        assert_eq!(nearest("nogr", options), Some("nographic"));
        assert_eq!(nearest("vnc", options), None);
    }
}
