//! Reading every entry of the log.
//!
//! Two threads read towards each other, one from the first key upwards and one from the last key downwards, until
//! they meet: so both have the same to do whatever the keys look like, without any knowledge of how they are spread.

use std::panic::resume_unwind;
use std::thread;

use fjall::{Iter, Keyspace, KvPair, UserKey};
use parking_lot::Mutex;

use super::database::{Database, HEAD};
use super::error::OpenError;
use super::head::Contents;
use crate::tombstones::Tombstone;
use crate::{Entry, Key, RecordError, Revision, record};

/// Entries handed on at a time.
const CHUNK: usize = 1024;

/// What was read, apart from the entries themselves.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) contents: Contents,
    /// The highest revision of an entry.
    pub(super) highest: Revision,
    pub(super) tombstones: Vec<Tombstone>,
}

impl Database {
    /// Hands every entry to `take`, each once, in chunks and in no order, from two threads.
    pub(super) fn replay(&self, take: &(dyn Fn(Vec<Entry>) + Sync)) -> Result<Replayed, OpenError> {
        let meeting = Mutex::new(Meeting::default());
        let half = |end| read_until_met(&self.entries, end, &meeting, take);
        let (upwards, downwards) = thread::scope(|scope| {
            let helper = thread::Builder::new()
                .name("porchlight-replay".to_owned())
                .spawn_scoped(scope, || half(End::Last));
            let upwards = half(End::First);
            let downwards = match helper {
                Ok(helper) => helper.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // Without a second thread the first one has read everything.
                Err(_) => Ok(Replayed::default()),
            };
            (upwards, downwards)
        });
        let whole = upwards.and_then(|upwards| Ok(upwards.join(downwards?)));
        whole.map_err(|error| error.in_folder(self))
    }
}

impl Replayed {
    fn join(mut self, other: Replayed) -> Replayed {
        self.contents.merge(other.contents);
        self.highest = self.highest.max(other.highest);
        self.tombstones.extend(other.tombstones);
        self
    }

    fn note(&mut self, entry: &Entry) {
        self.contents.add(&entry.key, entry.revision);
        self.highest = self.highest.max(entry.revision);
        self.tombstones.extend(Tombstone::of(entry));
    }
}

enum ReplayError {
    Storage(fjall::Error),
    Record { key: UserKey, cause: RecordError },
}

impl ReplayError {
    fn in_folder(self, database: &Database) -> OpenError {
        match self {
            ReplayError::Storage(cause) => OpenError::storage(&database.path, cause),
            ReplayError::Record { key, cause } => OpenError::record(&database.path, &key, cause),
        }
    }
}

impl From<fjall::Error> for ReplayError {
    fn from(cause: fjall::Error) -> ReplayError {
        ReplayError::Storage(cause)
    }
}

/// The end of the keys at which a reader begins.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// How far the two readers have come.
#[derive(Default)]
struct Meeting {
    /// Every key up to this one is the first reader's.
    low: Option<UserKey>,
    /// Every key from this one on is the last reader's.
    high: Option<UserKey>,
}

impl Meeting {
    /// Leaves to the reader what of its next chunk is not the other's.
    fn claim(&mut self, end: End, mut chunk: Vec<KvPair>) -> Vec<KvPair> {
        let free = match end {
            End::First => {
                let high = self.high.as_ref();
                chunk.partition_point(|(key, _)| high.is_none_or(|high| key[..] < high[..]))
            }
            End::Last => {
                let low = self.low.as_ref();
                chunk.partition_point(|(key, _)| low.is_none_or(|low| key[..] > low[..]))
            }
        };
        chunk.truncate(free);
        if let Some((key, _)) = chunk.last() {
            match end {
                End::First => self.low = Some(key.clone()),
                End::Last => self.high = Some(key.clone()),
            }
        }
        chunk
    }
}

fn read_until_met(
    entries: &Keyspace,
    end: End,
    meeting: &Mutex<Meeting>,
    take: &(dyn Fn(Vec<Entry>) + Sync),
) -> Result<Replayed, ReplayError> {
    let mut rows = entries.range(..HEAD);
    let mut replayed = Replayed::default();
    loop {
        let chunk = read_chunk(&mut rows, end)?;
        let claimed = meeting.lock().claim(end, chunk);
        let met = claimed.len() < CHUNK;
        let mut decoded = Vec::with_capacity(claimed.len());
        for (key, stored) in claimed {
            let entry = decode(&key, &stored).map_err(|cause| ReplayError::Record { key, cause })?;
            replayed.note(&entry);
            decoded.push(entry);
        }
        if !decoded.is_empty() {
            take(decoded);
        }
        if met {
            return Ok(replayed);
        }
    }
}

/// The next rows from this end: fewer than [`CHUNK`] only when there are no more.
fn read_chunk(rows: &mut Iter, end: End) -> Result<Vec<KvPair>, fjall::Error> {
    let mut chunk = Vec::with_capacity(CHUNK);
    while chunk.len() < CHUNK {
        let row = match end {
            End::First => rows.next(),
            End::Last => rows.next_back(),
        };
        let Some(row) = row else { break };
        chunk.push(row.into_inner()?);
    }
    Ok(chunk)
}

fn decode(key: &[u8], stored: &[u8]) -> Result<Entry, RecordError> {
    let text = str::from_utf8(key).map_err(|_| RecordError::KeyNotText)?;
    let (revision, value) = record::decode(stored)?;
    Ok(Entry { key: Key::new(text), revision, written: revision, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two readers of these many rows claim when they take turns as the bits of `turns` say.
    fn claims(rows: u32, size: usize, mut turns: u64) -> Vec<u32> {
        let row = |number: u32| (UserKey::from(number.to_be_bytes()), UserKey::from("value"));
        let number = |pair: &KvPair| u32::from_be_bytes(pair.0[..].try_into().unwrap());
        let mut ends = [(End::First, 0, false), (End::Last, 0, false)];
        let mut meeting = Meeting::default();
        let mut claimed = Vec::new();
        while ends.iter().any(|(_, _, met)| !met) {
            let wanted = (turns & 1) as usize;
            let turn = if ends[wanted].2 { 1 - wanted } else { wanted };
            turns = turns.rotate_right(1);
            let (end, read, met) = &mut ends[turn];
            let numbers = *read..rows.min(*read + size as u32);
            *read = numbers.end;
            let chunk: Vec<KvPair> = numbers
                .map(|at| match end {
                    End::First => row(at),
                    End::Last => row(rows - 1 - at),
                })
                .collect();
            let mine = meeting.claim(*end, chunk);
            *met = mine.len() < size;
            claimed.extend(mine.iter().map(number));
        }
        claimed.sort_unstable();
        claimed
    }

    #[test]
    fn readers_claim_every_row_once_however_they_take_turns() {
        for rows in [0, 1, 7, 8, 9, 40] {
            for turns in [0, u64::MAX, 0xaaaa_aaaa_aaaa_aaaa, 0x1234_5678_9abc_def0, 0xf0f0_0f0f_ff00_00ff] {
                assert_eq!(claims(rows, 4, turns), (0..rows).collect::<Vec<_>>(), "{rows} rows, {turns:x}");
            }
        }
    }
}
