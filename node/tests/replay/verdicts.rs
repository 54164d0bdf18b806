//! Blocks against their headers.

use alloy_primitives::{B256, Bloom};
use revm::primitives::hardfork::SpecId;
use weft_engine::Mode;
use weft_node::ethereum::file::BlockFile;
use weft_node::ethereum::input::BlockInput;
use weft_node::ethereum::paths::ParallelPath;
use weft_node::ethereum::receipts::HeaderMismatch;
use weft_node::ethereum::replay::{Finding, Replay, Replayer, Side};

use crate::ethereum::{BEFORE_BYZANTIUM, LOGGING, account, block, empty, legacy, right};

/// Replays a block on the sequential path alone, and on the parallel one in both modes: what is found is the same.
fn replay(file: &BlockFile) -> Replay {
    let input = BlockInput::new(file.clone(), 2).unwrap();
    let alone = Replayer::new(None, 1).replay(&input);
    for mode in [Mode::Optimistic, Mode::Auto] {
        for threads in [1, 2, 8] {
            let both = Replayer::new(Some(Box::new(ParallelPath::new(mode, threads))), 2).replay(&input);
            let texts = |replay: &Replay| replay.findings.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(texts(&both), texts(&alone), "{mode:?}, {threads} threads");
            assert!(both.parallel.is_some() || !both.passed());
        }
    }
    alone
}

#[track_caller]
fn mismatch(file: &BlockFile) -> HeaderMismatch {
    let mut findings = replay(file).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    match findings.remove(0) {
        Finding::Header { side: Side::Sequential, mismatch } => mismatch,
        other => panic!("{other}"),
    }
}

#[test]
fn a_right_header_passes() {
    let replay = replay(&right());
    assert!(replay.passed(), "{:?}", replay.findings);
    assert_eq!((replay.transactions, replay.spec), (3, SpecId::LONDON));
    assert_eq!(replay.speed_up(), None);
}

#[test]
fn a_block_without_transactions_passes() {
    let replay = replay(&empty());
    assert!(replay.passed(), "{:?}", replay.findings);
    assert_eq!((replay.transactions, replay.gas), (0, 0));
}

#[test]
fn wrong_gas_is_found() {
    let mut file = right();
    let gas = file.block.header.inner.gas_used;
    file.block.header.inner.gas_used = gas + 1;
    assert_eq!(mismatch(&file), HeaderMismatch::GasUsed { expected: gas + 1, actual: gas });
}

#[test]
fn a_wrong_bloom_is_found() {
    let mut file = right();
    let actual = std::mem::replace(&mut file.block.header.inner.logs_bloom, Bloom::ZERO);
    assert_eq!(mismatch(&file), HeaderMismatch::LogsBloom { expected: Box::default(), actual: Box::new(actual) });
}

#[test]
fn a_wrong_receipts_root_is_found() {
    let mut file = right();
    let expected = B256::repeat_byte(3);
    let actual = std::mem::replace(&mut file.block.header.inner.receipts_root, expected);
    assert_eq!(mismatch(&file), HeaderMismatch::ReceiptsRoot { expected, actual });
}

#[test]
fn before_byzantium_gas_and_logs_are_compared_and_the_root_is_not() {
    let mut file = block(BEFORE_BYZANTIUM, vec![legacy(1, 0, account(2))]);
    file.block.header.inner.gas_used = 21_000;
    file.block.header.inner.receipts_root = B256::repeat_byte(3);
    assert!(replay(&file).passed());
    file.block.header.inner.logs_bloom = Bloom::repeat_byte(1);
    assert!(matches!(mismatch(&file), HeaderMismatch::LogsBloom { .. }));
    file.block.header.inner.logs_bloom = Bloom::ZERO;
    file.block.header.inner.gas_used = 20_999;
    assert!(matches!(mismatch(&file), HeaderMismatch::GasUsed { expected: 20_999, actual: 21_000 }));
}

#[test]
fn a_log_that_the_header_does_not_know_of_is_found() {
    let mut file = right();
    // The same gas without the log would need another contract; the log itself goes to another topic here.
    let code = file.prestate.get_mut(&LOGGING).unwrap();
    let mut bytes = code.code.to_vec();
    bytes[1] = 8;
    code.code = bytes.into();
    let findings = replay(&file).findings;
    let kinds: Vec<_> = findings
        .iter()
        .map(|finding| match finding {
            Finding::Header { mismatch, .. } => std::mem::discriminant(mismatch),
            other => panic!("{other}"),
        })
        .collect();
    let bloom = HeaderMismatch::LogsBloom { expected: Box::default(), actual: Box::default() };
    let root = HeaderMismatch::ReceiptsRoot { expected: B256::ZERO, actual: B256::ZERO };
    assert_eq!(kinds, [std::mem::discriminant(&bloom), std::mem::discriminant(&root)]);
}

#[test]
fn an_invalid_transaction_is_named() {
    // Its nonce comes too early.
    let file = block(crate::ethereum::LONDON, vec![legacy(1, 0, account(2)), legacy(1, 2, account(2))]);
    let findings = replay(&file).findings;
    let [Finding::Failed { side: Side::Sequential, source }] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(source.to_string().contains("transaction 1"), "{source}");
}
