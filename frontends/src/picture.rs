//! Pictures of a screen as files: PNG (ISO/IEC 15948, third edition) and PPM (netpbm's P6).

use std::io::{self, Write};

use flate2::Compression;
use flate2::Crc;
use flate2::write::ZlibEncoder;
use lyrebird_devices::display::Frame;

/// The pixels as bytes of red, green and blue, row by row.
fn rows(frame: &Frame) -> impl Iterator<Item = Vec<u8>> {
    let width = (frame.width as usize).max(1);
    let bytes = |pixel: &u32| {
        let [_, r, g, b] = pixel.to_be_bytes();
        [r, g, b]
    };
    frame.pixels.chunks(width).map(move |row| row.iter().flat_map(bytes).collect())
}

fn chunk(out: &mut impl Write, kind: &[u8; 4], data: &[u8]) -> io::Result<()> {
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(data);
    out.write_all(&(data.len() as u32).to_be_bytes())?;
    out.write_all(kind)?;
    out.write_all(data)?;
    out.write_all(&sum.sum().to_be_bytes())
}

/// Writes a PNG file of 8-bit colours.
///
/// # Errors
/// As `out` has them.
pub fn png(frame: &Frame, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\x89PNG\r\n\x1a\n")?;
    let size = [frame.width.to_be_bytes(), frame.height.to_be_bytes()].concat();
    // Depth 8, colour type 2 (red, green, blue), deflate, no special filters, not interlaced.
    chunk(out, b"IHDR", &[&size[..], &[8, 2, 0, 0, 0]].concat())?;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in rows(frame) {
        packed.write_all(&[0])?;
        packed.write_all(&row)?;
    }
    chunk(out, b"IDAT", &packed.finish()?)?;
    chunk(out, b"IEND", &[])
}

/// Writes a PPM file.
///
/// # Errors
/// As `out` has them.
pub fn ppm(frame: &Frame, out: &mut impl Write) -> io::Result<()> {
    write!(out, "P6\n{} {}\n255\n", frame.width, frame.height)?;
    rows(frame).try_for_each(|row| out.write_all(&row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    #[test]
    fn two_pixels() {
        let frame = Frame { width: 2, height: 1, pixels: vec![0x00ff_0000, 0x0000_00ff] };
        let mut file = Vec::new();
        ppm(&frame, &mut file).unwrap();
        assert_eq!(file, b"P6\n2 1\n255\n\xff\0\0\0\0\xff");
        file.clear();
        png(&frame, &mut file).unwrap();
        assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
        // The CRC of an empty end is the same in every file.
        assert_eq!(&file[file.len() - 12..], b"\0\0\0\0IEND\xae\x42\x60\x82");
        let at = file.windows(4).position(|w| w == b"IDAT").unwrap();
        let mut bytes = Vec::new();
        ZlibDecoder::new(&file[at + 4..]).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [0, 0xff, 0, 0, 0, 0, 0xff]);
    }
}
