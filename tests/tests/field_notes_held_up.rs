//! Field notes, section 2, bugs 9 and 13 together: an execution that loops because of what a lower transaction wrote,
//! while that transaction waits for a worker that would find out.

use std::sync::Arc;

use weft_engine::BlockPolicy;
use weft_tests::program::Cell;
use weft_tests::run::MapState;
use weft_tests::script::{Script, done, number, staged};
use weft_tests::watchdog::must_end;

/// The first transaction writes A, the second copies A to B, the others loop while A and B differ. The second one has
/// read A too early, and its validation waits; the loops have read nothing stale themselves.
///
/// With one loop there is a sleeping worker to be woken for the validation; with two there is none, and a loop has to
/// give up its worker.
fn copied_too_late(loops: usize) {
    let staged = must_end(move || {
        staged(2, 1, &MapState::default(), BlockPolicy::default(), |stage| {
            let (copied, announced) = (stage.gate(), stage.gate());
            let (met, asked) = (stage.gate(), Arc::clone(&announced));
            let (copy, all_met) = (Arc::clone(&copied), Arc::clone(&met));
            let mut block = vec![
                Script::new(move |state| {
                    all_met.wait_for(loops);
                    state.write(1, Cell(7));
                    done([])
                })
                .hinting([1])
                .before_footprint(move || copied.wait())
                .on_footprint(move || announced.signal()),
                Script::new(move |state| {
                    let a = number(state, 1)?;
                    copy.signal();
                    state.write(2, Cell(a));
                    done([a])
                }),
            ];
            block.extend((0..loops).map(|_| {
                let (asked, met) = (Arc::clone(&asked), Arc::clone(&met));
                Script::new(move |state| {
                    asked.wait();
                    met.signal();
                    while number(state, 1)? != number(state, 2)? {
                        state.poll()?;
                    }
                    done([])
                })
            }));
            block
        })
    });
    assert_eq!(staged.log(1), [7], "the copy was made again");
}

#[test]
fn a_loop_does_not_keep_the_last_worker_from_a_validation_below() {
    copied_too_late(1);
}

#[test]
fn loops_on_all_workers_give_way_to_a_validation_below() {
    copied_too_late(2);
}
