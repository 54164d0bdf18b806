//! A transaction as a structure (spec 2.2 to 2.4).

use smallvec::SmallVec;

use crate::contract::Module;
use crate::crypto::Signature;
use crate::types::{Address, Hash};

use super::{AiMiningPayload, OpaquePayload, ValueCell};

/// The type opcodes of version T1 (spec 2.2).
pub mod opcode {
    /// Burns an amount.
    pub const BURN: u8 = 0;
    /// Moves amounts to one or more accounts.
    pub const TRANSFERS: u8 = 1;
    /// Sets or deletes the multisig configuration of the source.
    pub const MULTISIG: u8 = 2;
    /// Calls a contract.
    pub const INVOKE_CONTRACT: u8 = 3;
    /// Stores a contract.
    pub const DEPLOY_CONTRACT: u8 = 4;
    /// Freezes, delegates, unfreezes, withdraws.
    pub const ENERGY: u8 = 5;
    /// AI mining; assigned only in its own [era](super::super::Era) (spec 2.6).
    pub const AI_MINING: u8 = 6;
    /// Private transfers; carried, never executed.
    pub const UNO_TRANSFERS: u8 = 18;
    /// Transfers into the private pool; carried, never executed.
    pub const SHIELD_TRANSFERS: u8 = 19;
    /// Transfers out of the private pool; carried, never executed.
    pub const UNSHIELD_TRANSFERS: u8 = 20;
    /// Registers a name; carried, never executed.
    pub const REGISTER_NAME: u8 = 21;
    /// Manages an agent account; carried, never executed.
    pub const AGENT_ACCOUNT: u8 = 23;
}

/// Most entries of one transfers transaction (spec 2.4.2).
pub const MAX_TRANSFERS: usize = 500;
/// Most entries of one delegation (spec 2.4.6).
pub const MAX_DELEGATIONS: usize = 500;
/// Largest contract module, in bytes (spec 2.4.5).
pub const MAX_MODULE_BYTES: usize = 10 * 1024 * 1024;

/// What the fee is paid in (spec 2.2, field 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FeeType {
    /// Atomic units of TOS.
    Tos = 0,
    /// One energy per transaction; the fee field must be 0.
    Energy = 1,
    /// The private currency; only for private transfers.
    Uno = 2,
}

/// One entry of a transfers payload (spec 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Asset id. The rules ignore it: amounts always move TOS (spec 3.1).
    pub asset: Hash,
    /// Who receives.
    pub destination: Address,
    /// Atomic units; 0 is allowed.
    pub amount: u64,
    /// A note for the receiver, up to 65535 bytes on the wire, 128 by the rules.
    pub extra_data: Option<Box<[u8]>>,
}

/// Destroys an amount of the source's balance (spec 2.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurnPayload {
    /// Asset id; ignored by the rules.
    pub asset: Hash,
    /// Atomic units.
    pub amount: u64,
}

/// Sets (threshold above 0) or deletes (threshold 0) the source's configuration (spec 2.4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultisigPayload {
    /// How many participants must sign.
    pub threshold: u8,
    /// Who may sign; the index is the signer id.
    pub participants: Vec<Address>,
}

/// Money sent along with a contract call (spec 2.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// Asset id.
    pub asset: Hash,
    /// Atomic units.
    pub amount: u64,
}

/// A contract call (spec 2.4.4).
#[derive(Debug, Clone, PartialEq)]
pub struct InvokeContractPayload {
    /// The contract's id.
    pub contract: Hash,
    /// One entry an asset, in the order of first mention.
    pub deposits: Vec<Deposit>,
    /// Which entry is called; the contract dispatches.
    pub entry_id: u16,
    /// Most gas that the call may use.
    pub max_gas: u64,
    /// Arguments.
    pub parameters: Vec<ValueCell>,
}

/// The call that a deployment makes at once (spec 2.4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constructor {
    /// Most gas that the call may use.
    pub max_gas: u64,
    /// As in [`InvokeContractPayload::deposits`].
    pub deposits: Vec<Deposit>,
}

