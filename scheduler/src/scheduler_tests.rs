//! The scheduler step by step, in one thread, and under load in several. What depends on a rare interleaving is in
//! `loom_tests.rs`.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

use crate::window::Window;
use crate::{Execution, Scheduler, Task, Validation};

fn next_execution(scheduler: &Scheduler, unit: u32) -> Execution {
    match scheduler.next_task() {
        Some(Task::Execute(execution)) if execution.unit() == unit => execution,
        other => panic!("wanted to execute unit {unit}, got {other:?}"),
    }
}

fn next_validation(scheduler: &Scheduler, unit: u32) -> Validation {
    match scheduler.next_task() {
        Some(Task::Validate(validation)) if validation.unit() == unit => validation,
        other => panic!("wanted to validate unit {unit}, got {other:?}"),
    }
}

/// Executes unit `unit` for the first time; its validation, if it is handed out.
fn execute(scheduler: &Scheduler, unit: u32) -> Option<Validation> {
    let execution = next_execution(scheduler, unit);
    scheduler.finish_execution(execution, true).validation
}

fn committed(scheduler: &Scheduler) -> Vec<u32> {
    let mut units = Vec::new();
    scheduler.commit(|unit| {
        units.push(unit);
        ControlFlow::Continue(())
    });
    units
}

/// Units 0 to `units - 1` have executed once and are validated, but for unit 0, which is aborted and about to execute
/// again. Nothing is committed.
fn with_unit_0_aborted(units: u32) -> (Scheduler, Execution) {
    let scheduler = Scheduler::new(units);
    let first = execute(&scheduler, 0).expect("the lowest unit is handed out for validation");
    for unit in 1..units {
        let validation = execute(&scheduler, unit).expect("all below has executed");
        assert!(scheduler.confirm(validation));
    }
    let abort = scheduler.abort(first).expect("nobody else has settled it");
    let again = scheduler.finish_abort(abort);
    assert_eq!((again.unit(), again.incarnation()), (0, 1));
    (scheduler, again)
}

/// Fails instead of hanging when `body` does not return.
fn within_a_while(what: &str, body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        // Nobody listens any more only if we are too late; then the test has failed already.
        let _ = done.send(());
    });
    match is_done.recv_timeout(Duration::from_secs(20)) {
        Ok(()) => thread.join().expect("it has finished"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = thread.join().expect_err("it ended without a word");
            std::panic::resume_unwind(panic);
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: still waiting"),
    }
}

// --- Termination and counters ----------------------------------------------------------------------------------------

/// Field notes, bug 1: no unit is validated, and the block is not over, before everything below has executed once.
#[test]
fn nothing_is_validated_before_all_below_has_executed() {
    let scheduler = Scheduler::new(3);
    let slow = next_execution(&scheduler, 0);
    assert_eq!(execute(&scheduler, 1), None);
    assert_eq!(execute(&scheduler, 2), None);
    assert_eq!(scheduler.next_task(), None, "unit 0 has not executed");
    assert!(committed(&scheduler).is_empty() && !scheduler.is_over());

    let validation = scheduler.finish_execution(slow, true).validation.expect("all below has executed");
    assert_eq!(validation.unit(), 0);
    for validation in [validation, next_validation(&scheduler, 1), next_validation(&scheduler, 2)] {
        assert!(!scheduler.is_over());
        assert!(scheduler.confirm(validation));
    }
    assert_eq!(committed(&scheduler), [0, 1, 2]);
    assert!(scheduler.is_over());
}

/// Field notes, bug 2: a unit that is sent back to validation several times is validated once.
#[test]
fn a_unit_is_claimed_for_validation_once_per_wave() {
    let (scheduler, again) = with_unit_0_aborted(3);
    scheduler.rewind_above(0);
    scheduler.rewind_above(0);
    let first = next_validation(&scheduler, 1);
    let second = next_validation(&scheduler, 2);
    assert_eq!(scheduler.next_task(), None, "both are claimed");
    assert!(scheduler.confirm(first) && scheduler.confirm(second));
    assert_eq!(scheduler.next_task(), None, "both are validated");
    let validation = scheduler.finish_execution(again, false).validation.expect("a re-execution is validated at once");
    assert!(scheduler.confirm(validation));
    assert_eq!(committed(&scheduler), [0, 1, 2]);
}

/// Field notes, bug 4: without conflicts validations equal executions (ValidationsEqualExecutionsWithoutConflicts).
#[test]
fn without_conflicts_validations_equal_executions() {
    for threads in [1, 2, 4] {
        for units in [1, 2, 7, 300, 5000] {
            let scheduler = Scheduler::new(units);
            let (executions, validations) = (AtomicU32::new(0), AtomicU32::new(0));
            let validate = |validation: Validation| {
                validations.fetch_add(1, Relaxed);
                assert!(scheduler.confirm(validation), "nobody sends anybody back");
                scheduler.commit(|_| ControlFlow::Continue(()));
            };
            let work = || {
                while !scheduler.is_over() {
                    match scheduler.next_task() {
                        Some(Task::Execute(execution)) => {
                            executions.fetch_add(1, Relaxed);
                            let hand_off = scheduler.finish_execution(execution, true);
                            assert_eq!(hand_off.execution, None);
                            hand_off.validation.into_iter().for_each(&validate);
                        }
                        Some(Task::Validate(validation)) => validate(validation),
                        None => scheduler.wait_for_work(),
                    }
                }
            };
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
            assert_eq!(executions.load(Relaxed), units, "{threads} threads");
            assert_eq!(validations.load(Relaxed), units, "{threads} threads");
            assert_eq!(scheduler.committed(), units);
        }
    }
}

