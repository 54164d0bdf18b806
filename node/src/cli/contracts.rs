//! What a run says of the contracts that were deployed and called in it.

use serde::Serialize;
use weft_ledger::rules::CallEnd;
use weft_node::executor::ExecutedBlock;

use super::grouped;

/// Counts over the blocks of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Contracts {
    /// Deployments, those among them whose constructor failed.
    deployments: u64,
    /// Calls, those of constructors among them.
    calls: u64,
    /// Calls that ended with an exit code other than 0.
    reverted: u64,
    /// Calls that ended without exit code.
    trapped: u64,
    /// In atomic units.
    gas_used: u128,
    /// Of which so much was burned.
    gas_burned: u128,
    events: u64,
}

impl Contracts {
    /// Adds a block.
    pub(super) fn add(&mut self, block: &ExecutedBlock) {
        for (transaction, receipt) in block.transactions().iter().zip(block.receipts()) {
            let Some(contract) = &receipt.contract else { continue };
            let deploys = matches!(transaction.transaction().payload, weft_ledger::wire::Payload::DeployContract(_));
            self.deployments += u64::from(deploys);
            let Some(call) = &contract.call else { continue };
            self.calls += 1;
            match call.end {
                CallEnd::Success => {}
                CallEnd::Reverted { .. } => self.reverted += 1,
                CallEnd::Trapped(_) => self.trapped += 1,
            }
            self.gas_used += u128::from(call.gas_used);
            self.gas_burned += u128::from(call.gas_burned);
            self.events += call.events.len() as u64;
        }
    }

    /// Whether there were none.
    pub(super) const fn is_empty(&self) -> bool {
        self.deployments == 0 && self.calls == 0
    }

    /// The rows of the summary.
    pub(super) fn rows(&self) -> [(&'static str, String); 2] {
        let gas = |amount: u128| grouped(u64::try_from(amount).unwrap_or(u64::MAX));
        let calls = format!(
            "{}, of which {} reverted and {} trapped; {} deployments, {} events",
            grouped(self.calls),
            grouped(self.reverted),
            grouped(self.trapped),
            grouped(self.deployments),
            grouped(self.events)
        );
        [
            ("contract calls", calls),
            ("gas used", format!("{}, {} of it burned", gas(self.gas_used), gas(self.gas_burned))),
        ]
    }
}
