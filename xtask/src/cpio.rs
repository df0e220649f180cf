//! Writes the archive that a Linux initrd is: cpio in the "newc" format.
//!
//! Source: Linux `Documentation/driver-api/early-userspace/buffer-format.rst`. Every entry is owned by root and dated
//! 1970, so the same inputs give the same bytes. Hard links are not written.

/// An archive under construction. Directories must be added before what they hold.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

impl Archive {
    /// Adds a directory with mode 0755.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, &[], (0, 0));
    }

    /// Adds a file with permission bits `mode`.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, REGULAR | mode, content, (0, 0));
    }

    /// Adds a symbolic link that points at `to`.
    pub fn symlink(&mut self, path: &str, to: &str) {
        self.entry(path, SYMLINK | 0o777, to.as_bytes(), (0, 0));
    }

    /// Adds a character device with mode 0600.
    pub fn character(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER | 0o600, &[], (major, minor));
    }

    /// Ends the archive and hands over its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.entry("TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8], (major, minor): (u32, u32)) {
        self.inode += 1;
        let (length, name) = (content.len() as u32, path.len() as u32 + 1);
        let fields = [self.inode, mode, 0, 0, 1, 0, length, 0, 0, major, minor, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn entries_are_padded_and_counted() {
        let mut archive = Archive::default();
        archive.directory("bin");
        archive.file("bin/a", 0o755, b"hello");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(&bytes[..14], b"07070100000001");
        // 110 bytes of header, "bin\0", two of padding; then the file's header with its size in the seventh field.
        let file = &bytes[116..];
        assert_eq!(&file[14..22], b"000081ed");
        assert_eq!(&file[54..62], b"00000005");
        assert_eq!(&file[110..121], b"bin/a\0hello");
        assert!(bytes.windows(10).any(|w| w == b"TRAILER!!!"));
    }
}
