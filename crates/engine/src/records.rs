//! The records of a shard's users.

use std::ops::Range;

use porchlight_presence::User;

use crate::arena::Arena;
use crate::packer::{Buffer, Packer};

/// The records of a shard's users: packed, and of each what does not lie in its user's slot.
#[derive(Debug, Default)]
pub(crate) struct Records {
    packer: Packer,
    arena: Arena,
}

/// What a slot has of its user's record: how long that is when packed, its first bytes, and where the others
/// are. All of that in bytes, so that no room is lost to alignment.
#[derive(Debug)]
pub(crate) struct Held {
    /// 0 for no record; [`LONG`] if it is that or more, which then stands in the first four of `here`.
    length: u8,
    here: [u8; HERE],
    /// The number of the other bytes in the arena, if there are any.
    rest: [u8; 4],
}

/// Bytes of a packed record that lie in the slot: what is left there of a cache line.
const HERE: usize = 16;

/// The least length that does not stand in a byte.
const LONG: u8 = u8::MAX;

impl Records {
    /// Puts a record in place of the one that is held. `decoded` is what it says.
    pub(crate) fn put(&mut self, held: &mut Held, record: &[u8], decoded: &User) {
        self.remove(held);
        let applications = decoded.sessions().iter().map(|session| session.key().application.0.into_bytes());
        let packed = self.packer.pack(record, applications);
        *held = Held::of_length(packed.len());
        let room = held.room();
        let (here, rest) = packed.split_at(packed.len().min(room.len()));
        held.here[room.start..room.start + here.len()].copy_from_slice(here);
        if !rest.is_empty() {
            held.rest = self.arena.put(rest).to_le_bytes();
        }
    }

    /// The bytes of the record that is held, as they were put in; none when there is none.
    pub(crate) fn get(&self, held: &Held) -> Buffer {
        let (length, room) = (held.length(), held.room());
        let here = length.min(room.len());
        let mut packed = Buffer::from_slice(&held.here[room.start..room.start + here]);
        if here < length {
            self.arena.read(u32::from_le_bytes(held.rest), length - here, |piece| {
                packed.extend_from_slice(piece);
            });
        }
        self.packer.unpack(&packed)
    }

    /// Throws the record away that is held.
    pub(crate) fn remove(&mut self, held: &mut Held) {
        let elsewhere = held.length().saturating_sub(held.room().len());
        if elsewhere > 0 {
            self.arena.give_back(u32::from_le_bytes(held.rest), elsewhere);
        }
        *held = Held::NOTHING;
    }
}

impl Held {
    /// No record.
    pub(crate) const NOTHING: Held = Held { length: 0, here: [0; HERE], rest: [0; 4] };

    pub(crate) fn is_nothing(&self) -> bool {
        self.length == 0
    }

    /// One of a record that is so long when packed, without its bytes.
    fn of_length(length: usize) -> Held {
        match u8::try_from(length) {
            Ok(length) if length < LONG => Held { length, ..Held::NOTHING },
            _ => {
                let length = u32::try_from(length).expect("no log takes a value of four gigabytes");
                let mut held = Held { length: LONG, ..Held::NOTHING };
                held.here[..4].copy_from_slice(&length.to_le_bytes());
                held
            }
        }
    }

    fn length(&self) -> usize {
        if self.length < LONG {
            return self.length.into();
        }
        let [a, b, c, d, ..] = self.here;
        u32::from_le_bytes([a, b, c, d]) as usize
    }

    /// Where in `here` the record's bytes are.
    fn room(&self) -> Range<usize> {
        if self.length < LONG { 0..HERE } else { 4..HERE }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use porchlight_presence::{
        Activity, ApplicationId, Availability, Command, Limits, NewStatusMessage, Pair, SessionId,
        SessionKey, SessionPair, SetPresence, Timestamp,
    };
    use uuid::Uuid;

    use super::*;

    /// An application says that the user is available, for as long as may be.
    fn available(application: u128, session: u128) -> Command {
        let pair = Pair { availability: Availability::Available, activity: Activity::Available };
        let key = SessionKey {
            application: ApplicationId(Uuid::from_u128(application)),
            session: SessionId(Uuid::from_u128(session)),
        };
        let duration = Some(Duration::from_secs(4 * 60 * 60));
        Command::SetPresence(SetPresence { session: key, pair: SessionPair::new(pair).unwrap(), duration })
    }

    fn message(length: usize) -> Command {
        Command::SetStatusMessage(Some(NewStatusMessage { content: "m".repeat(length), expiry: None }))
    }

    fn write(user: &User, command: &Command, minute: u64) -> User {
        let at = Timestamp::from_millis(1_790_000_000_000).plus(Duration::from_secs(minute * 60));
        user.apply(command, at, &Limits { status_chars_max: 1_000, ..Limits::default() }).unwrap()
    }

    #[test]
    fn a_record_with_one_session_takes_one_block_also_hours_of_keep_alives_later() {
        let mut records = Records::default();
        let mut held = Held::NOTHING;
        let application = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        let mut user = User::default();
        for minute in (0..10 * 60).step_by(4) {
            user = write(&user, &available(application, application), minute);
            records.put(&mut held, &user.encode(), &user);
            assert_eq!(records.arena.len(), 1, "after {minute} minutes");
            assert_eq!(records.get(&held)[..], user.encode()[..]);
        }
    }

    #[test]
    fn records_of_all_lengths_are_what_was_put_in_and_their_room_is_used_again() {
        let mut records = Records::default();
        let plain = write(&User::default(), &available(7, 7), 0);
        let put_all = |records: &mut Records| -> Vec<(Held, User)> {
            let put = |length: usize| {
                let mut user = plain.clone();
                for other in 0..length as u128 / 100 {
                    user = write(&user, &available(8 + other % 2, other), 1);
                }
                user = write(&user, &message(length), 2);
                let mut held = Held::NOTHING;
                records.put(&mut held, &user.encode(), &user);
                (held, user)
            };
            (0..800).map(put).collect()
        };
        let mut all = put_all(&mut records);
        let blocks = records.arena.len();
        for (held, user) in &mut all {
            assert_eq!(records.get(held)[..], user.encode()[..]);
            records.remove(held);
            assert!(held.is_nothing() && records.get(held).is_empty());
        }
        put_all(&mut records);
        assert_eq!(records.arena.len(), blocks);
    }
}