/// Field notes, bug 5: a validation that was claimed before a rewind neither validates nor aborts anything, even after
/// the unit was claimed again.
#[test]
fn a_validation_from_before_a_rewind_settles_nothing() {
    let claim_and_rewind = || {
        let scheduler = Scheduler::new(2);
        let first = execute(&scheduler, 0).expect("the lowest unit");
        let stale = execute(&scheduler, 1).expect("all below has executed");
        let abort = scheduler.abort(first).expect("nobody else has settled it");
        let again = scheduler.finish_abort(abort);
        let of_0 = scheduler.finish_execution(again, true).validation.expect("a re-execution is validated at once");
        assert!(scheduler.confirm(of_0));
        let fresh = next_validation(&scheduler, 1);
        (scheduler, stale, fresh)
    };
    let (scheduler, stale, fresh) = claim_and_rewind();
    assert!(!scheduler.confirm(stale), "it looked before the rewind");
    assert_eq!(committed(&scheduler), [0], "unit 1 waits for the new validation");
    assert!(scheduler.confirm(fresh));
    assert_eq!(committed(&scheduler), [1]);

    let (scheduler, stale, fresh) = claim_and_rewind();
    assert!(scheduler.abort(stale).is_none(), "it looked before the rewind");
    assert!(scheduler.confirm(fresh));
    assert_eq!(committed(&scheduler), [0, 1]);
}

/// OneAbortPerVersion: of several validations of one version at most one aborts it.
#[test]
fn a_version_is_aborted_once() {
    let (scheduler, _again) = with_unit_0_aborted(2);
    scheduler.rewind_above(0);
    let first = next_validation(&scheduler, 1);
    scheduler.rewind_above(0);
    let second = next_validation(&scheduler, 1);
    assert!(scheduler.abort(first).is_none());
    let abort = scheduler.abort(second).expect("the last claim counts");
    scheduler.rewind_above(0);
    assert_eq!(scheduler.next_task(), None, "a unit that is being aborted is not validated");
    assert_eq!(scheduler.finish_abort(abort).incarnation(), 1);
}

/// Field notes, bug 6: a unit is not resumed while the one it waits for is only turning its writes into estimates.
#[test]
fn a_unit_waits_for_one_that_is_being_aborted() {
    let scheduler = Scheduler::new(2);
    let first = execute(&scheduler, 0).expect("the lowest unit");
    let reader = next_execution(&scheduler, 1);
    let abort = scheduler.abort(first).expect("nobody else has settled it");
    assert_eq!(scheduler.suspend(reader, 0), None, "unit 0 has executed once, but that does not count any more");
    let again = scheduler.finish_abort(abort);
    assert_eq!(scheduler.next_task(), None);
    let woken = scheduler.finish_execution(again, true).execution.expect("unit 1 waits for it");
    assert_eq!((woken.unit(), woken.incarnation()), (1, 0));
}

/// What a re-execution has changed sends everybody above back, what it has not changed nobody.
#[test]
fn only_a_change_sends_back() {
    for changed in [true, false] {
        let (scheduler, again) = with_unit_0_aborted(4);
        let validation = scheduler.finish_execution(again, changed).validation.expect("validated at once");
        assert!(scheduler.confirm(validation));
        let left = if changed { vec![0] } else { vec![0, 1, 2, 3] };
        assert_eq!(committed(&scheduler), left, "changed: {changed}");
        if changed {
            for unit in 1..4 {
                assert!(scheduler.confirm(next_validation(&scheduler, unit)));
            }
            assert_eq!(committed(&scheduler), [1, 2, 3]);
        }
        assert!(scheduler.is_over());
    }
}

// --- Dependencies ----------------------------------------------------------------------------------------------------

/// DependenciesAcyclic: nobody waits for itself or for a higher unit.
#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "DependenciesAcyclic")]
fn nobody_waits_for_a_higher_unit() {
    let scheduler = Scheduler::new(2);
    let execution = next_execution(&scheduler, 0);
    let _ = scheduler.suspend(execution, 1);
}

#[test]
fn who_comes_too_late_to_wait_goes_on_at_once() {
    let scheduler = Scheduler::new(2);
    let validation = execute(&scheduler, 0);
    let late = next_execution(&scheduler, 1);
    let back = scheduler.suspend(late, 0).expect("unit 0 has executed: nobody would wake unit 1");
    assert_eq!((back.unit(), back.incarnation()), (1, 0));
    assert!(scheduler.confirm(validation.expect("the lowest unit")));
    let validation = scheduler.finish_execution(back, true).validation.expect("all below has executed");
    assert!(scheduler.confirm(validation));
    assert_eq!(committed(&scheduler), [0, 1]);
}

