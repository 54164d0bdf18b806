//! What the simulation says beside what the engine does, for as many threads as the machine has to itself.

use serde::Serialize;
use weft_engine::{BlockPolicy, Config, Engine, Mode, Vm};
use weft_storage::StateReader;

use super::{Plan, SimulateError, Subject, TransactionTime};
use crate::compare::median;

/// A simulated time that is further from the real one shows nothing.
pub const TOLERANCE_PERCENT: f64 = 15.0;

/// One number of threads.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The workload.
    pub workload: String,
    /// Threads of the engine, and simulated cores.
    pub threads: usize,
    /// What the engine takes, in milliseconds: the fastest round, since whatever else the machine does only adds to it.
    pub real_milliseconds: f64,
    /// What the simulation says, in milliseconds, with the transactions as fast as in any round.
    pub simulated_milliseconds: f64,
    /// How far the simulated time is above the real one, or below.
    pub error_percent: f64,
    /// The engine's middle round, in milliseconds: far above the fastest where the machine was busy with something else.
    pub real_median_milliseconds: f64,
    /// Executions a unit, by the engine and in the simulation.
    pub executions: [f64; 2],
}

impl Check {
    /// Whether it is near enough.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.error_percent.abs() <= TOLERANCE_PERCENT
    }
}

/// Runs a block on the engine, with `real` as its virtual machine, and on as many simulated cores, `rounds` times in turns,
/// so that a slow moment of the machine hits the measured transactions and the engine alike. `real` may differ from the
/// subject's machine in the time that it takes, never in its results.
///
/// # Errors
/// [`SimulateError`], above all when a result differs from the sequential one.
pub fn validate<V, R>(
    subject: &Subject<'_, V, R>,
    real: &V,
    plan: &Plan,
    threads: &[usize],
    rounds: usize,
    mut progress: impl FnMut(),
) -> Result<Vec<Check>, SimulateError>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
{
    struct Series<V: Vm> {
        threads: usize,
        engine: Engine<V>,
        real: Vec<f64>,
        simulated: Vec<f64>,
        executions: [Vec<f64>; 2],
    }
    let mut series: Vec<Series<V>> = threads
        .iter()
        .map(|&threads| {
            let config = Config {
                mode: Mode::Optimistic,
                max_parallel_threads: threads,
                unit_length: plan.unit_length,
                ..Config::default()
            };
            let engine = Engine::new(config);
            Series { threads, engine, real: vec![], simulated: vec![], executions: [vec![], vec![]] }
        })
        .collect();
    let Subject { vm, reader, transactions, .. } = subject;
    let policy = BlockPolicy::default();
    let once = Plan { time: each_round(plan.time), ..plan.clone() };
    for round in 0..=rounds {
        let (profile, expected) = once.profile(subject)?;
        for one in &mut series {
            progress();
            let output = one.engine.execute_block(real, *reader, transactions, policy);
            let output = output.map_err(|source| subject.no_result(source))?;
            subject.must_be_equal(one.threads, &output, &expected)?;
            let simulation = once.simulation(one.threads);
            let time_of = |at| once.time_of(&profile, at);
            let simulated = simulation.execute_block(*vm, *reader, transactions, time_of, policy);
            let simulated = simulated.map_err(|source| subject.no_result(source))?;
            subject.must_be_equal(one.threads, &simulated.output, &expected)?;
            if round == 0 {
                // Caches and memory are cold.
                continue;
            }
            let took = [output.metrics.wall_time, simulated.makespan()].map(|time| time.as_secs_f64() * 1e3);
            one.real.push(took[0]);
            one.simulated.push(took[1]);
            one.executions[0].push(output.metrics.executions_per_unit());
            one.executions[1].push(simulated.output.metrics.executions_per_unit());
        }
    }
    let fastest = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    let check = |one: Series<V>| {
        let (real, simulated) = (fastest(&one.real), fastest(&one.simulated));
        Check {
            workload: subject.name.clone(),
            threads: one.threads,
            real_milliseconds: real,
            simulated_milliseconds: simulated,
            error_percent: 100.0 * (simulated / real - 1.0),
            real_median_milliseconds: median(one.real),
            executions: one.executions.map(median),
        }
    };
    Ok(series.into_iter().map(check).collect())
}

/// Transactions are measured anew in each round.
fn each_round(time: TransactionTime) -> TransactionTime {
    match time {
        TransactionTime::Fixed(time) => TransactionTime::Fixed(time),
        TransactionTime::Measured(_) => TransactionTime::Measured(3),
    }
}
