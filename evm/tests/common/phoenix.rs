//! A contract that is destroyed and made anew at the same address.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use revm::bytecode::opcode as op;

use super::asm::Asm;

/// Where the [`factory`] is.
pub(crate) const FACTORY: Address = Address::repeat_byte(0xfa);

/// Counts its calls in slot 0; called with data it destroys itself and pays the caller.
pub(crate) fn runtime() -> Bytes {
    let mut code = Asm::default();
    code.op(op::CALLDATASIZE);
    let destroy = code.jump_if();
    code.push(0).op(op::SLOAD).push(1).op(op::ADD).push(0).op(op::SSTORE).op(op::STOP);
    code.land(destroy);
    code.op(op::CALLER).op(op::SELFDESTRUCT);
    code.finish()
}

/// Deploys [`runtime`], with 7 in slot 1.
pub(crate) fn init() -> Bytes {
    let runtime = runtime();
    let mut code = Asm::default();
    code.push(7).push(1).op(op::SSTORE);
    code.push(runtime.len()).push_offset(&runtime).push(0).op(op::CODECOPY);
    code.push(runtime.len()).push(0).op(op::RETURN);
    code.finish()
}

/// Creates a contract with the code that it is called with.
pub(crate) fn factory() -> Bytes {
    let mut code = Asm::default();
    code.op(op::CALLDATASIZE).push(0).push(0).op(op::CALLDATACOPY);
    code.push(0).op(op::CALLDATASIZE).push(0).op(op::CALLVALUE).op(op::CREATE2);
    code.finish()
}

/// The contract that the [`factory`] at [`FACTORY`] makes of [`init`], time and again.
pub(crate) fn child() -> Address {
    FACTORY.create2(B256::ZERO, keccak256(init()))
}

/// Creates a contract as [`factory`] does, and has it destroy itself at once.
pub(crate) fn flash_factory() -> Bytes {
    let mut code = Asm::default();
    code.op(op::CALLDATASIZE).push(0).push(0).op(op::CALLDATACOPY);
    code.push(0).push(0).push(1).push(0).push(0);
    code.push(0).op(op::CALLDATASIZE).push(0).op(op::CALLVALUE).op(op::CREATE2);
    code.op(op::GAS).op(op::CALL);
    code.finish()
}
