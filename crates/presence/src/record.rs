//! The bytes of a [`User`]: what the log keeps and what the table holds in memory.
//!
//! One byte of format version, then the fields in the encoding of postcard (whose wire format is specified and
//! stable). Instants are written relative to `as_of`, so that the record of a user with one session stays near 50
//! bytes. A released version is never changed: a new one gets a new number and the old one keeps its reader.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::preferred::Preferred;
use crate::session::Session;
use crate::status_message::{Expiry, StatusMessage};
use crate::view::Stamps;
use crate::work_location::{Location, LocationType};
use crate::{
    Activity, ApplicationId, Availability, OutOfOffice, Pair, SessionId, SessionKey, Timestamp, User,
};

/// The newest format, which this program writes.
const VERSION: u8 = 1;

/// Bytes that are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There is nothing.
    #[error("the record is empty")]
    Empty,
    /// Written by a newer program.
    #[error("the record has format {0}, this program reads formats up to {VERSION}")]
    Version(u8),
    /// Not what its version says.
    #[error("the record is damaged: {0}")]
    Damaged(&'static str),
}

impl User {
    /// The record in the newest format.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        postcard::to_extend(&UserV1::from(self), bytes).expect("a vector takes any number of bytes")
    }

    /// The user of a record in any format that was ever released.
    ///
    /// # Errors
    ///
    /// When the bytes are not such a record.
    pub fn decode(bytes: &[u8]) -> Result<User, RecordError> {
        match bytes.split_first() {
            None => Err(RecordError::Empty),
            Some((1, fields)) => {
                let (fields, rest): (UserV1<'_>, _) = postcard::take_from_bytes(fields)
                    .map_err(|_| RecordError::Damaged("it does not parse"))?;
                if !rest.is_empty() {
                    return Err(RecordError::Damaged("there is more behind it"));
                }
                fields.into_user().ok_or(RecordError::Damaged("a value is out of range"))
            }
            Some((version, _)) => Err(RecordError::Version(*version)),
        }
    }
}

/// Milliseconds after (or before) `as_of`.
type Offset = i64;

#[derive(Serialize, Deserialize)]
struct UserV1<'a> {
    as_of: u64,
    changed_at: Offset,
    state_since: Offset,
    hidden: bool,
    sessions: SmallVec<[SessionV1; 2]>,
    preferred: Option<PreferredV1>,
    #[serde(borrow)]
    status_message: Option<StatusMessageV1<'a>>,
    out_of_office: Option<OutOfOfficeV1<'a>>,
    manual_location: Option<LocationV1<'a>>,
    automatic_location: Option<LocationV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct SessionV1 {
    application: [u8; 16],
    /// `None`: the application's own id, as Graph documents it.
    session: Option<[u8; 16]>,
    pair: PairV1,
    set_at: Offset,
    inactive_at: Option<Offset>,
    away_at: Option<Offset>,
    ends_at: Offset,
    renewed_late: bool,
}

#[derive(Serialize, Deserialize)]
struct PairV1(u8, u8);

#[derive(Serialize, Deserialize)]
struct PreferredV1 {
    pair: PairV1,
    set_at: Offset,
    ends_at: Offset,
    standing: bool,
}

#[derive(Serialize, Deserialize)]
struct StatusMessageV1<'a> {
    content: &'a str,
    published_at: Offset,
    expiry: Option<(Offset, u16)>,
}

#[derive(Serialize, Deserialize)]
struct OutOfOfficeV1<'a> {
    #[serde(borrow)]
    message: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct LocationV1<'a> {
    kind: u8,
    #[serde(borrow)]
    place: Option<&'a str>,
    ends_at: Option<Offset>,
}

impl<'a> From<&'a User> for UserV1<'a> {
    fn from(user: &'a User) -> UserV1<'a> {
        let offset = |at: Timestamp| at.as_millis() - user.as_of.as_millis();
        let location = |location: &'a Location| LocationV1 {
            kind: location.kind as u8,
            place: location.place.as_deref(),
            ends_at: location.ends_at.map(offset),
        };
        UserV1 {
            as_of: user.as_of.as_millis().unsigned_abs(),
            changed_at: offset(user.stamps.changed_at),
            state_since: offset(user.stamps.state_since),
            hidden: user.hidden,
            sessions: user.sessions.iter().map(|session| SessionV1::new(session, offset)).collect(),
            preferred: user.preferred.as_ref().map(|preferred| PreferredV1 {
                pair: preferred.pair.into(),
                set_at: offset(preferred.set_at),
                ends_at: offset(preferred.ends_at),
                standing: preferred.standing,
            }),
            status_message: user.status_message.as_ref().map(|message| StatusMessageV1 {
                content: &message.content,
                published_at: offset(message.published_at),
                expiry: message.expiry.map(|expiry| (offset(expiry.at), expiry.ticks)),
            }),
            out_of_office: user
                .out_of_office
                .as_ref()
                .map(|out_of_office| OutOfOfficeV1 { message: out_of_office.message.as_deref() }),
            manual_location: user.manual_location.as_ref().map(location),
            automatic_location: user.automatic_location.as_ref().map(location),
        }
    }
}

