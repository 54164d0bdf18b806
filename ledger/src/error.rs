//! The ledger's error codes (spec 4.2).

use thiserror::Error;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// Why a transaction is not accepted. Each has the code and the name of spec 4.2.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
        #[error("{} (0x{:04x})", self.name(), self.code())]
        #[repr(u16)]
        pub enum TosError {
            $($(#[$doc])* $variant = $code,)*
        }

        impl TosError {
            /// Every error, in the order of the codes.
            pub const ALL: &'static [TosError] = &[$(TosError::$variant),*];

            /// The name in the specification.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// The bytes or the structure are malformed.
    InvalidFormat = 0x0100, "INVALID_FORMAT";
    /// The version is not accepted.
    InvalidVersion = 0x0101, "INVALID_VERSION";
    /// The transaction is for another chain.
    InvalidType = 0x0102, "INVALID_TYPE";
    /// A signature does not verify.
    InvalidSignature = 0x0103, "INVALID_SIGNATURE";
    /// A time is not accepted.
    InvalidTimestamp = 0x0104, "INVALID_TIMESTAMP";
    /// An amount is zero, not whole or too small.
    InvalidAmount = 0x0105, "INVALID_AMOUNT";
    /// An address is not accepted.
    InvalidAddress = 0x0106, "INVALID_ADDRESS";
    /// The payload breaks a rule of its type.
    InvalidPayload = 0x0107, "INVALID_PAYLOAD";
    /// The nonce is below the account's.
    NonceTooLow = 0x0110, "NONCE_TOO_LOW";
    /// The nonce is above the account's.
    NonceTooHigh = 0x0111, "NONCE_TOO_HIGH";
    /// The nonce is used twice.
    NonceDuplicate = 0x0112, "NONCE_DUPLICATE";
    /// The source may not do this.
    Unauthorized = 0x0200, "UNAUTHORIZED";
    /// Too few participants have signed.
    MultisigThreshold = 0x0206, "MULTISIG_THRESHOLD";
    /// The balance does not cover amounts and fee.
    InsufficientBalance = 0x0300, "INSUFFICIENT_BALANCE";
    /// The fee is too low, or cannot be paid.
    InsufficientFee = 0x0301, "INSUFFICIENT_FEE";
    /// There is not enough energy for the fee.
    InsufficientEnergy = 0x0302, "INSUFFICIENT_ENERGY";
    /// Less is frozen than is to be unfrozen.
    InsufficientFrozen = 0x0303, "INSUFFICIENT_FROZEN";
    /// A sum exceeds 2^64-1.
    Overflow = 0x0304, "OVERFLOW";
    /// A difference falls below zero.
    Underflow = 0x0305, "UNDERFLOW";
    /// The account does not exist.
    AccountNotFound = 0x0400, "ACCOUNT_NOT_FOUND";
    /// The account exists already.
    AccountExists = 0x0401, "ACCOUNT_EXISTS";
    /// The name or contract exists already.
    DomainExists = 0x0405, "DOMAIN_EXISTS";
    /// There is no such delegation.
    DelegationNotFound = 0x0407, "DELEGATION_NOT_FOUND";
    /// The delegation exists already.
    DelegationExists = 0x0408, "DELEGATION_EXISTS";
    /// Source and target are the same account.
    SelfOperation = 0x0409, "SELF_OPERATION";
    /// There is no such contract.
    ContractNotFound = 0x0500, "CONTRACT_NOT_FOUND";
    /// The contract reverted.
    ContractRevert = 0x0501, "CONTRACT_REVERT";
    /// The compute budget is used up.
    OutOfCu = 0x0502, "OUT_OF_CU";
    /// The contract has an invalid instruction.
    InvalidOpcode = 0x0503, "INVALID_OPCODE";
    /// The contract's stack overflowed.
    StackOverflow = 0x0504, "STACK_OVERFLOW";
    /// The contract's stack underflowed.
    StackUnderflow = 0x0505, "STACK_UNDERFLOW";
    /// The contract wants too much memory.
    MemoryLimit = 0x0506, "MEMORY_LIMIT";
    /// The ledger failed in itself.
    InternalError = 0xff00, "INTERNAL_ERROR";
    /// The transaction type has no rules here.
    NotImplemented = 0xff01, "NOT_IMPLEMENTED";
    /// Any other failure.
    Unknown = 0xffff, "UNKNOWN";
}

impl TosError {
    /// The numeric code.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The error with this code; `None` for 0 (success) and for codes outside the ledger.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_those_of_the_table() {
        assert_eq!(TosError::InvalidFormat.code(), 0x0100);
        assert_eq!(TosError::SelfOperation.code(), 0x0409);
        assert_eq!(TosError::NotImplemented.name(), "NOT_IMPLEMENTED");
        assert_eq!(TosError::InsufficientFee.to_string(), "INSUFFICIENT_FEE (0x0301)");
        assert_eq!(TosError::from_code(0), None);
        for error in TosError::ALL {
            assert_eq!(TosError::from_code(error.code()), Some(*error));
        }
    }
}
