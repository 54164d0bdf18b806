//! Defects that parallel execution of this ledger had elsewhere: each item of spec 10 has its test, named after it, and
//! each test compares every executor with the sequential one (see `agree`).
//!
//! | items | module |
//! |---|---|
//! | 1 to 7: signatures, credits, debits, fees | `balances` |
//! | 8 to 14: failures and rules | `failures` |
//! | 15 to 18: rewards (further tests of them: `tests/rewards.rs`) | `rewards` |
//! | 19 to 24: what is written | `commit` |
//! | 25 to 28: tasks and storage | `tasks` |
//! | 29 to 35: contracts (further tests of them: `tests/contracts`) | `contracts` |
//! | 36 to 39: what transactions conflict about | `conflicts` |
//! | 40 to 48: order | `order` |

#[path = "../common/mod.rs"]
mod common;

mod balances;
mod commit;
mod conflicts;
mod contracts;
mod failures;
mod order;
mod rewards;
mod tasks;

use common::*;
use weft_ledger::SignedTransaction;

/// Executes where nothing may fail, and gives the state afterwards.
fn succeed(state: &State, transactions: &[SignedTransaction]) -> State {
    let block = agree(rejecting(), state, transactions);
    assert_eq!(block.rejection, None);
    after(state, &block)
}

/// The items of spec 10 in order: none is without a test.
#[test]
fn every_item_has_its_test() {
    let modules = [
        include_str!("balances.rs"),
        include_str!("failures.rs"),
        include_str!("rewards.rs"),
        include_str!("commit.rs"),
        include_str!("tasks.rs"),
        include_str!("contracts.rs"),
        include_str!("conflicts.rs"),
        include_str!("order.rs"),
    ];
    let mut items: Vec<u32> = modules
        .iter()
        .flat_map(|module| module.lines())
        .filter_map(|line| line.strip_prefix("fn item_")?.split('_').next()?.parse().ok())
        .collect();
    assert!(items.is_sorted(), "{items:?}");
    items.dedup();
    assert_eq!(items, (1..=48).collect::<Vec<_>>());
}
