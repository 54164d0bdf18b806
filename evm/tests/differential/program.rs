//! Contracts as lists of steps. Whatever a step sees is mixed into one number, and that number decides what the next
//! ones do: a contract that has seen something else does something else.

use alloy_primitives::{Address, B256, Bytes, U256};
use revm::bytecode::opcode as op;
use revm::primitives::hardfork::SpecId;

use crate::common::asm::Asm;

/// How many contracts there are from the beginning.
pub(crate) const CONTRACTS: u8 = 4;
/// How many kinds of contracts can be made.
pub(crate) const INITS: u8 = 2;
/// Where a contract keeps the address of what it has made last.
const LAST_CHILD: u64 = 7;

/// Whom a step or a transaction means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Contract(u8),
    /// Depends on what was seen. Only steps can tell.
    ChosenContract,
    Sender(u8),
    Coinbase,
    /// Nobody is there.
    Absent(u8),
    /// Somebody is there who has nothing.
    Empty,
    /// Has nearly as much as there can be.
    Full,
    Precompile(u8),
    /// What CREATE2 makes of a contract, an init code and a salt, whether it is made or not.
    Child(u8, u8, bool),
    /// Only steps can tell.
    LastChild,
    Caller,
    Own,
}

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// With up to this much, as it depends.
    Plain(u8),
    Code(u8),
    Delegate,
    Static,
}

/// What a contract does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Load(u8),
    Store(u8),
    /// The slot depends on what was seen.
    LoadChosen,
    StoreChosen,
    StoreZero(u8),
    Transient(u8),
    Balance(Target),
    SelfBalance,
    CodeHash(Target),
    CodeSize(Target),
    BlockHash(u8),
    Environment(u8),
    Call(CallKind, Target, u8),
    Create {
        init: u8,
        value: u8,
    },
    Create2 {
        init: u8,
        value: u8,
        salt: Option<bool>,
    },
    SelfDestruct(Target),
    /// The next step only if the number is odd.
    IfOdd,
    RevertIfOdd,
    InvalidIfOdd,
    BurnIfOdd,
    Log,
}

/// The addresses that are known before the block.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) coinbase: Address,
    /// By contract, init code and salt; empty for code that decides on these addresses itself.
    pub(crate) children: Vec<[[Address; 2]; INITS as usize]>,
}

impl Names {
    pub(crate) fn address(&self, target: Target) -> Option<Address> {
        Some(match target {
            Target::Contract(index) => Address::from_word(B256::from(U256::from(0xc000 + u64::from(index)))),
            Target::Sender(index) => Address::repeat_byte(0xa0 + index),
            Target::Coinbase => self.coinbase,
            Target::Absent(index) => Address::repeat_byte(0xd0 + index),
            Target::Empty => Address::repeat_byte(0xe0),
            Target::Full => Address::repeat_byte(0xf0),
            Target::Precompile(index) => Address::with_last_byte(index),
            Target::Child(contract, init, salt) => {
                self.children.get(usize::from(contract))?[usize::from(init)][usize::from(salt)]
            }
            Target::ChosenContract | Target::LastChild | Target::Caller | Target::Own => return None,
        })
    }
}

/// Writes programs for one fork: what the fork does not have is left out.
pub(crate) struct Writer<'a> {
    pub(crate) spec: SpecId,
    pub(crate) names: &'a Names,
    pub(crate) inits: &'a [Bytes],
}

