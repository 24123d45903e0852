//! Every operation of Graph's surface that takes a body, but for batches and subscriptions, and the levers of
//! development: a table of them, and bodies that are nearly right.

use std::time::Duration;

use arbitrary::Unstructured;
use porchlight_testkit::{ADA, BEN, DEMO, START};
use serde_json::Value;

use crate::answer::Answer;
use crate::body::{FLAG, Member, Shape, body, choose, number};
use crate::people::People;
use crate::promise::Write;
use crate::world::World;

/// The most operations of one input.
const OPERATIONS_MAX: usize = 8;

/// For how long accepted writes show. Later there may be no time left in which anything could, and it is enough that
/// everything is answered.
const AHEAD_MAX: i64 = 20 * 365 * 24 * 60 * 60 * 1_000;

/// What can be asked with a body.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// Below the version; a lever's below `/porchlight/dev/`.
    pub(crate) path: &'static str,
    pub(crate) body: &'static [Member],
}

impl Operation {
    pub(crate) const fn of(method: &'static str, path: &'static str, body: &'static [Member]) -> Operation {
        Operation { method, path, body }
    }
}

/// The operations of Graph's surface.
pub(crate) static OPERATIONS: [Operation; 16] = [
    Operation::of("POST", "me/presence/setPresence", &[SESSION, AVAILABILITY, ACTIVITY, DURATION]),
    Operation::of("POST", "me/presence/clearPresence", &[SESSION]),
    Operation::of("POST", "me/presence/setUserPreferredPresence", &[AVAILABILITY, ACTIVITY, DURATION]),
    Operation::of("POST", "me/presence/clearUserPreferredPresence", &[]),
    Operation::of("POST", "me/presence/setStatusMessage", &[Member("statusMessage", STATUS)]),
    Operation::of("POST", "me/presence/setManualLocation", LOCATION),
    Operation::of("POST", "me/presence/setAutomaticLocation", LOCATION),
    Operation::of("POST", "me/presence/clearLocation", &[]),
    Operation::of("POST", "me/presence/clearAutomaticLocation", &[]),
    Operation::of(
        "PATCH",
        "me/presence",
        &[
            AVAILABILITY,
            ACTIVITY,
            DURATION,
            Member("statusMessage", STATUS),
            Member("outOfOfficeSettings", OUT_OF_OFFICE),
            Member("workLocation", Shape::Object(LOCATION)),
            Member("id", Shape::Text(&[ADA, BEN])),
        ],
    ),
    Operation::of("DELETE", "me/presence", &[]),
    Operation::of(
        "POST",
        "communications/getPresencesByUserId",
        &[Member("ids", Shape::List(&Shape::Text(&[ADA, BEN, "cleo@porchlight.example", "x"])))],
    ),
    Operation::of(
        "POST",
        "users",
        &[NAME, DISPLAY_NAME, MAIL, GIVEN_NAME, SURNAME, JOB_TITLE, DEPARTMENT, ENABLED, PASSWORD],
    ),
    // But for whether she may sign in: nobody could ask any more.
    Operation::of("PATCH", "me", &[NAME, DISPLAY_NAME, MAIL, GIVEN_NAME, SURNAME, JOB_TITLE, DEPARTMENT]),
    Operation::of(
        "PATCH",
        "users/3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02",
        &[
            NAME,
            DISPLAY_NAME,
            MAIL,
            GIVEN_NAME,
            SURNAME,
            JOB_TITLE,
            DEPARTMENT,
            ENABLED,
            Member("id", Shape::Text(&[BEN, ADA])),
        ],
    ),
    Operation::of("DELETE", "users/3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02", &[]),
];

/// The levers of development.
static LEVERS: [Operation; 2] = [
    Operation::of(
        "POST",
        "clock",
        &[Member("advance", Shape::Text(&["PT5M", "PT1S", "P1D", "P30D", "0:01:00"]))],
    ),
    Operation::of(
        "POST",
        "faults",
        &[
            Member("deliveryFailureRate", Shape::Json(&["0.2", "0", "1", "1.5", "-1"])),
            Member("extraLatencyMs", Shape::Json(&["4000", "0", "18446744073709551615"])),
            Member("dropSubscription", Shape::Text(&["22222222-2222-4222-8222-222222222222"])),
        ],
    ),
];

