//! The rows of storage in `docs/contracts.md`.

use proptest::prelude::*;

use super::syscalls::{ACCESS, BAD, NONE, faults, observe};
use super::*;

#[test]
fn reading_storage() {
    let mut host = FakeHost::default();
    let long: Vec<u8> = (0..4096).map(|byte| byte as u8).collect();
    for world in [&mut host.world.storage, &mut host.world.transient] {
        world.insert(b"short".to_vec(), b"value".to_vec());
        world.insert(vec![7; 256], long.clone());
    }
    for (name, base) in [("storage_read", 1000), ("tload", 100)] {
        let read = |key: &[u8], capacity: u64, look: u64| {
            observe(&host, name, [INPUT, key.len() as u64, HEAP, capacity, 0], key, look)
        };
        let seen = read(b"short", 100, 8);
        assert_eq!((seen.code, seen.price, seen.out.as_slice()), (5, base, b"value\0\0\0".as_slice()));
        let seen = read(b"short", 3, 8);
        assert_eq!((seen.code, seen.price, seen.out.as_slice()), (5, base, b"val\0\0\0\0\0".as_slice()));
        let seen = read(b"short", 0, 8);
        assert_eq!((seen.code, seen.price, seen.out.as_slice()), (5, base, [0; 8].as_slice()));
        let seen = read(&[7; 256], u64::MAX, 4096);
        assert_eq!((seen.code, seen.price, seen.out.as_slice()), (4096, base + 1024, long.as_slice()));
        let seen = read(&[7; 256], 10, 16);
        assert_eq!((seen.code, seen.price), (4096, base + 2));
        for key in [&b"other"[..], b""] {
            let seen = read(key, 100, 8);
            assert_eq!((seen.code, seen.price, seen.out.as_slice()), (NONE, base, [0; 8].as_slice()));
        }
        faults(name, [INPUT, 257, HEAP, 10, 0], "a key of 257 bytes");
        faults(name, [BAD, 4, HEAP, 10, 0], ACCESS);
        faults(name, [INPUT, 4, BAD, 10, 0], ACCESS);
        faults(name, [INPUT, 4, INPUT, 10, 0], ACCESS);
        faults(name, [INPUT, u64::MAX, HEAP, 10, 0], "a key of");
    }
}

#[test]
fn writing_storage() {
    let mut host = FakeHost::default();
    for world in [&mut host.world.storage, &mut host.world.transient] {
        world.insert(vec![1; 3], vec![5]);
    }
    for (name, base) in [("storage_write", 5000), ("tstore", 100)] {
        let write = |key: u64, value: u64| {
            let seen =
                observe(&host, name, [INPUT, key, INPUT + 1000, value, 0], &[vec![1; 1000], vec![2; 4096]].concat(), 0);
            let world = if base == 100 { seen.host.world.transient } else { seen.host.world.storage };
            (seen.code, seen.price, world)
        };
        let (code, price, world) = write(3, 12);
        assert_eq!((code, price, world[[1; 3].as_slice()].as_slice()), (0, base, [2; 12].as_slice()));
        let (code, price, world) = write(256, 4096);
        assert_eq!((code, price, world[[1; 256].as_slice()].len()), (0, base + 1024, 4096));
        let (code, price, world) = write(3, 0);
        assert_eq!((code, price, world.len()), (0, base, 0));
        // The surcharge begins with the fourth byte beyond 256.
        assert_eq!((write(100, 159).1, write(100, 160).1), (base, base + 1));
        faults(name, [INPUT, 257, INPUT, 1, 0], "a key of 257 bytes");
        faults(name, [INPUT, 1, INPUT, 4097, 0], "a value of 4097 bytes");
        faults(name, [BAD, 1, INPUT, 1, 0], ACCESS);
        faults(name, [INPUT, 1, BAD, 1, 0], ACCESS);
        faults(name, [INPUT, 1, INPUT + 4999, 2, 0], ACCESS);
    }
    let seen = observe(&host, "storage_delete", [INPUT, 3, 0, 0, 0], &[1; 8], 0);
    assert_eq!((seen.code, seen.price, seen.host.world.storage.len()), (0, 500, 0));
    faults("storage_delete", [INPUT, 257, 0, 0, 0], "a key of 257 bytes");
    faults("storage_delete", [BAD, 4, 0, 0, 0], ACCESS);
}

#[test]
fn adding_to_storage() {
    let mut host = FakeHost::default();
    host.world.storage.insert(vec![1; 4], 5_u64.to_le_bytes().to_vec());
    host.world.storage.insert(vec![2; 4], vec![5]);
    let add = |key: u8, amount: u64| observe(&host, "storage_add", [INPUT, 4, amount, 0, 0], &[key; 8], 0);
    for (key, amount, code, number) in
        [(1, 7, 0, 12_u64), (1, u64::MAX, 1, 5), (1, u64::MAX - 5, 0, u64::MAX), (3, 9, 0, 9)]
    {
        let seen = add(key, amount);
        assert_eq!((seen.code, seen.price), (code, 5000));
        assert_eq!(seen.host.world.storage[[key; 4].as_slice()], number.to_le_bytes());
    }
    assert_eq!((add(2, 1).code, add(2, 1).price), (1, 5000));
    faults("storage_add", [INPUT, 257, 1, 0, 0], "a key of 257 bytes");
    faults("storage_add", [BAD, 4, 1, 0, 0], ACCESS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is written is read, at any address and of any length.
    #[test]
    fn storage_round_trip(value in proptest::collection::vec(any::<u8>(), 1..600), to in 0..9_u64) {
        let mut host = FakeHost::default();
        host.environment.call.input = value.clone();
        let length = value.len() as u64;
        let source = format!(
            "{}{}{}exit",
            call("storage_write", [INPUT, 0, INPUT, length, 0]),
            call("storage_read", [INPUT, 0, STACK + to, 600, 0]),
            call("set_return_data", [STACK + to, length, 0, 0, 0]),
        );
        let (run, host) = run_with(&module(&source), GAS, &host);
        prop_assert_eq!(run.end, Ok(0));
        prop_assert_eq!(&host.world.returned, &value);
        prop_assert_eq!(&host.world.storage[[].as_slice()], &value);
    }
}
