//! Requests that are no HTTP, or too much of it.

use super::{Case, Expected};
use crate::support::{ME, Message};

const SET: &str = "/v1.0/me/presence/setPresence";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(lines());
    cases.extend(headers());
    cases.extend(lengths());
    cases.extend(chunks());
    cases.extend(sizes());
    cases.extend(long_targets());
    cases
}

/// Request lines.
fn lines() -> impl Iterator<Item = Case> {
    let lines: [&[u8]; 26] = [
        b"GET /v1.0/me/presence",
        b"GET /v1.0/me/presence HTTP/0.9",
        b"GET /v1.0/me/presence HTTP/1.2",
        b"GET /v1.0/me/presence HTTP/1.10",
        b"GET /v1.0/me/presence HTTP/2.0",
        b"GET /v1.0/me/presence HTTP/3.0",
        b"GET /v1.0/me/presence http/1.1",
        b"GET /v1.0/me/presence HTTP",
        b"GET /v1.0/me/presence HTTP/1.1 ",
        b"GET  /v1.0/me/presence HTTP/1.1",
        b" GET /v1.0/me/presence HTTP/1.1",
        b"GET\t/v1.0/me/presence HTTP/1.1",
        b"GET /v1.0/me presence HTTP/1.1",
        b"G\0ET /v1.0/me/presence HTTP/1.1",
        b"G(T /v1.0/me/presence HTTP/1.1",
        b"GET /v1.0/me/presence\0 HTTP/1.1",
        b"GET /v1.0/users/\xff/presence HTTP/1.1",
        b"GET /v1.0/users/<x>/presence HTTP/1.1",
        b"GET v1.0/me/presence HTTP/1.1",
        b"GET ?x HTTP/1.1",
        b"GET http:// HTTP/1.1",
        b"GET http:///v1.0/me HTTP/1.1",
        b"GET",
        b"HTTP/1.1 200 OK",
        b"PRI * HTTP/2.0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a hello of TLS",
    ];
    lines.into_iter().map(|line| {
        let message = Message::line(line).header("Host", "x").header("Authorization", "Bearer dev:ada:");
        Case::new(format!("line: {}", line.escape_ascii()), &message, Expected::Bare(400))
    })
}

/// Header lines.
fn headers() -> impl Iterator<Item = Case> {
    let headers: [&[u8]; 9] = [
        b"there is no colon here",
        b"nothing",
        b": no name",
        b"Name : a space before the colon",
        b"Na\0me: x",
        b"N(me: x",
        b"Name: a\0b",
        b"Name: a\x7fb",
        b"Name: x\r\n folded",
    ];
    headers.into_iter().map(|line| {
        let message = Message::by("ada", "GET", ME).header_line(line);
        Case::new(format!("header: {}", line.escape_ascii()), &message, Expected::Bare(400))
    })
}

/// Lengths and transfer encodings that cannot be, or that contradict each other.
fn lengths() -> impl Iterator<Item = Case> {
    let lengths = ["", "-1", "+2", "2.0", "0x2", "1e3", "2 2", "2, 2", "two", "99999999999999999999999", "٢"];
    let encodings = ["", "gzip", "identity", "xchunked", "chunked, gzip", "chunked;x=1"];
    let lengths = lengths.map(|value| vec![("Content-Length", value)]);
    let encodings = encodings.map(|value| vec![("Transfer-Encoding", value)]);
    let two = vec![("Content-Length", "2"), ("Content-Length", "3")];
    let one_by_one = lengths.into_iter().chain(encodings).chain([two]).map(|headers| {
        let name = format!("{headers:?}");
        let message = Message::by("ada", "POST", SET).header("Content-Type", "application/json");
        let message = headers.iter().fold(message, |message, (name, value)| message.header(name, value));
        Case::new(name, &message.tail("{}"), Expected::Bare(400))
    });
    let old = Message::line(format!("POST {SET} HTTP/1.0")).header("Transfer-Encoding", "chunked");
    let old = Case::new("chunks in HTTP/1.0", &old.tail("2\r\n{}\r\n0\r\n\r\n"), Expected::Bare(400));
    let most = Message::by("ada", "POST", SET).header("Content-Length", u64::MAX.to_string());
    let most = Case::new("the largest length of all", &most, Expected::Limit(431));
    one_by_one.chain([old, most])
}

