//! Compressed bodies: bombs, and what is no gzip although it says so.

use std::io::Write;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use porchlight_testkit::DEMO;

use super::{Case, Expected};
use crate::support::{Message, gzip};

const MEBIBYTE: usize = 1 << 20;

pub(super) fn cases() -> Vec<Case> {
    let too_large = Expected::Error(413, "RequestEntityTooLarge");
    let unreadable = Expected::Error(400, "BadRequest");
    let valid = format!(r#"{{"sessionId":"{DEMO}","availability":"Busy","activity":"InACall"}}"#);
    let packed = gzip(valid.as_bytes());
    let zeros = gzip(&vec![0; MEBIBYTE]);
    let long = valid.replacen(DEMO, &"x".repeat(2 * MEBIBYTE), 1);
    let mut wrong_sum = packed.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let mut wrong_middle = packed.clone();
    wrong_middle[20] ^= 0xff;
    let bodies = [
        ("one byte beyond the limit", gzip(&vec![b' '; MEBIBYTE + 1]), too_large),
        ("JSON beyond the limit", gzip(long.as_bytes()), too_large),
        ("a bomb of a quarter of a gibibyte", bomb().to_vec(), too_large),
        // Almost a gibibyte within a mebibyte.
        ("a bomb of many members", zeros.repeat(MEBIBYTE / zeros.len()), too_large),
        ("a mebibyte of zeros", zeros, unreadable),
        ("no gzip at all", valid.clone().into_bytes(), unreadable),
        ("nothing but a header", packed[..10].to_vec(), unreadable),
        ("half of a header", packed[..5].to_vec(), unreadable),
        ("a missing end", packed[..packed.len() - 1].to_vec(), unreadable),
        ("a missing half", packed[..packed.len() / 2].to_vec(), unreadable),
        ("a wrong check sum", wrong_sum, unreadable),
        ("a wrong middle", wrong_middle, unreadable),
        ("something behind it", [&packed[..], &b"{}"[..]].concat(), unreadable),
        ("gzip within gzip", gzip(&packed), unreadable),
        ("no object", gzip(b"[]"), unreadable),
        ("nothing", gzip(b""), unreadable),
    ];
    let set =
        || Message::by("ada", "POST", "/v1.0/me/presence/setPresence").header("Content-Encoding", "gzip");
    let mut cases: Vec<Case> = bodies
        .into_iter()
        .map(|(name, body, expected)| {
            assert!(body.len() <= MEBIBYTE, "{name} is within the limit as it is sent");
            Case::new(format!("gzip: {name}"), &set().json(body), expected)
        })
        .collect();
    let short = (packed.len() - 5).to_string();
    let short = set().header("Content-Length", short).tail(&packed);
    cases.push(Case::new("gzip: longer than its Content-Length", &short, unreadable));
    cases
}

/// A quarter of a gibibyte of zeros, in one member. It is made once.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let zeros = vec![0; MEBIBYTE];
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        for _ in 0..256 {
            encoder.write_all(&zeros).expect("a vector takes everything");
        }
        encoder.finish().expect("a vector takes everything")
    })
}
