//! The report of `weft replay`: a line a block, and sums.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use weft_node::ethereum::replay::{Replay, speed_up};

use super::{grouped, table};

/// Blocks with more gas than this are summed up apart: in the small ones there is little to do in parallel.
const LARGE: u64 = 4_000_000;

/// What came of a file.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    file: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    block: Option<Block>,
    passed: bool,
    findings: Vec<String>,
}

/// A block that could be read.
#[derive(Debug, Serialize)]
struct Block {
    number: u64,
    fork: &'static str,
    transactions: usize,
    gas: u64,
    sequential_ms: f64,
    parallel_ms: Option<f64>,
    speed_up: Option<f64>,
    executions_per_transaction: Option<f64>,
    #[serde(skip)]
    sequential: Duration,
    #[serde(skip)]
    parallel: Option<Duration>,
}

impl Entry {
    pub(super) fn replayed(file: &Path, replay: &Replay) -> Self {
        let block = Block {
            number: replay.number,
            fork: replay.spec.into(),
            transactions: replay.transactions,
            gas: replay.gas,
            sequential_ms: milliseconds(replay.sequential),
            parallel_ms: replay.parallel.map(|parallel| milliseconds(parallel.time)),
            speed_up: replay.speed_up(),
            executions_per_transaction: replay.parallel.map(|parallel| parallel.executions),
            sequential: replay.sequential,
            parallel: replay.parallel.map(|parallel| parallel.time),
        };
        let findings = replay.findings.iter().map(ToString::to_string).collect();
        Self { file: file.display().to_string(), block: Some(block), passed: replay.passed(), findings }
    }

    pub(super) fn unreadable(file: &Path, error: &dyn Display) -> Self {
        Self { file: file.display().to_string(), block: None, passed: false, findings: vec![error.to_string()] }
    }
}

/// What came of all files.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    blocks: Vec<Entry>,
    summary: Summary,
}

/// Sums over the blocks that passed: what failed counts for nothing, whatever time it took.
#[derive(Debug, Serialize)]
struct Summary {
    passed: usize,
    failed: usize,
    transactions: usize,
    gas: u64,
    sequential_ms: f64,
    parallel_ms: Option<f64>,
    speed_up: Option<f64>,
    executions_per_transaction: Option<f64>,
    /// Of the blocks with more than [`LARGE`] gas.
    large_blocks: usize,
    speed_up_of_large_blocks: Option<f64>,
    /// The block that gains the least, by its number.
    worst_block: Option<u64>,
    worst_speed_up: Option<f64>,
}

impl Summary {
    fn new(entries: &[Entry]) -> Self {
        let blocks: Vec<&Block> =
            entries.iter().filter(|entry| entry.passed).filter_map(|entry| entry.block.as_ref()).collect();
        let large: Vec<&Block> = blocks.iter().filter(|block| block.gas > LARGE).copied().collect();
        let times = times(&blocks);
        let parallel = times.map(|(_, parallel)| parallel);
        let transactions: usize = blocks.iter().map(|block| block.transactions).sum();
        let of_block = |block: &&Block| block.executions_per_transaction.map(|per| per * block.transactions as f64);
        let executions: f64 = blocks.iter().filter_map(of_block).sum();
        // Nothing is gained or lost in a block without transactions.
        let gains = blocks.iter().filter(|block| block.transactions > 0);
        let worst = gains
            .filter_map(|block| block.speed_up.map(|speed_up| (block.number, speed_up)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        Self {
            passed: blocks.len(),
            failed: entries.len() - blocks.len(),
            transactions,
            gas: blocks.iter().map(|block| block.gas).sum(),
            sequential_ms: milliseconds(blocks.iter().map(|block| block.sequential).sum()),
            parallel_ms: parallel.map(milliseconds),
            speed_up: times.map(|(sequential, parallel)| speed_up(sequential, parallel)),
            executions_per_transaction: parallel.map(|_| executions / transactions.max(1) as f64),
            large_blocks: large.len(),
            speed_up_of_large_blocks: self::times(&large).map(|(sequential, parallel)| speed_up(sequential, parallel)),
            worst_block: worst.map(|(number, _)| number),
            worst_speed_up: worst.map(|(_, speed_up)| speed_up),
        }
    }
}

/// The sums of both paths, where both were taken.
fn times(blocks: &[&Block]) -> Option<(Duration, Duration)> {
    let pairs = blocks.iter().map(|block| block.parallel.map(|parallel| (block.sequential, parallel)));
    let pairs = pairs.collect::<Option<Vec<_>>>().filter(|pairs| !pairs.is_empty())?;
    Some(pairs.into_iter().fold(Default::default(), |(a, b), (sequential, parallel)| (a + sequential, b + parallel)))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Report {
    pub(super) fn new(blocks: Vec<Entry>) -> Self {
        let summary = Summary::new(&blocks);
        Self { blocks, summary }
    }

    pub(super) fn failed(&self) -> usize {
        self.summary.failed
    }

    /// For people: a line a block, below it what is wrong, and the sums. The last line says how many passed.
    pub(super) fn in_a_table(&self) -> String {
        let mut table = table::with_header(&[
            "block",
            "fork",
            "txs",
            "gas",
            "sequential ms",
            "parallel ms",
            "× sequential",
            "executions/tx",
            "verdict",
        ]);
        for entry in &self.blocks {
            let verdict = if entry.passed { "passed" } else { "FAILED" }.to_owned();
            table.add_row(match &entry.block {
                Some(block) => [
                    block.number.to_string(),
                    block.fork.to_owned(),
                    grouped(block.transactions as u64),
                    grouped(block.gas),
                    number(Some(block.sequential_ms), 2),
                    number(block.parallel_ms, 2),
                    number(block.speed_up, 2),
                    number(block.executions_per_transaction, 3),
                    verdict,
                ],
                None => {
                    let mut cells: [String; 9] = Default::default();
                    cells[0].clone_from(&entry.file);
                    cells[8] = verdict;
                    cells
                }
            });
        }
        let mut lines = vec![table.to_string()];
        for entry in &self.blocks {
            let of = |block: &Block| format!("{}: block {}: ", entry.file, block.number);
            let prefix = entry.block.as_ref().map(of).unwrap_or_default();
            lines.extend(entry.findings.iter().map(|finding| format!("    FAILED {prefix}{finding}")));
        }
        let summary = &self.summary;
        lines.push(table::of_pairs(&summary.pairs()).to_string());
        lines.push(format!("{} passed, {} failed", summary.passed, summary.failed));
        lines.join("\n")
    }
}

impl Summary {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("transactions", grouped(self.transactions as u64)),
            ("gas", grouped(self.gas)),
            ("sequential", format!("{:.2} ms", self.sequential_ms)),
        ];
        if let Some(parallel) = self.parallel_ms {
            pairs.push(("parallel", format!("{parallel:.2} ms")));
            pairs.push(("executions per transaction", number(self.executions_per_transaction, 3)));
            pairs.push(("speed-up of the sum", format!("{} ×", number(self.speed_up, 2))));
        }
        if let Some(speed_up) = self.speed_up_of_large_blocks {
            let blocks = format!("{speed_up:.2} × ({} blocks)", self.large_blocks);
            pairs.push(("speed-up above 4 M gas", blocks));
        }
        if let (Some(worst), Some(speed_up)) = (self.worst_block, self.worst_speed_up) {
            pairs.push(("worst block", format!("{worst}, {speed_up:.2} ×")));
        }
        pairs
    }
}

fn number(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
}
