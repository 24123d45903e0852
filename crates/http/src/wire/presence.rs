//! A presence on the wire. Source: presence-api 1.3, 1.4, 9.5.

use porchlight_presence::{Pair, Presence, StatusView, Timestamp, UserId, WorkLocation};

use crate::odata::{Part, Select};
use crate::wire::date_time::Instant100;
use crate::wire::guid;
use crate::wire::object::{Object, member};
use crate::wire::stencil;

/// Who reads: the user sees when their status message was set and ends, nobody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    TheUser,
    Another,
}

/// The annotations that go with an entity.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Annotations<'a> {
    /// `@odata.context`, for an entity that is an answer by itself.
    /// In pieces.
    pub(crate) context: Option<&'a [&'a str]>,
    /// The URL up to the version, when `@odata.type` and `@odata.id` were asked for.
    pub(crate) full: Option<&'a str>,
}

/// Appends the presence as a JSON object.
pub(crate) fn write(
    out: &mut Vec<u8>,
    user: UserId,
    presence: &Presence<'_>,
    reader: Reader,
    select: &Select,
    annotations: Annotations<'_>,
) {
    let mut object = Object::open(out);
    if let Some(context) = annotations.context {
        object.pieces(member!("@odata.context"), context);
    }
    if let Some(base) = annotations.full {
        object.plain(member!("@odata.type"), "#microsoft.graph.presence");
        object.text(member!("@odata.id"), &format!("{base}/users('{user}')/presence"));
    }
    write_members(&mut object, user, presence, reader, select);
    object.close();
}

/// Appends the members of a presence to an object.
pub(super) fn write_members(
    object: &mut Object<'_>,
    user: UserId,
    presence: &Presence<'_>,
    reader: Reader,
    select: &Select,
) {
    let is_pair_alone = presence.out_of_office.is_none()
        && presence.status_message.is_none()
        && presence.work_location.is_none();
    if is_pair_alone && select.is_all() {
        stencil::write_members(object, user, presence.pair, presence.stamps.changed_at);
    } else {
        write_each_member(object, user, presence, reader, select);
    }
}

/// The same, one by one: what the stencils are cut by.
pub(super) fn write_each_member(
    object: &mut Object<'_>,
    user: UserId,
    presence: &Presence<'_>,
    reader: Reader,
    select: &Select,
) {
    if select.has(Part::Id) {
        object.digits(member!("id"), guid::text(user.0));
    }
    write_pair(object, presence.pair, select);
    if select.has(Part::OutOfOfficeSettings) {
        write_out_of_office(object, presence, select);
    }
    if select.has(Part::SequenceNumber) {
        object.digits(member!("sequenceNumber"), sequence_number(presence.stamps.changed_at));
    }
    if select.has(Part::StatusMessage) {
        match &presence.status_message {
            None => object.null(member!("statusMessage")),
            Some(status) => write_status_message(object, status, reader, select),
        }
    }
    if select.has(Part::WorkLocation) {
        match &presence.work_location {
            None => object.null(member!("workLocation")),
            Some(location) => write_work_location(object, location, select),
        }
    }
}

/// Appends the element that says that a user is gone from what was asked for. Source: OData 4.01 JSON, 15.3.
pub(crate) fn write_removed(out: &mut Vec<u8>, user: UserId, reason: &'static str) {
    let mut object = Object::open(out);
    let mut removed = object.object(member!("@removed"));
    removed.plain(member!("reason"), reason);
    removed.close();
    object.digits(member!("id"), guid::text(user.0));
    object.close();
}

/// Appends the element that a bulk read answers for an id that nobody has. Source: presence-api 6.2.
pub(crate) fn write_unknown(out: &mut Vec<u8>, id: &str, select: &Select) {
    let mut object = Object::open(out);
    if select.has(Part::Id) {
        object.text(member!("id"), id);
    }
    write_pair(&mut object, Pair::UNKNOWN, select);
    let nulls = [
        (Part::OutOfOfficeSettings, member!("outOfOfficeSettings")),
        (Part::SequenceNumber, member!("sequenceNumber")),
        (Part::StatusMessage, member!("statusMessage")),
        (Part::WorkLocation, member!("workLocation")),
    ];
    for (_, member) in nulls.into_iter().filter(|(part, _)| select.has(*part)) {
        object.null(member);
    }
    object.close();
}

