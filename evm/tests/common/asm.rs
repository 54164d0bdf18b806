//! Bytecode, put together by hand.

use alloy_primitives::{Address, Bytes, U256};
use revm::bytecode::opcode as op;

/// Code that is being written.
#[derive(Debug, Default)]
pub(crate) struct Asm {
    code: Vec<u8>,
    data: Vec<(Hole, Bytes)>,
}

/// A two-byte operand that is not known yet.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hole(usize);

impl Asm {
    pub(crate) fn op(&mut self, op: u8) -> &mut Self {
        self.code.push(op);
        self
    }

    pub(crate) fn ops(&mut self, ops: &[u8]) -> &mut Self {
        self.code.extend(ops);
        self
    }

    /// The shortest push that every fork has.
    pub(crate) fn push(&mut self, value: impl TryInto<U256, Error: std::fmt::Debug>) -> &mut Self {
        let value: U256 = value.try_into().unwrap();
        let bytes = value.to_be_bytes_trimmed_vec();
        let bytes = if bytes.is_empty() { vec![0] } else { bytes };
        self.code.push(op::PUSH1 + bytes.len() as u8 - 1);
        self.code.extend(bytes);
        self
    }

    pub(crate) fn push_address(&mut self, address: Address) -> &mut Self {
        self.push(U256::from_be_slice(address.as_slice()))
    }

    /// Pushes the offset of `data`, which will stand behind the code.
    pub(crate) fn push_offset(&mut self, data: &Bytes) -> &mut Self {
        let hole = self.push_hole();
        self.data.push((hole, data.clone()));
        self
    }

    /// Goes to where the hole is filled if the top of the stack is not zero.
    pub(crate) fn jump_if(&mut self) -> Hole {
        let hole = self.push_hole();
        self.op(op::JUMPI);
        hole
    }

    /// Here go the jumps of `hole`.
    pub(crate) fn land(&mut self, hole: Hole) {
        self.fill(&hole, self.code.len());
        self.op(op::JUMPDEST);
    }

    pub(crate) fn finish(mut self) -> Bytes {
        for (hole, data) in std::mem::take(&mut self.data) {
            self.fill(&hole, self.code.len());
            self.code.extend(&data);
        }
        self.code.into()
    }

    fn push_hole(&mut self) -> Hole {
        self.op(op::PUSH2).ops(&[0, 0]);
        Hole(self.code.len() - 2)
    }

    fn fill(&mut self, hole: &Hole, position: usize) {
        let position = u16::try_from(position).expect("the code of a test is short");
        self.code[hole.0..hole.0 + 2].copy_from_slice(&position.to_be_bytes());
    }
}
