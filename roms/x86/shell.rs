//! The prompt and its commands.

use crate::console::say;
use crate::line::Line;
use crate::{bench, info, power, probe, text, timer, vectors};

/// An address beyond all that is mapped.
const NOWHERE: u64 = 0x7f_dead_beec;

/// Takes commands for ever.
pub fn run() -> ! {
    loop {
        say!("{}", text::PROMPT);
        let line = Line::read();
        let mut words = line.words();
        let (command, argument) = (words.next(), words.next());
        match command {
            None => {}
            Some("help") => say!("{}", text::HELP),
            Some("info") => info::show(),
            Some("bench") => bench::run(argument.and_then(|n| n.parse().ok()).unwrap_or(1)),
            Some("tick" | "irq") => timer::show(argument == Some("pit")),
            Some("mem") => {
                let address = argument.map(|text| text.trim_start_matches("0x"));
                dump(address.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0) & !3);
            }
            Some("fault") => {
                probe::try_load(NOWHERE);
                print_fault();
            }
            Some("reset") => power::reset(),
            Some("off") => power::off(),
            Some(_) => say!("{}", text::UNKNOWN),
        }
    }
}

/// Prints 64 bytes from `address`.
fn dump(address: u64) {
    for row in 0..4 {
        for word in 0..4 {
            let at = address.wrapping_add(16 * row + 4 * word);
            let Some(value) = probe::try_load(at) else { return print_fault() };
            if word == 0 {
                say!("{at:x}:");
            }
            say!(" {value:08x}");
        }
        say!("\n");
    }
}

fn print_fault() {
    let vectors::Fault { vector, error, cr2, rip } = vectors::last();
    say!("vector {vector}, error {error:x}, CR2 {cr2:x}, RIP {rip:x}\n");
}
