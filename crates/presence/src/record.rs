//! The bytes of a [`User`]: what the log keeps and what the table holds in memory.
//!
//! One byte of format version, then the fields. Every read decodes one record, so the fields are read straight into a
//! [`User`], without a twin in between. Instants are written relative to `as_of`, so that the record of a user with
//! one session stays near 50 bytes. A released version is never changed: a new one gets a new number and the old one
//! keeps its reader.
//!
//! Format 1 follows postcard's wire format, which is specified and which other tools read: numbers are varints of
//! seven bits a byte, the lowest first; signed ones in zigzag; an optional field is a byte 0 or 1 before it; a text
//! is its length and its bytes.
//!
//! ```text
//! user      = as_of changed_at:offset state_since:offset hidden:bool
//!             sessions:count *session  ?preferred ?status ?out_of_office ?manual:location ?automatic:location
//! session   = application:16 bytes ?(session:16 bytes) pair set_at:offset ?inactive_at:offset ?away_at:offset
//!             ends_at:offset renewed_late:bool       ; no session id: it is the application's
//! pair      = availability:byte activity:byte
//! preferred = pair set_at:offset ends_at:offset standing:bool
//! status    = content:text published_at:offset ?(at:offset ticks)
//! location  = type:byte ?place:text ?ends_at:offset
//! offset    = signed milliseconds after as_of
//! ```

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
        let mut writer = Writer { bytes: Vec::with_capacity(64), as_of: self.as_of };
        writer.byte(VERSION);
        writer.number(self.as_of.as_millis().unsigned_abs());
        writer.instant(self.stamps.changed_at);
        writer.instant(self.stamps.state_since);
        writer.flag(self.hidden);
        writer.number(self.sessions.len() as u64);
        self.sessions.iter().for_each(|session| writer.session(session));
        writer.optional(self.preferred.as_ref(), Writer::preferred);
        writer.optional(self.status_message.as_ref(), Writer::status_message);
        writer.optional(self.out_of_office.as_ref(), |writer, out_of_office| {
            writer.optional(out_of_office.message.as_deref(), Writer::text);
        });
        writer.optional(self.manual_location.as_ref(), Writer::location);
        writer.optional(self.automatic_location.as_ref(), Writer::location);
        writer.bytes
    }

    /// The user of a record in any format that was ever released.
    ///
    /// # Errors
    ///
    /// When the bytes are not such a record.
    pub fn decode(bytes: &[u8]) -> Result<User, RecordError> {
        match bytes.split_first() {
            None => Err(RecordError::Empty),
            Some((1, fields)) => decode_v1(fields).map_err(Damage::into),
            Some((version, _)) => Err(RecordError::Version(*version)),
        }
    }
}

/// Fills a user in where it lies: a record is mostly absent parts, which then cost a look at one byte each.
fn decode_v1(fields: &[u8]) -> Result<User, Damage> {
    let mut user = User::default();
    let mut reader = Reader { rest: fields, as_of: 0 };
    reader.as_of = i64::try_from(reader.number()?).map_err(|_| Damage::OutOfRange)?;
    user.as_of = Timestamp::from_millis(reader.as_of);
    user.stamps = Stamps { changed_at: reader.instant()?, state_since: reader.instant()? };
    user.hidden = reader.flag()?;
    for _ in 0..reader.number()? {
        user.sessions.push(reader.session()?);
    }
    if reader.flag()? {
        user.preferred = Some(reader.preferred()?);
    }
    if reader.flag()? {
        user.status_message = Some(reader.status_message()?);
    }
    if reader.flag()? {
        user.out_of_office = Some(OutOfOffice { message: reader.optional(Reader::text)? });
    }
    if reader.flag()? {
        user.manual_location = Some(reader.location()?);
    }
    if reader.flag()? {
        user.automatic_location = Some(reader.location()?);
    }
    if reader.rest.is_empty() { Ok(user) } else { Err(Damage::Surplus) }
}