fn write_pair(object: &mut Object<'_>, pair: Pair, select: &Select) {
    if select.has(Part::Availability) {
        object.plain(member!("availability"), pair.availability.name());
    }
    if select.has(Part::Activity) {
        object.plain(member!("activity"), pair.activity.name());
    }
}

fn write_out_of_office(object: &mut Object<'_>, presence: &Presence<'_>, select: &Select) {
    let mut inner = object.object(member!("outOfOfficeSettings"));
    if select.has(Part::OutOfOfficeMessage) {
        let message = presence.out_of_office.and_then(|out_of_office| out_of_office.message.as_deref());
        inner.text_or_null(member!("message"), message);
    }
    if select.has(Part::IsOutOfOffice) {
        inner.raw(member!("isOutOfOffice"), if presence.out_of_office.is_some() { "true" } else { "false" });
    }
    inner.close();
}

fn write_status_message(object: &mut Object<'_>, status: &StatusView<'_>, reader: Reader, select: &Select) {
    let mut inner = object.object(member!("statusMessage"));
    if select.has(Part::StatusMessageContent) {
        let mut message = inner.object(member!("message"));
        message.text(member!("content"), status.content);
        message.plain(member!("contentType"), "text");
        message.close();
    }
    if reader == Reader::TheUser && select.has(Part::PublishedDateTime) {
        inner.date_time(member!("publishedDateTime"), instant(status.published_at));
    }
    if reader == Reader::TheUser && select.has(Part::ExpiryDateTime) {
        match status.expiry {
            None => inner.null(member!("expiryDateTime")),
            Some(expiry) => {
                let mut date_time = inner.object(member!("expiryDateTime"));
                date_time.local_date_time(
                    member!("dateTime"),
                    Instant100 { ticks: expiry.ticks, ..instant(expiry.at) },
                );
                date_time.plain(member!("timeZone"), "UTC");
                date_time.close();
            }
        }
    }
    inner.close();
}

fn write_work_location(object: &mut Object<'_>, location: &WorkLocation<'_>, select: &Select) {
    let mut inner = object.object(member!("workLocation"));
    if select.has(Part::PlaceId) {
        inner.text_or_null(member!("placeId"), location.place);
    }
    if select.has(Part::Source) {
        inner.plain(member!("source"), location.source.name());
    }
    if select.has(Part::WorkLocationType) {
        inner.plain(member!("workLocationType"), location.kind.name());
    }
    inner.close();
}

/// An instant of the domain as one of the wire.
pub(crate) fn instant(at: Timestamp) -> Instant100 {
    Instant100 { unix_ms: at.as_millis(), ticks: 0 }
}

/// Characters of a sequence number.
pub(super) const SEQUENCE_NUMBER_LENGTH: usize = 15;

/// `A` and fourteen digits of Unix milliseconds. Source: presence-api 1.4.
pub(crate) fn sequence_number(changed_at: Timestamp) -> [u8; SEQUENCE_NUMBER_LENGTH] {
    const EIGHT_DIGITS: u64 = 100_000_000;
    let millis = changed_at.as_millis().unsigned_abs();
    let mut number = [b'A'; SEQUENCE_NUMBER_LENGTH];
    number[1..7].copy_from_slice(&digits(millis / EIGHT_DIGITS)[2..]);
    number[7..].copy_from_slice(&digits(millis % EIGHT_DIGITS));
    number
}

/// The eight decimal digits of a number below 10^8. It is halved three times, all parts of it in one word:
/// one digit after the other, each would wait for the division before it.
fn digits(number: u64) -> [u8; 8] {
    let fours = (number / 10_000) | (number % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - tens * 10) << 8;
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}
