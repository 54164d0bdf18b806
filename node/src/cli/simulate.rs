//! `weft simulate`: blocks on 1 to 128 simulated cores, in virtual time.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use weft_engine::Vm;
use weft_engine::simulation::Costs;
use weft_ledger::rules::TosVm;
use weft_node::chain::SnapshotReader;
use weft_node::executor::SharedState;
use weft_node::simulate::paper::{self, PaperState, PaperVm};
use weft_node::simulate::{self, Check, Curve, Plan, Subject, TransactionTime, validate};
use weft_node::workload::{Workload, WorkloadBuilder};
use weft_storage::{MemoryStore, StateReader, StateStore, StateWriter};

use super::svg::PictureFile;
use super::{CliError, block_length, from_one_to, print, progress_bar, simulate_plot, simulate_report, transactions};

/// What the costs of the bookkeeping are called, and how they are set.
type CostName = (&'static str, fn(&mut Costs) -> &mut Duration);

const COSTS: [CostName; 15] = [
    ("step", |costs| &mut costs.step),
    ("unit", |costs| &mut costs.unit),
    ("read", |costs| &mut costs.read),
    ("locate", |costs| &mut costs.locate),
    ("write", |costs| &mut costs.write),
    ("validate", |costs| &mut costs.validate),
    ("commit", |costs| &mut costs.commit),
    ("delta", |costs| &mut costs.delta),
    ("scan", |costs| &mut costs.scan),
    ("transfer", |costs| &mut costs.transfer),
    ("look-around", |costs| &mut costs.look_around),
    ("wake", |costs| &mut costs.wake),
    ("wake-call", |costs| &mut costs.wake_call),
    ("set-up", |costs| &mut costs.set_up),
    ("collect", |costs| &mut costs.collect),
];

/// The slowdown per other core with which the conflict-free curve of the paper's machine comes out.
const PAPER_CROWDING: u32 = 32;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Workloads, as for `weft compare`; p2p-N for every N of --accounts, if none is named
    #[arg(value_name = "WORKLOAD", conflicts_with = "paper")]
    workloads: Vec<Workload>,
    /// Numbers of accounts
    #[arg(long, value_delimiter = ',', default_values_t = [2, 10, 100, 1000, 10_000],
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(2..=1_000_000))]
    accounts: Vec<usize>,
    /// Transactions of the block; 10000 if not given, 2000 where contracts are called
    #[arg(long, value_parser = transactions())]
    txs: Option<usize>,
    /// Numbers of simulated cores
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32, 64, 128], value_parser = from_one_to(1024))]
    cores: Vec<usize>,
    /// How long every transaction takes; measured on this machine, one by one, if not given
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros)]
    transaction_micros: Option<f64>,
    /// Runs by which transactions are measured; the middle one of each transaction counts
    #[arg(long, default_value_t = 5, value_parser = from_one_to(1_000_000))]
    repeat: usize,
    /// Transactions of a unit
    #[arg(long, default_value_t = 1, value_parser = from_one_to(1_000_000))]
    unit_length: usize,
    /// When an execution reads, in percent of its time
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    read_point: u32,
    /// What bookkeeping costs in nanoseconds: step, unit, read, locate, write, validate, commit, delta, scan, transfer,
    /// look-around, wake, wake-call, set-up or collect, as NAME=NANOSECONDS
    #[arg(long = "cost", value_name = "NAME=NANOS", value_parser = cost)]
    costs: Vec<(usize, Duration)>,
    /// Thousandths by which an execution takes longer for every other core that executes at the time, up to 1000
    #[arg(long, value_name = "PER_MILLE", value_parser = clap::value_parser!(u32).range(..=1000))]
    crowding: Option<u32>,
    /// Simulates the transfers of the Block-STM paper (8 reads, 5 writes, 96 microseconds) on a machine whose cores
    /// slow each other down as there, and compares the curves with the published ones
    #[arg(long)]
    paper: bool,
    /// The paper's transfers announce what they write, as those of the ledger do
    #[arg(long, requires = "paper")]
    announce: bool,
    /// Seed of the workloads
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs the engine on 1 and 2 threads as well, and fails where the simulation is more than 15 % off
    #[arg(long)]
    validate: bool,
    /// Rounds by which it is compared with the engine; the fastest counts
    #[arg(long, default_value_t = 15, value_parser = from_one_to(1_000_000))]
    rounds: usize,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Writes the curves to an SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn micros(text: &str) -> Result<f64, String> {
    let micros: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    // A second at the most: a million of them, in nanoseconds, on a thousand cores, stay within the range of a sum.
    if (0.001..=1e6).contains(&micros) { Ok(micros) } else { Err("not between 0.001 and 1000000".to_owned()) }
}

fn cost(text: &str) -> Result<(usize, Duration), String> {
    let (name, nanoseconds) = text.split_once('=').ok_or("not of the form NAME=NANOSECONDS")?;
    let at = COSTS.iter().position(|known| known.0 == name).ok_or_else(|| format!("no cost is called {name:?}"))?;
    // A second, for the same reason as with transactions.
    let nanoseconds = nanoseconds.parse().ok().filter(|nanoseconds| *nanoseconds <= 1_000_000_000);
    Ok((at, Duration::from_nanos(nanoseconds.ok_or("not a number of nanoseconds up to a second")?)))
}

