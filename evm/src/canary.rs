//! Deliberate bugs, compiled in only with the feature `canary` and switched on one at a time by the environment
//! variable `WEFT_CANARY`. Each of them must make some test fail: that shows that the tests can fail. The list and
//! the test that catches each is in `docs/canaries.md`.

/// A deliberate bug of the Ethereum machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canary {
    /// The fee is not paid where the fee recipient is loaded without its balance.
    LostFee,
    /// To be paid a fee of nothing does not count as being touched.
    FeeOfNothing,
    /// Who was looked at after all gets what it was paid, and what it had, as a credit.
    CreditTwice,
    /// Who looks at a balance that was deferred sees the stand-in.
    BlindLook,
    /// An account that is destroyed or cleared stays in its generation.
    KeepGeneration,
    /// An account that is created stays in the generation of what was there.
    CreateInPlace,
    /// Who had something before the block counts as not empty, even when it was destroyed since.
    FundedForever,
    /// An empty account that a payment has touched, but did not reach, is not cleared.
    KeepEmpty,
    /// A transfer is executed whatever the sender's nonce is.
    AnyNonce,
    /// A transaction whose sender was not looked at may have any nonce.
    AssumeNonce,
    /// A transaction whose sender was not looked at need not be paid for.
    AssumeBalance,
    /// Who looks at the balance of a sender that was not looked at sees what the transaction needs of it.
    BlindSender,
    /// A transfer that is too much for its recipient is not undone before the machine decides.
    KeepTransfer,
    /// A payment to a deferred account that turns out to be too much is the end of its transaction.
    FailAtOverflow,
    /// Code that the block has deployed is looked for in the database once the account has changed again.
    ForgetDeployed,
    /// Code that an undone execution has taken away is remembered as empty code.
    RememberNoCode,
    /// What an execution without a result has loaded is left to the next transaction of its thread.
    LeaveLoaded,
    /// A thread takes the accounts of one block's database for those of another's.
    OldAccounts,
    /// Plain revm reads from the database what a parallel stretch before it has written to a slot.
    ForgetBelow,
    /// Of what two parallel stretches have changed below plain revm's journal the first one's stays.
    KeepBelow,
    /// Of a slot in the kept journal and in the parallel stretch that followed, the journal's value may stay.
    StaleBelow,
    /// The slots of an account that was destroyed, which the kept journal still has, come back with the account.
    DestroyedBelow,
    /// A hash is taken for that of another input if only the second halves are equal.
    HalfHash,
}

impl Canary {
    #[cfg(not(feature = "canary"))]
    pub(crate) const fn sings(self) -> bool {
        false
    }

    #[cfg(feature = "canary")]
    pub(crate) fn sings(self) -> bool {
        use std::sync::OnceLock;
        static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| std::env::var("WEFT_CANARY").ok());
        chosen.as_deref() == Some(&format!("{self:?}"))
    }
}