impl Writer<'_> {
    /// A contract: begins with the first word of its input, returns what has come of it.
    pub(crate) fn contract(&self, steps: &[Step]) -> Bytes {
        let mut asm = Asm::default();
        self.steps(&mut asm, steps);
        asm.push(0).op(op::MSTORE).push(32).push(0).op(op::RETURN);
        asm.finish()
    }

    /// Code that makes a contract of `runtime`, after it has done `steps`.
    pub(crate) fn init(&self, steps: &[Step], runtime: &[Step]) -> Bytes {
        let runtime = self.contract(runtime);
        let mut asm = Asm::default();
        self.steps(&mut asm, steps);
        asm.push(runtime.len()).push_offset(&runtime).push(0).op(op::CODECOPY);
        asm.push(runtime.len()).push(0).op(op::RETURN);
        asm.finish()
    }

    fn steps(&self, asm: &mut Asm, steps: &[Step]) {
        asm.push(0).op(op::CALLDATALOAD);
        let mut skip = None;
        for step in steps {
            let is_condition = *step == Step::IfOdd;
            if is_condition {
                if skip.is_none() {
                    asm.ops(&[op::DUP1]).push(1).ops(&[op::AND, op::ISZERO]);
                    skip = Some(asm.jump_if());
                }
                continue;
            }
            self.step(asm, *step);
            if let Some(hole) = skip.take() {
                asm.land(hole);
            }
        }
        if let Some(hole) = skip {
            asm.land(hole);
        }
    }

    /// The number is on top of the stack before and after.
    fn step(&self, asm: &mut Asm, step: Step) {
        let has = |fork: SpecId| self.spec.is_enabled_in(fork);
        match step {
            Step::Load(slot) => mix(asm.push(slot).op(op::SLOAD)),
            Step::Store(slot) => {
                // Few values, so that slots come back to what they were.
                asm.push(3).ops(&[op::DUP2, op::MOD]).push(slot).op(op::SSTORE);
            }
            Step::LoadChosen => mix(asm.push(4).ops(&[op::DUP2, op::MOD, op::SLOAD])),
            Step::StoreChosen => {
                asm.ops(&[op::DUP1]).push(4).ops(&[op::DUP3, op::MOD, op::SSTORE]);
            }
            Step::StoreZero(slot) => {
                asm.push(0).push(slot).op(op::SSTORE);
            }
            Step::Transient(slot) if has(SpecId::CANCUN) => {
                asm.op(op::DUP1).push(slot).op(op::TSTORE);
                mix(asm.push(slot / 2).op(op::TLOAD));
            }
            Step::Balance(target) => {
                self.push_target(asm, target, 1);
                mix(asm.op(op::BALANCE));
            }
            Step::SelfBalance if has(SpecId::ISTANBUL) => mix(asm.op(op::SELFBALANCE)),
            Step::CodeHash(target) if has(SpecId::PETERSBURG) => {
                self.push_target(asm, target, 1);
                mix(asm.op(op::EXTCODEHASH));
            }
            Step::CodeSize(target) => {
                self.push_target(asm, target, 1);
                mix(asm.op(op::EXTCODESIZE));
            }
            Step::BlockHash(back) => mix(asm.push(back).ops(&[op::NUMBER, op::SUB, op::BLOCKHASH])),
            Step::Environment(which) => {
                let all = [op::COINBASE, op::CALLER, op::CALLVALUE, op::GAS, op::GASPRICE, op::ORIGIN, op::DIFFICULTY];
                mix(asm.op(all[usize::from(which) % all.len()]));
            }
            Step::Call(call, target, gas) => self.call(asm, call, target, gas),
            Step::Create { init, value } => self.create(asm, init, value, None),
            Step::Create2 { init, value, salt } if has(SpecId::PETERSBURG) => {
                self.create(asm, init, value, Some(salt));
            }
            Step::SelfDestruct(target) => {
                self.push_target(asm, target, 1);
                asm.op(op::SELFDESTRUCT);
            }
            Step::RevertIfOdd if has(SpecId::BYZANTIUM) => if_odd(asm, |asm| {
                asm.push(32).push(0).op(op::REVERT);
            }),
            Step::InvalidIfOdd => if_odd(asm, |asm| {
                asm.op(op::INVALID);
            }),
            Step::BurnIfOdd => if_odd(asm, |asm| {
                // More memory than any gas pays for.
                asm.push(1).push(u64::from(u32::MAX)).op(op::MSTORE);
            }),
            Step::Log => {
                asm.op(op::DUP1).push(0).op(op::MSTORE);
                asm.op(op::DUP1).push(32).push(0).op(op::LOG1);
            }
            // Not in this fork.
            _ => {}
        }
    }

    fn call(&self, asm: &mut Asm, call: CallKind, target: Target, gas: u8) {
        let (opcode, value) = match call {
            CallKind::Plain(value) => (op::CALL, Some(value)),
            CallKind::Code(value) => (op::CALLCODE, Some(value)),
            CallKind::Delegate if self.spec.is_enabled_in(SpecId::HOMESTEAD) => (op::DELEGATECALL, None),
            CallKind::Static if self.spec.is_enabled_in(SpecId::BYZANTIUM) => (op::STATICCALL, None),
            CallKind::Delegate | CallKind::Static => return,
        };
        asm.op(op::DUP1).push(0).op(op::MSTORE);
        asm.push(32).push(0).push(32).push(0);
        let mut depth = 5;
        if let Some(most) = value {
            asm.push(u64::from(most) + 1).ops(&[op::DUP1 + depth, op::MOD]);
            depth += 1;
        }
        self.push_target(asm, target, depth);
        asm.push(u64::from(gas) * 1_000).op(opcode);
        mix(asm);
        mix(asm.push(0).op(op::MLOAD));
    }

    /// `salt`: none for CREATE, for CREATE2 either given or as it depends.
    fn create(&self, asm: &mut Asm, init: u8, value: u8, salt: Option<Option<bool>>) {
        // Code that is made itself makes nothing but empty contracts.
        let none = Bytes::new();
        let init = self.inits.get(usize::from(init)).unwrap_or(&none);
        asm.push(init.len()).push_offset(init).push(0).op(op::CODECOPY);
        match salt {
            Some(Some(salt)) => {
                asm.push(u8::from(salt));
            }
            Some(None) => {
                asm.push(2).ops(&[op::DUP2, op::MOD]);
            }
            None => {}
        }
        asm.push(init.len()).push(0).push(value).op(if salt.is_some() { op::CREATE2 } else { op::CREATE });
        asm.op(op::DUP1).push(LAST_CHILD).op(op::SSTORE);
        mix(asm);
    }

    /// Pushes an address; the number is the `depth`th of the stack.
    fn push_target(&self, asm: &mut Asm, target: Target, depth: u8) {
        match target {
            // Contracts do not pay the one who has nearly all there can be: see the strategy.
            Target::Coinbase if self.names.address(Target::Full) != Some(self.names.coinbase) => asm.op(op::COINBASE),
            Target::Coinbase => asm.push(0),
            Target::Caller => asm.op(op::CALLER),
            Target::LastChild => asm.push(LAST_CHILD).op(op::SLOAD),
            Target::ChosenContract => asm.push(CONTRACTS).ops(&[op::DUP1 + depth, op::MOD]).push(0xc000).op(op::ADD),
            _ => match self.names.address(target) {
                Some(address) => asm.push_address(address),
                None => asm.op(op::ADDRESS),
            },
        };
    }
}

/// Mixes the top of the stack into the number below it.
fn mix(asm: &mut Asm) {
    asm.op(op::SWAP1).push(31).ops(&[op::MUL, op::ADD]);
}

fn if_odd(asm: &mut Asm, then: impl FnOnce(&mut Asm)) {
    asm.op(op::DUP1).push(1).ops(&[op::AND, op::ISZERO]);
    let hole = asm.jump_if();
    then(asm);
    asm.land(hole);
}