/// Chunks with wrong sizes and ends.
fn chunks() -> impl Iterator<Item = Case> {
    let long = ";".to_owned() + &"x".repeat(20_000);
    let trailer = "X: ".to_owned() + &"x".repeat(20_000);
    let trailers = "X: x\r\n".repeat(2_000);
    let bodies = [
        ("no size", "\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("no hexadecimal size", "zz\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("a negative size", "-2\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("a size with a prefix", "0x2\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("a size beyond 64 bits", "10000000000000002\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("a size that is too small", "1\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("a size that is too large", "5\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("no end of the chunk", "2\r\n{}0\r\n\r\n".to_owned()),
        ("a long extension", format!("2{long}\r\n{{}}\r\n0\r\n\r\n")),
        ("a long trailer", format!("2\r\n{{}}\r\n0\r\n{trailer}\r\n\r\n")),
        ("many trailers", format!("2\r\n{{}}\r\n0\r\n{trailers}\r\n")),
    ];
    bodies.into_iter().map(|(name, body)| {
        let message = Message::by("ada", "POST", SET).header("Transfer-Encoding", "chunked").tail(body);
        Case::new(format!("chunks: {name}"), &message, Expected::Error(400, "BadRequest"))
    })
}

/// Heads that are too large.
fn sizes() -> impl Iterator<Item = Case> {
    let ours = Expected::Error(431, "RequestHeaderFieldsTooLarge");
    let limit = Expected::Limit(431);
    let get = || Message::by("ada", "GET", ME);
    let many = |count: usize, length: usize| {
        (0..count).fold(get(), |message, number| message.header(&format!("X-{number}"), "x".repeat(length)))
    };
    let cases = [
        ("a header of 10,000 bytes", get().header("X", "x".repeat(10_000)), ours),
        ("a token of 10,000 bytes", get().header("Authorization", "x".repeat(10_000)), ours),
        ("a name of 10,000 bytes", get().header(&"x".repeat(10_000), "x"), ours),
        ("10,000 bytes without a token", Message::anonymous("GET", ME).header("X", "x".repeat(10_000)), ours),
        ("90 headers of 100 bytes", many(90, 100), ours),
        ("2,000 headers", many(2_000, 1), limit),
        ("10,000 headers", many(10_000, 1), limit),
        ("a name of 70,000 bytes", get().header(&"x".repeat(70_000), "x"), limit),
        ("a header of 200,000 bytes", get().header("X", "x".repeat(200_000)), limit),
        ("200,000 bytes of empty lines", Message::line("\r\n".repeat(100_000)), limit),
        ("a target of 140,000 bytes", Message::by("ada", "GET", &"/x".repeat(70_000)), Expected::Bare(431)),
        ("a target of 70,000 bytes", Message::by("ada", "GET", &"/x".repeat(35_000)), Expected::Bare(414)),
    ];
    cases.into_iter().map(|(name, message, expected)| Case::new(name, &message, expected))
}

/// Targets that are long, but not too long to be read.
fn long_targets() -> impl Iterator<Item = Case> {
    let (bad, argument) = (Expected::Error(400, "BadRequest"), Expected::Error(400, "InvalidArgument"));
    let missing = Expected::Error(404, "Request_ResourceNotFound");
    let people = "/v1.0/communications/presences";
    let deep = format!("{}id%20eq%20'a'{}", "(".repeat(10_000), ")".repeat(10_000));
    let targets = [
        ("GET", format!("/v1.0/users/{}/presence", "x".repeat(60_000)), missing),
        ("GET", format!("/v1.0/users('{}')/presence", "''".repeat(30_000)), missing),
        ("GET", format!("/v1.0/users/{}/presence", "%C3%A9".repeat(10_000)), missing),
        ("GET", format!("/v1.0{}", "/x".repeat(30_000)), bad),
        ("GET", format!("/v1.0/{}", "../".repeat(20_000)), bad),
        ("GET", format!("/v1.0/users{}", "('x'".repeat(15_000)), bad),
        ("GET", format!("/{}/me", "x".repeat(60_000)), bad),
        ("GET", format!("{people}?$filter={deep}"), bad),
        ("GET", format!("{people}?$filter={}", "(".repeat(60_000)), bad),
        ("GET", format!("{people}?$filter={}", "not%20".repeat(10_000)), bad),
        ("GET", format!("{people}?$filter=id%20eq%20'{}", "x".repeat(60_000)), bad),
        ("GET", format!("{people}?$filter=id%20eq%20'{}", "''".repeat(30_000)), bad),
        ("GET", format!("{people}?$filter=id%20in%20({})", vec!["'x'"; 651].join(",")), argument),
        ("GET", format!("{people}?$filter=id%20in%20({})", vec!["x"; 30_000].join(",")), argument),
        ("GET", format!("{people}?$filter=id%20eq%20x{}", "%20or%20id%20eq%20x".repeat(3_000)), argument),
        ("GET", format!("{people}?$select={}", "nope,".repeat(12_000)), bad),
        ("GET", format!("{people}?$select={}", ",".repeat(60_000)), bad),
        ("GET", format!("{people}?{}", "$top=1&".repeat(8_000)), bad),
        ("GET", format!("{people}?$top={}", "9".repeat(60_000)), argument),
        ("GET", format!("/v1.0/me/presence?$select={}", "id/".repeat(20_000)), bad),
    ];
    let method = Case::new(
        "a method of 60,000 letters",
        &Message::by("ada", &"X".repeat(60_000), ME),
        Expected::Error(405, "Request_BadRequest"),
    );
    let targets = targets.into_iter().map(|(method, target, expected)| {
        Case::new(format!("{method} {target}"), &Message::by("ada", method, &target), expected)
    });
    targets.chain([method])
}
