//! What a random block does.

use proptest::prelude::*;
use weft_ledger::contract::samples::caller::OnFailure;
use weft_ledger::contract::samples::{Sample, amm, caller, counter, gas_burner, many_reader, nft_mint, token, worker};
use weft_ledger::state::{Account, Key, Value};
use weft_ledger::wire::{
    AiMiningPayload, Constructor, Delegation, DeployContractPayload, Deposit, Difficulty, EnergyPayload, FeeType,
    InvokeContractPayload, MultiSig, Payload, SignerSignature, Transaction, ValueCell,
};
use weft_ledger::{Address, COIN, Hash, SignedTransaction};
use weft_node::executor::ExecutorSettings;

use crate::common::contracts::{built, id_in, not_executable, purse_input};
use crate::common::*;
use crate::world::{self, ENOUGH, REWARD, answer, modules, pay_contract, publish, task_id};

/// One transaction, as far as it does not depend on the state.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    pub(crate) source: u64,
    pub(crate) envelope: Envelope,
    pub(crate) what: What,
}

/// What is wrong with a transaction, or special about it, whatever it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Envelope {
    Plain,
    Nonce(i8),
    BadSignature,
    Signed,
    CoSigned,
    ForEnergy,
    Fee(u64),
    OtherChain,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// Nothing that depends on the state.
    Ready(Payload),
    /// To the account of the contract with this number.
    PayContract(usize, u64),
    Deploy {
        module: usize,
        constructor: Option<(u64, Deposits)>,
    },
    Invoke {
        call: Call,
        gas: u64,
        deposits: Deposits,
    },
    /// The source registers, with this fee.
    Register(u64),
    /// Judges the answer with this number.
    Judge {
        task: u8,
        answer: usize,
        score: u8,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Deposits {
    None,
    Some(u64),
    OfAnotherAsset,
}

impl Deposits {
    fn list(self) -> Vec<Deposit> {
        match self {
            Self::None => Vec::new(),
            Self::Some(amount) => vec![Deposit { asset: Hash::default(), amount }],
            Self::OfAnotherAsset => vec![Deposit { asset: Hash([8; 32]), amount: 5 }],
        }
    }
}

/// A call of a contract of the world.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// Which one, and the input.
    Direct(usize, Vec<u8>),
    /// Through the caller.
    Through(OnFailure, Box<Call>),
    ItSelf(OnFailure),
    /// Of something that is not there.
    Nothing,
    /// Pays out of the purse to another contract.
    PayContract(purse_input::Ends, usize, u64),
    /// Asks the purse for the code of another contract.
    Code(usize),
    /// What a module of the block's own deploys, which may or may not be there by now.
    Fresh(usize),
}

/// Modules that are not there at first; their constructors end in every way.
pub(crate) fn fresh_modules() -> Vec<weft_ledger::contract::Module> {
    static MADE: std::sync::OnceLock<Vec<weft_ledger::contract::Module>> = std::sync::OnceLock::new();
    let made = || {
        let endings = ["mov64 r0, 0", "mov64 r0, 0", "mov64 r0, 5", "syscall abort", "again:\n ja again"];
        endings.iter().zip(1..).map(|(end, salt)| built(salt, end)).chain([not_executable()]).collect()
    };
    MADE.get_or_init(made).clone()
}

/// The modules that blocks deploy: new ones and those that are there.
fn deployable(at: usize) -> weft_ledger::contract::Module {
    let (fresh, known) = (fresh_modules(), modules());
    fresh.get(at).or_else(|| known.get(at.saturating_sub(fresh.len()))).unwrap_or(&known[0]).clone()
}

impl Call {
    fn resolve(&self, settings: ExecutorSettings) -> (Hash, Vec<u8>) {
        let id = |at: usize| id_in(settings, 1, &modules()[at]);
        let purse = id(Sample::ALL.len());
        match self {
            Self::Direct(at, input) => (id(*at), input.clone()),
            Self::Through(on_failure, inner) => {
                let (contract, input) = inner.resolve(settings);
                (id(Sample::Caller as usize), caller::call(*on_failure, &contract, &input))
            }
            Self::ItSelf(on_failure) => (id(Sample::Caller as usize), caller::call_self(*on_failure, &[])),
            Self::Nothing => (Hash([9; 32]), Vec::new()),
            Self::PayContract(ends, to, amount) => (purse, purse_input::pay(*ends, &Address(id(*to).0), *amount)),
            Self::Code(of) => (purse, purse_input::code(&id(*of))),
            Self::Fresh(at) => (id_in(settings, 2, &fresh_modules()[*at]), vec![1]),
        }
    }
}

