//! Transfers of ether.

use revm::context::TxEnv;
use revm::primitives::{Address, TxKind, U256};

use super::database::MemoryDatabase;
use super::genesis::{Genesis, WorkloadError};
use super::people::{ACCOUNTS, Draw, People};

/// What a transfer of ether uses.
const GAS: u64 = 21_000;

pub(super) type Made = Result<(MemoryDatabase, Vec<TxEnv>), WorkloadError>;

/// One wei, for which one wei a gas is paid.
pub(super) fn transfer(genesis: &mut Genesis, from: Address, to: Address) -> TxEnv {
    TxEnv {
        caller: from,
        nonce: genesis.next_nonce(from),
        kind: TxKind::Call(to),
        value: U256::from(1),
        gas_limit: GAS,
        gas_price: 1,
        ..TxEnv::default()
    }
}

fn transfers(people: &[Address], ends: impl IntoIterator<Item = (Address, Address)>) -> Made {
    let mut genesis = Genesis::default();
    people.iter().for_each(|&person| genesis.fund(person));
    let transactions = ends.into_iter().map(|(from, to)| transfer(&mut genesis, from, to)).collect();
    Ok((genesis.finish()?, transactions))
}

/// Who pays whom where the first `chained` pay the next one and all others themselves.
pub(super) fn ends(people: &[Address], chained: usize) -> impl Iterator<Item = (Address, Address)> {
    people.iter().enumerate().map(move |(index, &from)| {
        let next = if index < chained { people.get(index + 1) } else { None };
        (from, next.copied().unwrap_or(from))
    })
}

/// As many senders as transactions; the first `chained` pay the next one.
pub(super) fn along(transactions: usize, chained: usize, seed: u64) -> Made {
    let people = People::new(seed).addresses(transactions);
    transfers(&people, ends(&people, chained))
}

pub(super) fn one_sender(transactions: usize, seed: u64) -> Made {
    let people = People::new(seed).addresses(transactions + 1);
    transfers(&people, people[1..].iter().map(|&to| (people[0], to)))
}

pub(super) fn one_receiver(transactions: usize, seed: u64) -> Made {
    let people = People::new(seed).addresses(transactions + 1);
    transfers(&people, people[1..].iter().map(|&from| (from, people[0])))
}

/// Both ends of every transfer are drawn.
pub(super) fn drawn(transactions: usize, draw: Draw, seed: u64) -> Made {
    let mut chance = People::new(seed);
    let people = chance.addresses(ACCOUNTS);
    let ends: Vec<_> = (0..transactions).map(|_| (chance.draw(&people, draw), chance.draw(&people, draw))).collect();
    transfers(&people, ends)
}
