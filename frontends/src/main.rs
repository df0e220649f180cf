//! The lyrebird program.

use std::process::ExitCode;

use lyrebird_frontends::program;

fn main() -> ExitCode {
    ExitCode::from(program::main(std::env::args_os(), &lyrebird_frontends::run::build))
}
