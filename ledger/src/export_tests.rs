//! Export rules and digest (spec 3.2, 3.3).

use crate::digest::{StateDigest, digest_stream, state_digest};
use crate::export::{ExportedAccount, ExportedAccounts, GlobalState, StateExport};
use crate::state::{Account, AccountData, Counter, EnergyResource, Key, Value};
use crate::testing::{World, addr};
use crate::types::Hash;

fn world() -> World {
    let mut world = World::new(&[(2, 5), (3, 6)]);
    world.set(4, Account { energy: 7, frozen: 8, data: AccountData::new(vec![1, 2]), ..Account::default() });
    world.edit(3, |account| account.energy = 100);
    world.set_energy(3, EnergyResource { energy: 30, frozen_tos: 31, ..EnergyResource::default() });
    world.state.insert(Key::Energy(addr(9)), Value::Energy(EnergyResource::default()));
    for (counter, number) in [(Counter::TotalSupply, 1), (Counter::TotalBurned, 2), (Counter::TotalEnergy, 999)] {
        world.state.insert(Key::Counter(counter), Value::Counter(number));
    }
    world.state.insert(Key::Counter(Counter::Fees), Value::Counter(77));
    world
}

#[test]
fn resources_replace_the_accounts_fields_and_energy_is_recomputed() {
    let export = StateExport::of(&world().state);
    let of = |seed| export.accounts.iter().find(|account| account.address == addr(seed)).unwrap();
    assert_eq!((of(3).energy, of(3).frozen), (30, 31));
    assert_eq!((of(4).energy, of(4).frozen), (7, 8));
    assert_eq!(export.global.total_energy, 37);
    assert_eq!((export.global.total_supply, export.global.total_burned), (1, 2));
    assert!(export.accounts.is_sorted_by_key(|account| account.address));
}

#[test]
fn the_digest_covers_exactly_what_the_specification_lists() {
    let export = StateExport::of(&world().state);
    let mut bytes = Vec::new();
    for number in [1_u64, 2, 37, 0, 0] {
        bytes.extend(number.to_be_bytes());
    }
    for account in &export.accounts {
        bytes.extend(account.address.0);
        let data = account.data.as_slice();
        let ExportedAccount { balance, nonce, frozen, energy, flags, .. } = account;
        for number in [*balance, *nonce, *frozen, *energy, *flags, data.len() as u64] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(data);
    }
    assert_eq!(state_digest(&world().state), Hash(*blake3::hash(&bytes).as_bytes()));
    // Two accounts without data are 200 bytes (spec 3.3).
    assert_eq!(bytes.len(), 200 + 80 + 2);
}

#[test]
fn a_streamed_digest_is_the_same() {
    let state = world().state;
    let accounts = || {
        let accounts = state.iter().filter_map(|(key, value)| match (key, value) {
            (Key::Account(address), Value::Account(account)) => Some(Ok::<_, &str>((*address, account.clone()))),
            _ => None,
        });
        let resources = state.iter().filter_map(|(key, value)| match (key, value) {
            (Key::Energy(address), Value::Energy(resource)) => Some(Ok((*address, resource.clone()))),
            _ => None,
        });
        Ok(ExportedAccounts::new(accounts, resources))
    };
    let global = GlobalState::from_counters(|key| Ok::<_, &str>(state.get(key).cloned())).unwrap();
    assert_eq!(digest_stream(&global, accounts), Ok(state_digest(&state)));
}

#[test]
fn a_failing_stream_is_passed_on() {
    let failing = || {
        let accounts = [Ok((addr(2), Account::default()))].into_iter();
        Ok(ExportedAccounts::new(accounts, [Err("gone")].into_iter()))
    };
    assert_eq!(digest_stream(&GlobalState::default(), failing), Err("gone"));
    assert_ne!(StateDigest::new(&GlobalState::default()).finish(), Hash::default());
}
