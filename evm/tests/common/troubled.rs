//! A state that cannot be read everywhere, or not at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::database_interface::{DBErrorMarker, DatabaseRef};
use revm::state::AccountInfo;

use super::world::World;

/// The slot, of whatever account, that is given only once what is [awaited](Troubled) has happened.
pub(crate) const HELD: u64 = 9;

/// What holds [`HELD`] back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    Nothing,
    /// A read that fails.
    Failure,
    /// A read of this account.
    Account(Address),
}

#[derive(Debug, thiserror::Error)]
#[error("the disk is on fire")]
pub(crate) struct Broken;

impl DBErrorMarker for Broken {}

/// A state with slots and block hashes that cannot be read.
#[derive(Debug)]
pub(crate) struct Troubled {
    pub(crate) world: World,
    pub(crate) broken_slot: Option<U256>,
    pub(crate) broken_hash: Option<u64>,
    awaited: Awaited,
    has_happened: Mutex<bool>,
    happens: Condvar,
    failures: AtomicUsize,
}

impl Troubled {
    pub(crate) fn new(world: World, awaited: Awaited) -> Self {
        Self {
            world,
            broken_slot: None,
            broken_hash: None,
            awaited,
            has_happened: Mutex::new(awaited == Awaited::Nothing),
            happens: Condvar::new(),
            failures: AtomicUsize::new(0),
        }
    }

    /// How many reads have failed.
    pub(crate) fn failures(&self) -> usize {
        // Relaxed: it is looked at when all threads are done.
        self.failures.load(Ordering::Relaxed)
    }

    fn happened(&self, event: Awaited) {
        if event == self.awaited {
            *self.has_happened.lock().unwrap() = true;
            self.happens.notify_all();
        }
    }

    /// Waits for what is awaited; a test must end, so it waits for a while only.
    fn hold(&self) {
        if *self.has_happened.lock().unwrap() {
            return;
        }
        let waiting = self.has_happened.lock().unwrap();
        let (happened, _) =
            self.happens.wait_timeout_while(waiting, Duration::from_secs(5), |has_happened| !*has_happened).unwrap();
        drop(happened);
        // Whoever made it happen goes on with what it has read.
        std::thread::sleep(Duration::from_millis(2));
    }

    fn fail<T>(&self) -> Result<T, Broken> {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.happened(Awaited::Failure);
        Err(Broken)
    }
}

impl DatabaseRef for Troubled {
    type Error = Broken;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Broken> {
        self.happened(Awaited::Account(address));
        let Ok(info) = self.world.basic_ref(address);
        Ok(info)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Broken> {
        let Ok(code) = self.world.code_by_hash_ref(code_hash);
        Ok(code)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Broken> {
        if self.broken_slot == Some(slot) {
            return self.fail();
        }
        if slot == U256::from(HELD) {
            self.hold();
        }
        let Ok(value) = self.world.storage_ref(address, slot);
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Broken> {
        if self.broken_hash == Some(number) {
            return self.fail();
        }
        let Ok(hash) = self.world.block_hash_ref(number);
        Ok(hash)
    }
}
