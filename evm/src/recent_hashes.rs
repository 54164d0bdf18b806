//! Hashes that a thread has computed last.
//!
//! A contract finds the entry of a mapping by hashing the key and the mapping's place, 64 bytes, each time that it reads or
//! writes it; a transfer of a token does that four times, for two balances. Keccak-256 of them takes as long as some dozens of other
//! instructions. It is a pure function, so what it gave once is right in any transaction, block and chain.
//!
//! The instruction is revm's own but where the hash is known and the memory that it reads is there already: then what is
//! left of it is its gas.

use std::cell::RefCell;

use alloy_primitives::{U256, keccak256 as hash_of};
use revm::bytecode::opcode;
use revm::interpreter::instructions::system;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{
    Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult, InstructionTable, Interpreter,
};

use crate::canary::Canary;

/// What is hashed to find the entry of a mapping.
const LENGTH: usize = 64;
type Input = [u8; LENGTH];

/// Hashes that are kept, each at a place that its input decides: 48 kB a thread. A power of two.
const PLACES: usize = 512;

thread_local! {
    static RECENT: RefCell<RecentHashes> = const { RefCell::new(RecentHashes(Vec::new())) };
}

/// Lets the thread's hashes be used by whoever executes with `table`.
pub(crate) fn remember_hashes<H: Host>(table: &mut InstructionTable<EthInterpreter, H>) {
    table[usize::from(opcode::KECCAK256)] = Instruction::new(keccak256);
}

fn keccak256<H: Host + ?Sized>(context: InstructionContext<'_, H, EthInterpreter>) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    let Some(input) = input_at_hand(interpreter) else {
        return system::keccak256(InstructionContext { interpreter, host });
    };
    if let Some(hash) = RECENT.with_borrow(|recent| recent.find(&input)) {
        if !interpreter.gas.record_regular_cost(host.gas_params().keccak256_cost(LENGTH)) {
            return Err(InstructionResult::OutOfGas);
        }
        let Some((_, result)) = interpreter.stack.popn_top::<1>() else {
            return Err(InstructionResult::StackUnderflow);
        };
        *result = hash;
        return Ok(());
    }
    system::keccak256(InstructionContext { interpreter: &mut *interpreter, host })?;
    if let Some(hash) = interpreter.stack.data().last() {
        RECENT.with_borrow_mut(|recent| recent.remember(input, *hash));
    }
    Ok(())
}

/// What the instruction is about to hash, where that is as long as what finds an entry of a mapping, and no memory has to be
/// added, and paid, for it.
fn input_at_hand(interpreter: &Interpreter<EthInterpreter>) -> Option<Input> {
    let [.., length, offset] = interpreter.stack.data().as_slice() else { return None };
    if *length != U256::from(LENGTH) {
        return None;
    }
    let offset = usize::try_from(*offset).ok()?;
    let is_there = offset.checked_add(LENGTH)? <= interpreter.memory.len();
    is_there.then(|| interpreter.memory.slice_len(offset, LENGTH)[..].try_into().ok()).flatten()
}

/// An input and its hash.
type Hashed = (Input, U256);

struct RecentHashes(Vec<Hashed>);

impl RecentHashes {
    fn find(&self, input: &Input) -> Option<U256> {
        let (known, hash) = self.0.get(place(input))?;
        let is_known = known == input || (Canary::HalfHash.sings() && known[LENGTH / 2..] == input[LENGTH / 2..]);
        is_known.then_some(*hash)
    }

    fn remember(&mut self, input: Input, hash: U256) {
        if self.0.is_empty() {
            // Not empty places, but a hash that is right: so a place needs no mark that says whether it is used.
            let nothing = [0; LENGTH];
            self.0.resize(PLACES, (nothing, hash_of(nothing).into()));
        }
        self.0[place(&input)] = (input, hash);
    }
}

