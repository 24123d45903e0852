//! How far a subscription has been told, as the log keeps it.

use bytes::Bytes;
use porchlight_engine::{Cursor, Engine};
use porchlight_presence::Timestamp;
use porchlight_store::{Key, LogId, Revision};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use std::time::Duration;

/// A cursor of another log says nothing but an instant, and that one of a clock that may have been a little off. Source:
/// design 3.
const OF_ANOTHER_LOG: Duration = Duration::from_secs(10);

/// A cursor in a record: under `cursor/{subscription}`, and the first one in the subscription itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCursor {
    log: Uuid,
    revision: u64,
    at: i64,
}

impl From<Cursor> for StoredCursor {
    fn from(cursor: Cursor) -> StoredCursor {
        StoredCursor { log: cursor.log.0, revision: cursor.revision.0, at: cursor.at.as_millis() }
    }
}

impl StoredCursor {
    /// The key that it is kept under.
    pub(crate) fn key(subscription: Uuid) -> Key {
        Key::new(format!("cursor/{subscription}"))
    }

    /// The record of a cursor.
    #[doc(hidden)]
    pub fn encode(self) -> Bytes {
        postcard::to_stdvec(&self).expect("a vector takes any number of bytes").into()
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[doc(hidden)]
    pub fn decode(record: &[u8]) -> Result<StoredCursor, String> {
        postcard::from_bytes(record).map_err(|error| format!("the cursor is damaged: {error}"))
    }

    /// Before everything: whoever is there is still to be told of.
    pub const BEGINNING: StoredCursor = StoredCursor { log: Uuid::nil(), revision: 0, at: 0 };

    /// Whether nothing has been told yet.
    pub(crate) fn is_beginning(self) -> bool {
        self == StoredCursor::BEGINNING
    }

    /// The later of two.
    pub(crate) fn later(self, other: StoredCursor) -> StoredCursor {
        if other.at > self.at { other } else { self }
    }

    /// The same for this engine's log.
    pub(crate) fn in_log(self, engine: &Engine) -> Cursor {
        let (log, at) = (engine.log_id(), Timestamp::from_millis(self.at));
        if log == LogId(self.log) {
            Cursor { log, revision: Revision(self.revision), at }
        } else {
            Cursor { log, revision: Revision::NONE, at: at.minus(OF_ANOTHER_LOG) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use porchlight_engine::{Clock, Options};
    use porchlight_store::{Log, Memory};

    use super::*;

    #[test]
    fn a_cursor_of_another_log_is_an_instant_and_a_little_less() {
        let clock = Arc::new(Clock::manual(Timestamp::from_millis(1_700_000_000_000)));
        let open =
            |replica| Ok::<_, std::convert::Infallible>(Arc::new(Memory::new(replica)) as Arc<dyn Log>);
        let engine = Engine::open(clock, Options::default(), open).unwrap();
        let own = Cursor { log: engine.log_id(), revision: Revision(7), at: Timestamp::from_millis(60_000) };
        assert_eq!(StoredCursor::from(own).in_log(&engine), own);
        let foreign = Cursor { log: LogId(Uuid::from_u128(1)), ..own };
        let less = Cursor { revision: Revision::NONE, at: Timestamp::from_millis(50_000), ..own };
        assert_eq!(StoredCursor::from(foreign).in_log(&engine), less);
    }
}
