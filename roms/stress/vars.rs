//! The stress guest's memory after its image. The UART's address is where [`crate::demo::vars`] has it, since the
//! console is the demo's; translation tables and stacks are in the same places as well.

/// Behind the header of the image: what whoever runs it may set.
pub mod params {
    /// Rounds to run; all are numbers of 32 bits.
    pub const ROUNDS: u32 = 0;
    /// How often each test does its work.
    pub const TIMES: u32 = 4;
    /// Tests to leave out, one bit each.
    pub const SKIP: u32 = 8;
    /// Rounds end after so many seconds as well.
    pub const SECONDS: u32 = 12;
    /// Bytes of all of them.
    pub const SIZE: usize = 16;
}

/// Rounds done.
pub const ROUND: u32 = 8;
/// Not zero after the last one.
pub const OVER: u32 = 16;
/// Number of the current test.
pub const TEST: u32 = 24;
/// Not zero if the processor has FEAT_LSE.
pub const LSE: u32 = 40;
/// Not zero with version 3 of the interrupt controller.
pub const GICV3: u32 = 48;
/// How often both processors missed the other's store where nothing orders them.
pub const WEAK: u32 = 56;
/// Processors that wait at the barrier.
pub const ARRIVED: u32 = 0x200;
/// Barriers passed.
pub const PASSED: u32 = 0x240;
/// Processors, as far as they were found.
pub const FOUND: u32 = 0x280;
/// Interrupts taken, by processor, a line of the cache each.
pub const TAKEN: u32 = 0x400;
/// Translation tables of levels 1 to 3.
pub const TABLE1: u32 = 0x1000;
/// See [`TABLE1`].
pub const TABLE2: u32 = 0x2000;
/// See [`TABLE1`].
pub const TABLE3: u32 = 0x3000;
/// What tests work on.
pub const DATA: u32 = 0x4000;
/// Bytes of it.
pub const DATA_SIZE: u32 = 0x1_0000;
/// The first stack's end; the others follow.
pub const STACKS: u32 = 0x1_4800;
/// Bytes of one stack.
pub const STACK_SIZE: u32 = 0x800;
/// Most processors.
pub const CPUS: u32 = 7;
