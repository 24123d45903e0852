//! Laws of a presence on the wire: every member says what went in.

use porchlight_presence::{
    Activity, Availability, Expiry, LocationSource, LocationType, OutOfOffice, Pair, Presence, Stamps,
    StatusView, Timestamp, UserId, WorkLocation,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use uuid::Uuid;

use super::date_time::{self, Instant100};
use super::presence::{Annotations, Reader, write};
use crate::dice::texts;
use crate::odata::Select;

/// The last millisecond that fourteen digits can count, in the year 5138.
const FOURTEEN_DIGITS: i64 = 99_999_999_999_999;

proptest! {
    /// Whoever reads, every member outside of the status message says what went in, and there is no other.
    #[test]
    fn whatever_is_written_is_read_back(
        user in any::<u128>(),
        pair in pairs(),
        out_of_office in option::of(option::of(texts())),
        location in option::of((select(LocationType::ALL.to_vec()), option::of(texts()), sources())),
        changed_at in (0..=FOURTEEN_DIGITS).prop_map(Timestamp::from_millis),
        reader in select(vec![Reader::TheUser, Reader::Another]),
    ) {
        let user = UserId(Uuid::from_u128(user));
        let out_of_office = out_of_office.map(|message| OutOfOffice { message });
        let presence = Presence {
            pair,
            out_of_office: out_of_office.as_ref(),
            status_message: None,
            work_location: location.as_ref().map(|(kind, place, source)| WorkLocation {
                kind: *kind,
                place: place.as_deref(),
                source: *source,
            }),
            stamps: Stamps { changed_at, ..Stamps::default() },
        };
        let work_location = location.as_ref().map(|(kind, place, source)| {
            json!({ "placeId": place, "source": source.name(), "workLocationType": kind.name() })
        });
        let expected = json!({
            "id": user.to_string(),
            "availability": pair.availability.name(),
            "activity": pair.activity.name(),
            "outOfOfficeSettings": {
                "message": out_of_office.as_ref().and_then(|settings| settings.message.clone()),
                "isOutOfOffice": out_of_office.is_some(),
            },
            "sequenceNumber": format!("A{:014}", changed_at.as_millis()),
            "statusMessage": null,
            "workLocation": work_location,
        });
        prop_assert_eq!(read(user, &presence, reader), expected);
    }

    /// The user reads the text, when it was set and when it ends, to the tick.
    #[test]
    fn a_status_message_is_read_back_by_the_user(
        content in texts(),
        published_at in instants(),
        expiry in option::of((instants(), 0..10_000_u16).prop_map(|(at, ticks)| Expiry { at, ticks })),
    ) {
        let status = read_status(StatusView { content: &content, published_at, expiry }, Reader::TheUser);
        prop_assert_eq!(status.as_object().map(serde_json::Map::len), Some(3));
        prop_assert_eq!(&status["message"], &json!({ "content": content, "contentType": "text" }));
        let published = date_time::parse(text(&status["publishedDateTime"]), None);
        prop_assert_eq!(published, Ok(Instant100 { unix_ms: published_at.as_millis(), ticks: 0 }));
        if let Some(expiry) = expiry {
            let ends = &status["expiryDateTime"];
            let expected = Instant100 { unix_ms: expiry.at.as_millis(), ticks: expiry.ticks };
            prop_assert_eq!(date_time::parse(text(&ends["dateTime"]), Some("UTC")), Ok(expected));
            prop_assert_eq!(text(&ends["timeZone"]), "UTC");
        } else {
            prop_assert!(status["expiryDateTime"].is_null());
        }
    }

    /// Anybody else reads the text and nothing more.
    #[test]
    fn a_status_message_is_read_without_its_times_by_others(
        content in texts(),
        published_at in instants(),
        ends_at in option::of(instants()),
    ) {
        let expiry = ends_at.map(|at| Expiry { at, ticks: 0 });
        let status = read_status(StatusView { content: &content, published_at, expiry }, Reader::Another);
        prop_assert_eq!(status, json!({ "message": { "content": content, "contentType": "text" } }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Every pair by itself is copied as it would be written, whatever stands before it and whoever reads.
    #[test]
    fn a_stencil_says_what_its_members_say_one_by_one(
        user in any::<u128>(),
        changed_at in instants(),
        reader in select(vec![Reader::TheUser, Reader::Another]),
    ) {
        let user = UserId(Uuid::from_u128(user));
        let paths: Vec<&str> = Select::paths().collect();
        let one_by_one = Select::parse(Some(&paths.join(","))).unwrap();
        prop_assert!(Select::ALL.is_all() && !one_by_one.is_all());
        let context = ["http://x", "/v1.0"];
        let forms = [
            Annotations::default(),
            Annotations { context: Some(&context), full: None },
            Annotations { context: None, full: Some("http://x/v1.0") },
            Annotations { context: Some(&context), full: Some("http://x/v1.0") },
        ];
        for pair in all_pairs() {
            let stamps = Stamps { changed_at, ..Stamps::default() };
            let presence = Presence { pair, stamps, ..Presence::NOTHING };
            for form in forms {
                let written = |parts: &Select| {
                    let mut out = Vec::new();
                    write(&mut out, user, &presence, reader, parts, form);
                    String::from_utf8(out).unwrap()
                };
                prop_assert_eq!(written(&Select::ALL), written(&one_by_one));
            }
        }
    }
}

fn all_pairs() -> impl Iterator<Item = Pair> {
    Availability::ALL.into_iter().flat_map(|availability| {
        Activity::ALL.into_iter().map(move |activity| Pair { availability, activity })
    })
}

fn pairs() -> impl Strategy<Value = Pair> {
    (select(Availability::ALL.to_vec()), select(Activity::ALL.to_vec()))
        .prop_map(|(availability, activity)| Pair { availability, activity })
}

fn sources() -> impl Strategy<Value = LocationSource> {
    select(vec![LocationSource::Manual, LocationSource::Automatic])
}

fn instants() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis)
}

/// The presence as another JSON parser reads it.
fn read(user: UserId, presence: &Presence<'_>, reader: Reader) -> Value {
    let mut out = Vec::new();
    write(&mut out, user, presence, reader, &Select::ALL, Annotations::default());
    serde_json::from_slice(&out).unwrap()
}

fn read_status(status: StatusView<'_>, reader: Reader) -> Value {
    let presence = Presence { status_message: Some(status), ..Presence::NOTHING };
    read(UserId(Uuid::nil()), &presence, reader)["statusMessage"].take()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
