//! From a scene to a block: the state before it, and its transactions with the nonces that they need.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use revm::context::either::Either;
use revm::context::transaction::{
    AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization,
};
use revm::context::{TransactionType, TxEnv};
use revm::primitives::hardfork::SpecId;
use weft_evm::EvmEnv;

use crate::common::block::Block;
use crate::common::env::env;
use crate::common::world::World;
use crate::program::{CONTRACTS, Names, Target, Writer};
use crate::strategy::{Action, Delegation, Kind, SENDERS, Scene};

const PRICE: u128 = 10;

/// A scene, written down for its fork.
pub(crate) struct Stage {
    pub(crate) env: EvmEnv,
    pub(crate) names: Names,
    pub(crate) pre: World,
    inits: Vec<Bytes>,
}

impl Stage {
    pub(crate) fn new(scene: &Scene) -> Self {
        let spec = scene.spec;
        let mut names = Names { coinbase: Address::ZERO, children: Vec::new() };
        names.coinbase = names.address(scene.coinbase).expect("an address from the beginning");
        let writer = Writer { spec, names: &names, inits: &[] };
        let inits: Vec<Bytes> = scene.inits.iter().map(|(steps, runtime)| writer.init(steps, runtime)).collect();
        let child_code = writer.contract(&scene.inits[0].1);
        let hashes = [keccak256(&inits[0]), keccak256(&inits[1])];
        names.children = (0..CONTRACTS)
            .map(|index| {
                let contract = names.address(Target::Contract(index)).expect("an address from the beginning");
                let child = |hash, salt: u8| contract.create2(B256::with_last_byte(salt), hash);
                hashes.map(|hash| [child(hash, 0), child(hash, 1)])
            })
            .collect();
        let mut stage = Self { env: env(spec, names.coinbase), names, pre: World::default(), inits };
        stage.fill(scene, &child_code);
        stage
    }

    fn fill(&mut self, scene: &Scene, child_code: &Bytes) {
        let none = Bytes::new();
        let writer = Writer { spec: scene.spec, names: &self.names, inits: &self.inits };
        let storage = |values: [u64; 4]| (0_u64..).map(U256::from).zip(values.map(U256::from));
        for sender in 0..SENDERS {
            let balance = if sender + 1 == SENDERS { 4_000_000 } else { 1_000_000_000_000_000_u64 };
            self.pre.insert(self.address(Target::Sender(sender)), U256::from(balance), 3, &none, []);
        }
        for (index, steps) in (0..).zip(&scene.contracts) {
            let (address, code) = (self.address(Target::Contract(index)), writer.contract(steps));
            self.pre.insert(address, U256::from(5), 1, &code, storage([1, 0, 2, 5]));
        }
        self.pre.insert(self.address(Target::Empty), U256::ZERO, 0, &none, []);
        self.pre.insert(self.address(Target::Full), U256::MAX - U256::from(3), 0, &none, []);
        if scene.has_child {
            self.pre.insert(
                self.address(Target::Child(0, 0, false)),
                U256::from(2),
                1,
                child_code,
                storage([4, 3, 0, 1]),
            );
        }
    }

    fn address(&self, target: Target) -> Address {
        // What only steps can tell is nobody for a transaction.
        self.names.address(target).unwrap_or(Address::repeat_byte(0xd8))
    }

    /// The block of all actions that are valid where they would stand.
    pub(crate) fn block(&self, actions: &[Action]) -> Block {
        let mut block = Block::new(self.env.clone(), self.pre.clone());
        for action in actions {
            let tx = self.transaction(action, |sender| block.next_nonce(&sender));
            block.push(format!("{action:?}"), tx);
        }
        block
    }

    pub(crate) fn transaction(&self, action: &Action, nonce: impl Fn(Address) -> u64) -> TxEnv {
        let spec = self.env.cfg_env.spec;
        let caller = self.address(Target::Sender(action.sender));
        let mut tx = TxEnv {
            caller,
            gas_limit: u64::from(action.gas),
            gas_price: PRICE,
            kind: TxKind::Call(action.to.map_or(Address::ZERO, |target| self.address(target))),
            value: U256::from(action.value),
            data: Bytes::from(U256::from(action.input).to_be_bytes_vec()),
            nonce: nonce(caller),
            chain_id: Some(1),
            ..TxEnv::default()
        };
        if let Err(init) = action.to {
            tx.kind = TxKind::Create;
            tx.data = self.inits[usize::from(init)].clone();
        }
        let is_call = action.to.is_ok();
        let tx_type = match &action.kind {
            Kind::AccessList(target) if spec.is_enabled_in(SpecId::BERLIN) => {
                let storage_keys = (0..2).map(B256::with_last_byte).collect();
                tx.access_list = AccessList(vec![AccessListItem { address: self.address(*target), storage_keys }]);
                TransactionType::Eip2930
            }
            Kind::Dynamic(tip) if spec.is_enabled_in(SpecId::LONDON) => {
                tx.gas_priority_fee = Some(u128::from(*tip));
                TransactionType::Eip1559
            }
            Kind::Blobs(blobs) if spec.is_enabled_in(SpecId::CANCUN) && is_call => {
                tx.gas_priority_fee = Some(1);
                tx.max_fee_per_blob_gas = 3;
                tx.blob_hashes = (0..*blobs).map(blob_hash).collect();
                TransactionType::Eip4844
            }
            Kind::SetCode(delegations) if spec.is_enabled_in(SpecId::PRAGUE) && is_call => {
                tx.gas_priority_fee = Some(1);
                let authorization = |delegation| Either::Right(self.authorization(delegation, caller, &nonce));
                tx.authorization_list = delegations.iter().map(authorization).collect();
                TransactionType::Eip7702
            }
            _ => TransactionType::Legacy,
        };
        tx.tx_type = tx_type as u8;
        tx
    }

    fn authorization(
        &self,
        delegation: &Delegation,
        caller: Address,
        nonce: impl Fn(Address) -> u64,
    ) -> RecoveredAuthorization {
        let authority = self.address(Target::Sender(delegation.authority));
        // The sender's nonce is counted up before its authorizations are looked at.
        let next = nonce(authority) + u64::from(authority == caller);
        let inner = Authorization {
            chain_id: U256::from(1),
            address: delegation.to.map_or(Address::ZERO, |target| self.address(target)),
            nonce: if delegation.has_right_nonce { next } else { next + 1 },
        };
        RecoveredAuthorization::new_unchecked(inner, RecoveredAuthority::Valid(authority))
    }
}

fn blob_hash(blob: u8) -> B256 {
    let mut hash = B256::with_last_byte(blob);
    hash[0] = 1;
    hash
}
