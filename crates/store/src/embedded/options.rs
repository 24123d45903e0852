//! How an embedded log is to be run.

/// How an embedded log is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What an answered append survives.
    pub durability: Durability,
    /// Appends that may wait for the committer, at least 1; one more is answered
    /// [`AppendError::Busy`](crate::AppendError::Busy). Default 16,384.
    pub waiting_max: usize,
    /// Bytes of blocks of the storage engine kept in memory. Default 1 MiB. It serves compaction and opening only:
    /// all reads are answered by the replica.
    pub cache_bytes: u64,
    /// Faults that a unit test puts in the way of the next writes.
    #[cfg(test)]
    pub(crate) faults: super::tests::Faults,
}

/// What an answered append survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process and of the machine: the disk has confirmed it before it is answered.
    #[default]
    Full,
    /// The death of the process. The disk is asked to confirm every 100 ms, so when the machine dies (power, kernel)
    /// the appends answered in the last 100 ms and a little may be gone, though never one without all after it.
    Relaxed,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Full,
            waiting_max: 16_384,
            cache_bytes: 1024 * 1024,
            #[cfg(test)]
            faults: super::tests::Faults::default(),
        }
    }
}
