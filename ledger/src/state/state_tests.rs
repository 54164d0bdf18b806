//! Deltas behave like what they stand for; bytes are canonical and sorted.

use proptest::collection::vec;
use proptest::prelude::*;
use weft_mvmemory::{OutOfBounds, Value as _};

use super::*;
use crate::contract::Module;
use crate::types::{Address, Hash};
use crate::wire::Difficulty;

fn account(balance: u64) -> Value {
    Value::Account(Account { balance, nonce: 3, ..Account::default() })
}

fn apply(base: Option<&Value>, delta: Delta) -> Result<Value, OutOfBounds> {
    Value::apply(base, &delta)
}

#[test]
fn a_credit_adds_creates_and_overflows() {
    assert_eq!(apply(Some(&account(5)), Delta::Credit(7)), Ok(account(12)));
    let created = Value::Account(Account { balance: 0, ..Account::default() });
    assert_eq!(apply(None, Delta::Credit(0)), Ok(created), "a credit of nothing creates the account too");
    assert_eq!(apply(Some(&account(u64::MAX)), Delta::Credit(0)), Ok(account(u64::MAX)));
    assert_eq!(apply(Some(&account(u64::MAX)), Delta::Credit(1)), Err(OutOfBounds));
}

#[test]
fn counters_overflow_or_saturate() {
    let max = Value::Counter(u64::MAX);
    assert_eq!(apply(None, Delta::Count(2)), Ok(Value::Counter(2)));
    assert_eq!(apply(Some(&max), Delta::Count(1)), Err(OutOfBounds));
    assert_eq!(apply(Some(&max), Delta::CountSaturating(1)), Ok(max));
}

#[test]
fn a_waiting_credit_minds_the_balance_at_the_start() {
    let base = |start_balance, credits| Value::PendingCredit(PendingCredits { start_balance, credits });
    assert_eq!(apply(None, Delta::DeferredCredit(4)), Ok(base(0, 4)));
    assert_eq!(apply(Some(&base(9, 1)), Delta::DeferredCredit(4)), Ok(base(9, 5)));
    assert_eq!(apply(Some(&base(u64::MAX - 4, 0)), Delta::DeferredCredit(5)), Err(OutOfBounds));
}

#[test]
fn a_delta_on_a_value_of_another_kind_is_refused() {
    assert_eq!(apply(Some(&Value::Counter(1)), Delta::Credit(1)), Err(OutOfBounds));
    assert_eq!(apply(Some(&account(1)), Delta::Count(1)), Err(OutOfBounds));
    assert_eq!(Value::combine(&Delta::Credit(1), &Delta::Count(1)), Err(OutOfBounds));
}

#[test]
fn a_maximum_raises_and_never_lowers() {
    assert_eq!(apply(None, Delta::Max(0)), Ok(Value::Counter(0)));
    assert_eq!(apply(Some(&Value::Counter(5)), Delta::Max(7)), Ok(Value::Counter(7)));
    assert_eq!(apply(Some(&Value::Counter(7)), Delta::Max(5)), Ok(Value::Counter(7)));
    assert_eq!(Value::combine(&Delta::Max(3), &Delta::Max(9)), Ok(Delta::Max(9)));
    assert_eq!(Value::combine(&Delta::Max(9), &Delta::Max(3)), Ok(Delta::Max(9)));
    assert_eq!(apply(Some(&account(1)), Delta::Max(1)), Err(OutOfBounds));
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..10_u64, (u64::MAX - 10)..=u64::MAX]
}

fn base() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        number().prop_map(|balance| Some(account(balance))),
        number().prop_map(|number| Some(Value::Counter(number))),
        number().prop_map(|number| Some(Value::Storage(StorageValue::new(&number.to_le_bytes())))),
        Just(Some(Value::Storage(StorageValue::new(b"no number")))),
        (number(), number()).prop_filter_map("a value that can exist", |(start_balance, credits)| {
            start_balance.checked_add(credits)?;
            Some(Some(Value::PendingCredit(PendingCredits { start_balance, credits })))
        }),
    ]
}

fn delta() -> impl Strategy<Value = Delta> {
    (0..5, number()).prop_map(|(kind, amount)| match kind {
        0 => Delta::Credit(amount),
        4 => Delta::StorageAdd(amount),
        1 => Delta::DeferredCredit(amount),
        2 => Delta::Count(amount),
        3 => Delta::Max(amount),
        _ => Delta::CountSaturating(amount),
    })
}

fn record_numbers() -> impl Strategy<Value = (u64, u64, u64, u64)> {
    any::<(u64, u64, u64, u64)>()
}