impl What {
    fn payload(&self, source: u64, settings: ExecutorSettings, state: &State) -> Payload {
        match self {
            Self::Register(registration_fee) => {
                let register =
                    AiMiningPayload::RegisterMiner { miner: addr(source), registration_fee: *registration_fee };
                Payload::AiMining(register.into())
            }
            Self::Ready(payload) => payload.clone(),
            Self::PayContract(at, amount) => pay_contract(&id_in(settings, 1, &modules()[*at]), *amount),
            Self::Deploy { module, constructor } => {
                let constructor = constructor.map(|(max_gas, of)| Constructor { max_gas, deposits: of.list() });
                Payload::DeployContract(DeployContractPayload { module: deployable(*module), constructor }.into())
            }
            Self::Invoke { call, gas, deposits } => {
                let (contract, input) = call.resolve(settings);
                // In two parts, to see them put together.
                let (head, tail) = input.split_at(input.len() / 2);
                let parameters = vec![ValueCell::Bytes(head.to_vec()), ValueCell::Bytes(tail.to_vec())];
                let deposits = deposits.list();
                let call = InvokeContractPayload { contract, deposits, entry_id: 300, max_gas: *gas, parameters };
                Payload::InvokeContract(call.into())
            }
            Self::Judge { task, answer, score } => {
                let answer_id = match state.get(&Key::MiningTask(task_id(*task))) {
                    Some(Value::MiningTask(known)) => known.answers.get(*answer).map(|answer| answer.answer_id),
                    _ => None,
                };
                let answer_id = answer_id.unwrap_or(Hash([1; 32]));
                let judge =
                    AiMiningPayload::ValidateAnswer { task_id: task_id(*task), answer_id, validation_score: *score };
                Payload::AiMining(judge.into())
            }
        }
    }
}

impl Action {
    /// The transaction, with the nonce that its source has in `state`.
    pub(crate) fn transaction(&self, settings: ExecutorSettings, state: &State) -> SignedTransaction {
        let nonce = match state.get(&account_key(self.source)) {
            Some(Value::Account(Account { nonce, .. })) => *nonce,
            _ => 0,
        };
        let draft = draft(self.source, nonce, self.what.payload(self.source, settings, state));
        let placeholder = SignerSignature { signer_id: 0, signature: draft.signature };
        // Account 6 has a configuration; its transactions are co-signed unless that is what is wrong.
        let section = MultiSig { signatures: vec![placeholder] };
        let draft = if self.source == 6 { Transaction { multisig: Some(section.clone()), ..draft } } else { draft };
        match self.envelope {
            Envelope::Plain => trusted(draft),
            Envelope::Nonce(by) => trusted(Transaction { nonce: nonce.saturating_add_signed(by.into()), ..draft }),
            Envelope::BadSignature => SignedTransaction::sign(draft, &key(self.source + 1)).unwrap(),
            Envelope::Signed => SignedTransaction::sign(draft, &key(self.source)).unwrap(),
            Envelope::CoSigned => trusted(Transaction { multisig: Some(section), ..draft }),
            Envelope::ForEnergy => trusted(Transaction { fee: 0, fee_type: FeeType::Energy, ..draft }),
            Envelope::Fee(fee) => trusted(Transaction { fee, ..draft }),
            Envelope::OtherChain => trusted(Transaction { chain_id: 0, ..draft }),
        }
    }
}

fn who() -> impl Strategy<Value = u64> {
    // Accounts 1 to 8 exist, the others do not at first.
    1..=10_u64
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..2000_u64, 2 => Just(COIN), 1 => Just(50 * COIN), 1 => Just(u64::MAX - 5 * COIN)]
}

/// Amounts that are more often too small or too large than out of any range.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..600_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 500)]
}

fn id() -> impl Strategy<Value = u64> {
    0..3_u64
}

fn on_failure() -> impl Strategy<Value = OnFailure> {
    prop_oneof![Just(OnFailure::Ignore), Just(OnFailure::Propagate)]
}

