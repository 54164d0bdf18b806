//! Random scenes: what there is before the block, and what its transactions are meant to do.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use revm::primitives::hardfork::SpecId;

use crate::program::{CONTRACTS, CallKind, INITS, Step, Target};

/// Accounts that send transactions. The last has hardly anything.
pub(crate) const SENDERS: u8 = 5;

/// What kind of transaction, as far as the fork has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Legacy,
    /// With what is said to be used: slots of this target.
    AccessList(Target),
    /// With this fee for the fee recipient.
    Dynamic(u8),
    Blobs(u8),
    SetCode(Vec<Delegation>),
}

/// A sender lets its account act as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delegation {
    pub(crate) authority: u8,
    /// None: not any more.
    pub(crate) to: Option<Target>,
    pub(crate) has_right_nonce: bool,
}

/// A transaction, before it is known what nonce it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) sender: u8,
    /// None: a contract is made, of this init code.
    pub(crate) to: Result<Target, u8>,
    pub(crate) value: u64,
    pub(crate) input: u8,
    pub(crate) gas: u32,
    pub(crate) kind: Kind,
}

/// All that a block depends on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) spec: SpecId,
    pub(crate) coinbase: Target,
    pub(crate) contracts: [Vec<Step>; CONTRACTS as usize],
    /// What the init codes do, and what the contracts do that they make.
    pub(crate) inits: [(Vec<Step>, Vec<Step>); INITS as usize],
    /// Whether a child is there before the block, with storage.
    pub(crate) has_child: bool,
    pub(crate) actions: Vec<Action>,
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        6 => (0..CONTRACTS).prop_map(Target::Contract),
        2 => Just(Target::ChosenContract),
        3 => (0..SENDERS).prop_map(Target::Sender),
        2 => Just(Target::Coinbase),
        2 => (0..2_u8).prop_map(Target::Absent),
        2 => Just(Target::Empty),
        1 => (1..10_u8).prop_map(Target::Precompile),
        5 => (0..CONTRACTS, 0..INITS, any::<bool>()).prop_map(|(contract, init, salt)| Target::Child(contract, init, salt)),
        4 => Just(Target::LastChild),
        1 => Just(Target::Caller),
        1 => Just(Target::Own),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let call = prop_oneof![
        6 => (0..3_u8).prop_map(CallKind::Plain),
        1 => (0..2_u8).prop_map(CallKind::Code),
        2 => Just(CallKind::Delegate),
        1 => Just(CallKind::Static),
    ];
    prop_oneof![
        4 => (0..3_u8).prop_map(Step::Load),
        4 => (0..3_u8).prop_map(Step::Store),
        2 => Just(Step::LoadChosen),
        2 => Just(Step::StoreChosen),
        1 => (0..3_u8).prop_map(Step::StoreZero),
        1 => (0..4_u8).prop_map(Step::Transient),
        3 => target().prop_map(Step::Balance),
        2 => Just(Step::SelfBalance),
        3 => target().prop_map(Step::CodeHash),
        1 => target().prop_map(Step::CodeSize),
        1 => (0..4_u8).prop_map(Step::BlockHash),
        1 => any::<u8>().prop_map(Step::Environment),
        8 => (call, target(), 20..120_u8).prop_map(|(call, target, gas)| Step::Call(call, target, gas)),
        2 => (0..INITS, 0..2_u8).prop_map(|(init, value)| Step::Create { init, value }),
        4 => (0..INITS, 0..2_u8, proptest::option::of(any::<bool>()))
            .prop_map(|(init, value, salt)| Step::Create2 { init, value, salt }),
        2 => target().prop_map(Step::SelfDestruct),
        4 => Just(Step::IfOdd),
        1 => Just(Step::RevertIfOdd),
        1 => Just(Step::InvalidIfOdd),
        1 => Just(Step::BurnIfOdd),
        1 => Just(Step::Log),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    let delegation = (0..SENDERS, proptest::option::weighted(0.8, target()), prop::bool::weighted(0.8))
        .prop_map(|(authority, to, has_right_nonce)| Delegation { authority, to, has_right_nonce });
    prop_oneof![
        4 => Just(Kind::Legacy),
        1 => target().prop_map(Kind::AccessList),
        3 => (0..4_u8).prop_map(Kind::Dynamic),
        1 => (1..3_u8).prop_map(Kind::Blobs),
        2 => vec(delegation, 1..3).prop_map(Kind::SetCode),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    // Contracts do not pay the one who has nearly all there can be. Where a call overflows a balance, revm's journal
    // takes the money from the payer and keeps no note of it: whether that is undone with the call depends on what else
    // has happened to the payer. No chain has as much ether as that needs.
    let to = prop_oneof![18 => target().prop_map(Ok), 1 => Just(Ok(Target::Full)), 2 => (0..INITS).prop_map(Err)];
    let value = prop_oneof![5 => Just(0), 5 => 0..4_u64, 1 => Just(1_000_000_000_u64)];
    let gas = prop_oneof![1 => 21_000..60_000_u32, 6 => 100_000..600_000_u32];
    (0..SENDERS, to, value, 0..6_u8, gas, kind()).prop_map(|(sender, to, value, input, gas, kind)| Action {
        sender,
        to,
        value,
        input,
        gas,
        kind,
    })
}

/// A scene of any fork.
pub(crate) fn scene() -> impl Strategy<Value = Scene> {
    scene_of(1..24)
}

/// One whose block is long enough for many stretches.
pub(crate) fn long_scene() -> impl Strategy<Value = Scene> {
    scene_of(24..64)
}

fn scene_of(actions: Range<usize>) -> impl Strategy<Value = Scene> {
    let specs: Vec<SpecId> = (0..=SpecId::NEXT as u8).filter_map(SpecId::try_from_u8).collect();
    let coinbase = prop_oneof![
        3 => Just(Target::Absent(9)),
        2 => (0..SENDERS).prop_map(Target::Sender),
        2 => (0..CONTRACTS).prop_map(Target::Contract),
        1 => Just(Target::Empty),
        1 => Just(Target::Full),
        1 => Just(Target::Precompile(2)),
    ];
    let steps = |most| vec(step(), 0..most);
    (
        proptest::sample::select(specs),
        coinbase,
        [steps(10), steps(10), steps(8), steps(5)],
        [(steps(3), steps(6)), (steps(3), steps(4))],
        any::<bool>(),
        vec(action(), actions),
    )
        .prop_map(|(spec, coinbase, contracts, inits, has_child, actions)| Scene {
            spec,
            coinbase,
            contracts,
            inits,
            has_child,
            actions,
        })
}
