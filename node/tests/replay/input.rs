//! From files to what revm takes: errors name the file, the block and the transaction.

use std::fs;

use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::BlockTransactions;
use revm::primitives::hardfork::SpecId;
use weft_node::ethereum::file::{BlockFile, BlockFileError};
use weft_node::ethereum::input::{BlockError, BlockInput, InputError};

use crate::ethereum::{LONDON, account, block, empty, legacy, right};

#[test]
fn a_file_reads_as_it_was_written_gzipped_or_not() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["block.json", "block.json.gz"] {
        let path = folder.path().join(name);
        right().write(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]), name.ends_with(".gz"), "{name}");
        let input = BlockInput::read(&path, 2).unwrap();
        assert_eq!((input.header.number, input.transactions.len(), input.types.len()), (LONDON, 3, 3), "{name}");
        let callers: Vec<Address> = input.transactions.iter().map(|transaction| transaction.caller).collect();
        assert_eq!(callers, [account(1), account(2), account(3)], "{name}");
        assert_eq!(input.spec(), SpecId::LONDON);
        assert_eq!(input.env.cfg_env.chain_id, 1);
        assert_eq!(input.env.block_env.basefee, 7);
    }
}

#[test]
fn what_is_no_block_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.json.gz");
    right().write(&whole).unwrap();
    let gzip = fs::read(&whole).unwrap();
    let mut damaged = gzip.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let plain = serde_json::to_vec(&right()).unwrap();
    for (name, bytes, is_io) in [
        ("cut.json.gz", &gzip[..gzip.len() / 2], true),
        ("damaged.json.gz", &damaged[..], true),
        ("head.json.gz", &gzip[..2], true),
        ("cut.json", &plain[..plain.len() / 2], false),
        ("other.json", b"{}", false),
        ("empty.json", b"", false),
        ("binary.json", &[0xff, 0xfe, 0x00], false),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = BlockInput::read(&path, 1).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        match error {
            InputError::File(BlockFileError::Io { .. }) => assert!(is_io, "{name}"),
            // A damaged byte may still unpack, to something else.
            InputError::File(BlockFileError::Format { .. }) => assert!(!is_io || name.starts_with("damaged"), "{name}"),
            other @ InputError::Block { .. } => panic!("{name}: {other}"),
        }
    }
    let missing = BlockInput::read(&folder.path().join("missing.json"), 1).unwrap_err();
    assert!(missing.to_string().contains("missing.json"), "{missing}");
}

#[test]
fn the_sender_is_who_has_signed() {
    let folder = tempfile::tempdir().unwrap();
    // Enough for several threads, and the wrong one in the part of the last.
    let mut transactions: Vec<_> = (0..100).map(|nonce| legacy(1, nonce, account(2))).collect();
    let stranger = account(4);
    let envelope = transactions[90].inner.inner().clone();
    transactions[90].inner = alloy_consensus::transaction::Recovered::new_unchecked(envelope, stranger);
    let path = folder.path().join("stranger.json");
    block(LONDON, transactions).write(&path).unwrap();
    for threads in [1, 2, 8] {
        let error = BlockInput::read(&path, threads).unwrap_err();
        for part in ["stranger.json", "block 13000000", "transaction 90", &stranger.to_string()] {
            assert!(error.to_string().contains(part), "{part} is not in: {error}");
        }
        let InputError::Block { source: BlockError::Sender { transaction, stated, signer }, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((transaction, stated, signer), (90, stranger, account(1)));
    }
}

#[test]
fn a_signature_that_belongs_to_no_key_is_an_error() {
    let mut json = serde_json::to_value(right()).unwrap();
    json["block"]["transactions"][1]["r"] = "0x0".into();
    let file: BlockFile = serde_json::from_value(json).unwrap();
    let error = BlockInput::new(file, 1).unwrap_err();
    assert!(matches!(error, BlockError::Signature { transaction: 1, .. }), "{error}");
}

#[test]
fn transactions_that_are_only_named_are_an_error_and_none_are_none() {
    let mut file = right();
    file.block.transactions = BlockTransactions::Hashes(vec![B256::repeat_byte(1)]);
    assert!(matches!(BlockInput::new(file, 1), Err(BlockError::OnlyHashes)));
    let mut none = empty();
    none.block.transactions = BlockTransactions::Hashes(vec![]);
    assert!(BlockInput::new(none, 8).unwrap().transactions.is_empty());
}

#[test]
fn the_fork_is_that_of_mainnet_by_number_and_then_by_time() {
    let of = |number, timestamp| {
        let mut file = block(number, vec![]);
        file.block.header.inner.timestamp = timestamp;
        file.block.header.inner.parent_beacon_block_root = Some(B256::ZERO);
        file.block.header.inner.excess_blob_gas = Some(0);
        BlockInput::new(file, 1).unwrap()
    };
    for (number, fork) in [
        (1_149_999, SpecId::FRONTIER),
        (1_150_000, SpecId::HOMESTEAD),
        (2_463_000, SpecId::TANGERINE),
        (2_675_000, SpecId::SPURIOUS_DRAGON),
        (4_370_000, SpecId::BYZANTIUM),
        (7_280_000, SpecId::PETERSBURG),
        (9_069_000, SpecId::ISTANBUL),
        (12_244_000, SpecId::BERLIN),
        (12_965_000, SpecId::LONDON),
        (15_537_394, SpecId::MERGE),
    ] {
        assert_eq!(of(number, 1_600_000_000).spec(), fork, "{number}");
    }
    let late = 24_000_000;
    for (timestamp, fork, most_blobs) in [
        (1_681_338_455, SpecId::SHANGHAI, None),
        (1_710_338_135, SpecId::CANCUN, Some(6)),
        (1_746_612_311, SpecId::PRAGUE, Some(9)),
        (1_764_798_551, SpecId::OSAKA, Some(6)),
    ] {
        let input = of(late, timestamp);
        assert_eq!((input.spec(), input.env.cfg_env.max_blobs_per_tx), (fork, most_blobs), "{timestamp}");
        assert_eq!(input.env.block_env.blob_excess_gas_and_price.is_some(), most_blobs.is_some());
    }
    // The price of blobs is by the parameters of the time, not only by the fork.
    let price = |timestamp| {
        let mut file = block(late, vec![]);
        file.block.header.inner.timestamp = timestamp;
        file.block.header.inner.parent_beacon_block_root = Some(B256::ZERO);
        file.block.header.inner.excess_blob_gas = Some(50_000_000);
        let env = BlockInput::new(file, 1).unwrap().env;
        env.block_env.blob_excess_gas_and_price.unwrap().blob_gasprice
    };
    let prices = [1_710_338_135, 1_746_612_311, 1_765_290_071, 1_767_747_671].map(price);
    assert!(prices.is_sorted_by(|earlier, later| earlier > later), "{prices:?}");
}

#[test]
fn a_header_from_cancun_on_needs_the_beacon_root_where_the_contract_is_known() {
    let mut file = block(24_000_000, vec![]);
    file.block.header.inner.timestamp = 1_710_338_135;
    let error = BlockInput::new(file, 1).unwrap_err();
    assert!(error.to_string().contains("no parent beacon block root"), "{error}");
}
