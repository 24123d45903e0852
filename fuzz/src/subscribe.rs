//! Subscriptions: made, renewed, reauthorized and ended with bodies that are nearly right, beside a model of what is
//! to be shown of them.

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::Unstructured;
use jiff::Timestamp;
use porchlight_testkit::{ADA, DEMO};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::body::{FLAG, Member, Shape, body, number};
use crate::operation::Operation;
use crate::world::World;

/// The most operations of one input.
const OPERATIONS_MAX: usize = 10;

/// For how long one that has ended can come back, in milliseconds.
const GRACE: i64 = 5 * 60 * 1_000;

const SUBSCRIPTIONS: &str = "/v1.0/subscriptions";

/// Nobody's.
const NONE: &str = "22222222-2222-4222-8222-222222222222";

/// The operations; but for the first the paths are below that of a subscription.
pub(crate) static OPERATIONS: [Operation; 4] = [
    Operation::of(
        "POST",
        "subscriptions",
        &[
            RESOURCE,
            Member("changeType", Shape::Text(&["updated", "updated,updated", "updated, updated", "created"])),
            Member("clientState", Shape::Text(&["secret", "", "\u{1f600}"])),
            NOTIFICATION_URL,
            Member("lifecycleNotificationUrl", URL),
            EXPIRATION,
            Member("includeResourceData", FLAG),
            CERTIFICATE,
            CERTIFICATE_ID,
            Member("latestSupportedTlsVersion", Shape::Text(&["v1_2", "v1_3", "v13", "v1_0", "v10", "v2_0"])),
            Member(
                "notificationQueryOptions",
                Shape::Text(&[
                    "$select=activity&coalesce=5",
                    "initialSnapshot=true&excludeSelf=true",
                    "",
                    "coalesce=61",
                    "$select=activity&$select=activity",
                ]),
            ),
            Member("notificationUrlAppId", Shape::Text(&[DEMO, ""])),
            Member(
                "notificationContentType",
                Shape::Text(&["application/json", "Application/JSON", "text/plain"]),
            ),
        ],
    ),
    Operation::of(
        "PATCH",
        "",
        &[
            EXPIRATION,
            NOTIFICATION_URL,
            CERTIFICATE,
            CERTIFICATE_ID,
            // What cannot be changed, and hardly ever comes.
            Member("clientState", Shape::Json(&["null", "\"secret\"", "\"other\""])),
        ],
    ),
    Operation::of("POST", "reauthorize", &[]),
    Operation::of("DELETE", "", &[]),
];

const RESOURCE: Member = Member(
    "resource",
    Shape::Text(&[
        "/communications/presences",
        "communications/presences/3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02",
        "/communications/presences?$filter=id in ('8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01')",
        "/me/presence",
        "/users/cleo@porchlight.example/presence",
        "communications/presences('3C5E0A44-0D0F-4D4B-A7F7-6F0A5B1F2B02')",
        "/users/nobody@porchlight.example/presence",
        "/me/messages",
        "/communications/presences?$filter=id in ()",
    ]),
);
const URL: Shape = Shape::Text(&[
    "https://hooks.example.net/presence",
    "https://hooks.example.net/presence?a=b",
    "http://127.0.0.1:9/x",
    "https://[::1]/",
    "https://10.0.0.1/",
    "https://user@hooks.example.net/",
    "hooks.example.net",
    "https://hooks.example.net/#x",
]);
const NOTIFICATION_URL: Member = Member("notificationUrl", URL);
/// The clock begins at nine.
const EXPIRATION: Member = Member(
    "expirationDateTime",
    Shape::Text(&[
        "2026-11-20T09:45:00Z",
        "2026-11-20T10:00:00.0000000Z",
        "2026-11-20T09:01:30.1234567Z",
        "2026-11-20T11:15:00.9999999+02:00",
        "2026-11-20T10:00:00.0000001Z",
        "2026-11-20T09:00:00.0000001Z",
        "2026-11-20T09:50Z",
        "2026-11-20T09:45:00",
        "9999-12-31T23:59:59.9999999Z",
        "2026-11-20T10:30:00Z",
    ]),
);
const CERTIFICATE: Member = Member(
    "encryptionCertificate",
    Shape::Text(&[
        include_str!("../../crates/porchlight/tests/conformance/certificates/rsa.pem"),
        include_str!("../../crates/porchlight/tests/conformance/certificates/other.pem"),
        include_str!("../../crates/porchlight/tests/conformance/certificates/elliptic.pem"),
        include_str!("../../crates/porchlight/tests/conformance/certificates/short.pem"),
        "AAAA",
        "",
    ]),
);
const CERTIFICATE_ID: Member = Member("encryptionCertificateId", Shape::Text(&["one", "two", ""]));