/// The lowest of those who wait goes to who has finished, the others to whoever asks; each of them once.
#[test]
fn the_lowest_dependent_is_handed_over_and_the_others_are_offered() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [3, 1, 2]] {
        let scheduler = Scheduler::new(4);
        let first = next_execution(&scheduler, 0);
        let mut waiting: Vec<Option<Execution>> = (1..4).map(|unit| Some(next_execution(&scheduler, unit))).collect();
        for unit in order {
            let execution = waiting[unit - 1].take().expect("each of them once");
            assert_eq!(scheduler.suspend(execution, 0), None);
        }
        let hand_off = scheduler.finish_execution(first, true);
        assert_eq!(hand_off.execution.map(|execution| execution.unit()), Some(1), "{order:?}");
        assert_eq!(hand_off.validation.map(|validation| validation.unit()), Some(0));
        let _ = (next_execution(&scheduler, 2), next_execution(&scheduler, 3));
        assert_eq!(scheduler.next_task(), None);
    }
}

/// Field notes, bug 9: one worker gets through a block in which every unit waits for the one before.
#[test]
fn more_units_wait_than_there_are_workers() {
    const UNITS: u32 = 1000;
    let scheduler = Scheduler::new(UNITS);
    let first = next_execution(&scheduler, 0);
    for unit in 1..UNITS {
        let execution = next_execution(&scheduler, unit);
        assert_eq!(scheduler.suspend(execution, unit - 1), None);
    }
    assert_eq!(scheduler.next_task(), None, "all wait for unit 0");
    let mut next = Some(first);
    for unit in 0..UNITS {
        let execution = next.expect("the next one is handed over");
        assert_eq!(execution.unit(), unit);
        let hand_off = scheduler.finish_execution(execution, true);
        assert!(scheduler.confirm(hand_off.validation.expect("all below has executed")));
        assert_eq!(committed(&scheduler), [unit]);
        next = hand_off.execution;
    }
    assert!(scheduler.is_over());
}

/// A unit that was woken waits on another list, and on the same one again: its link is used anew each time.
#[test]
fn links_are_used_again() {
    let scheduler = Scheduler::new(3);
    let first = next_execution(&scheduler, 0);
    let second = next_execution(&scheduler, 1);
    let reader = next_execution(&scheduler, 2);
    assert_eq!(scheduler.suspend(reader, 0), None);
    let hand_off = scheduler.finish_execution(first, true);
    let reader = hand_off.execution.expect("unit 2 waits");
    assert_eq!(scheduler.suspend(reader, 1), None);
    let abort = scheduler.abort(hand_off.validation.expect("the lowest unit")).expect("nobody else has settled it");
    let again = scheduler.finish_abort(abort);
    let reader = scheduler.finish_execution(second, true).execution.expect("unit 2 waits");
    assert_eq!(scheduler.suspend(reader, 0), None);
    let reader = scheduler.finish_execution(again, true).execution.expect("unit 2 waits again");
    assert_eq!((reader.unit(), reader.incarnation()), (2, 0));
    assert_eq!(scheduler.finish_execution(reader, true).execution, None);
}

#[test]
fn a_deferred_execution_keeps_its_incarnation() {
    let (scheduler, again) = with_unit_0_aborted(1);
    scheduler.defer(again);
    let again = next_execution(&scheduler, 0);
    assert_eq!(again.incarnation(), 1);
}

// --- Order of work ---------------------------------------------------------------------------------------------------

/// What may be holding the frontier comes first: validations sent back, then executions, then what is new.
#[test]
fn repeated_work_comes_before_new_work() {
    let scheduler = Scheduler::new(5);
    let first = execute(&scheduler, 0).expect("the lowest unit");
    let second = execute(&scheduler, 1).expect("all below has executed");
    assert!(scheduler.confirm(second));
    scheduler.defer(next_execution(&scheduler, 2));
    let abort = scheduler.abort(first).expect("nobody else has settled it");
    let again = scheduler.finish_abort(abort);
    let _ = scheduler.finish_execution(again, true);
    let _ = next_validation(&scheduler, 1);
    let _ = next_execution(&scheduler, 2);
    let _ = next_execution(&scheduler, 3);
}

