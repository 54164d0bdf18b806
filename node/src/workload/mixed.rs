//! One transaction of the mixed workload: every type but contracts and mining, valid in order.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use weft_ledger::rules::{BLOCKS_PER_DAY_DEVNET, UNFREEZE_DAYS};
use weft_ledger::wire::{BurnPayload, Delegation, EnergyPayload, FeeType, MultisigPayload, Payload};
use weft_ledger::{COIN, Hash};

use super::accounts::Accounts;
use super::{Draft, FEE, two_of};

/// The highest number of unfreezes that the generator lets an account wait for; the rules allow 32.
const MOST_UNFREEZES: usize = 30;

/// `height` is that before the block.
pub(super) fn draft(accounts: &mut Accounts, height: u64, random: &mut ChaCha12Rng) -> Draft {
    let count = accounts.len();
    let (source, other) = two_of(count, || random.random_range(0..count));
    let amount = random.random_range(1..1000);
    let days = random.random_range(3..=30);
    match random.random_range(0..100_u32) {
        0..50 => accounts.transfer(source, &[(other, amount)]),
        50..60 => {
            let third = (other + 1) % count;
            let third = if third == source { (third + 1) % count } else { third };
            accounts.transfer(source, &[(other, amount), (third, amount), (other, 1)])
        }
        // Only from the energy of the genesis: what freezing gains is another matter.
        60..70 if !accounts.get_mut(source).has_energy => {
            let payload = accounts.transfers(&[(other, amount)]);
            accounts.draft(source, payload, 0, FeeType::Energy)
        }
        70..80 => {
            let payload = Payload::Burn(BurnPayload { asset: Hash([0; 32]), amount });
            accounts.draft(source, payload, FEE, FeeType::Tos)
        }
        80..85 => multisig(accounts, source),
        85..92 => {
            accounts.get_mut(source).freeze();
            energy(accounts, source, EnergyPayload::FreezeTos { amount: COIN, days })
        }
        92..96 => {
            accounts.get_mut(source).freeze();
            let delegatee = accounts.address(other);
            let delegations = vec![Delegation { delegatee, amount: COIN }];
            energy(accounts, source, EnergyPayload::FreezeTosDelegate { delegations, days })
        }
        _ => {
            let known = accounts.get_mut(source);
            if known.frozen == 0 || known.unfreezes.len() >= MOST_UNFREEZES {
                return accounts.transfer(source, &[(other, amount)]);
            }
            known.frozen -= 1;
            known.unfreezes.push(height + UNFREEZE_DAYS * BLOCKS_PER_DAY_DEVNET);
            let unfreeze = EnergyPayload::UnfreezeTos {
                amount: COIN,
                from_delegation: false,
                record_index: None,
                delegatee: None,
            };
            energy(accounts, source, unfreeze)
        }
    }
}

pub(super) fn energy(accounts: &mut Accounts, source: usize, payload: EnergyPayload) -> Draft {
    accounts.draft(source, Payload::Energy(payload), 0, FeeType::Tos)
}

/// Sets a configuration with one needed signature, or deletes the one that is there.
fn multisig(accounts: &mut Accounts, source: usize) -> Draft {
    let participant = accounts.co_signer(source);
    let deletes = accounts.get_mut(source).has_multisig;
    let participants = if deletes { Vec::new() } else { vec![accounts.address(participant)] };
    let payload = Payload::Multisig(MultisigPayload { threshold: u8::from(!deletes), participants });
    // Deleting needs the participant's signature, setting does not: the change counts from the next transaction on.
    let draft = accounts.draft(source, payload, FEE, FeeType::Tos);
    accounts.get_mut(source).has_multisig = !deletes;
    draft
}
