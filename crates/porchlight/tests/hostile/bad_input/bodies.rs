//! Bodies that are too strange or too large for a table of text.

use porchlight_testkit::DEMO;

use super::{Case, Expected};
use crate::support::{ME, Message};

/// The most bytes that a body may have.
const LIMIT: usize = 1 << 20;

const SET: &str = "/v1.0/me/presence/setPresence";
const BULK: &str = "/v1.0/communications/getPresencesByUserId";
const BATCH: &str = "/v1.0/$batch";

/// Everything that takes a body, and whether it needs one.
const ENDPOINTS: [(&str, &str, bool); 12] = [
    ("POST", SET, true),
    ("POST", "/v1.0/me/presence/clearPresence", true),
    ("POST", "/v1.0/me/presence/setUserPreferredPresence", true),
    ("POST", "/v1.0/me/presence/setStatusMessage", true),
    ("POST", "/v1.0/me/presence/setManualLocation", true),
    ("POST", "/v1.0/me/presence/setAutomaticLocation", true),
    ("PATCH", ME, true),
    ("POST", BULK, true),
    ("POST", BATCH, true),
    ("POST", "/v1.0/me/presence/clearUserPreferredPresence", false),
    ("POST", "/v1.0/me/presence/clearAutomaticLocation", false),
    ("POST", "/v1.0/me/presence/clearLocation", false),
];

/// What is no JSON object, or not one clean one.
const NO_OBJECTS: [&str; 40] = [
    "null",
    "true",
    "3",
    "\"text\"",
    "[]",
    "[{}]",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,}",
    "{,}",
    "{} {}",
    "{}x",
    "{}\0",
    "\0{}",
    "\u{feff}{}",
    "{\0}\0",
    "{'a':1}",
    "{a:1}",
    "{1:1}",
    "// nothing\n{}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":undefined}",
    "{\"a\":1e999}",
    "{\"a\":-1e999}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":0x10}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\\x41\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\\ud800\"}",
    "{\"\\ud800\":1}",
    "{\"a\":1,\"a\":1}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"a\":{\"b\":1,\"b\":2}}",
];

pub(super) fn cases() -> Vec<Case> {
    let unreadable = Expected::Error(400, "BadRequest");
    let mut cases = Vec::new();
    for (method, target, needs_body) in ENDPOINTS {
        let mut bodies: Vec<Vec<u8>> = NO_OBJECTS.map(|text| text.as_bytes().to_vec()).into();
        bodies.push(b"{\"a\":\"\xff\"}".to_vec());
        bodies.push(b"{\"\xc0\xaf\":1}".to_vec());
        bodies.push(format!("{{\"a\":{}}}", "9".repeat(400)).into_bytes());
        if needs_body {
            bodies.extend([Vec::new(), b" \r\n\t ".to_vec()]);
        }
        for body in bodies {
            let name = format!("{method} {target} {}", String::from_utf8_lossy(&body));
            cases.push(Case::new(name, &Message::by("ada", method, target).json(body), unreadable));
        }
    }
    cases.extend(media());
    cases.extend(nested());
    cases.extend(long());
    cases.extend(too_large());
    cases
}