/// After an abort units beyond the window are not begun, and wait for the frontier to move.
#[test]
fn after_an_abort_nobody_runs_far_ahead() {
    let mut scheduler = Scheduler::new(100);
    scheduler.limit_run_ahead(2);
    let first = execute(&scheduler, 0).expect("the lowest unit");
    let abort = scheduler.abort(first).expect("nobody else has settled it");
    let again = scheduler.finish_abort(abort);
    for unit in 1..62 {
        let validation = execute(&scheduler, unit).expect("all below has executed");
        assert!(scheduler.confirm(validation));
    }
    assert!(!scheduler.has_work(), "64 units, less the abort's share");
    assert_eq!(scheduler.next_task(), None);
    assert!(!scheduler.call_for_help(61), "what is beyond the window is above all that was begun");

    let validation = scheduler.finish_execution(again, false).validation.expect("validated at once");
    assert!(scheduler.confirm(validation));
    assert_eq!(committed(&scheduler).len(), 62);
    assert!(scheduler.has_work());
    for unit in 62..100 {
        assert_eq!(next_execution(&scheduler, unit).unit(), unit);
    }
    // The next block knows nothing of it.
    scheduler.reset(100);
    scheduler.limit_run_ahead(2);
    for unit in 0..100 {
        assert_eq!(next_execution(&scheduler, unit).unit(), unit);
    }
}

/// However small the window, the unit at the frontier can be begun; and a commit that lets in two units wakes a sleeper.
#[test]
fn the_frontier_is_within_every_window() {
    let mut scheduler = Scheduler::new(3);
    scheduler.set_window(Window::of_units(1, 4));
    for unit in 0..3 {
        let validation = execute(&scheduler, unit).expect("all below has executed");
        assert_eq!(scheduler.next_task(), None, "unit {unit} is not committed");
        assert!(scheduler.fall_asleep());
        assert!(scheduler.confirm(validation));
        assert_eq!(committed(&scheduler), [unit]);
        assert_eq!(scheduler.take_wake(), unit == 2, "the one unit is for who has committed; the end wakes all");
    }

    let mut scheduler = Scheduler::new(4);
    scheduler.set_window(Window::of_units(2, 4));
    let first = execute(&scheduler, 0).expect("the lowest unit");
    let second = execute(&scheduler, 1).expect("all below has executed");
    assert!(scheduler.fall_asleep() && scheduler.fall_asleep());
    assert!(scheduler.confirm(second) && committed(&scheduler).is_empty());
    assert!(!scheduler.take_wake());
    assert!(scheduler.confirm(first));
    assert_eq!(committed(&scheduler), [0, 1]);
    assert!(scheduler.take_wake() && !scheduler.take_wake(), "one of two");
}

// --- Commit ----------------------------------------------------------------------------------------------------------

