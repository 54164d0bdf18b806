//! The little of Solidity's calling convention that the benches need.

use revm::primitives::{Address, Bytes, U256, keccak256};

/// One argument of static type.
pub(super) trait Word {
    fn word(&self) -> [u8; 32];
}

impl Word for U256 {
    fn word(&self) -> [u8; 32] {
        self.to_be_bytes()
    }
}

impl Word for Address {
    fn word(&self) -> [u8; 32] {
        self.into_word().0
    }
}

impl Word for i32 {
    fn word(&self) -> [u8; 32] {
        // Sign-extended, as two's complement asks for.
        let mut word = [if *self < 0 { 0xff } else { 0 }; 32];
        word[28..].copy_from_slice(&self.to_be_bytes());
        word
    }
}

impl Word for u64 {
    fn word(&self) -> [u8; 32] {
        U256::from(*self).to_be_bytes()
    }
}

/// A call of the function with this signature. A tuple of static types is its members one after another.
pub(super) fn call(signature: &str, arguments: &[&dyn Word]) -> Bytes {
    let mut data = keccak256(signature)[..4].to_vec();
    data.extend(arguments.iter().flat_map(|argument| argument.word()));
    data.into()
}

/// A contract's initcode with static constructor arguments.
pub(super) fn deploy(initcode: &Bytes, arguments: &[&dyn Word]) -> Bytes {
    let mut data = initcode.to_vec();
    data.extend(arguments.iter().flat_map(|argument| argument.word()));
    data.into()
}

/// A text of fewer than 32 bytes as the dynamic part of a call: its length, then its padded bytes.
pub(super) fn text(text: &str) -> [U256; 2] {
    debug_assert!(text.len() < 32, "one word holds the text");
    let mut word = [0; 32];
    word[..text.len()].copy_from_slice(text.as_bytes());
    [U256::from(text.len()), U256::from_be_bytes(word)]
}
