//! Answers made smaller.

use bytes::Bytes;
use flate2::Compression;
use http::header::ACCEPT_ENCODING;

use crate::headers::Headers;

/// Whether the client takes gzip.
pub(crate) fn is_accepted(headers: &Headers<'_>) -> bool {
    if headers.accept_encoding.first.is_none() {
        return false;
    }
    let ranges = headers.all.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        named && !refused
    })
}

/// The body as gzip.
///
/// Never a part of whoever calls it: the compressor is made on the stack, and every answer, compressed or not,
/// would reserve 64 KiB there and touch each page of it.
#[inline(never)]
pub(crate) fn compress(body: &[u8], how: Compression) -> Bytes {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), how);
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("a vector takes any number of bytes").into()
}