/// Subscriptions, made and changed one after the other while time passes: they are shown as they were asked for until
/// they end, and whatever is refused changes nothing.
///
/// # Panics
///
/// When a law is broken.
pub fn subscribe(data: &[u8]) {
    let mut rest = Unstructured::new(data);
    let world = World::development();
    world.reset();
    let mut model = Model::default();
    for _ in 0..OPERATIONS_MAX {
        if rest.is_empty() {
            break;
        }
        let die = number(&mut rest);
        match die % 8 {
            0..=2 => model.create(&world, &mut rest),
            3 | 4 => model.renew(&world, usize::from(die >> 3), &mut rest),
            5 => model.reauthorize(&world, usize::from(die >> 3), &mut rest),
            6 => model.delete(&world, usize::from(die >> 3), &mut rest),
            _ => world.advance(Duration::from_secs(30 * u64::from(die >> 3))),
        }
        model.check(&world);
    }
    assert_eq!(world.connects(), 0, "no input makes this program open a connection");
}

/// Every subscription that was made and not deleted, as it is shown, by its id. Some have ended.
#[derive(Default)]
struct Model(BTreeMap<String, Value>);

impl Model {
    fn create(&mut self, world: &World, rest: &mut Unstructured<'_>) {
        let text = body(OPERATIONS[0].body, rest);
        let answer = ask(world, "POST", SUBSCRIPTIONS, &text);
        if answer.status != 201 {
            assert!(answer.status.is_client_error(), "a subscription is made or refused: {answer:?}");
            return;
        }
        let (made, asked) = (answer.json(), serde_json::from_str::<Value>(&text).unwrap_or_default());
        check_made(&made, &asked);
        let id = made["id"].as_str().expect("a subscription has an id").to_owned();
        let before = self.0.insert(id, shown(made));
        assert_eq!(before, None, "a new subscription has an id of its own: {answer:?}");
    }

    fn renew(&mut self, world: &World, which: usize, rest: &mut Unstructured<'_>) {
        let (id, before) = self.choose(which);
        let text = body(OPERATIONS[1].body, rest);
        let answer = ask(world, "PATCH", &format!("{SUBSCRIPTIONS}/{id}"), &text);
        let Some(before) = before.filter(|_| answer.status.is_success()) else {
            assert!(answer.status.is_client_error(), "there is something to renew: {answer:?}");
            return;
        };
        assert!(world.now() < end(&before) + GRACE, "what ended long ago does not come back: {answer:?}");
        let (after, asked) = (answer.json(), serde_json::from_str::<Value>(&text).unwrap_or_default());
        let mut expected = before;
        for name in ["notificationUrl", "encryptionCertificateId"] {
            if let Some(text) = asked[name].as_str().filter(|text| !text.is_empty()) {
                expected[name] = text.into();
            }
        }
        if asked["expirationDateTime"].is_string() {
            check_instant(&after, &asked);
            expected["expirationDateTime"] = after["expirationDateTime"].clone();
        }
        let after = shown(after);
        assert_eq!(after, expected, "a subscription becomes what was asked: {asked}");
        self.0.insert(id, after);
    }

    fn reauthorize(&mut self, world: &World, which: usize, rest: &mut Unstructured<'_>) {
        let (id, before) = self.choose(which);
        let is_there = before.is_some_and(|before| !has_ended(world, &before));
        let answer = ask(world, "POST", &format!("{SUBSCRIPTIONS}/{id}/reauthorize"), &body(&[], rest));
        assert_eq!(answer.status, if is_there { 204 } else { 404 }, "its maker may: {answer:?}");
    }

    fn delete(&mut self, world: &World, which: usize, rest: &mut Unstructured<'_>) {
        let (id, before) = self.choose(which);
        let is_there = before.is_some_and(|before| !has_ended(world, &before));
        let answer = ask(world, "DELETE", &format!("{SUBSCRIPTIONS}/{id}"), &body(&[], rest));
        assert_eq!(answer.status, if is_there { 204 } else { 404 }, "its maker ends it: {answer:?}");
        if is_there {
            self.0.remove(&id);
        }
    }

