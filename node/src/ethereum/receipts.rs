//! Receipts of a block, and what its header says of them.

use alloy_consensus::proofs::calculate_receipt_root;
use alloy_consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, TxReceipt, TxType};
use alloy_primitives::{B256, Bloom};
use revm::context::result::ExecutionResult;
use revm::primitives::hardfork::SpecId;

/// A field of a header that its block does not give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderMismatch {
    /// The gas of all transactions.
    #[error("gas used: {actual} instead of the header's {expected}")]
    GasUsed {
        /// The header's.
        expected: u64,
        /// What the transactions used.
        actual: u64,
    },
    /// The filter over all logs.
    #[error("logs bloom: {actual} instead of the header's {expected}")]
    LogsBloom {
        /// The header's.
        expected: Box<Bloom>,
        /// That of the logs.
        actual: Box<Bloom>,
    },
    /// The root of all receipts.
    #[error("receipts root: {actual} instead of the header's {expected}")]
    ReceiptsRoot {
        /// The header's.
        expected: B256,
        /// That of the receipts.
        actual: B256,
    },
}

/// The receipts of a block's results, each with the gas of all up to it.
#[must_use]
pub fn receipts(types: &[TxType], results: &[ExecutionResult]) -> Vec<ReceiptEnvelope> {
    let mut cumulative_gas_used = 0;
    let of_one = |(kind, result): (&TxType, &ExecutionResult)| {
        cumulative_gas_used += result.tx_gas_used();
        let receipt = Receipt {
            status: Eip658Value::Eip658(result.is_success()),
            cumulative_gas_used,
            logs: result.logs().to_vec(),
        };
        let receipt = receipt.with_bloom();
        match kind {
            TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
            TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
            TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
            TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
            TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
        }
    };
    types.iter().zip(results).map(of_one).collect()
}

/// All that the receipts contradict the header in.
///
/// Before Byzantium a receipt holds the root of the state after its transaction, which a prestate does not give: the root
/// of the receipts is not compared there, only gas and logs are.
#[must_use]
pub fn mismatches(header: &Header, spec: SpecId, receipts: &[ReceiptEnvelope]) -> Vec<HeaderMismatch> {
    let mut mismatches = Vec::new();
    let gas_used = receipts.last().map_or(0, TxReceipt::cumulative_gas_used);
    if gas_used != header.gas_used {
        mismatches.push(HeaderMismatch::GasUsed { expected: header.gas_used, actual: gas_used });
    }
    let bloom = receipts.iter().fold(Bloom::ZERO, |all, receipt| all | receipt.bloom());
    if bloom != header.logs_bloom {
        let (expected, actual) = (Box::new(header.logs_bloom), Box::new(bloom));
        mismatches.push(HeaderMismatch::LogsBloom { expected, actual });
    }
    if spec.is_enabled_in(SpecId::BYZANTIUM) {
        let root = calculate_receipt_root(receipts);
        if root != header.receipts_root {
            mismatches.push(HeaderMismatch::ReceiptsRoot { expected: header.receipts_root, actual: root });
        }
    }
    mismatches
}
