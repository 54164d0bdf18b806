//! Memory: where regions begin and end, what may be written, and that nothing is left of earlier runs.

use proptest::prelude::*;

use super::*;

const STACK_END: u64 = STACK + 64 * 4096;
const HEAP_END: u64 = HEAP + 32 * 1024;
const INPUT_BYTES: u64 = 100;

/// Whether the access succeeds: a load, and a store.
fn access(address: u64, width: usize) -> (bool, bool) {
    let size = ["b", "h", "w", "dw"][width.trailing_zeros() as usize];
    let mut host = FakeHost::default();
    host.environment.call.input = vec![5; INPUT_BYTES as usize];
    [format!("ldx{size} r0, [r1+0]"), format!("stx{size} [r1+0], r1")]
        .map(|access| {
            let program = module_with(&[1; 24], &format!("lddw r1, {address:#x}\n{access}\nmov64 r0, 0\nexit"));
            let (run, _) = run_with(&program, GAS, &host);
            assert_eq!(run.gas_used, if run.end.is_ok() { 4 } else { 2 });
            if run.end.is_err() {
                assert_fault(&run, &format!("an invalid access of {width} bytes at {address:#x}"));
            }
            run.end.is_ok()
        })
        .into()
}

#[test]
fn ends_of_regions() {
    let regions =
        [(0, 24, false), (STACK, STACK_END, true), (HEAP, HEAP_END, true), (INPUT, INPUT + INPUT_BYTES, false)];
    for (start, end, writable) in regions {
        for width in [1_u64, 2, 4, 8] {
            let inside = [start, start + 1, end - width, end - width - 1];
            let outside = [start.wrapping_sub(1), start.wrapping_sub(width), end - width + 1, end, end + 4096];
            for address in inside {
                assert_eq!(access(address, width as usize), (true, writable), "{width} at {address:#x}");
            }
            for address in outside {
                assert_eq!(access(address, width as usize), (false, false), "{width} at {address:#x}");
            }
        }
    }
    // Code cannot be read; there is nothing behind the input, nor at the end of the addresses.
    for address in [0x1_0000_0000, 0x5_0000_0000, 0x8000_0000_0000_0000, u64::MAX - 7, u64::MAX] {
        assert_eq!(access(address, 8), (false, false), "{address:#x}");
    }
}

#[test]
fn read_only_data_and_input() {
    let mut host = FakeHost::default();
    host.environment.call.input = vec![9, 8];
    let program =
        module_with(b"rodata!!", "ldxb r2, [r1+1]\nmov64 r1, 0\nldxb r0, [r1+2]\nlsh64 r0, 8\nor64 r0, r2\nexit");
    assert_eq!(run_with(&program, GAS, &host).0, ok(6, (u64::from(b'd') << 8) | 8));
}

/// System calls meet the same bounds, also across the part of a region that is not mapped yet.
#[test]
fn system_calls_at_the_ends() {
    for (address, length, fine) in [
        (HEAP_END - 100, 100, true),
        (HEAP_END - 100, 101, false),
        (STACK_END - 1, 1, true),
        (STACK_END - 1, 2, false),
        (STACK, 256 * 1024, true),
        (STACK, 256 * 1024 + 1, false),
        (HEAP - 1, 1, false),
        (HEAP - 1, 2, false),
        (u64::MAX, 2, false),
        (u64::MAX, 0, true),
    ] {
        let run = run(&format!("{}exit", call("log", [address, length, 0, 0, 0])));
        assert_eq!(run.end.is_ok(), fine, "{length} at {address:#x}: {run:?}");
    }
}

/// A function that calls itself `depth` times and writes to the start of each frame.
fn recursion(depth: u64) -> String {
    format!(
        "mov64 r1, {depth}\ncall function_f\nexit\nfunction_f:\nstxdw [r10-4096], r1\njeq r1, 0, 2\nsub64 r1, 1\ncall function_f\nldxdw r0, [r10-4096]\nexit"
    )
}

#[test]
fn depth_of_the_stack() {
    // 63 functions inside the entry: frames 2 to 64.
    let run_deep = run(&recursion(62));
    assert_eq!(run_deep.end, Ok(62));
    let too_deep = run(&recursion(63));
    assert_fault(&too_deep, "too many functions");
}