fn miner() -> impl Strategy<Value = Value> {
    (any::<[u64; 10]>(), any::<[u32; 3]>(), any::<u16>()).prop_map(|(numbers, counts, reputation)| {
        let miner = Miner {
            registration_fee: numbers[0],
            registered_at: numbers[1],
            tasks_published: counts[0],
            answers_submitted: counts[1],
            validations_performed: counts[2],
            reputation,
        };
        let reputation = AccountReputation {
            created_at: numbers[2],
            transaction_count: numbers[3],
            stake_amount: numbers[4],
            last_submission_time: numbers[5],
            reputation_score: numbers[6],
            total_rewards_earned: numbers[7],
            successful_validations: numbers[8],
            total_validations: numbers[9],
        };
        Value::Miner(MinerRecord { miner, reputation }.into())
    })
}

fn task() -> impl Strategy<Value = Value> {
    let score = (any::<[u8; 32]>(), any::<u8>(), any::<u64>()).prop_map(|(validator, score, validated_at)| {
        ValidationScore { validator: Address(validator), score, validated_at }
    });
    let answer = (any::<[[u8; 32]; 3]>(), any::<(u64, u64)>(), ".{0,12}", vec(score, 0..3)).prop_map(
        |([id, hash, submitter], (stake_amount, submitted_at), content, validation_scores)| SubmittedAnswer {
            answer_id: Hash(id),
            answer_content: content.into(),
            answer_hash: Hash(hash),
            submitter: Address(submitter),
            stake_amount,
            submitted_at,
            validation_scores,
        },
    );
    (any::<[u8; 32]>(), any::<[u64; 3]>(), 0..4_usize, 0..4_usize, ".{0,12}", vec(answer, 0..3)).prop_map(
        |(publisher, [reward_amount, deadline, published_at], difficulty, status, description, answers)| {
            let task = MiningTask {
                publisher: Address(publisher),
                description: description.into(),
                reward_amount,
                difficulty: Difficulty::ALL[difficulty],
                deadline,
                status: TaskStatus::ALL[status],
                published_at,
                answers,
            };
            Value::MiningTask(task.into())
        },
    )
}

fn value() -> impl Strategy<Value = Value> {
    let account = (any::<[u64; 5]>(), vec(any::<u8>(), 0..20), any::<(bool, bool)>()).prop_map(
        |([balance, nonce, frozen, energy, flags], data, (has_multisig, has_energy))| {
            let data = AccountData::new(data);
            Value::Account(Account { balance, nonce, frozen, energy, flags, data, has_multisig, has_energy })
        },
    );
    let freeze = record_numbers().prop_map(|(amount, energy_gained, freeze_height, unlock_height)| FreezeRecord {
        amount,
        energy_gained,
        freeze_height,
        unlock_height,
    });
    let delegated = (any::<[u8; 32]>(), record_numbers()).prop_map(
        |(to, (amount, energy_gained, freeze_height, unlock_height))| DelegatedRecord {
            delegatee: Address(to),
            amount,
            energy_gained,
            freeze_height,
            unlock_height,
        },
    );
    let pending = any::<(u64, u64, bool)>().prop_map(|(amount, expire_height, from_delegation)| PendingUnfreeze {
        amount,
        expire_height,
        from_delegation,
    });
    let energy = (any::<(u64, u64)>(), vec(freeze, 0..3), vec(delegated, 0..3), vec(pending, 0..3)).prop_map(
        |((energy, frozen_tos), freeze, delegated, pending)| {
            let records = EnergyRecords { freeze, delegated, pending }.into();
            Value::Energy(EnergyResource { energy, frozen_tos, records })
        },
    );
    let multisig = (any::<u8>(), vec(any::<[u8; 32]>(), 0..4)).prop_map(|(threshold, list)| {
        let participants = list.into_iter().map(Address).collect();
        Value::Multisig(MultisigConfig { threshold, participants }.into())
    });
    prop_oneof![
        account,
        energy,
        multisig,
        any::<u64>().prop_map(Value::Counter),
        vec(any::<u8>(), 0..40).prop_map(|module| Value::Contract(Module::new(module))),
        vec(any::<u8>(), 0..80).prop_map(|value| Value::Storage(StorageValue::new(&value))),
        miner(),
        task(),
        any::<(u64, u64)>()
            .prop_map(|(start_balance, credits)| { Value::PendingCredit(PendingCredits { start_balance, credits }) }),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    (0..9_usize, 0..Counter::ALL.len(), any::<[u8; 32]>()).prop_map(|(kind, counter, bytes)| match kind {
        0 => Key::Counter(Counter::ALL[counter]),
        1 => Key::Account(Address(bytes)),
        2 => Key::Energy(Address(bytes)),
        3 => Key::Multisig(Address(bytes)),
        4 => Key::Contract(Hash(bytes)),
        5 => Key::Storage(Hash(bytes)),
        6 => Key::Miner(Address(bytes)),
        7 => Key::MiningTask(Hash(bytes)),
        _ => Key::PendingCredit(Address(bytes)),
    })
}

fn key_bytes(key: &Key) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(key, &mut bytes);
    bytes
}

