//! Many threads on one machine.

use std::thread;

use super::*;

/// Each thread runs the same contracts with a host of its own; all see what one alone would see.
#[test]
fn threads_do_not_disturb_each_other() {
    let inner =
        module(&format!("{}stdw [r10-8], 1\nldxdw r0, [r10-16]\nexit", call("storage_add", [INPUT, 1, 1, 0, 0])));
    let outer = module(&format!(
        "mov64 r6, 20\nmov64 r7, 0\n{}or64 r7, r0\nsub64 r6, 1\njne r6, 0, -15\nstdw [r10-16], 7\nmov64 r0, r7\nexit",
        call("invoke", [INPUT, INPUT, 1, 0, 0])
    ));
    let mut host = FakeHost::default();
    host.environment.call.input = vec![1; 32];
    host.contracts.insert([1; 32], inner);
    host.loaded = 0;
    let (alone, after) = run_with(&outer, GAS, &host);
    assert_eq!(alone.end, Ok(0));
    assert_eq!(after.world.storage[[1].as_slice()], 20_u64.to_le_bytes());
    thread::scope(|scope| {
        for thread in 0..8 {
            let (outer, host, alone, after) = (&outer, &host, &alone, &after);
            scope.spawn(move || {
                for round in 0..30 {
                    let interpret = (thread + round) % 2 == 0;
                    let mut host = FakeHost { machine: machine(interpret), ..host.clone() };
                    assert_eq!(&machine(interpret).run(outer, GAS, &mut host), alone);
                    assert_eq!((&host.world, &host.asked), (&after.world, &after.asked));
                }
            });
        }
    });
}

#[test]
fn one_machine_a_process() {
    assert!(Arc::ptr_eq(&SbpfVm::shared(), &SbpfVm::shared()));
    assert_eq!(SbpfVm::shared().limits(), &crate::contract::Limits::default());
    assert_eq!(SbpfVm::shared().run(&module("mov64 r0, 1\nexit"), GAS, &mut FakeHost::default()), ok(2, 1));
}