impl SessionV1 {
    fn new(session: &Session, offset: impl Fn(Timestamp) -> Offset) -> SessionV1 {
        let SessionKey { application, session: id } = session.key;
        SessionV1 {
            application: application.0.into_bytes(),
            session: (id.0 != application.0).then(|| id.0.into_bytes()),
            pair: session.pair.into(),
            set_at: offset(session.set_at),
            inactive_at: session.inactive_at.map(&offset),
            away_at: session.away_at.map(&offset),
            ends_at: offset(session.ends_at),
            renewed_late: session.renewed_late,
        }
    }

    fn into_session(self, instant: impl Fn(Offset) -> Timestamp) -> Option<Session> {
        let application = Uuid::from_bytes(self.application);
        Some(Session {
            key: SessionKey {
                application: ApplicationId(application),
                session: SessionId(self.session.map_or(application, Uuid::from_bytes)),
            },
            pair: self.pair.into_pair()?,
            set_at: instant(self.set_at),
            inactive_at: self.inactive_at.map(&instant),
            away_at: self.away_at.map(&instant),
            ends_at: instant(self.ends_at),
            renewed_late: self.renewed_late,
        })
    }
}

impl From<Pair> for PairV1 {
    fn from(pair: Pair) -> PairV1 {
        PairV1(pair.availability as u8, pair.activity as u8)
    }
}

impl PairV1 {
    fn into_pair(self) -> Option<Pair> {
        Some(Pair {
            availability: Availability::from_number(self.0)?,
            activity: Activity::from_number(self.1)?,
        })
    }
}

impl LocationV1<'_> {
    fn into_location(self, instant: impl Fn(Offset) -> Timestamp) -> Option<Location> {
        Some(Location {
            kind: LocationType::from_number(self.kind)?,
            place: self.place.map(str::to_owned),
            ends_at: self.ends_at.map(instant),
        })
    }
}

impl UserV1<'_> {
    /// `None` where a number stands for nothing.
    fn into_user(self) -> Option<User> {
        let as_of = i64::try_from(self.as_of).ok()?;
        let instant = |offset: Offset| Timestamp::from_millis(as_of.saturating_add(offset));
        let mut sessions = SmallVec::new();
        for session in self.sessions {
            sessions.push(session.into_session(instant)?);
        }
        let preferred = match self.preferred {
            None => None,
            Some(preferred) => Some(Preferred {
                pair: preferred.pair.into_pair()?,
                set_at: instant(preferred.set_at),
                ends_at: instant(preferred.ends_at),
                standing: preferred.standing,
            }),
        };
        let location = |location: Option<LocationV1<'_>>| match location {
            None => Some(None),
            Some(location) => location.into_location(instant).map(Some),
        };
        Some(User {
            as_of: instant(0),
            stamps: Stamps { changed_at: instant(self.changed_at), state_since: instant(self.state_since) },
            hidden: self.hidden,
            sessions,
            preferred,
            status_message: self.status_message.map(|message| StatusMessage {
                content: message.content.to_owned(),
                published_at: instant(message.published_at),
                expiry: message.expiry.map(|(at, ticks)| Expiry { at: instant(at), ticks }),
            }),
            out_of_office: self
                .out_of_office
                .map(|out_of_office| OutOfOffice { message: out_of_office.message.map(str::to_owned) }),
            manual_location: location(self.manual_location)?,
            automatic_location: location(self.automatic_location)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_version_is_named() {
        assert_eq!(User::decode(&[9, 0, 0]), Err(RecordError::Version(9)));
        assert_eq!(User::decode(&[]), Err(RecordError::Empty));
        assert!(matches!(User::decode(&[1, 0xff]), Err(RecordError::Damaged(_))));
    }
}
