//! Whether a case comes out as its file says.

use alloy_primitives::B256;
use revm::context::result::InvalidTransaction;

use crate::case::Case;
use crate::common::path::{Path, Refused};
use crate::root::{logs_hash, state_root};

/// How a case went that is as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The transaction was executed.
    Executed,
    /// The transaction is invalid, and was found to be.
    Rejected,
}

/// Runs `case` as a block of one.
///
/// # Errors
/// In what it differs from the file.
pub(crate) fn check(case: &Case, path: &Path) -> Result<Passed, String> {
    let env = case.env.as_ref().ok_or_else(|| format!("revm has no {}", case.fork))?;
    let tx = match (&case.tx, &case.exception) {
        (Ok(tx), _) => tx,
        (Err(none), Some(exception)) if !none.decodes => {
            if unreadable(exception) {
                return same_root(case, state_root(&case.pre));
            }
            return Err(format!("expected {exception}, and the transaction cannot be decoded: {}", none.reason));
        }
        (Err(none), _) => return Err(format!("no transaction: {}", none.reason)),
    };
    match (path.execute(env, &case.pre, std::slice::from_ref(tx)), &case.exception) {
        (Ok(outcome), None) => {
            let logs = logs_hash(outcome.results[0].logs());
            if logs != case.logs {
                return Err(format!("logs hash {logs} instead of {}", case.logs));
            }
            same_root(case, state_root(&outcome.world))?;
            Ok(Passed::Executed)
        }
        (Ok(_), Some(exception)) => Err(format!("not rejected; expected {exception}")),
        (Err(refused), None) => Err(refused.to_string()),
        (Err(refused), Some(exception)) => match &refused {
            Refused::Invalid(0, error) if is_expected(error, exception) => same_root(case, state_root(&case.pre)),
            _ => Err(format!("{refused}; expected {exception}")),
        },
    }
}

fn same_root(case: &Case, root: B256) -> Result<Passed, String> {
    if root == case.root { Ok(Passed::Rejected) } else { Err(format!("state root {root} instead of {}", case.root)) }
}

/// Whether an exception is one that a decoder finds. `exception` may name several, of which one suffices.
fn unreadable(exception: &str) -> bool {
    names(exception).any(|name| matches!(name, "RLP_INVALID_VALUE" | "TYPE_3_TX_CONTRACT_CREATION"))
}

/// Whether revm says what the file expects.
fn is_expected(error: &InvalidTransaction, exception: &str) -> bool {
    use InvalidTransaction as Is;
    let expected: &[&str] = match error {
        Is::CallerGasLimitMoreThanBlock => &["GAS_ALLOWANCE_EXCEEDED"],
        Is::CreateInitCodeSizeLimit => &["INITCODE_SIZE_EXCEEDED"],
        Is::LackOfFundForMaxFee { .. } => &["INSUFFICIENT_ACCOUNT_FUNDS"],
        Is::OverflowPaymentInTransaction => &["GASLIMIT_PRICE_PRODUCT_OVERFLOW", "INSUFFICIENT_ACCOUNT_FUNDS"],
        Is::CallGasCostMoreThanGasLimit { .. } => &["INTRINSIC_GAS_TOO_LOW"],
        Is::BlobGasPriceGreaterThanMax { .. } => &["INSUFFICIENT_MAX_FEE_PER_BLOB_GAS"],
        Is::GasPriceLessThanBasefee => &["INSUFFICIENT_MAX_FEE_PER_GAS"],
        Is::NonceOverflowInTransaction => &["NONCE_IS_MAX"],
        Is::PriorityFeeGreaterThanMaxFee => &["PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS"],
        Is::RejectCallerWithCode => &["SENDER_NOT_EOA"],
        Is::TooManyBlobs { .. } => &["TYPE_3_TX_BLOB_COUNT_EXCEEDED"],
        Is::BlobCreateTransaction => &["TYPE_3_TX_CONTRACT_CREATION"],
        Is::BlobVersionNotSupported => &["TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH"],
        Is::EmptyBlobs => &["TYPE_3_TX_ZERO_BLOBS"],
        Is::Eip4844NotSupported => &["TYPE_3_TX_PRE_FORK"],
        _ => &[],
    };
    names(exception).any(|name| expected.contains(&name))
}

fn names(exception: &str) -> impl Iterator<Item = &str> {
    exception.split('|').map(|name| name.trim().trim_start_matches("TransactionException."))
}
