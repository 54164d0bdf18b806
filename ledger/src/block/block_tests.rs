//! Chain files: what is written is read, and nothing else is.

use proptest::prelude::*;

use super::*;
use crate::testing::{addr, pay, sign, unsigned};
use crate::wire::Transaction;

fn block(number: u64, parent: Hash, count: u64) -> Block {
    let transactions = (0..count)
        .map(|nonce| {
            let signed = sign(2, Transaction { nonce, ..unsigned(2, pay(3, number)) });
            WireBytes::from(signed.wire().to_vec())
        })
        .collect();
    Block { chain_id: 3, number, timestamp: number * 1000, parent, transactions }
}

/// A file of blocks 1, 2, 3 with 2, 0 and 1 transactions.
fn chain() -> (Vec<Block>, Vec<u8>) {
    let mut writer = BlockWriter::new(Vec::new(), 3).unwrap();
    let mut parent = Hash::default();
    let mut blocks = Vec::new();
    for (number, count) in [(1, 2), (2, 0), (3, 1)] {
        let block = block(number, parent, count);
        parent = writer.write(&block).unwrap();
        blocks.push(block);
    }
    (blocks, writer.finish().unwrap())
}

fn read(bytes: &[u8]) -> Result<Vec<Block>, ChainFileError> {
    BlockReader::new(bytes)?.map(|next| next.map(|(block, _)| block)).collect()
}

#[test]
fn a_chain_is_read_as_written() {
    let (blocks, bytes) = chain();
    assert_eq!(read(&bytes).unwrap(), blocks);
    assert_eq!(BlockReader::new(&bytes[..]).unwrap().chain_id(), 3);
    let transactions = blocks[0].decode_transactions().unwrap();
    assert_eq!(transactions[1].transaction().nonce, 1);
    assert!(transactions[1].verify_signature());
    assert_eq!(blocks[0].context(), BlockContext { chain_id: 3, timestamp: 1000, ..BlockContext::default() });
}

#[test]
fn every_truncation_is_an_error_or_a_shorter_chain() {
    let (blocks, bytes) = chain();
    let ends: Vec<u64> = {
        let mut reader = BlockReader::new(&bytes[..]).unwrap();
        let mut ends = vec![reader.offset()];
        while reader.next_block().unwrap().is_some() {
            ends.push(reader.offset());
        }
        ends
    };
    for length in 0..bytes.len() {
        match ends.iter().position(|end| *end == length as u64) {
            Some(count) => assert_eq!(read(&bytes[..length]).unwrap(), blocks[..count]),
            None => assert!(matches!(read(&bytes[..length]), Err(ChainFileError::Truncated { .. })), "{length}"),
        }
    }
}

#[test]
fn a_changed_byte_never_goes_unnoticed() {
    let (_, bytes) = chain();
    for at in (0..bytes.len()).filter(|at| *at != 10) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        assert!(read(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn huge_lengths_reserve_nothing() {
    let (_, bytes) = chain();
    let mut huge = bytes.clone();
    huge[12 + 52..12 + 60].fill(0xff);
    assert!(matches!(read(&huge), Err(ChainFileError::TooLarge { what: "body bytes", .. })));
    huge[12 + 52..12 + 60].copy_from_slice(&MAX_BODY_BYTES.to_be_bytes());
    assert!(matches!(read(&huge), Err(ChainFileError::Truncated { .. })));
}

#[test]
fn blocks_must_follow_each_other() {
    let mut writer = BlockWriter::new(Vec::new(), 3).unwrap();
    let order = |result: Result<Hash, ChainFileError>| match result {
        Err(ChainFileError::Order { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(order(writer.write(&block(0, Hash::default(), 0))), "number");
    assert_eq!(order(writer.write(&Block { chain_id: 1, ..block(1, Hash::default(), 0) })), "chain id");
    let id = writer.write(&block(5, Hash([1; 32]), 0)).unwrap();
    assert_eq!(order(writer.write(&block(7, id, 0))), "number");
    assert_eq!(order(writer.write(&block(6, Hash::default(), 0))), "parent");
    writer.write(&block(6, id, 0)).unwrap();
}

#[test]
fn other_files_are_named() {
    assert!(matches!(BlockReader::new(&b"not a chain file"[..]), Err(ChainFileError::Magic)));
    assert!(matches!(BlockReader::new(&b"weftchn\n\0\x02\0\0"[..]), Err(ChainFileError::Version(2))));
    assert!(matches!(BlockReader::new(&b"weft"[..]), Err(ChainFileError::Truncated { offset: 4, .. })));
}

#[test]
fn a_transaction_that_does_not_decode_is_named() {
    let mut block = block(1, Hash::default(), 2);
    block.transactions[1] = vec![1, 2, 3].into();
    let error = block.decode_transactions().unwrap_err();
    assert_eq!((error.index, error.source.offset), (1, 2));
    assert!(addr(2) != addr(3));
}

proptest! {
    #[test]
    fn arbitrary_files_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        let _ = read(&[&b"weftchn\n\0\x01\x03\0"[..], &bytes].concat());
    }
}