fn sample_input(sample: Sample) -> BoxedStrategy<Vec<u8>> {
    let to = || who().prop_map(addr);
    let own = match sample {
        Sample::Token => prop_oneof![
            2 => (to(), number()).prop_map(|(to, amount)| token::mint(&to, amount)),
            6 => (to(), number()).prop_map(|(to, amount)| token::transfer(&to, amount)),
            1 => to().prop_map(|of| token::balance_of(&of)),
            2 => (to(), number()).prop_map(|(to, amount)| token::approve(&to, amount)),
            3 => (to(), to(), number()).prop_map(|(from, to, amount)| token::transfer_from(&from, &to, amount)),
            1 => (to(), to()).prop_map(|(of, to)| token::allowance(&of, &to)),
            1 => Just(token::total_supply()),
            1 => Just(token::owner()),
        ]
        .boxed(),
        Sample::Amm => {
            let direction = prop_oneof![Just(amm::Direction::AToB), Just(amm::Direction::BToA)];
            prop_oneof![
                1 => (id(), number(), number()).prop_map(|(pool, a, b)| amm::init(pool, a, b)),
                5 => (id(), direction, number(), 0..300_u64)
                    .prop_map(|(pool, direction, amount, least)| amm::swap(pool, direction, amount, least)),
                1 => id().prop_map(amm::reserves),
            ]
            .boxed()
        }
        Sample::Counter | Sample::AddCounter => prop_oneof![
            4 => (id(), number()).prop_map(|(id, amount)| counter::increment(id, amount)),
            1 => id().prop_map(counter::get),
        ]
        .boxed(),
        Sample::NftMint => prop_oneof![
            2 => to().prop_map(|to| nft_mint::mint(&to)),
            1 => id().prop_map(nft_mint::owner_of),
            2 => (id(), to()).prop_map(|(id, to)| nft_mint::transfer(id, &to)),
        ]
        .boxed(),
        Sample::GasBurner => prop_oneof![
            (id(), number()).prop_map(|(id, value)| gas_burner::burn(id, value)),
            (id(), number()).prop_map(|(id, value)| gas_burner::write(id, value)),
        ]
        .boxed(),
        Sample::ManyReader => prop_oneof![
            (id(), 0..8_u64).prop_map(|(id, count)| many_reader::read(id, count)),
            (id(), 0..8_u64, id()).prop_map(|(id, count, to)| many_reader::store(id, count, to)),
            (id(), number()).prop_map(|(id, value)| many_reader::set(id, value)),
            Just(many_reader::read(0, 201)),
        ]
        .boxed(),
        // Its calls are made by `call`.
        Sample::Caller => Just(vec![0, 1]).boxed(),
        Sample::Worker => (0..200_u64).prop_map(worker::work).boxed(),
    };
    // Now and then a byte short, or of an entry that is not there.
    (own, 0..20_u8)
        .prop_map(|(mut input, wrong)| {
            match wrong {
                0 => drop(input.pop()),
                1 => input[0] = 0xee,
                _ => {}
            }
            input
        })
        .boxed()
}

