//! Blocks of cases that do not meet: each comes out as on its own, whatever stands before it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use alloy_primitives::{Address, U256};
use revm::context::BlockEnv;
use revm::context::result::ExecutionResult;
use revm::primitives::hardfork::SpecId;
use weft_evm::{EvmEnv, sequential};

use crate::case::Case;
use crate::common::block::Block;
use crate::common::oracle;
use crate::common::world::World;

/// A case on its own: what it reads and what it gives.
struct Alone<'a> {
    case: &'a Case,
    env: &'a EvmEnv,
    /// Every account that it looks at, but for the coinbase.
    accounts: BTreeSet<Address>,
    result: ExecutionResult,
    after: World,
}

impl<'a> Alone<'a> {
    /// None for a case that is invalid, and for one that sees what the coinbase has: all others of a block change that.
    fn new(case: &'a Case) -> Option<Self> {
        let (env, tx) = (case.env.as_ref()?, case.tx.as_ref().ok()?);
        let coinbase = env.block_env.beneficiary;
        if tx.caller == coinbase || case.pre.accounts.contains_key(&coinbase) {
            return None;
        }
        let executed = sequential::execute(env, &*case.pre, [tx]).ok()?;
        let run = |world: &mut World| {
            let result = oracle::step(env, world, tx.clone()).ok()?;
            world.accounts.remove(&coinbase);
            Some(result)
        };
        let mut after = World::clone(&case.pre);
        let result = run(&mut after)?;
        let mut richer = World::clone(&case.pre);
        richer.insert(coinbase, U256::from(1) << 64, 0, &alloy_primitives::Bytes::new(), []);
        if run(&mut richer)? != result || richer.accounts != after.accounts {
            return None;
        }
        let accounts = executed.state.into_keys().filter(|address| *address != coinbase).collect();
        Some(Self { case, env, accounts, result, after })
    }

    /// The state before, of the accounts that it looks at.
    fn pre(&self) -> World {
        let mut pre = World::clone(&self.case.pre);
        pre.accounts.retain(|address, _| self.accounts.contains(address));
        pre
    }
}

/// Cases that do not meet.
#[derive(Default)]
struct Group<'a> {
    cases: Vec<Arc<Alone<'a>>>,
    accounts: BTreeSet<Address>,
}

/// How many unfinished blocks are looked through for one that a case fits in. Nearly all cases have the same sender.
const OPEN: usize = 32;

/// The blocks of at least two transactions that can be made of `cases`.
///
/// # Panics
/// If a case comes out otherwise in its block than on its own. Then this file is wrong, or revm.
pub(crate) fn blocks(cases: &[Case]) -> Vec<Block> {
    let mut groups = HashMap::<(SpecId, BlockEnv), Vec<Group<'_>>>::new();
    for alone in cases.iter().filter_map(Alone::new) {
        let open = groups.entry((alone.env.cfg_env.spec, alone.env.block_env.clone())).or_default();
        let first = open.len().saturating_sub(OPEN);
        let at = open[first..].iter().position(|group| group.accounts.is_disjoint(&alone.accounts));
        let at = at.map_or(open.len(), |at| first + at);
        if at == open.len() {
            open.push(Group::default());
        }
        open[at].accounts.extend(&alone.accounts);
        open[at].cases.push(Arc::new(alone));
    }
    let mut groups: Vec<Group<'_>> = groups.into_values().flatten().filter(|group| group.cases.len() > 1).collect();
    groups.sort_by(|a, b| a.cases[0].case.name.cmp(&b.cases[0].case.name));
    groups.iter().map(block).collect()
}

fn block(group: &Group<'_>) -> Block {
    let mut env = group.cases[0].env.clone();
    let mut pre = World::default();
    for alone in &group.cases {
        pre.add_missing(&alone.pre());
    }
    env.block_env.gas_limit = group.cases[0].env.block_env.gas_limit;
    let mut block = Block::new(env, pre);
    for alone in &group.cases {
        let tx = alone.case.tx.clone().expect("a case with a result has a transaction");
        assert!(block.push(alone.case.name.as_str(), tx), "{}: rejected in a block", alone.case.name);
        let expected = &block.expected;
        assert_eq!(expected.results.last(), Some(&alone.result), "{}: another result in a block", alone.case.name);
        for address in &alone.accounts {
            let both = (expected.world.accounts.get(address), alone.after.accounts.get(address));
            assert_eq!(both.0, both.1, "{}: {address} comes out otherwise in a block", alone.case.name);
        }
    }
    block
}
