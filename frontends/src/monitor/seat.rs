//! Commands of who sits before the machine: keys, and what the screen shows.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use lyrebird_devices::display::cp437;
use lyrebird_devices::input::keys::chord;

use super::commands::Answer;
use super::session::Session;
use crate::picture;

/// How long keys are held if nothing else is said, in milliseconds; and at most.
const HOLD: u64 = 100;
const LONGEST: u64 = 10_000;

/// `sendkey KEYS [MILLISECONDS]`: keys go down one after the other, and up in the opposite order.
pub fn sendkey(s: &mut Session, arguments: &str) -> Answer {
    let mut words = arguments.split_whitespace();
    let keys = chord(words.next().ok_or("name keys, as in ctrl-alt-delete")?)
        .map_err(|name| format!("there is no key '{name}'"))?;
    let hold = match words.next() {
        None => HOLD,
        Some(text) => text.parse().ok().filter(|&ms| ms <= LONGEST).ok_or("hold at most 10000 ms")?,
    };
    let keyboard = s.control.seat().keys.ok_or("the board has no keyboard")?;
    keys.iter().for_each(|key| keyboard.key(*key, true));
    std::thread::sleep(Duration::from_millis(hold));
    keys.iter().rev().for_each(|key| keyboard.key(*key, false));
    Ok(String::new())
}

/// `screendump FILE`: a PNG, or a PPM if the name says so.
pub fn screendump(s: &mut Session, arguments: &str) -> Answer {
    let (path, kind) = match arguments.split_once(" -f ") {
        Some((path, kind)) => (path.trim(), kind.trim()),
        None => (arguments, if arguments.ends_with(".ppm") { "ppm" } else { "png" }),
    };
    if path.is_empty() {
        return Err("name a file".into());
    }
    let screen = s.control.seat().screen.ok_or("the board has no screen")?;
    let frame = screen.frame();
    let mut file = BufWriter::new(File::create(Path::new(path)).map_err(|e| format!("{path}: {e}"))?);
    let written = match kind {
        "png" => picture::png(&frame, &mut file),
        "ppm" => picture::ppm(&frame, &mut file),
        other => return Err(format!("there is no format '{other}'; use png or ppm")),
    };
    written.map_err(|e| format!("{path}: {e}"))?;
    Ok(String::new())
}

/// `info screen`: the text on it.
pub fn text(s: &mut Session, _: &str) -> Answer {
    let screen = s.control.seat().screen.ok_or("the board has no screen")?;
    let Some(text) = screen.text() else {
        let frame = screen.frame();
        return Ok(format!(
            "a picture of {}x{}; screendump writes it to a file\n",
            frame.width, frame.height
        ));
    };
    let row = |cells: &[lyrebird_devices::display::Cell]| {
        let line: String = cells.iter().map(|cell| cp437(cell.character)).collect();
        line.trim_end().to_owned() + "\n"
    };
    Ok(text.cells.chunks((text.columns as usize).max(1)).map(row).collect())
}