/// Field notes, bug 14: an empty block, and halting on the first, a middle and the last unit. The unit on which the
/// block is halted is not committed, and no task is given out any more (bug 12).
#[test]
fn a_block_ends_where_it_is_halted() {
    assert!(Scheduler::new(0).is_over());
    assert_eq!(Scheduler::new(0).next_task(), None);
    Scheduler::new(0).wait_for_work(); // returns
    for halt_at in 0..4 {
        let scheduler = Scheduler::new(4);
        for unit in 0..3 {
            assert!(scheduler.confirm(execute(&scheduler, unit).expect("all below has executed")));
        }
        let last = execute(&scheduler, 3).expect("all below has executed");
        assert!(scheduler.confirm(last));
        let mut seen = Vec::new();
        scheduler.commit(|unit| {
            seen.push(unit);
            if unit == halt_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, (0..=halt_at).collect::<Vec<_>>());
        assert_eq!(scheduler.committed(), halt_at);
        assert!(scheduler.is_over());
        assert_eq!(committed(&scheduler), [] as [u32; 0], "nothing is committed after the end");
        assert_eq!(scheduler.next_task(), None);
    }
}

#[test]
fn the_frontier_is_where_everything_below_is_committed() {
    let scheduler = Scheduler::new(2);
    assert!(scheduler.is_at_frontier(0) && !scheduler.is_at_frontier(1));
    let first = execute(&scheduler, 0).expect("the lowest unit");
    let second = execute(&scheduler, 1).expect("all below has executed");
    assert!(scheduler.confirm(second));
    assert_eq!(committed(&scheduler), [] as [u32; 0], "unit 0 is not validated");
    assert!(scheduler.confirm(first));
    scheduler.commit(|unit| {
        assert!(scheduler.is_at_frontier(unit), "while it is committed, a unit is at the frontier");
        ControlFlow::Continue(())
    });
    assert!(scheduler.is_at_frontier(2));
}

/// A change that is published at the frontier itself sends those above back; the frontier does not pass them.
#[test]
fn a_rewind_during_the_commit_stops_the_frontier() {
    let scheduler = Scheduler::new(3);
    for unit in 0..3 {
        assert!(scheduler.confirm(execute(&scheduler, unit).expect("all below has executed")));
    }
    let mut seen = Vec::new();
    scheduler.commit(|unit| {
        seen.push(unit);
        scheduler.rewind_above(unit);
        ControlFlow::Continue(())
    });
    assert_eq!(seen, [0]);
    assert!(scheduler.confirm(next_validation(&scheduler, 1)));
    assert!(scheduler.confirm(next_validation(&scheduler, 2)));
    assert_eq!(committed(&scheduler), [1, 2]);
}

// --- Reuse -----------------------------------------------------------------------------------------------------------

/// A scheduler that was left in the middle of a block (claims, waiting units, units in both sets) is a new one after a
/// reset, for a smaller, an equal and a larger block.
#[test]
fn nothing_is_left_of_a_block_after_a_reset() {
    for units in [0, 1, 5, 70, 5000] {
        let (mut scheduler, again) = with_unit_0_aborted(70);
        scheduler.rewind_above(0);
        let stale = next_validation(&scheduler, 1);
        let abort = scheduler.abort(stale).expect("nobody else has settled it");
        let waiting = scheduler.finish_abort(abort);
        assert_eq!(scheduler.suspend(waiting, 0), None);
        scheduler.defer(again);
        scheduler.halt();

        scheduler.reset(units);
        assert_eq!((scheduler.units(), scheduler.committed(), scheduler.is_over()), (units, 0, units == 0));
        for unit in 0..units {
            let execution = next_execution(&scheduler, unit);
            assert_eq!(execution.incarnation(), 0);
            let hand_off = scheduler.finish_execution(execution, true);
            assert_eq!(hand_off.execution, None, "nobody waits");
            assert!(scheduler.confirm(hand_off.validation.expect("all below has executed")));
        }
        assert_eq!(committed(&scheduler), (0..units).collect::<Vec<_>>());
        assert!(scheduler.is_over());
    }
}

/// As above, where the block has ended before all of its units were begun.
#[test]
fn nothing_is_left_of_a_block_that_ended_early_after_a_reset() {
    let mut scheduler = Scheduler::new(200);
    for (units, begun) in [(150, 90), (300, 0), (100, 70), (300, 10), (300, 300), (40, 40), (300, 300)] {
        scheduler.reset(units);
        for unit in 0..begun {
            let execution = next_execution(&scheduler, unit);
            assert_eq!(execution.incarnation(), 0);
            // Every second one waits for the one before it, which is never finished.
            if unit % 2 == 1 {
                assert_eq!(scheduler.suspend(execution, unit - 1), None);
            }
        }
        assert_eq!(scheduler.begun(), begun);
        scheduler.halt();
    }
    scheduler.reset(300);
    for unit in 0..300 {
        let hand_off = scheduler.finish_execution(next_execution(&scheduler, unit), true);
        assert_eq!(hand_off.execution, None, "nobody waits");
        assert!(scheduler.confirm(hand_off.validation.expect("all below has executed")));
    }
    assert_eq!(committed(&scheduler), (0..300).collect::<Vec<_>>());
}

// --- Head start ------------------------------------------------------------------------------------------------------

/// Units with a head start are begun first, then the others in order; validation and the frontier go in order.
#[test]
fn units_with_a_head_start_are_begun_first() {
    let mut scheduler = Scheduler::new(5);
    scheduler.give_head_start(vec![3, 1]);
    assert_eq!((scheduler.begun(), scheduler.reach(), scheduler.is_executing_ahead()), (0, 0, false));
    let third = next_execution(&scheduler, 3);
    assert_eq!((scheduler.begun(), scheduler.reach(), scheduler.is_executing_ahead()), (0, 4, true));
    assert_eq!(execute(&scheduler, 1), None, "unit 0 has not executed");
    let hand_off = scheduler.finish_execution(third, true);
    assert_eq!((hand_off.validation, hand_off.execution), (None, None));
    assert!(!scheduler.is_executing_ahead());
    let of_0 = execute(&scheduler, 0).expect("the lowest unit");
    // What is below the prefix now is validated before more is begun.
    let of_1 = next_validation(&scheduler, 1);
    let second = next_execution(&scheduler, 2);
    assert_eq!((scheduler.begun(), scheduler.reach()), (3, 4));
    let last = next_execution(&scheduler, 4);
    assert_eq!(scheduler.next_task(), None, "unit 3 has been begun, and waits for unit 2");
    let of_2 = scheduler.finish_execution(second, true).validation.expect("all below has executed");
    let of_3 = next_validation(&scheduler, 3);
    for validation in [of_3, of_2, of_1, of_0] {
        assert!(scheduler.confirm(validation));
    }
    let of_4 = scheduler.finish_execution(last, true).validation.expect("all below has executed");
    assert!(scheduler.confirm(of_4));
    assert_eq!(committed(&scheduler), [0, 1, 2, 3, 4]);
    assert_eq!(scheduler.touched().collect::<Vec<_>>(), [0, 1, 2, 3, 4], "each of them once");
}

/// What a unit with a head start has read is compared when all below has executed, and it runs again where that differs.
#[test]
fn a_unit_with_a_head_start_runs_again_like_any_other() {
    let mut scheduler = Scheduler::new(3);
    scheduler.give_head_start(vec![2]);
    assert_eq!(execute(&scheduler, 2), None);
    let of_0 = execute(&scheduler, 0).expect("the lowest unit");
    let of_1 = execute(&scheduler, 1).expect("all below has executed");
    let of_2 = next_validation(&scheduler, 2);
    let again = scheduler.finish_abort(scheduler.abort(of_2).expect("nobody else has settled it"));
    assert!(scheduler.is_executing_ahead(), "it is being executed, though not for the first time");
    let of_2 = scheduler.finish_execution(again, true).validation.expect("its own");
    for validation in [of_0, of_1, of_2] {
        assert!(scheduler.confirm(validation));
    }
    assert_eq!(committed(&scheduler), [0, 1, 2]);
}

/// A worker that finds nothing but a unit with a head start does not sleep; and a long execution of one sees that units
/// below it wait for somebody.
#[test]
fn a_head_start_is_work() {
    let mut scheduler = Scheduler::new(9);
    scheduler.set_window(Window::of_units(1, 2));
    scheduler.give_head_start(vec![7, 8]);
    let _looping = next_execution(&scheduler, 7);
    assert!(scheduler.call_for_help(7), "nobody has begun unit 0");
    let _other = next_execution(&scheduler, 8);
    let _first = next_execution(&scheduler, 0);
    assert!(!scheduler.call_for_help(7), "unit 0 is in good hands, and unit 1 beyond the window");
    assert!(!scheduler.has_work());

    scheduler.reset(9);
    scheduler.set_window(Window::of_units(1, 2));
    let _first = next_execution(&scheduler, 0);
    assert!(!scheduler.has_work(), "the next block knows nothing of it");
    scheduler.give_head_start(vec![4]);
    assert!(scheduler.has_work());
    let _ahead = next_execution(&scheduler, 4);
    assert!(!scheduler.has_work());
}

/// Of a block that ended before all of its units were begun, also those are forgotten that had a head start.
#[test]
fn nothing_is_left_of_a_head_start_after_a_reset() {
    let mut scheduler = Scheduler::new(50);
    scheduler.give_head_start(vec![40, 2, 41, 42]);
    for unit in [40, 2, 41] {
        let _begun = next_execution(&scheduler, unit);
    }
    assert_eq!(scheduler.suspend(next_execution(&scheduler, 42), 41), None);
    scheduler.halt();
    scheduler.reset(50);
    for unit in 0..50 {
        let execution = next_execution(&scheduler, unit);
        assert_eq!(execution.incarnation(), 0);
        let hand_off = scheduler.finish_execution(execution, true);
        assert_eq!(hand_off.execution, None, "nobody waits");
        assert!(scheduler.confirm(hand_off.validation.expect("all below has executed")));
    }
    assert_eq!(committed(&scheduler), (0..50).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "no unit of the block")]
fn only_a_unit_of_the_block_can_have_a_head_start() {
    Scheduler::new(3).give_head_start(vec![3]);
}

// --- Sleeping --------------------------------------------------------------------------------------------------------

/// Where there is something to do nobody falls asleep.
#[test]
fn nobody_sleeps_while_there_is_work() {
    within_a_while("there is work, or the block is over", || {
        let scheduler = Scheduler::new(2);
        scheduler.wait_for_work(); // unit 0 is new
        let first = next_execution(&scheduler, 0);
        let _ = execute(&scheduler, 1);
        let validation = scheduler.finish_execution(first, true).validation.expect("the lowest unit");
        scheduler.wait_for_work(); // unit 1 is to be validated
        let abort = scheduler.abort(validation).expect("nobody else has settled it");
        assert!(scheduler.confirm(next_validation(&scheduler, 1)));
        scheduler.rewind_above(0);
        scheduler.wait_for_work(); // unit 1 is to be validated again
        assert!(scheduler.confirm(next_validation(&scheduler, 1)));
        scheduler.defer(scheduler.finish_abort(abort));
        scheduler.wait_for_work(); // unit 0 is to be executed again
        let _ = next_execution(&scheduler, 0);
        scheduler.halt();
        scheduler.wait_for_work(); // it is over
    });
}

/// Field notes, bug 10: halting wakes everybody.
#[test]
fn a_halt_wakes_everybody() {
    within_a_while("all workers leave", || {
        let scheduler = Scheduler::new(1);
        let _claimed = next_execution(&scheduler, 0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !scheduler.is_over() {
                        assert_eq!(scheduler.next_task(), None);
                        scheduler.wait_for_work();
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(30)); // most of them sleep now; correct either way
            scheduler.halt();
        });
    });
}