fn value_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_value(value, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn a_combined_delta_is_both_in_order(base in base(), first in delta(), second in delta()) {
        let one_by_one = Value::apply(base.as_ref(), &first).and_then(|value| Value::apply(Some(&value), &second));
        match Value::combine(&first, &second) {
            Ok(both) => prop_assert_eq!(Value::apply(base.as_ref(), &both), one_by_one),
            // Nothing is lost where no delta can stand for both: it fails one by one too, or the kinds differ.
            Err(OutOfBounds) => prop_assert!(
                one_by_one.is_err() || std::mem::discriminant(&first) != std::mem::discriminant(&second)
            ),
        }
    }

    #[test]
    fn values_roundtrip(value in value()) {
        prop_assert_eq!(decode_value(&value_bytes(&value)).unwrap(), value);
    }

    #[test]
    fn keys_roundtrip_and_sort_as_their_bytes(a in key(), b in key()) {
        prop_assert_eq!(decode_key(&key_bytes(&a)).unwrap(), a);
        prop_assert_eq!(a.cmp(&b), key_bytes(&a).cmp(&key_bytes(&b)));
    }

    #[test]
    fn other_bytes_never_panic_and_are_canonical(bytes in vec(any::<u8>(), 0..120), tag in tag()) {
        let bytes = [&[tag][..], &bytes].concat();
        if let Ok(key) = decode_key(&bytes) {
            prop_assert_eq!(key_bytes(&key), &bytes[..]);
        }
        if let Ok(value) = decode_value(&bytes) {
            prop_assert_eq!(value_bytes(&value), &bytes[..]);
        }
    }
}

fn tag() -> impl Strategy<Value = u8> {
    prop_oneof![0_u8..8, 16_u8..18, Just(0xff)]
}

proptest! {
    #[test]
    fn damaged_miners_and_tasks_never_panic_and_are_canonical(
        value in prop_oneof![miner(), task()],
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = value_bytes(&value);
        prop_assert!(decode_value(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(decode_value(&[&bytes[..], &[0]].concat()).is_err());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(decoded) = decode_value(&bytes) {
            prop_assert_eq!(value_bytes(&decoded), bytes);
        }
    }
}

#[test]
fn damaged_tasks_are_named() {
    let task = MiningTask {
        publisher: Address::default(),
        description: "text".into(),
        reward_amount: 1,
        difficulty: Difficulty::Expert,
        deadline: 2,
        status: TaskStatus::Cancelled,
        published_at: 3,
        answers: vec![],
    };
    let bytes = value_bytes(&Value::MiningTask(task.into()));
    let damaged = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        decode_value(&bytes).unwrap_err().source.to_string()
    };
    assert_eq!(damaged(57, 4), "byte 57: 4 is not a difficulty");
    assert_eq!(damaged(58, 4), "byte 58: 4 is not a task status");
    assert_eq!(damaged(67, 0xff), "byte 67: the text is not UTF-8");
    // Lengths and counts beyond the bytes reserve nothing.
    assert_eq!(damaged(59, 0xff), "byte 67: 18374686479671623684 more bytes are needed, 12 are left");
    assert!(damaged(71, 0xff).ends_with("0 are left"));
}

#[test]
fn credits_that_wait_are_the_last_keys() {
    let last = Key::PendingCredit(Address::default());
    for key in [Key::MiningTask(Hash([0xff; 32])), Key::Miner(Address([0xff; 32]))] {
        assert!(key < last);
        assert!(key_bytes(&key) < key_bytes(&last));
    }
}

#[test]
fn damaged_bytes_are_named() {
    let mut bytes = key_bytes(&Key::Counter(Counter::Fees));
    bytes[1] = 9;
    assert_eq!(decode_key(&bytes).unwrap_err().to_string(), "stored key is damaged: byte 1: 9 is not a counter");
    let mut bytes = value_bytes(&account(1));
    bytes[41] = 4;
    assert_eq!(decode_value(&bytes).unwrap_err().source.offset, 41);
    // A count that the bytes do not cover reserves nothing.
    let huge = [&[2][..], &[0; 16], &[0xff; 24]].concat();
    assert!(decode_value(&huge).is_err());
}
