//! What the log keeps: bytes are a record or an error, and a record that was read can be written and read again.

use std::collections::BTreeMap;

use bytes::Bytes;
use porchlight_engine::Person;
use porchlight_notify::{StoredCursor, Subscription};
use porchlight_presence::{Timestamp, User, UserId};
use porchlight_store::{Key, Value, contract, dump};
use uuid::Uuid;

/// More sessions than any record has that this program wrote; to evaluate them takes the square of their number.
const SESSIONS_MAX: usize = 64;

/// Changes of one record that are looked at.
const CHANGES: usize = 16;

/// The record of a user, and what it shows: nothing changes before the instant at which it says that something will.
///
/// # Panics
///
/// When a law is broken.
pub fn user(data: &[u8]) {
    let Ok(user) = User::decode(data) else { return };
    assert_eq!(User::decode(&user.encode()).as_ref(), Ok(&user), "a record comes back");
    if user.sessions().len() > SESSIONS_MAX {
        return;
    }
    let mut now = user.as_of();
    for _ in 0..CHANGES {
        user.explain(now);
        let seen = user.presence(now);
        let Some(next) = user.next_change(now) else { return };
        assert!(next > now, "a change is yet to come");
        let last = Timestamp::from_millis(next.as_millis() - 1);
        assert_eq!(user.presence(last), seen, "nothing changes before {next:?}");
        assert_ne!(user.presence(next), seen, "something changes at {next:?}");
        now = next;
    }
}

/// The entry of a person.
///
/// # Panics
///
/// When a law is broken.
pub fn person(data: &[u8]) {
    let id = UserId(Uuid::from_u128(7));
    if let Ok(person) = Person::decode(id, data) {
        assert_eq!(Person::decode(id, &person.encode()), Ok(person), "an entry comes back");
    }
}

/// The record of a subscription.
///
/// # Panics
///
/// When a law is broken.
pub fn subscription(data: &[u8]) {
    if let Ok(subscription) = Subscription::decode(data) {
        assert_eq!(Subscription::decode(&subscription.encode()), Ok(subscription), "a record comes back");
    }
}

/// The record of a cursor.
///
/// # Panics
///
/// When a law is broken.
pub fn cursor(data: &[u8]) {
    if let Ok(cursor) = StoredCursor::decode(data) {
        assert_eq!(StoredCursor::decode(&cursor.encode()), Ok(cursor), "a record comes back");
    }
}

/// What a log stores under a key, and a dump of what it holds.
///
/// What was stored is stored again with the same bytes. Of a dump no single byte can be changed.
///
/// # Panics
///
/// When a law is broken.
pub fn stored(data: &[u8]) {
    if let Ok((revision, value)) = contract::decode(data) {
        let mut again = Vec::new();
        contract::encode(revision, &value, &mut again);
        assert_eq!(again, data, "the same is stored again");
    }
    if let Ok(entries) = dump::read(data) {
        assert!(data.starts_with(&dumped(&entries.into_iter().collect())), "a dump is written again");
    }
    let entry = |(at, chunk): (usize, &[u8])| {
        (Key::new(format!("key/{at:06}")), Value::Live(Bytes::copy_from_slice(chunk)))
    };
    let entries: BTreeMap<Key, Value> = data.chunks(64).enumerate().map(entry).collect();
    let mut whole = dumped(&entries);
    let read = dump::read(whole.as_slice()).expect("a dump is read");
    assert_eq!(read.into_iter().collect::<BTreeMap<_, _>>(), entries, "a dump comes back");
    let place =
        data.iter().fold(data.len(), |place, byte| place.wrapping_mul(31).wrapping_add(usize::from(*byte)))
            % whole.len();
    whole[place] ^= 1;
    assert!(dump::read(whole.as_slice()).is_err(), "a dump with another byte at {place} is none");
}

fn dumped(entries: &BTreeMap<Key, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    dump::write(entries, &mut out).expect("memory takes it");
    out
}