/// ORs everything that is writable into r0, or fills it with r5.
fn everything(each: &str) -> String {
    let mut source = String::from("lddw r5, 0xdeadbeefdeadbeef\nmov64 r0, 0\n");
    for (start, end) in [(STACK, STACK_END), (HEAP, HEAP_END)] {
        source += &format!(
            "lddw r1, {start:#x}\nlddw r2, {end:#x}\n{each}\nadd64 r1, 8\njlt r1, r2, -{}\n",
            each.lines().count() + 2
        );
    }
    source
}

fn read_all() -> Module {
    module(&(everything("ldxdw r3, [r1+0]\nor64 r0, r3") + "exit"))
}

#[test]
fn nothing_is_left_of_earlier_runs() {
    let fill = everything("stxdw [r1+0], r5");
    let reader = read_all();
    let control = module(&(everything("stxdw [r1+0], r5\nldxdw r3, [r1+0]\nor64 r0, r3") + "exit"));
    assert_eq!(run_with(&control, GAS, &FakeHost::default()).0.end, Ok(0xdead_beef_dead_beef));
    // Runs end well, in a fault, without gas, by a panic.
    for end in ["mov64 r0, 0\nexit", "mov64 r1, 0\nldxdw r0, [r1+0]\nexit", "ja -1"] {
        let writer = module(&format!("{fill}{end}"));
        for interpret in [false, true] {
            machine(interpret).run(&writer, GAS, &mut FakeHost::default());
            for interpret in [false, true] {
                let run = machine(interpret).run(&reader, GAS, &mut FakeHost::default());
                assert_eq!(run.end, Ok(0));
            }
        }
    }
    let panics = module(&format!("{fill}{}exit", call("storage_read", [INPUT, 0, HEAP, 0, 0])));
    for interpret in [false, true] {
        let mut host = FakeHost { panic_at: Some(0), ..FakeHost::default() };
        let run = || machine(interpret).run(&panics, GAS, &mut host);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("the host panics");
        assert_eq!(run_with(&reader, GAS, &FakeHost::default()).0.end, Ok(0));
    }
}

/// Nor does a longer input show behind a shorter one.
#[test]
fn inputs_do_not_mix() {
    let mut host = FakeHost::default();
    host.environment.call.input = vec![7; 1000];
    assert_eq!(run_with(&module("ldxb r0, [r1+999]\nexit"), GAS, &host).0, ok(2, 7));
    host.environment.call.input = vec![7; 10];
    assert_fault(&run_with(&module("ldxb r0, [r1+10]\nexit"), GAS, &host).0, "invalid access");
}

#[test]
fn memory_survives_an_inner_call() {
    let mut host = FakeHost::default();
    host.contracts.insert([1; 32], read_all());
    host.environment.call.input = vec![1; 32];
    let inner = call("invoke", [INPUT, INPUT, 0, 0, 0]);
    let source = format!(
        "lddw r6, {HEAP:#x}\nstdw [r6+0], 77\nstdw [r10-8], 78\n{inner}jne r0, 0, 3\nldxdw r0, [r6+0]\nldxdw r1, [r10-8]\nadd64 r0, r1\nexit"
    );
    assert_eq!(run_with(&module(&source), GAS, &host).0.end, Ok(155));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever a program writes, by itself or through system calls, the next run sees zeros.
    #[test]
    fn scattered_writes_are_zeroed(
        writes in proptest::collection::vec((any::<bool>(), 0..256 * 1024_u64, any::<bool>()), 1..6)
    ) {
        let mut source = String::new();
        for (stack, at, system_call) in writes {
            let address = if stack { STACK + at } else { HEAP + at % (32 * 1024) };
            source += &if system_call {
                call("get_program_id", [address, 0, 0, 0, 0])
            } else {
                format!("lddw r1, {address:#x}\nstb [r1+0], 255\n")
            };
        }
        run_with(&module(&(source + "exit")), GAS, &FakeHost::default());
        prop_assert_eq!(run_with(&read_all(), GAS, &FakeHost::default()).0.end, Ok(0));
    }
}
