//! `cargo xtask sizes`: a file is about one thing and fits in a few screens.

use crate::paths;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines that a Rust source file may have.
const LIMIT: usize = 600;

/// Files that may be longer, and why.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// Fails if a Rust source file is too long, or an exception is not needed.
pub fn run() -> Result<()> {
    let root = paths::workspace();
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    let mut faults = Vec::new();
    let mut longest = (0, PathBuf::new());
    for file in &files {
        let lines = fs::read_to_string(file).with_context(|| format!("Cannot read {}", file.display()))?;
        let lines = lines.lines().count();
        let name = file.strip_prefix(&root).unwrap_or(file);
        let excepted = EXCEPTIONS.iter().any(|(path, _)| Path::new(path) == name);
        if (lines > LIMIT) != excepted {
            faults.push(match excepted {
                true => format!("{} has {lines} lines and needs no exception any more", name.display()),
                false => format!("{} has {lines} lines; split it at {LIMIT} or fewer", name.display()),
            });
        }
        longest = longest.max((lines, name.to_path_buf()));
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    println!("{} Rust files; the longest, {}, has {} lines", files.len(), longest.1.display(), longest.0);
    Ok(())
}

/// Every Rust file below `folder`, build directories and hidden ones left out.
pub fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            collect(&path, files)?;
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}
