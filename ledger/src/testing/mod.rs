//! What the unit tests share: a small world of accounts, and ways to make and run transactions.

pub(crate) mod sequential;

use std::collections::BTreeMap;

use smallvec::smallvec;

use crate::crypto::{KeyPair, Signature};
use crate::error::TosError;
use crate::rules::{BlockContext, LedgerConfig, Receipt, TosVm};
use crate::signed::SignedTransaction;
use crate::state::{Account, EnergyResource, Key, Value, apply_changes};
use crate::types::{Address, Hash};
use crate::wire::{BurnPayload, FeeType, Payload, Transaction, Transfer};

/// A fee that covers every small transaction.
pub(crate) const FEE: u64 = 100_000;

pub(crate) fn key(seed: u64) -> KeyPair {
    KeyPair::from_seed(seed)
}

pub(crate) fn addr(seed: u64) -> Address {
    key(seed).address()
}

pub(crate) fn transfer(destination: Address, amount: u64) -> Transfer {
    Transfer { asset: Hash::default(), destination, amount, extra_data: None }
}

pub(crate) fn pay(destination: u64, amount: u64) -> Payload {
    Payload::Transfers(smallvec![transfer(addr(destination), amount)])
}

/// An unsigned transaction of `source` on chain 3 with nonce 0 and [`FEE`].
pub(crate) fn unsigned(source: u64, payload: Payload) -> Transaction {
    let fee = if matches!(payload, Payload::Energy(_)) { 0 } else { FEE };
    Transaction {
        chain_id: 3,
        source: addr(source),
        payload,
        fee,
        fee_type: FeeType::Tos,
        nonce: 0,
        reference_hash: Hash::default(),
        reference_topoheight: 0,
        multisig: None,
        signature: Signature::ZERO,
    }
}

/// A registration of a name, which has no rules here: nothing but its bytes.
pub(crate) fn register_name(source: u64) -> Payload {
    const OPCODE_AT: usize = 34;
    let burn = Payload::Burn(BurnPayload { asset: Hash::default(), amount: 1 });
    let mut wire = unsigned(source, burn).encode().unwrap();
    wire.splice(OPCODE_AT..OPCODE_AT + 1 + 40, [21, 3, b'a', b'b', b'c']);
    Transaction::decode(&wire).unwrap().payload
}

pub(crate) fn sign(source: u64, transaction: Transaction) -> SignedTransaction {
    SignedTransaction::sign(transaction, &key(source)).unwrap()
}

/// A state in memory with a way to execute on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) state: BTreeMap<Key, Value>,
    pub(crate) config: LedgerConfig,
    pub(crate) context: BlockContext,
}

impl World {
    /// Accounts with these seeds and balances.
    pub(crate) fn new(balances: &[(u64, u64)]) -> Self {
        let mut world = Self {
            state: BTreeMap::new(),
            config: LedgerConfig::default(),
            context: BlockContext { chain_id: 3, height: 100, ..BlockContext::default() },
        };
        for (seed, balance) in balances {
            world.set(*seed, Account { balance: *balance, ..Account::default() });
        }
        world
    }

    pub(crate) fn set(&mut self, seed: u64, account: Account) {
        self.state.insert(Key::Account(addr(seed)), Value::Account(account));
    }

    pub(crate) fn set_energy(&mut self, seed: u64, resource: EnergyResource) {
        self.edit(seed, |account| account.has_energy = true);
        self.state.insert(Key::Energy(addr(seed)), Value::Energy(resource));
    }

    pub(crate) fn edit(&mut self, seed: u64, change: impl FnOnce(&mut Account)) {
        match self.state.get_mut(&Key::Account(addr(seed))) {
            Some(Value::Account(account)) => change(account),
            other => panic!("no account: {other:?}"),
        }
    }

    pub(crate) fn account(&self, seed: u64) -> Account {
        match self.state.get(&Key::Account(addr(seed))) {
            Some(Value::Account(account)) => account.clone(),
            other => panic!("no account: {other:?}"),
        }
    }

    pub(crate) fn energy(&self, seed: u64) -> EnergyResource {
        match self.state.get(&Key::Energy(addr(seed))) {
            Some(Value::Energy(resource)) => resource.clone(),
            other => panic!("no resource: {other:?}"),
        }
    }

    pub(crate) fn balance(&self, seed: u64) -> u64 {
        self.account(seed).balance
    }

    pub(crate) fn counter(&self, counter: crate::state::Counter) -> u64 {
        match self.state.get(&Key::Counter(counter)) {
            Some(Value::Counter(number)) => *number,
            None => 0,
            other => panic!("no counter: {other:?}"),
        }
    }

    pub(crate) fn vm(&self) -> TosVm {
        TosVm::new(self.config, self.context)
    }

    /// Executes; a success changes the world, a failure must not.
    pub(crate) fn run(&mut self, signed: &SignedTransaction) -> Result<Receipt, TosError> {
        let step = sequential::execute_one(&self.vm(), signed, &self.state, &BTreeMap::new());
        let receipt = step.outcome.output;
        receipt.result?;
        apply_changes(&mut self.state, step.changes);
        Ok(receipt)
    }

    /// Signs with the source's key and executes.
    pub(crate) fn submit(&mut self, source: u64, transaction: Transaction) -> Result<Receipt, TosError> {
        self.run(&sign(source, transaction))
    }

    /// Submits `payload` with the right nonce and the usual fee.
    pub(crate) fn act(&mut self, source: u64, payload: Payload) -> Result<Receipt, TosError> {
        let nonce = self.account(source).nonce;
        self.submit(source, Transaction { nonce, ..unsigned(source, payload) })
    }
}