/// A unit with many dependents finishes: one is handed over, and everybody who sleeps gets one of the others, though
/// the finisher wakes a single sleeper: each passes the news on.
#[test]
fn a_wake_up_is_passed_on() {
    within_a_while("every sleeper gets a unit", || {
        const SLEEPERS: u32 = 4;
        let scheduler = Scheduler::new(SLEEPERS + 2);
        let first = next_execution(&scheduler, 0);
        for unit in 1..SLEEPERS + 2 {
            let execution = next_execution(&scheduler, unit);
            assert_eq!(scheduler.suspend(execution, 0), None);
        }
        let together = std::sync::Barrier::new(SLEEPERS as usize);
        std::thread::scope(|scope| {
            for _ in 0..SLEEPERS {
                scope.spawn(|| {
                    loop {
                        match scheduler.next_task() {
                            Some(Task::Execute(_)) => break,
                            Some(Task::Validate(_)) => {} // of unit 0, if the finisher was slow
                            None => scheduler.wait_for_work(),
                        }
                    }
                    together.wait(); // nobody takes a second one
                });
            }
            std::thread::sleep(Duration::from_millis(30)); // most of them sleep now; correct either way
            let hand_off = scheduler.finish_execution(first, true);
            assert_eq!(hand_off.execution.map(|execution| execution.unit()), Some(1));
        });
    });
}

