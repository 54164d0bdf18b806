//! Measuring weft on synthetic blocks: results are checked, and figures are told apart.

use super::*;

fn contender(mode: Mode, threads: usize, unit_length: usize) -> Contender {
    Contender { mode, threads, unit_length }
}

/// Every run is checked: an error is a difference.
#[test]
fn every_pattern_gives_the_sequential_result() {
    let plan = Plan {
        calibration: Calibration::of(20.0),
        repeat: 3,
        seed: 7,
        contenders: vec![
            contender(Mode::Sequential, 1, 1),
            contender(Mode::Optimistic, 1, 1),
            contender(Mode::Optimistic, 2, 1),
            contender(Mode::Optimistic, 4, 16),
            contender(Mode::Auto, 2, 16),
        ],
    };
    for pattern in ["independent", "chain", "hinted-chain", "relay", "random-4", "random-50", "add"] {
        let pattern = pattern.parse().unwrap_or_else(|error| panic!("{error}"));
        for (transactions, blocks) in [(1, 3), (10, 3), (500, 1)] {
            let case = Case { pattern, work_micros: 1.0, transactions, blocks };
            let measured = measure(&case, &plan).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(measured.figures.len(), 5);
            assert!(measured.cores_given > 0.0);
            // Sequential execution and one thread never execute anything twice.
            let executions = |at: usize| measured.figures[at].executions;
            assert_eq!((executions(0), executions(1)), (1.0, 1.0), "{pattern}");
            assert!(measured.figures.iter().all(|figures| figures.executions >= 1.0), "{pattern}");
        }
    }
}

#[test]
fn differences_are_found() {
    let block = Pattern::Chain.block(20, 1);
    let vm = |steps| Synthetic { steps, has_hints: false };
    let pool = Arc::new(WorkerPool::new(1));
    let runner = Runner::new(&contender(Mode::Sequential, 1, 1), &pool);
    let run = |steps| runner.run(vm(steps), &block, 1).0.remove(0).expect("nothing of it fails");
    let expected = run(5);
    assert_eq!(check(&expected, &run(5)), Ok(()));
    assert_eq!(check(&expected, &run(6)), Err(DiffersError::Outcome(0)));
    let mut shorter = run(5);
    shorter.outcomes.pop();
    assert_eq!(check(&expected, &shorter), Err(DiffersError::Outcome(19)));
    let mut changed = run(5);
    changed.changes.pop();
    assert_eq!(check(&expected, &changed), Err(DiffersError::Changes));
}

#[test]
fn a_target_says_what_is_missed() {
    let figures = |speed_up, cores, executions| Figures {
        contender: String::new(),
        micros: 1.0,
        speed_up,
        added_core_nanos: 0.0,
        cores,
        executions,
    };
    assert_eq!(Target::CHAIN.missed(&figures(0.95, 1.15, 1.05)), Vec::<String>::new());
    assert_eq!(Target::CHAIN.missed(&figures(0.90, 1.0, 1.0)), ["0.90 times as fast, not 0.95"]);
    assert_eq!(Target::CHAIN.missed(&figures(1.0, 1.5, 1.2)), ["1.50 cores, not 1.15", "1.200 executions, not 1.05"]);
}

#[test]
fn contenders_are_told_apart() {
    let names = [
        contender(Mode::Sequential, 1, 1),
        contender(Mode::Optimistic, 1, 1),
        contender(Mode::Optimistic, 2, 16),
        contender(Mode::Auto, 2, 16),
    ];
    let names = names.map(|contender| contender.name());
    assert_eq!(names, ["sequential", "1 thread", "2 threads, units of 16", "auto, units of 16"]);
}
