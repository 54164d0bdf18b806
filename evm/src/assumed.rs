//! What a transaction shows of its sender: that he has its nonce, and enough for it.
//!
//! Otherwise it would be invalid, and with it the block. So a valid transaction can be executed without a look at what its
//! sender has; what it takes of that is a [delta](crate::holdings_delta::HoldingsDelta) which says what must have been
//! there. Transactions of one sender, or of somebody who is paid just before, need not wait for each other.

use alloy_primitives::U256;
use revm::context::{CfgEnv, TxEnv};
use revm::context_interface::Cfg;
use revm::context_interface::transaction::{Transaction, TransactionType};
use revm::primitives::hardfork::SpecId;

use crate::state::Holdings;

/// Whether the rules are the usual ones: a transaction without the right nonce, or enough to pay for it, is invalid.
#[inline]
pub(crate) fn has_usual_rules(cfg: &CfgEnv) -> bool {
    !cfg.is_fee_charge_disabled()
        && !cfg.is_balance_check_disabled()
        && !cfg.is_nonce_check_disabled()
        && !cfg.is_eip3607_disabled()
}

/// Whether a transaction shows as much of its sender as is needed to execute it. Not if it creates a contract, or may delegate
/// accounts (EIP-7702): then it looks at what he has. Nor before EIP-161, where it matters whether an account that has nothing
/// exists.
#[inline]
pub(crate) fn shows_its_sender(tx: &TxEnv, cfg: &CfgEnv) -> bool {
    use TransactionType::{Eip1559, Eip2930, Eip4844, Legacy};
    let is_usual_kind = matches!(TransactionType::from(tx.tx_type), Legacy | Eip2930 | Eip1559 | Eip4844);
    is_usual_kind && tx.kind.is_call() && has_usual_rules(cfg) && cfg.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
}

/// The nonce that the sender of a valid transaction has, and the least that his balance can be. `None` where it does
/// [not show](shows_its_sender), where it may be nothing at all, and for numbers that do not occur.
pub(crate) fn least_holdings(tx: &TxEnv, cfg: &CfgEnv) -> Option<Holdings> {
    let balance = shows_its_sender(tx, cfg).then(|| tx.max_balance_spending().ok()).flatten()?;
    let is_usual = !balance.is_zero() && balance < U256::from(i128::MAX) && tx.nonce < u64::from(u32::MAX);
    is_usual.then_some(Holdings { balance, nonce: tx.nonce })
}
