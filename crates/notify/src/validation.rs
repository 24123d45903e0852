//! An endpoint proves that it wants to be told. Source: subscriptions-and-auth 7.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::Instant;
use uuid::Uuid;

use crate::outcome::Outcome;
use crate::post::{Answered, Outgoing, Poster};

/// An endpoint did not prove itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    /// The property that names it: `notificationUrl` or `lifecycleNotificationUrl`.
    pub property: &'static str,
    /// The URL.
    pub url: String,
    /// What was wrong.
    pub check: Invalid,
    /// The status it answered with, if it did.
    pub status: Option<u16>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What was wrong with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Its name could not be resolved.
    Name,
    /// Its name means an address that the egress policy refuses.
    Address,
    /// No connection came about.
    Connection,
    /// TLS was not agreed upon.
    Tls,
    /// It did not answer in time: E21.
    Timeout,
    /// It answered with another status than 200.
    Status,
    /// Its answer was of a wrong type.
    ContentType,
    /// Its answer was not the token: E20.
    Mismatch,
}

impl Invalid {
    /// The check that failed, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Invalid::Name => "name",
            Invalid::Address => "address",
            Invalid::Connection => "connection",
            Invalid::Tls => "tls",
            Invalid::Timeout => "timeout",
            Invalid::Status => "status",
            Invalid::ContentType => "contentType",
            Invalid::Mismatch => "token",
        }
    }
}

/// Asks an endpoint to prove itself.
///
/// # Errors
///
/// What was wrong.
pub(crate) async fn validate(
    poster: &Poster,
    property: &'static str,
    url: &str,
    request: Uuid,
    timeout: Duration,
    strict: bool,
) -> Result<(), ValidationError> {
    let token =
        format!("Validation: Testing client application reachability for subscription Request-Id: {request}");
    let begun = Instant::now();
    let outgoing = Outgoing {
        url: with_token(url, &token),
        content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
        body: Bytes::new(),
        attempt: None,
        trace: None,
        timeout,
    };
    let answered = poster.post(outgoing).await;
    judge(&answered, &token, strict).map_err(|check| ValidationError {
        property,
        url: url.to_owned(),
        check,
        status: answered.outcome.status(),
        elapsed: begun.elapsed(),
    })
}

/// The URL with the token as its last parameter. Source: 7.2, 7.3.
fn with_token(url: &str, token: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    // What the token has beside letters, digits and hyphens.
    let encoded = token.replace(' ', "%20").replace(':', "%3A");
    format!("{url}{joint}validationToken={encoded}")
}

/// Source: 7.4.
fn judge(answered: &Answered, token: &str, strict: bool) -> Result<(), Invalid> {
    match answered.outcome {
        Outcome::Status(200) => {}
        Outcome::Status(_) => return Err(Invalid::Status),
        Outcome::Timeout => return Err(Invalid::Timeout),
        Outcome::Name => return Err(Invalid::Name),
        Outcome::Address => return Err(Invalid::Address),
        Outcome::Tls => return Err(Invalid::Tls),
        Outcome::Connection | Outcome::Fault => return Err(Invalid::Connection),
    }
    let essence = answered.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim();
    let is_wrong = if strict {
        !essence.eq_ignore_ascii_case("text/plain")
    } else {
        essence.eq_ignore_ascii_case("text/html")
    };
    if is_wrong {
        return Err(Invalid::ContentType);
    }
    let body = answered.body.as_deref().ok_or(Invalid::Mismatch)?;
    let line = body.strip_suffix(b"\r\n").or(body.strip_suffix(b"\n")).filter(|_| !strict);
    if line.unwrap_or(body) == token.as_bytes() { Ok(()) } else { Err(Invalid::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_comes_last_and_is_encoded_so_that_every_decoder_agrees() {
        assert_eq!(with_token("https://x.y/z", "a: b"), "https://x.y/z?validationToken=a%3A%20b");
        assert_eq!(with_token("https://x.y/z?c=d", "a"), "https://x.y/z?c=d&validationToken=a");
    }

    #[test]
    fn answers_are_judged_by_status_type_and_bytes() {
        let answer = |status, content_type: &str, body: &'static str| Answered {
            outcome: Outcome::Status(status),
            content_type: Some(content_type.to_owned()),
            body: Some(Bytes::from_static(body.as_bytes())),
        };
        let table = [
            (answer(200, "text/plain", "t"), Ok(()), Ok(())),
            (answer(200, "Text/Plain; charset=x", "t"), Ok(()), Ok(())),
            (answer(200, "text/plain", "t\r\n"), Ok(()), Err(Invalid::Mismatch)),
            (answer(200, "text/plain", "t\n\n"), Err(Invalid::Mismatch), Err(Invalid::Mismatch)),
            (answer(200, "text/plain", "T"), Err(Invalid::Mismatch), Err(Invalid::Mismatch)),
            (answer(200, "application/json", "t"), Ok(()), Err(Invalid::ContentType)),
            (answer(200, "text/html", "t"), Err(Invalid::ContentType), Err(Invalid::ContentType)),
            (answer(202, "text/plain", "t"), Err(Invalid::Status), Err(Invalid::Status)),
        ];
        for (answered, open, strict) in table {
            assert_eq!(judge(&answered, "t", false), open, "{answered:?}");
            assert_eq!(judge(&answered, "t", true), strict, "{answered:?}");
        }
    }
}
