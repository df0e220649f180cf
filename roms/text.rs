//! What the demo says alike on every architecture, and how much the benchmark does.

/// What the shell asks with.
pub const PROMPT: &str = "lyrebird> ";

/// The shell's commands.
pub const HELP: &str = "\
info          what machine this is
bench [N]     five small loops, N times over, with rates and checksums
tick          five timer interrupts, a tenth of a second apart
mem ADDRESS   64 bytes at a hexadecimal address
fault         provoke a fault and show what is reported
reset         start again
off           power off
";

/// The answer to everything else.
pub const UNKNOWN: &str = "There is no such command; type help.\n";

/// Ticks that the command `tick` shows, and how many there are in a second.
pub const TICKS: u32 = 5;
/// See [`TICKS`].
pub const TICK_RATE: u64 = 10;

/// What stands above the benchmark's figures.
pub const BENCH_HEADING: &str = "            million/s  checksum\n";

/// The benchmark's loops, in their order, each padded to the column of rates.
pub const BENCH_NAMES: [&str; 5] = ["integer   ", "calls     ", "memory    ", "float     ", "vector    "];

/// Passes of each loop in one round; of `calls`, the number of calls that fib(26) makes.
pub const INTEGER: u64 = 4_000_000;
/// See [`INTEGER`].
pub const CALLS: u64 = 392_835;
/// See [`INTEGER`].
pub const MEMORY: u64 = 2_000_000;
/// See [`INTEGER`].
pub const FLOAT: u64 = 1_000_000;
/// See [`INTEGER`].
pub const VECTOR: u64 = 1_000_000;

/// The multiplier of the integer loops: 2^64 divided by the golden ratio.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes in a typed line, its end included.
pub const LINE_SIZE: u32 = 128;
