//! Nothing appears and nothing is lost (spec 7.3): random blocks with rewards, on every executor.

mod common;

use common::contracts::purse_input::Ends;
use common::contracts::*;
use common::*;
use proptest::prelude::*;
use weft_engine::BlockEnd;
use weft_ledger::contract::samples::caller::{self, OnFailure};
use weft_ledger::contract::samples::{Sample, gas_burner};
use weft_ledger::rules::{BURN_PER_CONTRACT, BlockContext, BlockReward, ContractIds, MAX_SUPPLY, miner_gas_share};
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::Payload;
use weft_ledger::{Address, COIN, SignedTransaction};

/// Something to do for one of few accounts.
#[derive(Debug, Clone)]
struct Action {
    source: u64,
    skew: u64,
    for_energy: bool,
    payload: Payload,
}

fn action() -> impl Strategy<Value = Action> {
    // Accounts 1 to 4 exist, 5 to 7 do not at first.
    let who = || 1..=7_u64;
    let amount = || prop_oneof![4 => 0..2000_u64, 2 => Just(COIN / 2), 1 => Just(MINER), 1 => Just(50 * COIN)];
    let payload = prop_oneof![
        6 => (who(), amount()).prop_map(|(to, amount)| pay(to, amount)),
        2 => prop::collection::vec((who(), 0..500_u64), 1..4).prop_map(|to| pay_all(&to)),
        2 => amount().prop_map(burn),
        1 => amount().prop_map(freeze),
        4 => contract_payload(),
    ];
    (who(), prop_oneof![9 => Just(0_u64), 1 => 1..3_u64], prop::bool::weighted(0.2), payload)
        .prop_map(|(source, skew, for_energy, payload)| Action { source, skew, for_energy, payload })
}

/// Deployments and calls with deposits, that end well, revert, trap or cannot run, and pay whoever is in the block.
fn contract_payload() -> impl Strategy<Value = Payload> {
    let ends = || prop_oneof![2 => Just(Ends::Well), 1 => Just(Ends::InRevert), 1 => Just(Ends::InTrap)];
    let amount = || prop_oneof![3 => 0..3000_u64, 1 => Just(COIN), 1 => Just(20 * COIN)];
    let deposit = || prop_oneof![2 => Just(0), 2 => 1..3000_u64, 1 => Just(COIN)];
    let gas = || prop_oneof![3 => Just(GAS), 1 => 0..15_000_u64];
    let paying =
        move || (ends(), 1..=7_u64, amount()).prop_map(|(ends, to, amount)| purse_input::pay(ends, &addr(to), amount));
    let through = |flag: bool, input: Vec<u8>| {
        let on_failure = if flag { OnFailure::Propagate } else { OnFailure::Ignore };
        caller::call(on_failure, purse().hash(), &input)
    };
    let end = prop_oneof![Just("mov64 r0, 0"), Just("mov64 r0, 4"), Just("syscall abort")];
    prop_oneof![
        3 => (paying(), gas(), deposit()).prop_map(|(input, gas, deposit)| invoke_with(*purse().hash(), input, gas, deposit)),
        2 => (any::<bool>(), paying(), gas(), deposit())
            .prop_map(move |(flag, input, gas, deposit)| invoke_with(id(Sample::Caller), through(flag, input), gas, deposit)),
        1 => (1..5_u64, gas(), deposit())
            .prop_map(|(value, gas, deposit)| invoke_with(id(Sample::GasBurner), gas_burner::burn(1, value), gas, deposit)),
        2 => (0..3_u32, end, gas(), deposit()).prop_map(|(salt, end, gas, deposit)| construct(built(salt, end), gas, deposit)),
        1 => (0..3_u32).prop_map(|salt| deploy(built(salt, "mov64 r0, 0"))),
        1 => (gas(), deposit()).prop_map(|(gas, deposit)| construct(not_executable(), gas, deposit)),
    ]
}

fn transactions(actions: &[Action]) -> Vec<SignedTransaction> {
    let mut nonces = [0_u64; 8];
    let make = |action: &Action| {
        let nonce = &mut nonces[action.source as usize];
        let (now, payload) = (*nonce + action.skew, action.payload.clone());
        *nonce += u64::from(action.skew == 0);
        if action.for_energy { tx_for_energy(action.source, now, payload) } else { tx(action.source, now, payload) }
    };
    actions.iter().map(make).collect()
}

