//! revm, set up for one block and kept by its thread from one transaction to the next.

use std::cell::RefCell;

use alloy_primitives::{Address, U256};
use revm::Context;
use revm::bytecode::opcode;
use revm::context::result::{EVMError, ExecutionResult, HaltReason};
use revm::context::{BlockEnv, CfgEnv, Evm, LocalContext, TxEnv};
use revm::context_interface::{Block, Cfg, JournalTr, Transaction};
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, EthPrecompiles, EvmTr, FrameResult, Handler, PrecompileProvider, post_execution};
use revm::interpreter::instructions::{contract, gas_table_spec, host, instruction_table};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{InitialAndFloorGas, Instruction, InstructionContext, InstructionExecResult};
use revm::primitives::TxKind;
use revm::primitives::hardfork::SpecId;

use crate::EvmEnv;
use crate::access::Ended;
use crate::assumed::least_holdings;
use crate::canary::Canary;
use crate::database::TransactionDatabase;
use crate::journal::DeferringJournal;
use crate::recent_hashes::remember_hashes;

type MachineContext = Context<BlockEnv, TxEnv, CfgEnv, TransactionDatabase, DeferringJournal, (), LocalContext>;
type MachineEvm =
    Evm<MachineContext, (), EthInstructions<EthInterpreter, MachineContext>, EthPrecompiles, EthFrame<EthInterpreter>>;
type MachineError = EVMError<Ended>;

thread_local! {
    // Making a machine costs more than a transfer. It is taken out while it runs: after a panic it is gone, and with it
    // whatever state it was left in.
    static MACHINE: RefCell<Option<Box<Machine>>> = const { RefCell::new(None) };
}

/// revm for the transactions of one block.
pub(crate) struct Machine {
    evm: MachineEvm,
    /// Which block it is set up for.
    block: u64,
}

/// Calls `use_it` with this thread's machine, set up for the block of this number.
pub(crate) fn with_machine<T>(block: u64, env: &EvmEnv, use_it: impl FnOnce(&mut Machine) -> T) -> T {
    let kept = MACHINE.with(|machine| machine.borrow_mut().take());
    let mut machine = match kept {
        Some(machine) if machine.block == block => machine,
        Some(mut machine) => {
            machine.set_block(block, env);
            machine
        }
        None => Machine::new(block, env),
    };
    let result = use_it(&mut machine);
    MACHINE.with(|kept| *kept.borrow_mut() = Some(machine));
    result
}

/// Mainnet's rules, but for the way the fee is paid.
struct WeftHandler;

impl Handler for WeftHandler {
    type Evm = MachineEvm;
    type Error = MachineError;
    type HaltReason = HaltReason;

    /// As mainnet does, without a look at what the sender has.
    fn reimburse_caller(&self, evm: &mut MachineEvm, exec_result: &mut FrameResult) -> Result<(), MachineError> {
        let context = evm.ctx();
        context.journaled_state.is_giving = true;
        let reimbursed = post_execution::reimburse_caller(context, exec_result.gas(), U256::ZERO);
        context.journaled_state.is_giving = false;
        reimbursed.map_err(EVMError::Database)
    }

    /// As mainnet does, without loading the fee recipient where nobody else does.
    fn reward_beneficiary(&self, evm: &mut MachineEvm, exec_result: &mut FrameResult) -> Result<(), MachineError> {
        let context = evm.ctx();
        if context.cfg.is_fee_charge_disabled() {
            return Ok(());
        }
        let basefee = u128::from(context.block.basefee());
        let price = context.tx.effective_gas_price(basefee);
        // From EIP-1559 on the base fee is burned.
        let tip = if context.cfg.spec.is_enabled_in(SpecId::LONDON) { price.saturating_sub(basefee) } else { price };
        let gas = exec_result.gas();
        // What is left of the state gas (EIP-8037) is given back to the sender.
        let used = gas.used().saturating_sub(gas.reservoir());
        let fee = U256::from(tip * u128::from(used));
        let recipient = context.block.beneficiary();
        context.journaled_state.pay_fee(recipient, fee).map_err(EVMError::Database)
    }
}

/// An instruction that looks at a balance.
fn observing(
    context: InstructionContext<'_, MachineContext, EthInterpreter>,
    instruction: fn(InstructionContext<'_, MachineContext, EthInterpreter>) -> InstructionExecResult,
) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    host.journaled_state.is_observing = !Canary::BlindLook.sings();
    let result = instruction(InstructionContext { interpreter, host: &mut *host });
    host.journaled_state.is_observing = false;
    result
}

fn balance(context: InstructionContext<'_, MachineContext, EthInterpreter>) -> InstructionExecResult {
    observing(context, host::balance)
}