fn purse_call() -> impl Strategy<Value = Vec<u8>> {
    use purse_input::Ends::{InRevert, InTrap, Well};
    let key = || 0..3_u8;
    let ends = || prop_oneof![4 => Just(Well), 1 => Just(InRevert), 1 => Just(InTrap)];
    prop_oneof![
        6 => (ends(), who(), amount()).prop_map(|(ends, to, amount)| purse_input::pay(ends, &addr(to), amount)),
        2 => who().prop_map(|of| purse_input::look(&addr(of))),
        2 => key().prop_map(purse_input::delete),
        2 => (key(), prop::collection::vec(any::<u8>(), 0..12)).prop_map(|(key, value)| purse_input::set(key, &value)),
        4 => (key(), number()).prop_map(|(key, amount)| purse_input::add(key, amount)),
        2 => key().prop_map(purse_input::get),
        1 => (ends(), prop_oneof![5 => 0..5_u64, 1 => Just(1001)])
            .prop_map(|(ends, count)| purse_input::shout_and(ends, count)),
        2 => (key(), number()).prop_map(|(key, amount)| purse_input::add_and_look(key, amount)),
        1 => (key(), number()).prop_map(|(key, amount)| purse_input::add_and_trap(key, amount)),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let purse = Sample::ALL.len();
    let sample = prop::sample::select(&Sample::ALL[..])
        .prop_flat_map(|sample| sample_input(sample).prop_map(move |input| Call::Direct(sample as usize, input)));
    let ends = prop_oneof![Just(purse_input::Ends::Well), Just(purse_input::Ends::InRevert)];
    let leaf = prop_oneof![
        12 => sample,
        6 => purse_call().prop_map(move |input| Call::Direct(purse, input)),
        1 => Just(Call::Direct(purse + 1, vec![])),
        1 => Just(Call::Nothing),
        1 => (ends, 0..purse, number()).prop_map(|(ends, to, amount)| Call::PayContract(ends, to, amount)),
        1 => (0..=purse).prop_map(Call::Code),
        2 => (0..fresh_modules().len()).prop_map(Call::Fresh),
        1 => on_failure().prop_map(Call::ItSelf),
    ];
    // Calls in calls: none, one or two levels.
    (leaf, prop::collection::vec(on_failure(), 0..3), 0..3_u8).prop_map(|(leaf, levels, alone)| {
        let levels = if alone > 0 { Vec::new() } else { levels };
        levels.into_iter().fold(leaf, |inner, on_failure| Call::Through(on_failure, inner.into()))
    })
}

fn deposits() -> impl Strategy<Value = Deposits> {
    let some = prop_oneof![4 => 1..2000_u64, 1 => Just(0), 1 => Just(400 * COIN)].prop_map(Deposits::Some);
    prop_oneof![14 => Just(Deposits::None), 4 => some, 1 => Just(Deposits::OfAnotherAsset)]
}

fn gas() -> impl Strategy<Value = u64> {
    prop_oneof![
        22 => Just(ENOUGH),
        4 => 0..15_000_u64,
        1 => Just(10_000_001),
        1 => Just(10 * COIN),
        1 => Just(10 * COIN + 1),
    ]
}

fn invoke() -> impl Strategy<Value = What> {
    (call(), gas(), deposits()).prop_map(|(call, gas, deposits)| What::Invoke { call, gas, deposits })
}

fn deploy() -> impl Strategy<Value = What> {
    // The new modules more often than the others.
    let module = prop_oneof![3 => 0..fresh_modules().len(), 1 => 0..fresh_modules().len() + modules().len()];
    (module, prop::option::of((gas(), deposits())))
        .prop_map(|(module, constructor)| What::Deploy { module, constructor })
}

fn mining() -> impl Strategy<Value = What> {
    let task = || prop_oneof![2 => Just(0_u8), 1 => 0..4_u8];
    let register = prop_oneof![3 => Just(1_000_000_000_u64), 1 => Just(999_999_999)];
    let other = who().prop_map(|of| {
        let register = AiMiningPayload::RegisterMiner { miner: addr(of), registration_fee: 1_000_000_000 };
        Payload::AiMining(register.into())
    });
    let difficulty = prop_oneof![6 => Just(Difficulty::Beginner), 1 => Just(Difficulty::Expert)];
    let deadline = prop_oneof![6 => Just(world::context().timestamp + 100), 1 => Just(0_u64)];
    let publish = (task(), difficulty, deadline)
        .prop_map(|(task, difficulty, deadline)| publish(task, REWARD, difficulty, deadline));
    let answer = (task(), 0..3_u8, prop_oneof![6 => Just(REWARD / 4), 1 => Just(REWARD)])
        .prop_map(|(task, content, stake)| answer(task, content, stake));
    let judge = (task(), prop_oneof![3 => Just(0_usize), 1 => Just(1)], prop_oneof![4 => 60..=100_u8, 1 => Just(101)])
        .prop_map(|(task, answer, score)| What::Judge { task, answer, score });
    prop_oneof![
        2 => register.prop_map(What::Register),
        1 => other.prop_map(What::Ready),
        2 => publish.prop_map(What::Ready),
        2 => answer.prop_map(What::Ready),
        3 => judge,
    ]
}

fn plain() -> impl Strategy<Value = Payload> {
    let delegate = |(to, amount): (Vec<u64>, u64)| {
        let delegations = to.iter().map(|to| Delegation { delegatee: addr(*to), amount }).collect();
        Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, days: 4 })
    };
    let unfreeze =
        |amount| EnergyPayload::UnfreezeTos { amount, from_delegation: false, record_index: None, delegatee: None };
    let some = || prop::collection::vec(who(), 0..3);
    prop_oneof![
        8 => (who(), amount()).prop_map(|(to, amount)| pay(to, amount)),
        3 => prop::collection::vec((who(), 0..500_u64), 1..4).prop_map(|to| pay_all(&to)),
        3 => amount().prop_map(burn),
        2 => some().prop_map(|participants| multisig(&participants)),
        3 => amount().prop_map(freeze),
        1 => (some(), prop_oneof![Just(COIN), Just(7)]).prop_map(delegate),
        2 => amount().prop_map(move |amount| Payload::Energy(unfreeze(amount))),
        1 => Just(Payload::Energy(EnergyPayload::WithdrawUnfrozen)),
        1 => Just(register_name()),
    ]
}

fn envelope() -> impl Strategy<Value = Envelope> {
    prop_oneof![
        60 => Just(Envelope::Plain),
        3 => prop_oneof![Just(-1), Just(1), Just(2)].prop_map(Envelope::Nonce),
        1 => Just(Envelope::BadSignature),
        1 => Just(Envelope::Signed),
        2 => Just(Envelope::CoSigned),
        4 => Just(Envelope::ForEnergy),
        2 => prop_oneof![Just(0), Just(1), Just(COIN)].prop_map(Envelope::Fee),
        1 => Just(Envelope::OtherChain),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let contract_of_world = 0..modules().len();
    let what = prop_oneof![
        9 => plain().prop_map(What::Ready),
        1 => (contract_of_world, amount()).prop_map(|(at, amount)| What::PayContract(at, amount)),
        10 => invoke(),
        3 => deploy(),
        3 => mining(),
    ];
    // Mostly those that have something.
    let source = prop_oneof![5 => 1..=8_u64, 1 => who()];
    (source, envelope(), what).prop_map(|(source, envelope, what)| Action { source, envelope, what })
}

pub(crate) fn actions() -> impl Strategy<Value = Vec<Action>> {
    prop::collection::vec(action(), 1..40)
}