const SESSION: Member = Member(
    "sessionId",
    Shape::Text(&[
        DEMO,
        "22222222-2222-4222-8222-222222222201",
        "{22222222-2222-4222-8222-222222222202}",
        "22222222222242228222222222222203",
    ]),
);
const AVAILABILITY: Member = Member(
    "availability",
    Shape::Text(&[
        "Available",
        "Busy",
        "Away",
        "DoNotDisturb",
        "BeRightBack",
        "Offline",
        "busy",
        "PresenceUnknown",
    ]),
);
const ACTIVITY: Member = Member(
    "activity",
    Shape::Text(&[
        "Available",
        "Busy",
        "Away",
        "DoNotDisturb",
        "BeRightBack",
        "OffWork",
        "InACall",
        "InAConferenceCall",
        "InAMeeting",
        "Presenting",
        "Focusing",
        "Offline",
        "inacall",
        "OutOfOffice",
    ]),
);
const DURATION: Member = Member(
    "expirationDuration",
    Shape::Text(&["PT1H", "PT5M", "P1D", "PT4M59S", "8:00:00", "P7D", "PT1M", "P1M", "-PT1H"]),
);
const STATUS: Shape = Shape::Object(&[
    Member(
        "message",
        Shape::Object(&[
            Member("content", Shape::Text(&["At lunch", "<b>x</b>", " ", "\u{202e}x", "a\nb"])),
            Member("contentType", Shape::Text(&["text", "Text", "html"])),
        ]),
    ),
    Member(
        "expiryDateTime",
        Shape::Object(&[
            Member(
                "dateTime",
                Shape::Text(&[
                    "2026-11-20T18:00:00.1234567",
                    "2027-03-14T02:30:00",
                    "2026-11-20T08:00:00",
                    "9999-12-31T23:59:59.9999999",
                    "2026-11-20T18:00:00+14:00",
                    "2026-02-30T00:00:00",
                ]),
            ),
            Member(
                "timeZone",
                Shape::Text(&["UTC", "Pacific Standard Time", "Europe/Berlin", "Nowhere", ""]),
            ),
        ]),
    ),
]);
const OUT_OF_OFFICE: Shape = Shape::Object(&[
    Member("isOutOfOffice", FLAG),
    Member("message", Shape::Text(&["Back on Monday", "", "\t"])),
]);
const LOCATION: &[Member] = &[
    Member(
        "workLocationType",
        Shape::Text(&["office", "remote", "timeOff", "unspecified", "Remote", "home"]),
    ),
    Member("placeId", Shape::Text(&["22222222-2222-4222-8222-222222222204", "hall", ""])),
];
const NAME: Member = Member(
    "userPrincipalName",
    Shape::Text(&[
        "mia@porchlight.example",
        "noor@porchlight.example",
        "ada@porchlight.example",
        "ben@porchlight.example",
        "BEN@porchlight.example",
        "@x",
        "no name",
    ]),
);
const DISPLAY_NAME: Member = Member("displayName", Shape::Text(&["Mia Chen", "\u{fffd}", "", "a\u{7f}"]));
const MAIL: Member =
    Member("mail", Shape::Text(&["mia@porchlight.example", "BEN@porchlight.example", "no address"]));
const GIVEN_NAME: Member = Member("givenName", Shape::Text(&["Mia", " "]));
const SURNAME: Member = Member("surname", Shape::Text(&["Chen", "\""]));
const JOB_TITLE: Member = Member("jobTitle", Shape::Text(&["Engineer"]));
const DEPARTMENT: Member = Member("department", Shape::Text(&["Support"]));
const ENABLED: Member = Member("accountEnabled", FLAG);
const PASSWORD: Member =
    Member("passwordProfile", Shape::Object(&[Member("password", Shape::Text(&["secret"]))]));

/// Operations one after the other, from nothing on: whatever is accepted shows, and whatever is refused changes
/// nothing.
///
/// # Panics
///
/// When a law is broken.
pub fn operation(data: &[u8]) {
    let mut rest = Unstructured::new(data);
    let world = World::development();
    world.reset();
    for _ in 0..OPERATIONS_MAX {
        if rest.is_empty() {
            break;
        }
        // Time and levers have a few numbers of their own.
        match number(&mut rest) {
            240.. => world.advance(Duration::from_secs(60 * u64::from(number(&mut rest)))),
            224.. => pull(&world, choose(&LEVERS, &mut rest), &mut rest),
            die => {
                let operation = &OPERATIONS[usize::from(die) % OPERATIONS.len()];
                perform(&world, operation, &body(operation.body, &mut rest));
            }
        }
    }
    // Whatever was done, and when.
    world.reset();
}

