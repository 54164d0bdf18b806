//! The longest chain of transactions that need each other's results: what no schedule can beat.

use std::hash::Hash;
use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashMap;

use super::access::{Access, BlockAccess};

/// How much of a block's work has to happen one after another.
///
/// Only a transaction whose result depends on a value waits, for whoever wrote the value and for all who have added to
/// it since. What is overwritten unread, or added to, waits for nobody. That is less than a level schedule waits for
/// (read after write, write after read, write after write): on purpose, since here are only the dependencies which an
/// executor cannot avoid, however many versions of a value it keeps.
///
/// It is not proof against luck: a speculative execution that reads a stale value may leave what the right value leads
/// to, as when only its output differs, and who has read that is ahead of its dependencies. And where a transaction
/// undoes changes of its own it may count as depending on more than it does, see [`record`](super::record).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriticalPath {
    /// The time of all transactions together.
    pub total: Duration,
    /// The time of the longest chain of transactions of which each reads what the one before has made.
    pub longest: Duration,
}

impl CriticalPath {
    /// Of a block whose transactions take `time_of` their index. Each reads after `read_percent` of its time, at the
    /// most 100, and may begin so much earlier than what it reads is there: 0 for transactions that read at once.
    pub fn of<K: Eq + Hash>(block: &BlockAccess<K>, time_of: impl Fn(usize) -> Duration, read_percent: u32) -> Self {
        // When the value of each key is there, as the transactions so far leave it. Keys that nobody has changed are
        // there from the beginning.
        let mut there: HashMap<&K, Duration, RandomState> = HashMap::default();
        let mut path = Self { total: Duration::ZERO, longest: Duration::ZERO };
        for transaction in 0..block.transactions() {
            let is_rejected = block.is_rejected(transaction);
            let accesses = block.of(transaction);
            let needed = accesses.iter().filter(|(_, access)| match access {
                Access::Read | Access::ReadWrite => true,
                Access::Write => false,
                // A transaction that is rejected may owe that to its additions having fitted. Of one that is applied
                // they are part of the sum that later readers wait for.
                Access::Add => is_rejected,
            });
            let begins = needed.filter_map(|(key, _)| there.get(key)).max().copied().unwrap_or_default();
            let time = time_of(transaction);
            let until_read = time * read_percent.min(100) / 100;
            let ends = begins.max(until_read) + (time - until_read);
            // What a rejected transaction has changed nobody sees.
            for (key, access) in accesses.iter().filter(|_| !is_rejected) {
                match access {
                    Access::Read => {}
                    Access::Add => {
                        let there = there.entry(key).or_default();
                        *there = ends.max(*there);
                    }
                    Access::Write | Access::ReadWrite => {
                        there.insert(key, ends);
                    }
                }
            }
            path.total += time;
            path.longest = path.longest.max(ends);
        }
        path
    }

    /// How many times as fast as sequential execution `threads` threads can be at most. `beside` is work that depends
    /// on no transaction, such as checking signatures.
    #[must_use]
    pub fn bound(&self, threads: usize, beside: Duration) -> f64 {
        let threads = threads.max(1) as f64;
        let (total, longest) = ((self.total + beside).as_secs_f64(), self.longest.as_secs_f64());
        if longest > 0.0 { threads.min(total / longest) } else { threads }
    }
}

#[cfg(test)]
mod tests {
    use super::Access::{Add, Read, ReadWrite, Write};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn block(transactions: &[&[(char, Access)]]) -> BlockAccess<char> {
        transactions.iter().map(|accesses| accesses.iter().copied()).collect()
    }

    #[test]
    fn the_path_is_as_long_as_its_transactions_and_bounds_the_speed_up() {
        let transactions = block(&[&[('a', ReadWrite)], &[('b', ReadWrite)], &[('a', Read)], &[('c', Add)]]);
        let times = [3, 5, 4, 2].map(Duration::from_secs);
        let path = CriticalPath::of(&transactions, |at| times[at], 0);
        assert_eq!(path, CriticalPath { total: Duration::from_secs(14), longest: Duration::from_secs(7) });
        assert_eq!([1, 2, 8].map(|threads| path.bound(threads, Duration::ZERO)), [1.0, 2.0, 2.0]);
        assert_eq!(path.bound(8, Duration::from_secs(7)), 3.0, "signatures wait for nobody");
        let chain = block(&[&[('a', ReadWrite)], &[('a', ReadWrite)]]);
        let path = CriticalPath::of(&chain, |_| Duration::from_micros(3), 0);
        assert_eq!(path.bound(64, Duration::ZERO), 1.0);
        let nothing = CriticalPath::of(&block(&[]), |_| SECOND, 0);
        assert_eq!(nothing.bound(4, Duration::ZERO), 4.0, "nothing bounds an empty block");
    }

    #[test]
    fn what_comes_before_the_read_overlaps() {
        let chain = block(&[&[('a', ReadWrite)][..]; 10]);
        let longest = |read_percent| CriticalPath::of(&chain, |_| SECOND, read_percent).longest;
        assert_eq!([0, 50, 100, 200].map(longest), [SECOND * 10, SECOND * 11 / 2, SECOND, SECOND]);
    }

    #[test]
    fn a_rejected_transaction_depends_and_nobody_depends_on_it() {
        let longest = |rejected: Access| {
            let mut block = block(&[&[('a', ReadWrite)]]);
            block.push_rejected([('a', rejected)]);
            block.push([('a', Read)]);
            CriticalPath::of(&block, |at| SECOND * [5, 3, 1][at], 0).longest.as_secs()
        };
        assert_eq!([Read, ReadWrite, Add].map(longest), [8, 8, 8]);
        assert_eq!(longest(Write), 6, "the last one waits for the first, and the rejected one for nobody");
    }
}
