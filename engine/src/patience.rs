//! How a worker behaves that finds nothing to execute, because all that it looks at waits for what others run.
//!
//! A chain of transactions must not cost more than the core that it runs on: so the worker naps between two looks. But
//! behind the chain there may be another one, or something that depends on nobody: so it looks further, the longer it has
//! found nothing, and spends about the same small part of its time on that.

use std::time::Duration;

use crate::metrics::Counts;

/// After so many units in a row that had to be suspended a worker takes its first nap.
const FUTILE: u32 = 8;
/// That nap, and how often it is doubled while nothing changes. Work that others have for the worker ends it at once.
const SHORTEST_NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: u32 = 4;
/// Units that are looked at after the first nap; doubled with the naps. A unit that has to wait takes about a microsecond.
const LOOKS: u32 = 2;

/// How long a worker should nap now, if at all.
pub(crate) fn nap(counts: &mut Counts) -> Option<Duration> {
    let looks = counts.naps.checked_sub(1).map_or(FUTILE, |naps| LOOKS << naps.min(LONGEST_NAP));
    if counts.futile < looks {
        return None;
    }
    let longest = SHORTEST_NAP * (1 << counts.naps.min(LONGEST_NAP));
    counts.naps += 1;
    counts.futile = 0;
    Some(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_and_what_is_looked_at_between_them_get_longer() {
        let mut counts = Counts::default();
        let mut naps = Vec::new();
        for suspensions in 0..170 {
            if let Some(longest) = nap(&mut counts) {
                naps.push((suspensions, longest.as_micros()));
            }
            counts.suspend();
        }
        let expected =
            [(8, 50), (10, 100), (14, 200), (22, 400), (38, 800), (70, 800), (102, 800), (134, 800), (166, 800)];
        assert_eq!(naps, expected);
        counts.execute();
        for _ in 0..FUTILE {
            assert_eq!(nap(&mut counts), None);
            counts.suspend();
        }
        assert_eq!(nap(&mut counts), Some(SHORTEST_NAP), "there was something to do");
    }
}