fn perform(world: &World, operation: &Operation, body: &str) {
    let Operation { method, path, .. } = *operation;
    if world.now() - START > AHEAD_MAX {
        ask(world, operation, body);
        return;
    }
    let people = path.starts_with("users") || path == "me";
    let (before, people_before) = (world.presence(), people.then(|| People::of(world)));
    let answer = ask(world, operation, body);
    let after = world.presence();
    let body = serde_json::from_str::<Value>(body).unwrap_or_default();
    if let Some(people_before) = people_before {
        people_before.check(method, path, &body, &answer, &People::of(world));
    } else if let Some(action) = path.strip_prefix("me/presence") {
        let action = action.strip_prefix('/').unwrap_or(action);
        Write { method, action, body: &body, answer: &answer, before: &before, after: &after }.check();
    } else {
        assert_eq!(before, after, "a question changes nothing: {answer:?}");
    }
    assert_eq!(after, world.presence(), "reading changes nothing");
}

fn ask(world: &World, operation: &Operation, body: &str) -> Answer {
    let answer = world.ask(operation.method, &format!("/v1.0/{}", operation.path), body.as_bytes());
    answer.expect("every operation can be asked for").checked()
}

fn pull(world: &World, lever: &Operation, rest: &mut Unstructured<'_>) {
    let (before, body) = (world.now(), body(lever.body, rest));
    let answer = world.pull(lever.method, lever.path, body.as_bytes()).checked();
    let ahead = world.now() - before;
    if lever.path != "clock" || !answer.status.is_success() {
        assert_eq!(ahead, 0, "the clock stands still: {answer:?}");
        return;
    }
    if before - START <= AHEAD_MAX {
        check_clock(&answer, ahead, &serde_json::from_str(&body).unwrap_or_default());
    }
}

/// The clock has gone ahead by what was asked, as far as that is plain.
fn check_clock(answer: &Answer, ahead: i64, body: &Value) {
    assert!(ahead >= 0, "the clock does not go back: {answer:?}");
    let seconds = match body["advance"].as_str() {
        Some("PT1S") => 1,
        Some("PT5M") => 5 * 60,
        Some("P1D") => 24 * 60 * 60,
        _ => return,
    };
    assert_eq!(ahead, seconds * 1_000, "by what was asked: {answer:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscribe;

    /// What nobody reads, whatever it is.
    const PASSED_OVER: &str = "passwordProfile";

    #[test]
    fn a_member_of_another_type_is_refused_by_its_name() {
        let world = World::development();
        for Operation { method, path, body: members } in OPERATIONS.iter().chain(&subscribe::OPERATIONS[..1])
        {
            let right: Value = serde_json::from_str(&body(members, &mut Unstructured::new(&[]))).unwrap();
            for Member(name, _) in members.iter().filter(|Member(name, _)| *name != PASSED_OVER) {
                let mut wrong = right.clone();
                wrong[*name] = 5.into();
                world.reset();
                let answer = world.ask(method, &format!("/v1.0/{path}"), wrong.to_string().as_bytes());
                let answer = answer.unwrap().checked();
                assert_eq!(answer.status, 400, "{path} {wrong}: {answer:?}");
                let error = answer.json()["error"].to_string().to_lowercase();
                assert!(error.contains(&name.to_lowercase()), "{path}: {name} is named in {error}");
            }
        }
    }

    #[test]
    fn what_is_right_in_every_member_is_taken() {
        let world = World::development();
        world.reset();
        for Operation { method, path, body: members } in OPERATIONS.iter().chain(&subscribe::OPERATIONS[..1])
        {
            // What was set before is there to be cleared.
            if !path.starts_with("me/presence") {
                world.reset();
            }
            let right = body(members, &mut Unstructured::new(&[]));
            let answer = world.ask(method, &format!("/v1.0/{path}"), right.as_bytes()).unwrap().checked();
            assert!(answer.status.is_success(), "{path} {right}: {answer:?}");
        }
    }
}