fn selfbalance(context: InstructionContext<'_, MachineContext, EthInterpreter>) -> InstructionExecResult {
    observing(context, host::selfbalance)
}

fn create(context: InstructionContext<'_, MachineContext, EthInterpreter>) -> InstructionExecResult {
    observing(context, contract::create::<false, _, _>)
}

fn create2(context: InstructionContext<'_, MachineContext, EthInterpreter>) -> InstructionExecResult {
    observing(context, contract::create::<true, _, _>)
}

fn instructions(spec: SpecId) -> EthInstructions<EthInterpreter, MachineContext> {
    let mut table = instruction_table();
    remember_hashes(&mut table);
    table[usize::from(opcode::BALANCE)] = Instruction::new(balance);
    table[usize::from(opcode::SELFBALANCE)] = Instruction::new(selfbalance);
    // From EIP-8037 on the creator's balance and nonce are looked at here, before the created contract's frame does.
    if spec.is_enabled_in(SpecId::AMSTERDAM) {
        table[usize::from(opcode::CREATE)] = Instruction::new(create);
        table[usize::from(opcode::CREATE2)] = Instruction::new(create2);
    }
    EthInstructions::new(table, gas_table_spec(spec), spec)
}

impl Machine {
    fn new(block: u64, env: &EvmEnv) -> Box<Self> {
        let spec = env.cfg_env.spec;
        let context: MachineContext = Context::new(TransactionDatabase::new(), spec);
        let evm = Evm::new(context, instructions(spec), EthPrecompiles::new(spec));
        let mut machine = Box::new(Self { evm, block });
        machine.set_block(block, env);
        machine
    }

    fn set_block(&mut self, block: u64, env: &EvmEnv) {
        let spec = env.cfg_env.spec;
        if self.evm.instruction.spec != spec {
            self.evm.instruction = instructions(spec);
            self.evm.precompiles = EthPrecompiles::new(spec);
            // The addresses of the precompiles are warm; the handler only adds those of another set.
            self.evm.ctx.journaled_state.warm_precompiles(self.evm.precompiles.warm_addresses());
        }
        let cfg = env.cfg_env.clone();
        self.evm.ctx.modify_cfg(|kept| *kept = cfg);
        self.evm.ctx.block = env.block_env.clone();
        self.block = block;
    }

    /// Whom a transaction pays with its own value.
    fn paid(tx: &TxEnv, spec: SpecId) -> Option<Address> {
        match tx.kind {
            // EIP-2780 asks whether the recipient is empty before it is paid.
            TxKind::Call(to) if !tx.value.is_zero() && !spec.is_enabled_in(SpecId::AMSTERDAM) => Some(to),
            _ => None,
        }
    }

    /// Makes `tx` the transaction at hand.
    pub(crate) fn set_transaction(&mut self, tx: &TxEnv) {
        self.evm.ctx.tx.clone_from(tx);
    }

    /// Executes the transaction at hand. Its changes stay in the [journal](Self::journal) until the next one.
    pub(crate) fn run(&mut self, is_exact: bool) -> Result<ExecutionResult, MachineError> {
        let spec = self.evm.ctx.cfg.spec;
        let context = &mut self.evm.ctx;
        context.error = Ok(());
        let paid = Self::paid(&context.tx, spec);
        let least = if is_exact { None } else { least_holdings(&context.tx, &context.cfg) };
        let sender = least.map(|least| (context.tx.caller, least));
        context.journaled_state.begin(paid, sender, is_exact);
        WeftHandler.run(&mut self.evm)
    }

    /// The block's header, as far as the machine knows it.
    pub(crate) fn block(&self) -> &BlockEnv {
        &self.evm.ctx.block
    }

    /// The chain's rules.
    pub(crate) fn cfg(&self) -> &CfgEnv {
        &self.evm.ctx.cfg
    }

    /// Whether there is a precompile at an address.
    pub(crate) fn is_precompile(&self, address: &Address) -> bool {
        PrecompileProvider::<MachineContext>::contains(&self.evm.precompiles, address)
    }

    /// The gas that the transaction at hand uses before anything runs. `None` where it is invalid by its own fields.
    pub(crate) fn initial_gas(&mut self) -> Option<InitialAndFloorGas> {
        WeftHandler.validate_env(&mut self.evm).ok()?;
        WeftHandler.validate_initial_tx_gas(&mut self.evm).ok()
    }

    /// Forgets what the last transaction has loaded and changed: nothing comes of it.
    pub(crate) fn discard(&mut self) {
        if !Canary::LeaveLoaded.sings() {
            self.journal().inner.state.clear();
        }
    }

    /// What the last transaction has loaded and changed.
    pub(crate) fn journal(&mut self) -> &mut DeferringJournal {
        &mut self.evm.ctx.journaled_state
    }
}
