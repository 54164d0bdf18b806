//! Which transactions wait for which, by their declared accesses: levels.
//!
//! Levels separate more than has to be separated: a write waits for the reads before it, and an addition for the write
//! before it, as conflicts are usually defined. What an executor cannot avoid to wait for is the
//! [`CriticalPath`](weft_engine::recording::CriticalPath), by which the levels are judged. They differ on purpose; the
//! tests below show both side by side.

use weft_engine::recording::Access;

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
#[cfg(test)]
pub(super) fn levels<K: Eq + std::hash::Hash>(block: &weft_engine::recording::BlockAccess<K>) -> Vec<u32> {
    let mut keys: ahash::AHashMap<&K, KeyLevels> = ahash::AHashMap::new();
    let level_of = |transaction| {
        let accesses = block.of(transaction);
        let lowest = |(key, access): &(K, Access)| keys.get(key).map_or(0, |levels| levels.lowest(*access));
        let level = accesses.iter().map(lowest).max().unwrap_or(0);
        accesses.iter().for_each(|(key, access)| keys.entry(key).or_default().touch(*access, level));
        level
    };
    (0..block.transactions()).map(level_of).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weft_engine::recording::Access::{Add, Read, ReadWrite, Write};
    use weft_engine::recording::{BlockAccess, CriticalPath};

    use super::*;

    type Listed<'l> = &'l [&'l [(char, Access)]];

    fn block(transactions: Listed<'_>) -> BlockAccess<char> {
        transactions.iter().map(|accesses| accesses.iter().copied()).collect()
    }

    fn longest(transactions: Listed<'_>) -> u64 {
        let path = CriticalPath::of(&block(transactions), |_| Duration::from_secs(1), 0);
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
}