/// Field notes, bugs 9 and 13: an execution that would loop until a lower unit has changed its write can tell whether
/// that unit waits for somebody.
#[test]
fn a_long_execution_sees_what_holds_it_up() {
    let scheduler = Scheduler::new(4);
    let first = next_execution(&scheduler, 0);
    assert_eq!(execute(&scheduler, 1), None);
    let _looping = next_execution(&scheduler, 2);
    assert!(!scheduler.call_for_help(2), "unit 0 is being executed; unit 3, which is new, is above");
    let of_0 = scheduler.finish_execution(first, true).validation.expect("the lowest unit");
    assert!(scheduler.call_for_help(2), "unit 1 is to be validated");
    assert!(!scheduler.call_for_help(1), "that changes nothing for itself");
    let of_1 = next_validation(&scheduler, 1);
    assert!(!scheduler.call_for_help(2), "unit 1 is in good hands");
    assert!(scheduler.confirm(of_1));
    scheduler.rewind_above(0);
    assert!(scheduler.call_for_help(2), "unit 1 is to be validated again");
    let of_1 = next_validation(&scheduler, 1);
    let again = scheduler.finish_abort(scheduler.abort(of_1).expect("nobody else has settled it"));
    assert!(!scheduler.call_for_help(2), "unit 1 is in good hands");
    scheduler.defer(again);
    assert!(scheduler.call_for_help(2), "unit 1 is to be executed again");
    assert!(scheduler.confirm(of_0));
}

/// Few units that are sent back wake nobody, since who sent them back soon asks for work itself. If that takes long, a
/// call for help wakes a sleeper.
#[test]
fn a_call_for_help_wakes_a_sleeper() {
    within_a_while("the sleeper validates unit 1", || {
        let (scheduler, _again) = with_unit_0_aborted(2);
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                loop {
                    match scheduler.next_task() {
                        Some(Task::Validate(validation)) => return validation.unit(),
                        Some(Task::Execute(_)) => unreachable!("all have executed"),
                        None => scheduler.wait_for_work(),
                    }
                }
            });
            std::thread::sleep(Duration::from_millis(30)); // it sleeps now; correct either way
            scheduler.rewind_above(0);
            let _ = scheduler.call_for_help(1);
            assert_eq!(sleeper.join().expect("it returns"), 1);
        });
    });
}

// --- Under load ------------------------------------------------------------------------------------------------------

/// A block of units that read what lower ones write, over relaxed atomics, with suspensions, deferrals and rewinds.
/// Whatever the threads do, units are committed in order, each of them once, and none with a stale read
/// (CommitPrefixStable, NoWriteInBetween, EveryTransactionCommits).
struct Load {
    scheduler: Scheduler,
    /// What every unit has written last; `ESTIMATE` while it is about to write again.
    values: Vec<AtomicU32>,
    /// What every unit has read last.
    seen: Vec<AtomicU32>,
    committed: AtomicU32,
    /// How far a unit's source is below it.
    distance: u32,
}

const ESTIMATE: u32 = u32::MAX;

impl Load {
    fn source(&self, unit: u32) -> Option<u32> {
        // Every fifth unit reads nothing and so starts a chain of its own.
        unit.checked_sub(1 + unit % self.distance).filter(|_| !unit.is_multiple_of(5))
    }

    fn value_of(unit: u32, seen: u32) -> u32 {
        // Different for different reads, but for every seventh unit, which then sends nobody back.
        if unit.is_multiple_of(7) { unit } else { seen.wrapping_mul(31).wrapping_add(unit) & 0xffff }
    }

    fn read(&self, unit: u32) -> Result<u32, u32> {
        let Some(source) = self.source(unit) else { return Ok(0) };
        let value = self.values[source as usize].load(Relaxed);
        if value == ESTIMATE { Err(source) } else { Ok(value) }
    }

    fn execute(&self, execution: Execution) -> Option<Execution> {
        let unit = execution.unit();
        let seen = match self.read(unit) {
            Ok(seen) => seen,
            Err(on) => return self.scheduler.suspend(execution, on),
        };
        self.seen[unit as usize].store(seen, Relaxed);
        self.values[unit as usize].store(Self::value_of(unit, seen), Relaxed);
        let hand_off = self.scheduler.finish_execution(execution, true);
        let again = hand_off.validation.and_then(|validation| self.validate(validation));
        match (again, hand_off.execution) {
            (Some(again), Some(woken)) => {
                self.scheduler.defer(woken);
                Some(again)
            }
            (again, woken) => again.or(woken),
        }
    }

