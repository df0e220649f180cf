//! The cloud kernel once more in the compressed forms that a loader must take.

use super::initrd::compress;
use super::kernel;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// The kernel that is packed.
const NAME: &str = "cloud";

/// The forms: name, file name beside `Image`.
pub const FORMS: [(&str, &str); 2] = [("gzip", "Image.gz"), ("zboot", "Image.zboot")];

/// Writes the packed kernels unless they are there.
pub fn prepare(refresh: bool) -> Result<String> {
    let folder = folder()?;
    if refresh || FORMS.iter().any(|(_, file)| !folder.join(file).exists()) {
        let packed = compress(&fs::read(folder.join("Image"))?)?;
        fs::write(folder.join("Image.zboot"), zboot(&packed))?;
        fs::write(folder.join("Image.gz"), packed)?;
    }
    Ok("the cloud kernel as Image.gz and Image.zboot".to_owned())
}

/// Folder of the kernel that is packed.
pub fn folder() -> Result<PathBuf> {
    let kernel = kernel::of("arm64").find(|kernel| kernel.name == NAME);
    Ok(kernel.context("There is no kernel to pack")?.folder())
}

/// `payload`, gzip data, behind the header of a compressed EFI image (Linux `drivers/firmware/efi/libstub/zboot-header.S`:
/// "MZ", "zimg" at 4, where the payload is, its size, at 24 how it is compressed). The EFI program itself is left out:
/// a loader that unpacks the payload never runs it.
fn zboot(payload: &[u8]) -> Vec<u8> {
    const HEADER: usize = 0x1000;
    let mut file = vec![0; HEADER];
    file[..2].copy_from_slice(b"MZ");
    file[4..8].copy_from_slice(b"zimg");
    file[8..12].copy_from_slice(&(HEADER as u32).to_le_bytes());
    file[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    file[24..28].copy_from_slice(b"gzip");
    // The magic number of Linux's PE images, as `Image` has it.
    file[56..60].copy_from_slice(&0x8182_23cd_u32.to_le_bytes());
    file.extend_from_slice(payload);
    file
}
