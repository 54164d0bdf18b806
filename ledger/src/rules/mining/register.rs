//! RegisterMiner (spec 6, B.1).

use weft_engine::StateView;

use crate::state::{AccountReputation, Counter, Delta, Key, Miner, MinerRecord, Value};
use crate::types::Address;

use super::limits::MIN_REGISTRATION_FEE;
use super::score::score;
use super::{BlockContext, Failure, records, require};

/// Reputation of a new miner.
const FIRST_REPUTATION: u16 = 500;

/// Checks and effects.
pub(super) fn apply<S: StateView<Key, Value>>(
    context: &BlockContext,
    source: Address,
    address: Address,
    registration_fee: u64,
    state: &mut S,
) -> Result<(), Failure> {
    require(source == address)?;
    require(registration_fee >= MIN_REGISTRATION_FEE)?;
    require(records::miner(state, address)?.is_none())?;
    let miner = Miner {
        registration_fee,
        registered_at: context.height,
        tasks_published: 0,
        answers_submitted: 0,
        validations_performed: 0,
        reputation: FIRST_REPUTATION,
    };
    // The height stands where all other rules expect a time: as in the old daemon.
    let mut reputation = AccountReputation {
        created_at: context.height,
        stake_amount: registration_fee,
        ..AccountReputation::default()
    };
    reputation.reputation_score = score(&reputation, context.height);
    records::write_miner(state, address, MinerRecord { miner, reputation });
    state.add(Key::Counter(Counter::MiningMiners), Delta::CountSaturating(1))?;
    Ok(())
}
