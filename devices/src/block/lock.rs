//! Image locks: open-file-description locks on single bytes, at the offsets that QEMU's file driver uses, so that the
//! two programs exclude each other too.
//!
//! Byte 100 + p is locked by whoever uses permission p, byte 200 + p by whoever does not share it. The permissions:
//! 0 consistent read, 1 write, 2 write unchanged, 3 resize.

use super::BlockError;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;
use std::path::Path;

const USES: i64 = 100;
const EXCLUDES: i64 = 200;
const READ: i64 = 0;
const WRITE: i64 = 1;
const RESIZE: i64 = 3;

/// Locks `file` for reading, or for reading and writing, until its last descriptor is closed. A reader excludes
/// writers, a writer excludes everybody who has not agreed to it. A file system without locks is accepted with a
/// warning.
///
/// # Errors
/// When another open of the same file conflicts.
pub(super) fn lock(file: &File, path: &Path, write: bool) -> Result<(), BlockError> {
    let uses: &[i64] = if write { &[READ, WRITE] } else { &[READ] };
    let excludes = [WRITE, RESIZE];
    for byte in uses.iter().map(|p| USES + p).chain(excludes.map(|p| EXCLUDES + p)) {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_RDLCK, byte))) {
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EACCES) => return Err(held(path, write, byte)),
            Err(e) => {
                log::warn!(target: "block", "Disk image '{}' cannot be locked ({e}); nothing keeps two writers apart", path.display());
                return Ok(());
            }
        }
    }
    for byte in uses.iter().map(|p| EXCLUDES + p).chain(excludes.map(|p| USES + p)) {
        // Asking about a write lock finds anybody's read lock; our own locks do not count.
        let mut probe = range(libc::F_WRLCK, byte);
        let asked = fcntl(file, FcntlArg::F_OFD_GETLK(&mut probe));
        if asked.is_ok() && i32::from(probe.l_type) != libc::F_UNLCK {
            return Err(held(path, write, byte));
        }
    }
    Ok(())
}

fn range(kind: i32, byte: i64) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: byte, l_len: 1, l_pid: 0 }
}

fn held(path: &Path, write: bool, byte: i64) -> BlockError {
    let writer = byte == USES + WRITE || byte == USES + RESIZE;
    let conflict = if writer { "writes to it" } else { "does not want others to write to it" };
    let remedy = match (write, writer) {
        (true, false) => "readonly=on or -snapshot to this drive",
        _ => "file.locking=off if you are sure that nothing breaks",
    };
    BlockError::Locked { file: path.to_owned(), conflict, remedy }
}