fn valid() -> String {
    format!(r#"{{"sessionId":"{DEMO}","availability":"Busy","activity":"InACall"}}"#)
}

/// Other media types than JSON, other encodings than gzip.
fn media() -> Vec<Case> {
    let unsupported = Expected::Error(415, "UnsupportedMediaType");
    let types: [&[u8]; 8] = [
        b"text/plain",
        b"text/json",
        b"application/xml",
        b"application/json2",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"*/*",
        b"application/\xff",
    ];
    let encodings: [&[u8]; 7] =
        [b"br", b"deflate", b"zstd", b"gzip, gzip", b"identity, gzip", b"gzip;q=1", b"\xff"];
    let types = types.into_iter().map(|value| ("Content-Type", value));
    let encodings = encodings.into_iter().map(|value| ("Content-Encoding", value));
    types
        .chain(encodings)
        .map(|(header, value)| {
            let message = Message::by("ada", "POST", SET).header(header, value).body(valid());
            Case::new(format!("{header}: {}", String::from_utf8_lossy(value)), &message, unsupported)
        })
        .collect()
}

/// JSON within JSON, a hundred thousand times.
fn nested() -> Vec<Case> {
    const DEPTH: usize = 100_000;
    let (arrays, ends) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    let objects = "{\"a\":".repeat(DEPTH);
    let bodies = [
        ("arrays without end", format!("{{\"a\":{arrays}")),
        ("arrays", format!("{{\"a\":{arrays}{ends}}}")),
        ("bare arrays", format!("{arrays}{ends}")),
        ("objects without end", objects.clone()),
        ("objects", format!("{objects}1{}", "}".repeat(DEPTH))),
    ];
    let mut cases = Vec::new();
    for (name, body) in bodies {
        for (method, target) in [("POST", SET), ("PATCH", ME), ("POST", BATCH)] {
            let message = Message::by("ada", method, target).json(&body);
            let name = format!("{method} {target}: {DEPTH} {name}");
            cases.push(Case::new(name, &message, Expected::Error(400, "BadRequest")));
        }
    }
    cases
}

/// Much of one thing, within the limit of a body.
fn long() -> Vec<Case> {
    let (bad, argument) = (Expected::Error(400, "BadRequest"), Expected::Error(400, "InvalidArgument"));
    let members: Vec<String> = (0..100_000).map(|number| format!("\"{number:x}\":0")).collect();
    let members = members.join(",");
    let filler = "x".repeat(LIMIT - 200);
    let step = |number: usize| format!(r#"{{"id":"{number}","method":"DELETE","url":"/me/presence"}}"#);
    let steps = |count: usize| (0..count).map(step).collect::<Vec<_>>().join(",");
    let status = |text: &str| format!(r#"{{"statusMessage":{{"message":{{"content":"{text}"}}}}}}"#);
    let session = |member: &str, value: &str| {
        valid().replacen(&format!(r#""{member}":""#), &format!(r#""{member}":"{value}"#), 1)
    };
    let patch = |member: &str| format!(r#"{{"availability":"Away",{member}}}"#);
    let patches = [
        (
            "an out-of-office message of 2,049 characters",
            patch(&format!(
                r#""outOfOfficeSettings":{{"isOutOfOffice":true,"message":"{}"}}"#,
                "é".repeat(2_049)
            )),
        ),
        (
            "a place of 257 characters",
            patch(&format!(
                r#""workLocation":{{"workLocationType":"office","placeId":"{}"}}"#,
                "é".repeat(257)
            )),
        ),
    ];
    let posts = [
        ("100,000 members", SET, format!("{{{members}}}"), argument),
        ("100,000 members and one twice", SET, format!("{{{members},\"0\":0}}"), bad),
        ("a session id of a mebibyte", SET, session("sessionId", &filler), argument),
        ("an availability of a mebibyte", SET, session("availability", &filler), argument),
        ("an activity of a mebibyte", SET, session("activity", &filler), argument),
        (
            "a duration of a mebibyte",
            SET,
            valid().replace('}', &format!(r#","expirationDuration":"PT{}S"}}"#, "9".repeat(LIMIT - 200))),
            argument,
        ),
        (
            "a status of 281 characters",
            "/v1.0/me/presence/setStatusMessage",
            status(&"é".repeat(281)),
            argument,
        ),
        ("a status of a mebibyte", "/v1.0/me/presence/setStatusMessage", status(&filler), argument),
        ("651 ids", BULK, format!("{{\"ids\":[{}]}}", vec!["\"x\""; 651].join(",")), argument),
        ("260,000 ids", BULK, format!("{{\"ids\":[{}]}}", vec!["\"x\""; 260_000].join(",")), argument),
        ("400,000 numbers", BULK, format!("{{\"ids\":[{}]}}", vec!["0"; 400_000].join(",")), argument),
        (
            "21 steps",
            BATCH,
            format!("{{\"requests\":[{}]}}", steps(21)),
            Expected::Error(400, "MaximumValueExceeded"),
        ),
        (
            "15,000 steps",
            BATCH,
            format!("{{\"requests\":[{}]}}", steps(15_000)),
            Expected::Error(400, "MaximumValueExceeded"),
        ),
    ];
    let patches = patches.into_iter().map(|(name, body)| (name, "PATCH", ME, body, argument));
    let posts =
        posts.into_iter().map(|(name, target, body, expected)| (name, "POST", target, body, expected));
    patches
        .chain(posts)
        .map(|(name, method, target, body, expected)| {
            assert!(body.len() <= LIMIT, "{name} is within the limit");
            Case::new(name, &Message::by("ada", method, target).json(body), expected)
        })
        .collect()
}

/// More than a body may have, announced or not.
fn too_large() -> Vec<Case> {
    let mut cases = Vec::new();
    let too_large = Expected::Error(413, "RequestEntityTooLarge");
    let set = || Message::by("ada", "POST", SET).header("Content-Type", "application/json");
    // Nothing of these bodies is ever sent: they are refused by what they announce.
    for length in [(LIMIT + 1).to_string(), "10737418240".to_owned(), i64::MAX.to_string()] {
        let message = set().header("Content-Length", &length);
        cases.push(Case::new(format!("a body of {length} bytes, announced"), &message, too_large));
    }
    let spaces = vec![b' '; LIMIT + 1];
    cases.push(Case::new("a body of one byte too many", &set().body(&spaces), too_large));
    let anonymous = Message::anonymous("POST", SET).body(&spaces);
    cases.push(Case::new("a body of one byte too many, without a token", &anonymous, too_large));
    let chunked = set().header("Transfer-Encoding", "chunked");
    let whole = chunked.clone().tail(format!("{:x}\r\n", LIMIT + 1)).tail(&spaces).tail("\r\n0\r\n\r\n");
    cases.push(Case::new("a chunk of one byte too many", &whole, too_large));
    let small = b"8\r\n        \r\n".repeat(LIMIT / 8 + 1);
    cases.push(Case::new("many small chunks", &chunked.tail(small).tail("0\r\n\r\n"), too_large));
    // An answer that does not wait for the body must arrive all the same.
    let large = vec![b' '; 200_000];
    let unread = [
        ("no token", Message::anonymous("POST", SET), Expected::Error(401, "InvalidAuthenticationToken")),
        (
            "no such method",
            Message::by("ada", "POST", "/v1.0/users/x/presence"),
            Expected::Error(405, "Request_BadRequest"),
        ),
        (
            "no such action",
            Message::by("ada", "POST", "/v1.0/me/presence/x"),
            Expected::Error(400, "BadRequest"),
        ),
    ];
    for (name, message, expected) in unread {
        cases.push(Case::new(
            format!("200,000 bytes of body that nobody reads: {name}"),
            &message.body(&large),
            expected,
        ));
    }
    cases
}