/// All there is: what can be spent and what is frozen.
fn wealth(state: &State) -> u128 {
    let of = |value: &Value| match value {
        Value::Account(account) => u128::from(account.balance) + u128::from(account.frozen),
        _ => 0,
    };
    state.values().map(of).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is there after a block is what was there before, and its reward, less what it burned, of its gas too, and
    /// what its deployments cost (which no counter counts, spec 5.5): nothing appears and nothing is lost, whoever miner and developer are, and on every executor.
    #[test]
    fn nothing_appears_and_nothing_is_lost(
        actions in prop::collection::vec(action(), 0..40),
        miner in 1..=8_u64,
        developer in 1..=8_u64,
        emitted in prop_oneof![2 => Just(0), 2 => 0..MAX_SUPPLY, 1 => Just(MAX_SUPPLY)],
        side_blocks in prop::option::weighted(0.3, 0..5_u32),
        contract_ids in prop_oneof![Just(ContractIds::ModuleHash), Just(ContractIds::Deployer)],
    ) {
        let mut start = state(&[(1, 3 * COIN), (2, 200_000), (3, 100 * COIN)]);
        let with_energy = Account { balance: COIN, energy: 2, ..Account::default() };
        start.insert(account_key(4), Value::Account(with_energy));
        start.insert(Key::Counter(Counter::TotalSupply), Value::Counter(emitted));
        put(&mut start, &[Sample::Caller, Sample::GasBurner].map(Sample::module), 0);
        put(&mut start, &[purse()], 5 * COIN);
        let context = BlockContext { side_blocks, ..rewarding(miner, developer) };
        let transactions = transactions(&actions);
        for settings in all_rewarded(skipping()).into_iter().chain(all_rewarded(rejecting())) {
            let settings = with_ids(contract_ids, settings);
            let block = agree_in(settings, context, &start, &transactions);
            let end = after(&start, &block);
            if matches!(block.end, BlockEnd::Rejected { .. }) {
                prop_assert_eq!(&end, &start);
                continue;
            }
            let totals = block.totals;
            let gas = |part: fn(u64) -> u64| block.results.iter().map(|result| u128::from(part(result.gas_used))).sum::<u128>();
            let burned_gas = gas(|used| used - miner_gas_share(used));
            let deployed = block.results.iter().zip(&transactions).filter(|(result, transaction)| {
                result.is_success() && matches!(transaction.transaction().payload, Payload::DeployContract(_))
            });
            let paid_for_modules = deployed.count() as u128 * u128::from(BURN_PER_CONTRACT);
            let gone = totals.burned + burned_gas + paid_for_modules;
            prop_assert_eq!(wealth(&end) + gone, wealth(&start) + totals.emitted);
            prop_assert_eq!(u128::from(counter(&end, Counter::GasBurned)), burned_gas);
            prop_assert_eq!(u128::from(supply(&end)), u128::from(emitted) + totals.emitted);
            prop_assert!(supply(&end) <= MAX_SUPPLY);
            prop_assert_eq!(totals.miner + totals.developer, totals.emitted + totals.fees + gas(miner_gas_share));
            prop_assert_eq!(totals.emitted, u128::from(BlockReward::of(emitted, &context).emitted));
            prop_assert!([miner, developer].iter().all(|seed| end.contains_key(&account_key(*seed))));
            prop_assert!(!block.changes.iter().any(|(key, _)| matches!(key, Key::PendingCredit(_))));
            prop_assert!(block.changes.is_sorted_by(|a, b| a.0 < b.0));
            // Only what differs is written (spec 10, items 22 and 23).
            let differs = |(key, value): &(Key, Option<Value>)| start.get(key) != value.as_ref();
            let rewritten = block.changes.iter().find(|change| matches!(change.0, Key::Account(_)) && !differs(change));
            prop_assert_eq!(rewritten, None);
            prop_assert!(!end.contains_key(&Key::Account(Address::default())));
        }
    }
}
