//! Frame information structures (Serial ATA 3.1, 10.5) as they lie in memory.

use crate::storage::taskfile::TaskFile;

/// Bytes of a command FIS that matter.
pub(super) const COMMAND_LEN: usize = 20;

/// A register FIS from the host.
pub(super) struct Command {
    /// It carries a command; else device control.
    pub(super) is_command: bool,
    /// The command.
    pub(super) command: u8,
    /// Device control.
    pub(super) control: u8,
}

/// Takes a register FIS from the host into the task file; `None` if it is another kind.
pub(super) fn take(bytes: &[u8; COMMAND_LEN], regs: &mut TaskFile) -> Option<Command> {
    const HOST_TO_DEVICE: u8 = 0x27;
    let f = bytes;
    if f[0] != HOST_TO_DEVICE {
        return None;
    }
    let command = Command { is_command: f[1] & 0x80 != 0, command: f[2], control: f[15] };
    if command.is_command {
        regs.features = [f[3], f[11]];
        regs.lba = [[f[4], f[8]], [f[5], f[9]], [f[6], f[10]]];
        regs.device = f[7];
        regs.count = [f[12], f[13]];
    }
    Some(command)
}

fn registers(kind: u8, flags: u8, regs: &TaskFile) -> [u8; 20] {
    let [low, mid, high] = regs.lba;
    let mut f = [0; 20];
    f[..4].copy_from_slice(&[kind, flags, regs.status, regs.error]);
    f[4..12].copy_from_slice(&[low[0], mid[0], high[0], regs.device, low[1], mid[1], high[1], 0]);
    f[12..14].copy_from_slice(&regs.count);
    f
}

/// Register FIS to the host, which interrupts.
pub(super) fn device_to_host(regs: &TaskFile) -> [u8; 20] {
    registers(0x34, 0x40, regs)
}

/// PIO set-up FIS for `len` bytes; the task file holds the status at the end.
pub(super) fn pio_setup(regs: &TaskFile, to_host: bool, len: u16) -> [u8; 20] {
    use crate::storage::taskfile::status::{DRDY, DRQ, DSC};
    let mut f = registers(0x5F, 0x40 | u8::from(to_host) << 5, regs);
    f[15] = regs.status;
    f[2] = DRDY | DSC | DRQ;
    f[16..18].copy_from_slice(&len.to_le_bytes());
    f
}

/// Set-device-bits FIS: the queued commands of `finished` are complete.
pub(super) fn set_device_bits(regs: &TaskFile, finished: u32) -> [u8; 8] {
    let mut f = [0; 8];
    f[..4].copy_from_slice(&[0xA1, 0x40, regs.status & 0x77, regs.error]);
    f[4..].copy_from_slice(&finished.to_le_bytes());
    f
}