struct Writer {
    bytes: Vec<u8>,
    as_of: Timestamp,
}

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn flag(&mut self, flag: bool) {
        self.byte(flag.into());
    }

    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn instant(&mut self, at: Timestamp) {
        let offset = at.as_millis() - self.as_of.as_millis();
        self.number((offset << 1 ^ offset >> 63).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn id(&mut self, id: Uuid) {
        self.bytes.extend_from_slice(id.as_bytes());
    }

    fn pair(&mut self, pair: Pair) {
        self.byte(pair.availability as u8);
        self.byte(pair.activity as u8);
    }

    fn session(&mut self, session: &Session) {
        let SessionKey { application, session: id } = session.key;
        self.id(application.0);
        self.optional((id.0 != application.0).then_some(id.0), Writer::id);
        self.pair(session.pair);
        self.instant(session.set_at);
        self.optional(session.inactive_at, Writer::instant);
        self.optional(session.away_at, Writer::instant);
        self.instant(session.ends_at);
        self.flag(session.renewed_late);
    }

    fn preferred(&mut self, preferred: &Preferred) {
        self.pair(preferred.pair);
        self.instant(preferred.set_at);
        self.instant(preferred.ends_at);
        self.flag(preferred.standing);
    }

    fn status_message(&mut self, message: &StatusMessage) {
        self.text(&message.content);
        self.instant(message.published_at);
        self.optional(message.expiry, |writer, expiry| {
            writer.instant(expiry.at);
            writer.number(expiry.ticks.into());
        });
    }

    fn location(&mut self, location: &Location) {
        self.byte(location.kind as u8);
        self.optional(location.place.as_deref(), Writer::text);
        self.optional(location.ends_at, Writer::instant);
    }
}

/// What is wrong with a record's bytes; small, so that reading a number needs no memory for its result.
#[derive(Clone, Copy)]
enum Damage {
    CutShort,
    OutOfRange,
    NotUtf8,
    Surplus,
}

impl From<Damage> for RecordError {
    fn from(damage: Damage) -> RecordError {
        RecordError::Damaged(match damage {
            Damage::CutShort => "it is cut short",
            Damage::OutOfRange => "a value is out of range",
            Damage::NotUtf8 => "a text is not UTF-8",
            Damage::Surplus => "there is more behind it",
        })
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    as_of: i64,
}

impl Reader<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Damage> {
        let (byte, rest) = self.rest.split_first().ok_or(Damage::CutShort)?;
        self.rest = rest;
        Ok(*byte)
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, Damage> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damage::OutOfRange),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<u64, Damage> {
        let byte = self.byte()?;
        if byte < 0x80 { Ok(byte.into()) } else { self.long_number(byte) }
    }

    /// A number of more than one byte, after its first.
    fn long_number(&mut self, first: u8) -> Result<u64, Damage> {
        let mut number = u64::from(first & 0x7f);
        for shift in (7..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        // The tenth byte has room for one bit.
        match self.byte()? {
            bit @ (0 | 1) => Ok(number | u64::from(bit) << 63),
            _ => Err(Damage::OutOfRange),
        }
    }

    #[inline]
    fn instant(&mut self) -> Result<Timestamp, Damage> {
        let number = self.number()?;
        let offset = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        Ok(Timestamp::from_millis(self.as_of.saturating_add(offset)))
    }

    fn text(&mut self) -> Result<String, Damage> {
        let length = usize::try_from(self.number()?).map_err(|_| Damage::OutOfRange)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Damage::CutShort)?;
        self.rest = rest;
        let text = std::str::from_utf8(text).map_err(|_| Damage::NotUtf8)?;
        Ok(text.to_owned())
    }

    #[inline]
    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Damage>,
    ) -> Result<Option<T>, Damage> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    #[inline]
    fn id(&mut self) -> Result<Uuid, Damage> {
        let (id, rest) = self.rest.split_first_chunk().ok_or(Damage::CutShort)?;
        self.rest = rest;
        Ok(Uuid::from_bytes(*id))
    }

    fn pair(&mut self) -> Result<Pair, Damage> {
        let availability = Availability::from_number(self.byte()?).ok_or(Damage::OutOfRange)?;
        let activity = Activity::from_number(self.byte()?).ok_or(Damage::OutOfRange)?;
        Ok(Pair { availability, activity })
    }

    #[inline]
    fn session(&mut self) -> Result<Session, Damage> {
        let application = self.id()?;
        let session = self.optional(Reader::id)?.unwrap_or(application);
        Ok(Session {
            key: SessionKey { application: ApplicationId(application), session: SessionId(session) },
            pair: self.pair()?,
            set_at: self.instant()?,
            inactive_at: self.optional(Reader::instant)?,
            away_at: self.optional(Reader::instant)?,
            ends_at: self.instant()?,
            renewed_late: self.flag()?,
        })
    }

    fn preferred(&mut self) -> Result<Preferred, Damage> {
        Ok(Preferred {
            pair: self.pair()?,
            set_at: self.instant()?,
            ends_at: self.instant()?,
            standing: self.flag()?,
        })
    }

    fn status_message(&mut self) -> Result<StatusMessage, Damage> {
        let expiry = |reader: &mut Self| {
            let at = reader.instant()?;
            let ticks = u16::try_from(reader.number()?).map_err(|_| Damage::OutOfRange)?;
            Ok(Expiry { at, ticks })
        };
        Ok(StatusMessage {
            content: self.text()?,
            published_at: self.instant()?,
            expiry: self.optional(expiry)?,
        })
    }

    fn location(&mut self) -> Result<Location, Damage> {
        Ok(Location {
            kind: LocationType::from_number(self.byte()?).ok_or(Damage::OutOfRange)?,
            place: self.optional(Reader::text)?,
            ends_at: self.optional(Reader::instant)?,
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

    #[test]
    fn what_is_behind_a_record_is_not_overlooked() {
        let mut bytes = User::default().encode();
        bytes.push(0);
        assert!(matches!(User::decode(&bytes), Err(RecordError::Damaged(_))));
    }
}
