//! Whatever bytes somebody calls a module: no panic, and the same in both modes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn sample() -> Vec<u8> {
    let source = format!(
        "mov64 r6, 5\n{}sub64 r6, 1\njne r6, 0, -13\nlddw r0, 0x1234567890\nexit",
        call("get_block_height", [0; 5])
    );
    elf(b"some data", &text(&source))
}

fn agree(bytes: Vec<u8>) {
    let module = Module::new(bytes);
    let (run, _) = run_with(&module, 20_000, &FakeHost::default());
    let check = machine(false).check(&module);
    assert_eq!(check.is_err(), matches!(run.end, Err(Trap::NotExecutable(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        agree(bytes);
    }

    #[test]
    fn any_bytes_behind_a_header(bytes in vec(any::<u8>(), 0..300), keep in 0..200_usize) {
        let mut file = sample();
        file.truncate(keep);
        file.extend(bytes);
        agree(file);
    }

    #[test]
    fn mutations(changes in vec((any::<Index>(), prop_oneof![any::<u8>(), Just(0), Just(255), Just(1)]), 1..6), cut in 0..9_usize) {
        let mut file = sample();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file.truncate(file.len() - cut.saturating_sub(4));
        agree(file);
    }

    /// Changes of the code only: most of them are still programs.
    #[test]
    fn mutations_of_the_code(changes in vec((any::<Index>(), any::<u8>()), 1..4)) {
        let mut file = sample();
        let code = file.len() - 18 * 8;
        for (at, byte) in changes {
            let at = code + at.index(18 * 8);
            file[at] = byte;
        }
        agree(file);
    }
}

#[test]
fn every_truncation() {
    let file = sample();
    for length in 0..file.len() {
        agree(file[..length].to_vec());
    }
    let (run, _) = run_with(&Module::new(file), GAS, &FakeHost::default());
    assert_eq!(run.end, Ok(0x12_3456_7890));
}
