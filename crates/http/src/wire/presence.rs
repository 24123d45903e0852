//! A presence on the wire. Source: presence-api 1.3, 1.4, 9.5.
//!
//! Written by hand rather than through a serializer: this is what every read does, up to 650 times.

use porchlight_presence::{Pair, Presence, StatusView, Timestamp, UserId, WorkLocation};
use uuid::fmt::Hyphenated;

use crate::odata::{Part, Select};
use crate::wire::date_time::{self, Instant100};

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
    pub(crate) context: Option<&'a str>,
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
        object.text("@odata.context", context);
    }
    if let Some(base) = annotations.full {
        object.plain("@odata.type", "#microsoft.graph.presence");
        object.text("@odata.id", &format!("{base}/users('{user}')/presence"));
    }
    if select.has(Part::Id) {
        let mut id = [0; Hyphenated::LENGTH];
        user.0.hyphenated().encode_lower(&mut id);
        object.digits("id", id);
    }
    write_pair(&mut object, presence.pair, select);
    if select.has(Part::OutOfOfficeSettings) {
        write_out_of_office(&mut object, presence, select);
    }
    if select.has(Part::SequenceNumber) {
        object.digits("sequenceNumber", sequence_number(presence.stamps.changed_at));
    }
    if select.has(Part::StatusMessage) {
        match &presence.status_message {
            None => object.null("statusMessage"),
            Some(status) => write_status_message(&mut object, status, reader, select),
        }
    }
    if select.has(Part::WorkLocation) {
        match &presence.work_location {
            None => object.null("workLocation"),
            Some(location) => write_work_location(&mut object, location, select),
        }
    }
    object.close();
}

/// Appends the element that a bulk read answers for an id that nobody has. Source: presence-api 6.2.
pub(crate) fn write_unknown(out: &mut Vec<u8>, id: &str, select: &Select) {
    let mut object = Object::open(out);
    if select.has(Part::Id) {
        object.text("id", id);
    }
    write_pair(&mut object, Pair::UNKNOWN, select);
    let nulls = [
        (Part::OutOfOfficeSettings, "outOfOfficeSettings"),
        (Part::SequenceNumber, "sequenceNumber"),
        (Part::StatusMessage, "statusMessage"),
        (Part::WorkLocation, "workLocation"),
    ];
    for (_, name) in nulls.into_iter().filter(|(part, _)| select.has(*part)) {
        object.null(name);
    }
    object.close();
}

fn write_pair(object: &mut Object<'_>, pair: Pair, select: &Select) {
    if select.has(Part::Availability) {
        object.plain("availability", pair.availability.name());
    }
    if select.has(Part::Activity) {
        object.plain("activity", pair.activity.name());
    }
}

fn write_out_of_office(object: &mut Object<'_>, presence: &Presence<'_>, select: &Select) {
    let mut inner = object.object("outOfOfficeSettings");
    if select.has(Part::OutOfOfficeMessage) {
        let message = presence.out_of_office.and_then(|out_of_office| out_of_office.message.as_deref());
        inner.text_or_null("message", message);
    }
    if select.has(Part::IsOutOfOffice) {
        inner.raw("isOutOfOffice", if presence.out_of_office.is_some() { "true" } else { "false" });
    }
    inner.close();
}

fn write_status_message(object: &mut Object<'_>, status: &StatusView<'_>, reader: Reader, select: &Select) {
    let mut inner = object.object("statusMessage");
    if select.has(Part::StatusMessageContent) {
        let mut message = inner.object("message");
        message.text("content", status.content);
        message.plain("contentType", "text");
        message.close();
    }
    if reader == Reader::TheUser && select.has(Part::PublishedDateTime) {
        inner.date_time("publishedDateTime", instant(status.published_at));
    }
    if reader == Reader::TheUser && select.has(Part::ExpiryDateTime) {
        match status.expiry {
            None => inner.null("expiryDateTime"),
            Some(expiry) => {
                let mut date_time = inner.object("expiryDateTime");
                date_time.local_date_time(Instant100 { ticks: expiry.ticks, ..instant(expiry.at) });
                date_time.plain("timeZone", "UTC");
                date_time.close();
            }
        }
    }
    inner.close();
}

fn write_work_location(object: &mut Object<'_>, location: &WorkLocation<'_>, select: &Select) {
    let mut inner = object.object("workLocation");
    if select.has(Part::PlaceId) {
        inner.text_or_null("placeId", location.place);
    }
    if select.has(Part::Source) {
        inner.plain("source", location.source.name());
    }
    if select.has(Part::WorkLocationType) {
        inner.plain("workLocationType", location.kind.name());
    }
    inner.close();
}

/// An instant of the domain as one of the wire.
pub(crate) fn instant(at: Timestamp) -> Instant100 {
    Instant100 { unix_ms: at.as_millis(), ticks: 0 }
}

/// `A` and fourteen digits of Unix milliseconds. Source: presence-api 1.4.
fn sequence_number(changed_at: Timestamp) -> [u8; 15] {
    let mut number = [b'A'; 15];
    let mut rest = changed_at.as_millis().unsigned_abs();
    for digit in number[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    number
}

/// A JSON object that is being written.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

#[expect(clippy::inline_always, reason = "a name of known length becomes a few moves instead of a call")]
impl Object<'_> {
    fn open(out: &mut Vec<u8>) -> Object<'_> {
        out.push(b'{');
        Object { out, empty: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    /// Inlined, like what uses it, so that a name of known length is a few moves rather than a call.
    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        self.out.extend_from_slice(if self.empty { b"\"" } else { b",\"" });
        self.empty = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A value that is JSON already.
    #[inline(always)]
    fn raw(&mut self, name: &'static str, value: &'static str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    #[inline(always)]
    fn null(&mut self, name: &'static str) {
        self.raw(name, "null");
    }

    /// A string that needs no escapes.
    #[inline(always)]
    fn plain(&mut self, name: &'static str, text: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// A string of ASCII letters and digits, its length known to the compiler.
    #[inline(always)]
    fn digits<const N: usize>(&mut self, name: &'static str, text: [u8; N]) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(&text);
        self.out.push(b'"');
    }

    /// Any string.
    fn text(&mut self, name: &'static str, text: &str) {
        if needs_no_escapes(text) {
            return self.plain(name, text);
        }
        self.name(name);
        serde_json::to_writer(&mut *self.out, text).expect("a vector takes any number of bytes");
    }

    fn text_or_null(&mut self, name: &'static str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    fn object(&mut self, name: &'static str) -> Object<'_> {
        self.name(name);
        Object::open(self.out)
    }

    fn date_time(&mut self, name: &'static str, at: Instant100) {
        self.name(name);
        self.out.push(b'"');
        date_time::write_utc(at, self.out);
        self.out.push(b'"');
    }

    fn local_date_time(&mut self, at: Instant100) {
        self.name("dateTime");
        self.out.push(b'"');
        date_time::write_local(at, self.out);
        self.out.push(b'"');
    }
}

/// Whether a text is the same in a JSON string. Looks at every byte rather than stopping early: that is one pass over
/// many at a time.
fn needs_no_escapes(text: &str) -> bool {
    text.bytes().fold(true, |so_far, byte| so_far & !matches!(byte, 0..0x20 | b'"' | b'\\'))
}
