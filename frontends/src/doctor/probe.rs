//! Questions to the kernel that safe Rust has no words for: one ioctl and one mapping.
#![expect(unsafe_code, reason = "an ioctl of KVM and an executable mapping of a memfd")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// `KVM_GET_API_VERSION`: `_IO(0xAE, 0x00)` of `linux/kvm.h`.
const KVM_GET_API_VERSION: libc::Ioctl = 0xae00;

/// The API version that an open `/dev/kvm` speaks.
pub fn kvm_version(kvm: &File) -> io::Result<i32> {
    // SAFETY: KVM_GET_API_VERSION takes no argument and touches no memory of ours; the descriptor is open.
    let version = unsafe { libc::ioctl(kvm.as_raw_fd(), KVM_GET_API_VERSION, 0) };
    if version < 0 { Err(io::Error::last_os_error()) } else { Ok(version) }
}

/// Whether a memfd can be mapped executable beside a writable mapping, as the code cache does.
pub fn executable_memfd() -> io::Result<()> {
    const LEN: usize = 4096;
    let fd = memfd_create("lyrebird-doctor", MemfdFlags::CLOEXEC)?;
    ftruncate(&fd, LEN as u64)?;
    for prot in [ProtFlags::READ | ProtFlags::WRITE, ProtFlags::READ | ProtFlags::EXEC] {
        // SAFETY: the kernel chooses the address, so nothing that exists is replaced; nobody else has the memfd.
        let map = unsafe { mmap(std::ptr::null_mut(), LEN, prot, MapFlags::SHARED, &fd, 0) }?;
        // SAFETY: `map` is the mapping of this length just made, and no reference into it was created.
        unsafe { munmap(map, LEN) }?;
    }
    Ok(())
}