/// Where the hash of an input is kept. Who chooses inputs that share a place gains nothing but that they are hashed.
fn place(input: &Input) -> usize {
    let (words, _) = input.as_chunks::<8>();
    let mixed = words.iter().fold(0_u64, |mixed, word| mixed.rotate_left(9) ^ u64::from_le_bytes(*word));
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, Bytes, bytes};
    use proptest::prelude::*;
    use revm::bytecode::Bytecode;
    use revm::context::TxEnv;
    use revm::database::InMemoryDB;
    use revm::primitives::TxKind;
    use revm::primitives::hardfork::SpecId;
    use revm::state::AccountInfo;

    use super::*;
    use crate::EvmEnv;
    use crate::sequential::{self, PlainMachine};

    const CONTRACT: Address = Address::repeat_byte(0xcc);
    const SENDER: Address = Address::repeat_byte(0xaa);

    /// Copies its data to memory and hashes `[32..64]` bytes of it from `[..32]` on; gives the hash and what gas is left.
    const HASHES: Bytes = bytes!("365f5f376020515f51205f525a60205260405ff3");

    #[test]
    fn what_shares_a_place_is_told_apart() {
        let input = |key: u64| {
            let mut input = [7; LENGTH];
            input[..8].copy_from_slice(&key.to_le_bytes());
            input
        };
        let mut recent = RecentHashes(Vec::new());
        assert_eq!(recent.find(&input(0)), None);
        for key in 0..4 * PLACES as u64 {
            assert_eq!(recent.find(&input(key)), None, "{key} has not been hashed");
            let hash = hash_of(input(key)).into();
            recent.remember(input(key), hash);
            assert_eq!(recent.find(&input(key)), Some(hash));
        }
        let kept = (0..4 * PLACES as u64).filter(|key| recent.find(&input(*key)).is_some()).count();
        assert!(kept > PLACES / 2 && kept <= PLACES, "{kept} of {PLACES} places");
        assert_eq!(recent.find(&[0; LENGTH]), Some(hash_of([0; LENGTH]).into()).filter(|_| place(&[0; LENGTH]) > 0));
    }

    fn word() -> impl Strategy<Value = U256> {
        prop_oneof![
            4 => prop::sample::select(vec![0_u64, 1, 31, 32, 63, 64, 65, 96, 128, 160, 200]).prop_map(U256::from),
            1 => prop::sample::select(vec![U256::from(u64::MAX), U256::MAX, U256::from(100_000)]),
        ]
    }

    /// The data of a call (offset, length, of what), and the gas that is left for it.
    fn call() -> impl Strategy<Value = (Vec<u8>, u64)> {
        let length = prop_oneof![2 => Just(U256::from(LENGTH)), 1 => word()];
        let words = (word(), length).prop_map(|(offset, length)| [offset, length].map(|word| word.to_be_bytes::<32>()));
        let gas = prop_oneof![1 => 0..200_u64, 1 => Just(100_000)];
        (words, prop::collection::vec(0_u8..2, 0..200), gas)
            .prop_map(|(words, rest, gas)| ([words.concat(), rest].concat(), gas))
    }

    /// What a transaction pays for its data and for being one, before EIP-7623.
    fn intrinsic_gas(data: &[u8]) -> u64 {
        21_000 + data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum::<u64>()
    }

    proptest! {
        /// Results are revm's in all of an instruction's ways: hashes that are known and that are not, memory that has to be
        /// added, offsets beyond all memory, and gas that ends anywhere.
        #[test]
        fn hashes_and_gas_are_those_of_plain_revm(calls in prop::collection::vec(call(), 1..12)) {
            let mut db = InMemoryDB::default();
            let code = Bytecode::new_legacy(HASHES);
            db.insert_account_info(CONTRACT, AccountInfo::from_bytecode(code));
            let calls = calls.iter().flat_map(|call| [call, call]);
            let transactions: Vec<TxEnv> = (0..)
                .zip(calls)
                .map(|(nonce, (data, gas))| TxEnv {
                    caller: SENDER,
                    kind: TxKind::Call(CONTRACT),
                    nonce,
                    data: Bytes::copy_from_slice(data),
                    gas_limit: intrinsic_gas(data) + gas,
                    ..TxEnv::default()
                })
                .collect();
            let mut env = EvmEnv::default();
            env.cfg_env.set_spec_and_mainnet_gas_params(SpecId::CANCUN);
            let plain = sequential::execute(&env, &db, &transactions).expect("valid transactions");
            let remembering = PlainMachine::new(&env, &db).remembering_hashes().execute_all(&transactions);
            let remembering = remembering.expect("valid transactions");
            prop_assert_eq!(plain.results, remembering.results);
            prop_assert_eq!(plain.state, remembering.state);
        }
    }
}
