//! `cargo xtask facts`: what the documentation lists is what there is. `docs/unsafe.md` names the files with unsafe code,
//! `docs/dependencies.md` the crates and who uses them.

use crate::{paths, sizes};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Fails with every difference.
pub fn run() -> Result<()> {
    let root = paths::workspace();
    let mut faults = Vec::new();
    let files = unsafe_code(&root, &mut faults)?;
    let crates = dependencies(&root, &mut faults)?;
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    println!("{files} files with unsafe code and {crates} crates are documented");
    Ok(())
}

/// The cells of a table's rows, all tables of a page together.
fn rows(page: &Path) -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(page).with_context(|| format!("Cannot read {}", page.display()))?;
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    Ok(lines
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect())
}

/// The names in backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// What `found` and `listed` have not in common.
fn compare(found: &BTreeSet<String>, listed: &BTreeSet<String>, page: &str, faults: &mut Vec<String>) {
    faults.extend(found.difference(listed).map(|name| format!("{name} is missing in {page}")));
    faults.extend(listed.difference(found).map(|name| format!("{name} is in {page} and not there any more")));
}

/// Whether source text has unsafe code, or permits it.
fn has_unsafe(text: &str) -> bool {
    const FORMS: [&str; 6] =
        ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern", "[allow(unsafe_code"];
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.into_iter().any(|line| FORMS.iter().any(|form| line.contains(form)))
}

fn unsafe_code(root: &Path, faults: &mut Vec<String>) -> Result<usize> {
    let mut files = Vec::new();
    sizes::collect(root, &mut files)?;
    let mut found = BTreeSet::new();
    for file in &files {
        let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
        // The names of forms above are no unsafe code.
        if name != "xtask/src/facts.rs" && has_unsafe(&fs::read_to_string(file)?) {
            found.insert(name);
        }
    }
    let mut listed = BTreeSet::new();
    for row in rows(&root.join("docs/unsafe.md"))? {
        listed.extend(names(&row[0]).map(str::to_owned));
    }
    compare(&found, &listed, "docs/unsafe.md", faults);
    Ok(found.len())
}

/// Dependencies of a manifest by section, those of our own left out.
fn named(manifest: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if wanted(section)
            && let Some((name, _)) = line.split_once(['=', '.', ' '])
            && !name.is_empty()
            && !name.starts_with("lyrebird")
            && !name.starts_with('#')
        {
            names.push(name.trim().to_owned());
        }
    }
    names
}

fn dependencies(root: &Path, faults: &mut Vec<String>) -> Result<usize> {
    const MEMBERS: [&str; 11] = [
        "cpu",
        "cpu/chain",
        "jit",
        "devices",
        "devices/ram",
        "machine",
        "frontends",
        "tests",
        "roms",
        "xtask",
        "tests/fuzz",
    ];
    let read = |folder: &str| {
        let path = root.join(folder).join("Cargo.toml");
        fs::read_to_string(&path).with_context(|| format!("Cannot read {}", path.display()))
    };
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in named(&read(".")?, |section| section == "workspace.dependencies") {
        users.insert(name, BTreeSet::new());
    }
    for member in MEMBERS {
        let all = named(&read(member)?, |section| section.ends_with("dependencies"));
        for name in all {
            if !uses(&root.join(member), &name)? {
                faults.push(format!("{member} names {name} and does not use it"));
            }
            users.entry(name).or_default().insert(member.to_owned());
        }
    }
    let page = "docs/dependencies.md";
    let mut listed = BTreeSet::new();
    for row in rows(&root.join(page))? {
        for name in names(&row[0]) {
            listed.insert(name.to_owned());
            let said: BTreeSet<String> = row[1].split(", ").map(str::to_owned).collect();
            if let Some(users) = users.get(name)
                && *users != said
            {
                let users: Vec<&str> = users.iter().map(String::as_str).collect();
                faults.push(format!("{page}: {name} is used in {}", users.join(", ")));
            }
        }
    }
    let found = users.keys().cloned().collect();
    compare(&found, &listed, page, faults);
    Ok(listed.len())
}

/// Whether a crate's source speaks of another one.
fn uses(folder: &Path, name: &str) -> Result<bool> {
    let mut files = Vec::new();
    sizes::collect(folder, &mut files)?;
    let name = name.replace('-', "_");
    for file in files {
        let text = fs::read_to_string(&file)?;
        if [format!("{name}::"), format!("use {name}"), format!("{name}!")]
            .iter()
            .any(|form| text.contains(form))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_true() {
        run().unwrap();
    }

    #[test]
    fn forms_are_found() {
        assert!(has_unsafe("let x = unsafe { y };") && has_unsafe("unsafe impl Send for T {}"));
        assert!(!has_unsafe("// unsafe { }\n(\"unsafe\", CacheMode::Unsafe),"));
        let manifest =
            "[package]\nname = 1\n[dependencies]\na = \"1\"\nb.workspace = true\n# c\nlyrebird-x = 1\n";
        assert_eq!(named(manifest, |s| s == "dependencies"), ["a", "b"]);
    }
}
