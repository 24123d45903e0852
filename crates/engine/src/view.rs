//! What a user looks like, as a read takes it out of the table.

use porchlight_presence::{Pair, Presence, Stamps, Timestamp, User};

/// One user's view, evaluated already or still to be.
///
/// Most users show a pair and nothing else, which holds until a known instant. The table keeps that beside the record,
/// so that a read of such a user neither decodes nor evaluates anything.
#[derive(Clone, Debug)]
pub struct View(Looks);

#[derive(Clone, Debug)]
enum Looks {
    Steady(Pair, Stamps),
    Record(Box<[u8]>),
}

impl View {
    /// A pair, and nothing but that.
    pub(crate) fn steady(pair: Pair, stamps: Stamps) -> View {
        View(Looks::Steady(pair, stamps))
    }

    /// Whatever these bytes say, which were decoded before.
    pub(crate) fn record(bytes: &[u8]) -> View {
        View(Looks::Record(bytes.into()))
    }

    /// Shows the presence at `now`, which must be the instant that the view was taken for.
    pub fn show<R>(&self, now: Timestamp, show: impl FnOnce(&Presence<'_>) -> R) -> R {
        match &self.0 {
            Looks::Steady(pair, stamps) => {
                show(&Presence { pair: *pair, stamps: *stamps, ..Presence::NOTHING })
            }
            Looks::Record(bytes) => show(&decode(bytes).presence(now)),
        }
    }
}

impl Default for View {
    /// That of a user for whom nothing was ever written.
    fn default() -> View {
        View::steady(Presence::NOTHING.pair, Presence::NOTHING.stamps)
    }
}

/// A record that was decoded before; no bytes are the default.
pub(crate) fn decode(record: &[u8]) -> User {
    if record.is_empty() {
        return User::default();
    }
    User::decode(record).expect("a record was decoded before it was put in")
}