/// Everything that a run found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) curves: Vec<Curve>,
    /// Where the simulation was compared with the engine.
    pub(super) checks: Vec<Check>,
    /// Where the workload is the paper's.
    pub(super) published: Vec<simulate_report::Published>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let plan = plan(arguments);
    let svg = arguments.svg.as_deref().map(PictureFile::create).transpose()?;
    let blocks = if arguments.workloads.is_empty() { arguments.accounts.len() } else { arguments.workloads.len() };
    let each = plan.cores.len() + if arguments.validate { 2 * (arguments.rounds + 1) } else { 0 };
    let bar = progress_bar((blocks * each) as u64, "blocks", arguments.json);
    let mut report = Report { curves: Vec::new(), checks: Vec::new(), published: Vec::new() };
    if arguments.paper {
        for &accounts in &arguments.accounts {
            let transactions = paper::block(accounts, arguments.txs.unwrap_or(10_000), arguments.seed);
            let vm = PaperVm { announces: arguments.announce, takes: Duration::ZERO };
            // In the engine's own time a transfer keeps its core busy for as long.
            let real = PaperVm { takes: fixed(arguments).unwrap_or_default(), ..vm };
            let name = format!("paper-{accounts}");
            let subject = Subject { name, vm: &vm, reader: &PaperState, transactions: &transactions };
            one(&subject, &real, &plan, arguments, &mut report, &bar)?;
            let published = report.curves.last().map(|curve| simulate_report::published(accounts, curve));
            report.published.extend(published.into_iter().flatten());
        }
    } else {
        let mut workloads = arguments.workloads.clone();
        if workloads.is_empty() {
            workloads = arguments.accounts.iter().map(|&accounts| Workload::P2p { accounts }).collect();
        }
        for workload in workloads {
            ledger_block(workload, &plan, arguments, &mut report, &bar)?;
        }
    }
    bar.finish_and_clear();
    if let Some(file) = svg {
        file.write(&simulate_plot::svg(&report.curves))?;
    }
    if arguments.json {
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&simulate_report::text(&report))?;
    }
    Ok(if report.checks.iter().all(Check::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The time of every transaction, where it is given.
fn fixed(arguments: &Arguments) -> Option<Duration> {
    let given = arguments.transaction_micros.map(|micros| Duration::from_secs_f64(micros / 1e6));
    given.or_else(|| arguments.paper.then(paper::transfer_time))
}

fn plan(arguments: &Arguments) -> Plan {
    let mut costs = Costs::default();
    for &(at, duration) in &arguments.costs {
        *COSTS[at].1(&mut costs) = duration;
    }
    costs.crowding_per_mille =
        arguments.crowding.unwrap_or(if arguments.paper { PAPER_CROWDING } else { costs.crowding_per_mille });
    Plan {
        cores: arguments.cores.clone(),
        unit_length: arguments.unit_length,
        time: fixed(arguments).map_or(TransactionTime::Measured(arguments.repeat), TransactionTime::Fixed),
        costs,
        read_percent: arguments.read_point,
    }
}

fn ledger_block(
    workload: Workload,
    plan: &Plan,
    arguments: &Arguments,
    report: &mut Report,
    bar: &indicatif::ProgressBar,
) -> Result<(), CliError> {
    let builder =
        WorkloadBuilder::new(workload).transactions(block_length(arguments.txs, workload)).seed(arguments.seed);
    let mut generator = builder.unsigned().build();
    let store = MemoryStore::new();
    let mut genesis = generator.genesis();
    genesis.sort_unstable_by_key(|entry| entry.0);
    store.initialise(&genesis, [0; 32])?;
    let state: SharedState = Arc::new(SnapshotReader(StateStore::snapshot(&store)));
    let transactions = generator.next_transactions();
    let vm = TosVm::new(workload.ledger(), generator.context());
    let subject = Subject { name: workload.to_string(), vm: &vm, reader: &state, transactions: &transactions };
    one(&subject, &vm, plan, arguments, report, bar)
}

/// Simulates one block, and compares it with the engine where that is wanted.
fn one<V: Vm, R: StateReader<V::Key, V::Value>>(
    subject: &Subject<'_, V, R>,
    real: &V,
    plan: &Plan,
    arguments: &Arguments,
    report: &mut Report,
    bar: &indicatif::ProgressBar,
) -> Result<(), CliError> {
    report.curves.push(simulate::simulate(subject, plan, |cores| {
        bar.set_message(format!("{} on {cores} cores", subject.name));
        bar.inc(1);
    })?);
    if arguments.validate {
        report.checks.extend(validate(subject, real, plan, &[1, 2], arguments.rounds, || {
            bar.set_message(format!("{} on the engine", subject.name));
            bar.inc(1);
        })?);
    }
    Ok(())
}