    fn validate(&self, validation: Validation) -> Option<Execution> {
        let unit = validation.unit();
        if self.read(unit) == Ok(self.seen[unit as usize].load(Relaxed)) {
            if self.scheduler.confirm(validation) {
                self.scheduler.commit(|unit| self.commit(unit));
            }
            return None;
        }
        let abort = self.scheduler.abort(validation)?;
        self.values[unit as usize].store(ESTIMATE, Relaxed);
        Some(self.scheduler.finish_abort(abort))
    }

    fn commit(&self, unit: u32) -> ControlFlow<()> {
        assert_eq!(unit, self.committed.fetch_add(1, Relaxed), "CommitPrefixStable: in order, each unit once");
        let seen = self.seen[unit as usize].load(Relaxed);
        assert_eq!(self.read(unit), Ok(seen), "NoWriteInBetween: unit {unit} is committed with a stale read");
        ControlFlow::Continue(())
    }

    fn work(&self) {
        let mut handed_over = None;
        while !self.scheduler.is_over() {
            let task = handed_over.take().map(Task::Execute).or_else(|| self.scheduler.next_task());
            handed_over = match task {
                Some(Task::Execute(execution)) => self.execute(execution),
                Some(Task::Validate(validation)) => self.validate(validation),
                None => {
                    self.scheduler.wait_for_work();
                    None
                }
            };
        }
    }
}

#[test]
fn the_commit_prefix_is_stable_under_load() {
    within_a_while("the block is over", || {
        let mut recycled = Scheduler::new(0);
        for round in 0..120u32 {
            let units = 40 + round % 60 * 13;
            recycled.reset(units);
            if round >= 60 {
                recycled.limit_run_ahead(2 + round as usize % 3);
            }
            let each = || (0..units).map(|_| AtomicU32::new(0)).collect();
            let (scheduler, distance) = (recycled, 1 + round % 6);
            let load = Load { scheduler, values: each(), seen: each(), committed: AtomicU32::new(0), distance };
            std::thread::scope(|scope| {
                for _ in 0..2 + round % 3 {
                    scope.spawn(|| {
                        // A failed assertion must end the block for the others too.
                        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| load.work()));
                        if let Err(panic) = worked {
                            load.scheduler.halt();
                            std::panic::resume_unwind(panic);
                        }
                    });
                }
            });
            let mut expected: Vec<u32> = Vec::new();
            for unit in 0..units {
                let seen = load.source(unit).map_or(0, |source| expected[source as usize]);
                expected.push(Load::value_of(unit, seen));
            }
            let values: Vec<u32> = load.values.iter().map(|value| value.load(Relaxed)).collect();
            assert_eq!(values, expected, "FinalEqualsSequential, round {round}");
            assert_eq!(load.committed.load(Relaxed), units);
            recycled = load.scheduler;
        }
    });
}

#[test]
fn workers_that_take_turns_are_woken_as_those_that_block_are() {
    let scheduler = Scheduler::new(2);
    assert!(scheduler.has_work() && !scheduler.fall_asleep(), "there are fresh units");
    assert!(scheduler.fall_into_nap(), "but none that was begun");
    let execution = next_execution(&scheduler, 0);
    let waiting = next_execution(&scheduler, 1);
    assert!(scheduler.fall_asleep(), "all units are in somebody's hands");
    assert!(!scheduler.take_wake(), "nothing has happened");
    scheduler.defer(waiting);
    assert!(scheduler.take_wake() && !scheduler.take_wake(), "one is woken, not both");
    assert!(!scheduler.fall_asleep());
    let waiting = next_execution(&scheduler, 1);
    scheduler.stop_napping();
    scheduler.defer(waiting);
    assert!(!scheduler.take_wake(), "nobody is asleep");
    let _waiting = next_execution(&scheduler, 1);
    assert!(scheduler.fall_asleep() && scheduler.fall_asleep());
    scheduler.halt();
    assert!(scheduler.take_wake() && scheduler.take_wake() && !scheduler.take_wake(), "the end wakes all");
    let _never_ends = execution;
}

#[test]
fn who_works_ahead_waits_for_the_workers_or_the_end() {
    within_a_while("waiting for units to be begun", || {
        let scheduler = Scheduler::new(4);
        assert_eq!(scheduler.begun(), 0);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                scheduler.wait_until_begun(1);
                scheduler.begun()
            });
            // Two, in case the first one passes the waiter just as it goes to sleep.
            let _ = [next_execution(&scheduler, 0), next_execution(&scheduler, 1), next_execution(&scheduler, 2)];
            assert!(waiter.join().expect("the waiter comes back") >= 2);
            let waiter = scope.spawn(|| scheduler.wait_until_begun(3));
            scheduler.halt();
            waiter.join().expect("the waiter comes back");
        });
        // What was begun long ago is not waited for.
        scheduler.wait_until_begun(2);
        assert_eq!(scheduler.begun(), 3);
    });
}
