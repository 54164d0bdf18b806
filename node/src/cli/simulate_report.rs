//! What `weft simulate` prints.

use serde::Serialize;
use weft_node::simulate::paper::{self, published_speed_up};
use weft_node::simulate::{Check, Curve, TOLERANCE_PERCENT};

use super::simulate::Report;
use super::table;

/// A point of the paper's curves beside the simulated one.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    accounts: usize,
    cores: usize,
    /// Times as fast as sequential.
    published: f64,
    simulated: f64,
    /// No schedule can beat that.
    bound: f64,
}

/// The points of a simulated curve for which the paper gives figures.
pub(super) fn published(accounts: usize, curve: &Curve) -> Vec<Published> {
    let point = |point: &weft_node::simulate::Point| {
        let published = published_speed_up(accounts, point.cores)?;
        Some(Published { accounts, cores: point.cores, published, simulated: point.speed_up, bound: point.bound })
    };
    curve.points.iter().filter_map(point).collect()
}

pub(super) fn text(report: &Report) -> String {
    let mut parts = vec![curves(&report.curves), shares(&report.curves)];
    if !report.published.is_empty() {
        parts.push(beside_published(&report.published));
    }
    if !report.checks.is_empty() {
        parts.push(beside_engine(&report.checks));
    }
    parts.push("Every simulated block gave the sequential result.".to_owned());
    parts.join("\n")
}

fn curves(curves: &[Curve]) -> String {
    let mut table = table::with_header(&[
        "workload",
        "cores",
        "ms",
        "tx/s",
        "speed-up",
        "bound",
        "of bound",
        "executions/unit",
        "validations/unit",
        "suspensions/unit",
        "core time × sequential",
    ]);
    for curve in curves {
        for (at, point) in curve.points.iter().enumerate() {
            table.add_row([
                if at == 0 { curve.workload.clone() } else { String::new() },
                point.cores.to_string(),
                format!("{:.2}", point.milliseconds),
                super::grouped(point.per_second as u64),
                format!("{:.2}", point.speed_up),
                format!("{:.2}", point.bound),
                format!("{:.2}", point.of_bound),
                format!("{:.2}", point.executions),
                format!("{:.2}", point.validations),
                format!("{:.2}", point.suspensions),
                format!("{:.2}", point.inflation),
            ]);
        }
    }
    format!("{table}")
}

fn shares(curves: &[Curve]) -> String {
    let columns = [
        "% of the cores' time",
        "cores",
        "useful",
        "wasted",
        "memory",
        "validating",
        "committing",
        "scheduling",
        "rewinding",
        "cache lines",
        "looking, waking",
        "framing",
        "asleep",
    ];
    let mut table = table::with_header(&columns);
    for curve in curves {
        for (at, point) in curve.points.iter().enumerate() {
            let name = if at == 0 { curve.workload.clone() } else { String::new() };
            let shares = &point.shares;
            let figures = [
                shares.useful,
                shares.wasted,
                shares.memory,
                shares.validating,
                shares.committing,
                shares.scheduling,
                shares.rewinding,
                shares.fetching,
                shares.idling,
                shares.framing,
                shares.asleep,
            ];
            table.add_row(
                [name, point.cores.to_string()].into_iter().chain(figures.map(|figure| format!("{figure:.1}"))),
            );
        }
    }
    format!("{table}")
}

fn beside_published(points: &[Published]) -> String {
    let columns = ["accounts", "cores", "published speed-up", "simulated", "simulated ÷ published", "bound"];
    let mut table = table::with_header(&columns);
    for point in points {
        table.add_row([
            super::grouped(point.accounts as u64),
            point.cores.to_string(),
            format!("{:.2}", point.published),
            format!("{:.2}", point.simulated),
            format!("{:.2}", point.simulated / point.published),
            format!("{:.2}", point.bound),
        ]);
    }
    let sequential = paper::SEQUENTIAL_KTPS;
    format!("Beside the Block-STM paper's figures (blocks of 10,000, sequential {sequential} ktps):\n{table}")
}

fn beside_engine(checks: &[Check]) -> String {
    let columns = ["workload", "threads", "engine, ms", "simulated, ms", "off by", "executions/unit", "simulated", ""];
    let mut table = table::with_header(&columns);
    for check in checks {
        table.add_row([
            check.workload.clone(),
            check.threads.to_string(),
            format!("{:.2}", check.real_milliseconds),
            format!("{:.2}", check.simulated_milliseconds),
            format!("{:+.1} %", check.error_percent),
            format!("{:.2}", check.executions[0]),
            format!("{:.2}", check.executions[1]),
            if check.holds() { "holds" } else { "FAILS" }.to_owned(),
        ]);
    }
    let failed = checks.iter().filter(|check| !check.holds()).count();
    let verdict = match failed {
        0 => format!("All of them are within {TOLERANCE_PERCENT} %."),
        _ => format!("{failed} of {} are more than {TOLERANCE_PERCENT} % off.", checks.len()),
    };
    format!("Beside the engine itself (the fastest of the rounds):\n{table}\n{verdict}")
}