    /// One of those that are known, or nobody's.
    fn choose(&self, which: usize) -> (String, Option<Value>) {
        let known = self.0.iter().nth(which % (self.0.len() + 1));
        known.map_or((NONE.to_owned(), None), |(id, shown)| (id.clone(), Some(shown.clone())))
    }

    /// Those that have not ended are listed and shown, and no others.
    fn check(&self, world: &World) {
        let answer = ask(world, "GET", SUBSCRIPTIONS, "");
        let json = answer.json();
        let listed = json["value"].as_array().unwrap_or_else(|| panic!("they are a list: {answer:?}"));
        let id = |one: &Value| one["id"].as_str().unwrap_or_default().to_owned();
        let listed: BTreeMap<String, Value> = listed.iter().map(|one| (id(one), one.clone())).collect();
        let live = self.0.iter().filter(|(_, one)| !has_ended(world, one));
        let live: BTreeMap<String, Value> = live.map(|(id, one)| (id.clone(), one.clone())).collect();
        assert_eq!(listed, live, "those are listed that have not ended");
        for (id, one) in &self.0 {
            let answer = ask(world, "GET", &format!("{SUBSCRIPTIONS}/{id}"), "");
            if live.contains_key(id) {
                assert_eq!(shown(answer.json()), *one, "one is shown as in the list");
            } else {
                assert_eq!(answer.status, 404, "what has ended is not shown: {answer:?}");
            }
        }
    }
}

fn ask(world: &World, method: &str, target: &str, body: &str) -> Answer {
    let answer = world.ask(method, target, body.as_bytes());
    answer.expect("a subscription can be asked for").checked()
}

/// A new subscription is what was asked for.
fn check_made(made: &Value, asked: &Value) {
    for name in [
        "resource",
        "notificationUrl",
        "lifecycleNotificationUrl",
        "clientState",
        "notificationQueryOptions",
        "notificationUrlAppId",
    ] {
        assert_eq!(made[name], asked[name], "{name} is shown as it was asked for: {asked}");
    }
    check_instant(made, asked);
    let version = asked["latestSupportedTlsVersion"].as_str().unwrap_or("v1_2");
    let minor = version.chars().next_back().unwrap_or_default();
    assert_eq!(made["latestSupportedTlsVersion"], format!("v1_{minor}"), "the version of TLS: {asked}");
    let is_rich = asked["includeResourceData"].as_bool().unwrap_or(false);
    assert_eq!(made["includeResourceData"], is_rich, "whether there is more than that something changed");
    let id = if is_rich { asked["encryptionCertificateId"].clone() } else { Value::Null };
    assert_eq!(made["encryptionCertificateId"], id, "the name of the certificate: {asked}");
    let rest = json!(["updated", null, "application/json", ADA, DEMO]);
    let names =
        ["changeType", "encryptionCertificate", "notificationContentType", "creatorId", "applicationId"];
    let shown: Value = names.iter().map(|name| made[*name].clone()).collect();
    assert_eq!(shown, rest, "what every subscription is here: {names:?}");
}

/// The end is the instant that was asked for, to the tick, as far as another reader reads it.
fn check_instant(made: &Value, asked: &Value) {
    let ticks = |of: &Value| {
        let text = of["expirationDateTime"].as_str()?;
        Some(text.parse::<Timestamp>().ok()?.as_nanosecond().div_euclid(100))
    };
    let made_ticks = ticks(made);
    assert!(made_ticks.is_some(), "an end is shown that can be read: {made}");
    if let Some(asked_ticks) = ticks(asked) {
        assert_eq!(made_ticks, Some(asked_ticks), "the end is as it was asked for: {asked}");
    }
}

/// A subscription as everybody but its maker is shown it.
fn shown(mut subscription: Value) -> Value {
    subscription["clientState"] = Value::Null;
    if let Some(members) = subscription.as_object_mut() {
        members.shift_remove("@odata.context");
    }
    subscription
}

/// When it ends, in milliseconds.
fn end(shown: &Value) -> i64 {
    let end = shown["expirationDateTime"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    end.unwrap_or_else(|| panic!("a subscription has an end: {shown}")).as_millisecond()
}

fn has_ended(world: &World, shown: &Value) -> bool {
    world.now() >= end(shown)
}
