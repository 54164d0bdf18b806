//! The codecs that come with the crate: round trips, order, refusal.

use proptest::prelude::*;

use crate::{StorageCodec, StorageError};

fn bytes<T: StorageCodec>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

#[test]
fn encoding_appends() {
    let mut out = vec![9];
    7u16.encode(&mut out);
    "ab".to_owned().encode(&mut out);
    assert_eq!(out, [9, 0, 7, b'a', b'b']);
}

#[test]
fn wrong_lengths_and_bad_text_are_corrupt() {
    assert!(matches!(u64::decode(&[1, 2, 3]), Err(StorageError::Corrupt { .. })));
    assert!(matches!(<[u8; 4]>::decode(&[0; 5]), Err(StorageError::Corrupt { .. })));
    assert!(matches!(String::decode(&[0xff]), Err(StorageError::Corrupt { .. })));
}

proptest! {
    #[test]
    fn integers_round_trip_in_order(a: u64, b: u64) {
        prop_assert_eq!(u64::decode(&bytes(&a)).unwrap(), a);
        prop_assert_eq!(a.cmp(&b), bytes(&a).cmp(&bytes(&b)));
    }

    #[test]
    fn byte_strings_round_trip_in_order(a: Vec<u8>, b: Vec<u8>, c: [u8; 20]) {
        prop_assert_eq!(Vec::<u8>::decode(&bytes(&a)).unwrap(), a.clone());
        prop_assert_eq!(a.cmp(&b), bytes(&a).cmp(&bytes(&b)));
        prop_assert_eq!(<[u8; 20]>::decode(&bytes(&c)).unwrap(), c);
    }

    #[test]
    fn text_round_trips(a: String) {
        prop_assert_eq!(String::decode(&bytes(&a)).unwrap(), a);
    }
}
