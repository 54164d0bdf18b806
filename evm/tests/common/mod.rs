//! What the tests of the Ethereum paths share: a state that changes can be applied to, and an oracle that keeps nothing
//! from one transaction to the next.

pub(crate) mod oracle;
pub(crate) mod world;
