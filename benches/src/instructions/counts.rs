//! What was counted against what was accepted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A count may rise by so much, in percent, before somebody has to accept it: some ten times as much as chance makes of it.
pub const TOLERANCE_PERCENT: f64 = 3.0;

/// Instructions of a transaction, by scenario, as they are kept in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// What compiled the code. Another compiler is a reason for other counts.
    pub compiler: String,
    /// By the name of the scenario.
    pub instructions_per_transaction: BTreeMap<String, u64>,
}

/// Why callgrind's output gives no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountsError {
    /// There is no line with the total.
    #[error("there is no total in what callgrind has written")]
    NoTotal,
    /// Nothing was counted: the function whose instructions count was not found, or not called.
    #[error("callgrind has counted nothing")]
    Nothing,
}

/// The instructions that a callgrind output file has counted in all.
///
/// # Errors
/// [`CountsError`] where it has not.
pub fn total_of_callgrind(output: &str) -> Result<u64, CountsError> {
    let total = output.lines().find_map(|line| line.strip_prefix("totals:")).ok_or(CountsError::NoTotal)?;
    match total.trim().parse() {
        Ok(0) => Err(CountsError::Nothing),
        Ok(total) => Ok(total),
        Err(_) => Err(CountsError::NoTotal),
    }
}

/// One scenario, before and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The scenario.
    pub scenario: String,
    /// Instructions a transaction that were accepted last, if any were.
    pub accepted: Option<u64>,
    /// Instructions a transaction that were counted now, if they were.
    pub counted: Option<u64>,
}

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No more than the tolerance apart.
    Same,
    /// Fewer instructions. The check passes; whoever accepts the count makes sure that what was gained is kept.
    Fell,
    /// More instructions: somebody has to accept that.
    Rose,
    /// Nobody has accepted a count yet.
    New,
    /// It was accepted, but there is no such scenario any more.
    Gone,
}

impl Verdict {
    /// Whether the check passes with it.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Same | Self::Fell)
    }
}

impl Line {
    /// By how many percent the count has risen, where there are two.
    #[must_use]
    pub fn percent(&self) -> Option<f64> {
        let (accepted, counted) = self.accepted.zip(self.counted)?;
        // The difference first: whole numbers, so that the tolerance itself is exact.
        Some((counted as f64 - accepted as f64) * 100.0 / accepted.max(1) as f64)
    }

    /// What it means.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.percent() {
            Some(percent) if percent > TOLERANCE_PERCENT => Verdict::Rose,
            Some(percent) if percent < -TOLERANCE_PERCENT => Verdict::Fell,
            Some(_) => Verdict::Same,
            None if self.accepted.is_none() => Verdict::New,
            None => Verdict::Gone,
        }
    }
}

/// Every scenario of either side.
#[must_use]
pub fn compare(accepted: &Counts, counted: &Counts) -> Vec<Line> {
    let [accepted, counted] = [accepted, counted].map(|counts| &counts.instructions_per_transaction);
    let scenarios: BTreeSet<&String> = accepted.keys().chain(counted.keys()).collect();
    let line = |scenario: &String| Line {
        scenario: scenario.clone(),
        accepted: accepted.get(scenario).copied(),
        counted: counted.get(scenario).copied(),
    };
    scenarios.into_iter().map(line).collect()
}

/// Whether the check passes: no count has risen too much, is new or is gone.
#[must_use]
pub fn is_accepted(lines: &[Line]) -> bool {
    lines.iter().all(|line| line.verdict().is_accepted())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<const N: usize>(counts: [(&str, u64); N]) -> Counts {
        let counts = counts.map(|(scenario, count)| (scenario.to_owned(), count));
        Counts { compiler: "a compiler".to_owned(), instructions_per_transaction: counts.into() }
    }

    fn verdicts(accepted: &Counts, counted: &Counts) -> Vec<Verdict> {
        compare(accepted, counted).iter().map(Line::verdict).collect()
    }

    #[test]
    fn only_a_rise_beyond_the_tolerance_fails() {
        for (counted, verdict) in [
            (500, Verdict::Fell),
            (969, Verdict::Fell),
            (970, Verdict::Same),
            (1000, Verdict::Same),
            (1030, Verdict::Same),
            (1031, Verdict::Rose),
            (5000, Verdict::Rose),
        ] {
            let lines = compare(&counts([("chain", 1000)]), &counts([("chain", counted)]));
            assert_eq!(lines[0].verdict(), verdict, "{counted}");
            assert_eq!(is_accepted(&lines), verdict != Verdict::Rose, "{counted}");
        }
    }

    #[test]
    fn scenarios_that_one_side_lacks_fail() {
        let (before, now) = (counts([("a", 10), ("b", 10)]), counts([("b", 10), ("c", 10)]));
        assert_eq!(verdicts(&before, &now), [Verdict::Gone, Verdict::Same, Verdict::New]);
        assert!(!is_accepted(&compare(&counts([("a", 10)]), &counts([]))));
        assert!(!is_accepted(&compare(&counts([]), &counts([("a", 10)]))));
        assert!(is_accepted(&compare(&before, &before)));
    }

    #[test]
    fn changes_are_in_percent() {
        let lines = compare(&counts([("a", 200), ("b", 1)]), &counts([("a", 250)]));
        assert_eq!(lines.iter().map(Line::percent).collect::<Vec<_>>(), [Some(25.0), None]);
    }

    #[test]
    fn the_total_is_found_in_callgrinds_output() {
        let output = "# callgrind format\nevents: Ir\nsummary: 7\n\nfn=(0) main\n16 400\n\ntotals: 1234\n";
        assert_eq!(total_of_callgrind(output), Ok(1234));
        assert_eq!(total_of_callgrind("events: Ir\ntotals: 0\n"), Err(CountsError::Nothing));
        assert_eq!(total_of_callgrind("events: Ir\n"), Err(CountsError::NoTotal));
        assert_eq!(total_of_callgrind("totals: many\n"), Err(CountsError::NoTotal));
    }

    #[test]
    fn a_file_is_read_back_and_nothing_else_is() {
        let written = serde_json::to_string(&counts([("a", 10)])).expect("it can be written");
        let read: Counts = serde_json::from_str(&written).expect("it can be read");
        assert_eq!(read, counts([("a", 10)]));
        assert!(serde_json::from_str::<Counts>(&written.replace("compiler", "complier")).is_err());
    }
}
