//! Which transactions must wait for which, by their accesses: levels, and the longest chain of true dependencies.

use std::hash::Hash;
use std::time::Duration;

use ahash::AHashMap;

use super::access::{Access, BlockAccess};

/// The lowest levels at which a key can be touched next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyLevels {
    /// Above the last write.
    write: u32,
    /// Above every read so far.
    read: u32,
    /// Above every addition so far.
    add: u32,
}

impl KeyLevels {
    /// The lowest level for an access after those so far: reads are above writes and additions, additions above writes
    /// and reads, writes above everything.
    pub(super) fn lowest(self, access: Access) -> u32 {
        match access {
            Access::Read => self.write.max(self.add),
            Access::Add => self.write.max(self.read),
            Access::Write | Access::ReadWrite => self.write.max(self.read).max(self.add),
        }
    }

    /// There is an access at `level`, which is at least the lowest.
    pub(super) fn touch(&mut self, access: Access, level: u32) {
        let above = match access {
            Access::Read => &mut self.read,
            Access::Add => &mut self.add,
            Access::Write | Access::ReadWrite => &mut self.write,
        };
        *above = (*above).max(level + 1);
    }
}

/// The level of each transaction: 0 for those that wait for nobody, else one above the highest of those with which it
/// conflicts. Two accesses to a key conflict unless both read or both add.
#[must_use]
pub fn levels<K: Eq + Hash>(block: &BlockAccess<K>) -> Vec<u32> {
    let mut keys: AHashMap<&K, KeyLevels> = AHashMap::new();
    let level_of = |transaction| {
        let accesses = block.of(transaction);
        let lowest = |(key, access): &(K, Access)| keys.get(key).map_or(0, |levels| levels.lowest(*access));
        let level = accesses.iter().map(lowest).max().unwrap_or(0);
        accesses.iter().for_each(|(key, access)| keys.entry(key).or_default().touch(*access, level));
        level
    };
    (0..block.transactions()).map(level_of).collect()
}

/// How much of a block's work has to happen one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriticalPath {
    /// The time of all transactions.
    pub total: Duration,
    /// The time of the longest chain of transactions of which each reads what the one before has made.
    pub longest: Duration,
}

impl CriticalPath {
    /// Of a block whose transactions take as long as `weights` says. Only reading makes a transaction wait, for whoever
    /// wrote the value and for all who have added to it since: what is overwritten unread, or added, waits for nobody.
    ///
    /// # Panics
    /// When there are fewer weights than transactions.
    #[must_use]
    pub fn of<K: Eq + Hash>(block: &BlockAccess<K>, weights: &[Duration]) -> Self {
        /// When a key's value is there.
        #[derive(Default)]
        struct Ready {
            written: Duration,
            added: Duration,
        }
        let mut keys: AHashMap<&K, Ready> = AHashMap::new();
        let mut path = Self { total: Duration::ZERO, longest: Duration::ZERO };
        for (transaction, weight) in weights.iter().enumerate().take(block.transactions()) {
            let accesses = block.of(transaction);
            let read = accesses.iter().filter(|(_, access)| access.reads());
            let ready = read.filter_map(|(key, _)| keys.get(key)).map(|ready| ready.written.max(ready.added)).max();
            let end = ready.unwrap_or_default() + *weight;
            for (key, access) in accesses {
                match access {
                    Access::Read => {}
                    Access::Add => {
                        let added = &mut keys.entry(key).or_default().added;
                        *added = end.max(*added);
                    }
                    Access::Write | Access::ReadWrite => {
                        keys.insert(key, Ready { written: end, added: Duration::ZERO });
                    }
                }
            }
            path.total += *weight;
            path.longest = path.longest.max(end);
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

    type Listed<'l> = &'l [&'l [(char, Access)]];

    fn block(transactions: Listed<'_>) -> BlockAccess<char> {
        transactions.iter().map(|accesses| accesses.iter().copied()).collect()
    }

    fn longest(transactions: Listed<'_>) -> u64 {
        let weights = vec![Duration::from_secs(1); transactions.len()];
        let path = CriticalPath::of(&block(transactions), &weights);
        assert_eq!(path.total.as_secs(), transactions.len() as u64);
        path.longest.as_secs()
    }

    #[test]
    fn levels_follow_reads_writes_and_additions() {
        let cases: [(Listed<'_>, &[u32], u64); 12] = [
            (&[], &[], 0),
            (&[&[], &[('a', Read)], &[('a', Read)]], &[0, 0, 0], 1),
            (&[&[('a', ReadWrite)], &[('b', ReadWrite)]], &[0, 0], 1),
            // Read after write.
            (&[&[('a', Write)], &[('a', Read)], &[('a', Read)]], &[0, 1, 1], 2),
            // Write after read: nobody waits for a value.
            (&[&[('a', Read)], &[('a', Read)], &[('a', Write)]], &[0, 0, 1], 1),
            // Write after write.
            (&[&[('a', Write)], &[('a', Write)], &[('b', Write)]], &[0, 1, 0], 1),
            (&[&[('a', ReadWrite)], &[('a', ReadWrite)], &[('a', ReadWrite)]], &[0, 1, 2], 3),
            // Additions change places, reads and writes do not pass them.
            (&[&[('a', Add)], &[('a', Add)], &[('a', Read)], &[('a', Add)], &[('a', Read)]], &[0, 0, 1, 2, 3], 2),
            (&[&[('a', Write)], &[('a', Add)], &[('a', Add)], &[('a', Write)]], &[0, 1, 1, 2], 1),
            (&[&[('a', Add)], &[('a', ReadWrite)], &[('a', Add)], &[('a', Read)]], &[0, 1, 2, 3], 3),
            // The highest of several keys counts, and each key by itself.
            (
                &[&[('a', ReadWrite)], &[('a', ReadWrite), ('b', ReadWrite)], &[('b', Read)], &[('c', Read)]],
                &[0, 1, 2, 0],
                3,
            ),
            // A late addition does not lower what the reads before it have said.
            (&[&[('a', ReadWrite)], &[('a', ReadWrite)], &[('b', Add)], &[('a', Read), ('b', Read)]], &[0, 1, 0, 2], 3),
        ];
        for (at, (transactions, expected, path)) in cases.iter().enumerate() {
            assert_eq!(levels(&block(transactions)), *expected, "case {at}");
            assert_eq!(longest(transactions), *path, "case {at}");
        }
    }

    #[test]
    fn the_path_is_as_long_as_its_transactions_and_bounds_the_speed_up() {
        let transactions = block(&[&[('a', ReadWrite)], &[('b', ReadWrite)], &[('a', Read)], &[('c', Add)]]);
        let weights = [3, 5, 4, 2].map(Duration::from_secs);
        let path = CriticalPath::of(&transactions, &weights);
        assert_eq!(path, CriticalPath { total: Duration::from_secs(14), longest: Duration::from_secs(7) });
        assert_eq!([1, 2, 8].map(|threads| path.bound(threads, Duration::ZERO)), [1.0, 2.0, 2.0]);
        assert_eq!(path.bound(8, Duration::from_secs(7)), 3.0, "signatures wait for nobody");
        let chain = block(&[&[('a', ReadWrite)], &[('a', ReadWrite)]]);
        let path = CriticalPath::of(&chain, &[Duration::from_micros(3); 2]);
        assert_eq!(path.bound(64, Duration::ZERO), 1.0);
        assert_eq!(CriticalPath::of(&block(&[]), &[]).bound(4, Duration::ZERO), 4.0, "nothing bounds an empty block");
    }
}
