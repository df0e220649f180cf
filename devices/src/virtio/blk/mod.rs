//! Block device (5.2): one queue of requests to a [`BlockBackend`].
//!
//! Requests run on a thread of the device, so that a vCPU does not wait for the host's disk; or, for repeatable runs,
//! on the vCPU that rings the bell. Left out on purpose: several queues, geometry, secure erase, zones, lifetime.

mod config;
mod request;
#[cfg(test)]
mod tests;
mod worker;

use super::device::VirtioDevice;
use super::link::Link;
use crate::block::BlockBackend;
use crate::bus::snapshot::{self, StateError};
use request::Engine;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use worker::Worker;

/// Device features (5.2.3).
mod feature {
    pub(super) const SEG_MAX: u64 = 1 << 2;
    pub(super) const RO: u64 = 1 << 5;
    pub(super) const BLK_SIZE: u64 = 1 << 6;
    pub(super) const FLUSH: u64 = 1 << 9;
    pub(super) const TOPOLOGY: u64 = 1 << 10;
    pub(super) const CONFIG_WCE: u64 = 1 << 11;
    pub(super) const DISCARD: u64 = 1 << 13;
    pub(super) const WRITE_ZEROES: u64 = 1 << 14;
}

/// Descriptors of the request queue.
const QUEUE_SIZE: u16 = 256;

/// How a block device is set up.
#[derive(Debug, Clone)]
pub struct BlkOptions {
    /// What VIRTIO_BLK_T_GET_ID answers: the first 20 bytes of `serial=`.
    pub serial: String,
    /// Bytes of a logical block, a power of two from 512 on (`logical_block_size=`).
    pub block_size: u32,
    /// Whether the guest starts with a write-back cache; else every write is flushed.
    pub writeback: bool,
    /// Whether requests run on the vCPU that submits them, which makes runs repeatable.
    pub synchronous: bool,
}

impl Default for BlkOptions {
    fn default() -> Self {
        Self { serial: String::new(), block_size: 512, writeback: true, synchronous: false }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    writeback: bool,
}

/// A virtio block device.
pub struct Blk {
    disk: Arc<dyn BlockBackend>,
    options: BlkOptions,
    state: State,
    run: Run,
}

/// Where requests run.
enum Run {
    /// Not attached yet.
    Nowhere,
    Here(Box<Engine>),
    Thread(Worker),
}

impl Blk {
    /// A block device that shows `disk`.
    pub fn new(disk: Arc<dyn BlockBackend>, options: BlkOptions) -> Blk {
        let state = State { writeback: options.writeback };
        let block_size =
            if options.block_size.is_power_of_two() { options.block_size.clamp(512, 1 << 15) } else { 512 };
        Blk { disk, options: BlkOptions { block_size, ..options }, state, run: Run::Nowhere }
    }

    /// The disk behind it, for `info block` and for flushing at the end.
    pub fn disk(&self) -> &Arc<dyn BlockBackend> {
        &self.disk
    }

    /// Tells the engine whether writes need to be durable at once.
    fn set_cache(&mut self, writeback: bool) {
        match &mut self.run {
            Run::Nowhere => {}
            Run::Here(engine) => engine.cache.set_writeback(writeback),
            Run::Thread(worker) => worker.cache.set_writeback(writeback),
        }
    }
}

impl VirtioDevice for Blk {
    fn name(&self) -> &'static str {
        "virtio-blk"
    }

    fn device_id(&self) -> u32 {
        2
    }

    fn features(&self) -> u64 {
        let always =
            feature::SEG_MAX | feature::BLK_SIZE | feature::FLUSH | feature::TOPOLOGY | feature::CONFIG_WCE;
        let changes =
            if self.disk.read_only() { feature::RO } else { feature::DISCARD | feature::WRITE_ZEROES };
        always | changes
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE]
    }

    fn attach(&mut self, link: Link) {
        let engine = || Engine::new(link.clone(), self.disk.clone(), &self.options.serial);
        self.run = if self.options.synchronous {
            Run::Here(Box::new(engine()))
        } else {
            match Worker::start(engine()) {
                Ok(worker) => Run::Thread(worker),
                Err(e) => {
                    log::warn!(target: "block", "No thread for a block device ({e}); its requests run on the vCPU");
                    Run::Here(Box::new(engine()))
                }
            }
        };
        self.set_cache(self.state.writeback);
    }

    fn read_config(&self, offset: u64, into: &mut [u8]) {
        let bytes = config::bytes(self.disk.size(), self.options.block_size, self.state.writeback);
        config::read(&bytes, offset, into);
    }

    fn write_config(&mut self, offset: u64, from: &[u8]) {
        if let (config::WRITEBACK, &[value]) = (offset, from) {
            self.state.writeback = value & 1 != 0;
            self.set_cache(self.state.writeback);
        }
    }

    fn activate(&mut self) {
        let link = match &self.run {
            Run::Nowhere => return,
            Run::Here(engine) => engine.link(),
            Run::Thread(worker) => worker.link(),
        };
        // 5.2.5.2: without CONFIG_WCE, a driver that cannot flush gets a write-through cache.
        let features = link.features();
        if features & feature::CONFIG_WCE == 0 {
            self.state.writeback = features & feature::FLUSH != 0;
        }
        self.set_cache(self.state.writeback);
    }

    fn notify(&mut self, queue: usize) {
        match &mut self.run {
            Run::Here(engine) if queue == 0 => engine.serve(),
            Run::Thread(worker) if queue == 0 => worker.kick(),
            _ => {}
        }
    }

    fn reset(&mut self) {
        if let Run::Thread(worker) = &self.run {
            worker.settle();
        }
        self.state = State { writeback: self.options.writeback };
        self.set_cache(self.state.writeback);
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        if let Run::Thread(worker) = &self.run {
            worker.settle();
        }
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state = snapshot::load(saved)?;
        if let Run::Thread(worker) = &self.run {
            worker.settle();
        }
        self.state = state;
        self.set_cache(self.state.writeback);
        Ok(())
    }
}
