//! The tombstones of the log, oldest first, to be purged in time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{Entry, Key, Revision, Value};

/// One tombstone. The order is that of the instants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tombstone {
    /// When the key was deleted, in Unix milliseconds.
    pub(crate) at: i64,
    pub(crate) revision: Revision,
    pub(crate) key: Key,
}

impl Tombstone {
    /// What to remember of this entry, if it is a tombstone.
    pub(crate) fn of(entry: &Entry) -> Option<Tombstone> {
        match entry.value {
            Value::Tombstone { at } => {
                Some(Tombstone { at, revision: entry.revision, key: entry.key.clone() })
            }
            Value::Live(_) => None,
        }
    }
}

/// The tombstones, oldest first. One whose key was written again since stays in until its turn comes.
#[derive(Debug, Default)]
pub(crate) struct Tombstones(BinaryHeap<Reverse<Tombstone>>);

impl Tombstones {
    /// Takes out the oldest, if it is of before this instant.
    pub(crate) fn take_older(&mut self, before: i64) -> Option<Tombstone> {
        let Reverse(oldest) = self.0.peek()?;
        if oldest.at >= before {
            return None;
        }
        self.0.pop().map(|Reverse(oldest)| oldest)
    }
}

impl Extend<Tombstone> for Tombstones {
    fn extend<T: IntoIterator<Item = Tombstone>>(&mut self, tombstones: T) {
        self.0.extend(tombstones.into_iter().map(Reverse));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_comes_first_and_only_when_it_is_old_enough() {
        let tombstone = |at: i64| Tombstone { at, revision: Revision(9), key: Key::new(format!("key/{at}")) };
        let mut tombstones = Tombstones::default();
        tombstones.extend([tombstone(3), tombstone(1), tombstone(2)]);
        assert_eq!(tombstones.take_older(1), None);
        assert_eq!(tombstones.take_older(3), Some(tombstone(1)));
        assert_eq!(tombstones.take_older(3), Some(tombstone(2)));
        assert_eq!(tombstones.take_older(3), None);
    }
}