/// A contract deployment (spec 2.4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployContractPayload {
    /// An ELF file.
    pub module: Module,
    /// Called once after storing.
    pub constructor: Option<Constructor>,
}

/// One entry of a delegation (spec 2.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delegation {
    /// Who gets the energy.
    pub delegatee: Address,
    /// Atomic units that the source freezes for it.
    pub amount: u64,
}

/// The energy transactions (spec 2.4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnergyPayload {
    /// Freezes TOS for energy of one's own.
    FreezeTos {
        /// Atomic units.
        amount: u64,
        /// Duration in days.
        days: u32,
    },
    /// Freezes TOS for the energy of others.
    FreezeTosDelegate {
        /// Who gets how much.
        delegations: Vec<Delegation>,
        /// Duration in days.
        days: u32,
    },
    /// Starts the release of frozen TOS.
    UnfreezeTos {
        /// Atomic units.
        amount: u64,
        /// Whether a delegation is meant; no effect in the rules.
        from_delegation: bool,
        /// Which record is meant; no effect in the rules.
        record_index: Option<u32>,
        /// Whose delegation is meant; only with `from_delegation`.
        delegatee: Option<Address>,
    },
    /// Moves what has been released to the balance.
    WithdrawUnfrozen,
}

/// What a transaction does (spec 2.4).
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Opcode 0.
    Burn(BurnPayload),
    /// Opcode 1: 1 to 500 entries. One entry needs no allocation of its own.
    Transfers(SmallVec<[Transfer; 1]>),
    /// Opcode 2.
    Multisig(MultisigPayload),
    /// Opcode 3.
    InvokeContract(Box<InvokeContractPayload>),
    /// Opcode 4.
    DeployContract(Box<DeployContractPayload>),
    /// Opcode 5.
    Energy(EnergyPayload),
    /// Opcode 6, in the era that has it (spec 2.6).
    AiMining(Box<AiMiningPayload>),
    /// Opcodes 18 to 21 and 23 (spec 2.4.8).
    Opaque(Box<OpaquePayload>),
}

impl Payload {
    /// The type opcode.
    #[must_use]
    pub const fn opcode(&self) -> u8 {
        match self {
            Self::Burn(_) => opcode::BURN,
            Self::Transfers(_) => opcode::TRANSFERS,
            Self::Multisig(_) => opcode::MULTISIG,
            Self::InvokeContract(_) => opcode::INVOKE_CONTRACT,
            Self::DeployContract(_) => opcode::DEPLOY_CONTRACT,
            Self::Energy(_) => opcode::ENERGY,
            Self::AiMining(_) => opcode::AI_MINING,
            Self::Opaque(opaque) => opaque.kind().opcode(),
        }
    }
}

/// One participant's signature (spec 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignerSignature {
    /// Index into the participants of the source's configuration.
    pub signer_id: u8,
    /// Over the BLAKE3 hash of the signing bytes (spec 2.3).
    pub signature: Signature,
}

/// The multisig section (spec 2.2): no signer occurs twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiSig {
    /// Up to 255 signatures.
    pub signatures: Vec<SignerSignature>,
}

/// A transaction of version T1 (spec 2.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// 0 mainnet, 1 testnet, 2 stagenet, 3 devnet.
    pub chain_id: u8,
    /// Who pays and signs.
    pub source: Address,
    /// What it does.
    pub payload: Payload,
    /// In the unit of `fee_type`.
    pub fee: u64,
    /// What the fee is paid in.
    pub fee_type: FeeType,
    /// Must equal the source's nonce.
    pub nonce: u64,
    /// A block that the source knew; not checked by the rules.
    pub reference_hash: Hash,
    /// That block's topoheight.
    pub reference_topoheight: u64,
    /// The participants' signatures, where the source has a configuration.
    pub multisig: Option<MultiSig>,
    /// The source's signature over the signing bytes (spec 2.3).
    pub signature: Signature,
}
