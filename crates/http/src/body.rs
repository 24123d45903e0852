//! The body of a request: bounded in bytes and time, inflated when it came compressed.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use porchlight_engine::{Part, Wait};

use crate::error::Error;
use crate::headers::Headers;
use crate::settings::HttpLimits;

/// Where a body comes from.
pub(crate) enum Body {
    /// The connection.
    Stream(Incoming),
    /// Nowhere: it is there already, as that of a step of a batch.
    Whole(Bytes),
}

impl Body {
    /// A body that must be there and be JSON.
    ///
    /// # Errors
    ///
    /// E30, what [`Body::read`] answers, and E10.
    pub(crate) async fn read_json(self, headers: &Headers<'_>, limits: &HttpLimits) -> Result<Bytes, Error> {
        check_content_type(headers)?;
        let bytes = self.read(headers, limits).await?;
        if bytes.trim_ascii().is_empty() { Err(Error::EmptyPayload) } else { Ok(bytes) }
    }

    /// The body of a method without parameters: nothing, which needs no content type, or JSON.
    ///
    /// # Errors
    ///
    /// What [`Body::read`] answers, and E30.
    pub(crate) async fn read_json_or_nothing(
        self,
        headers: &Headers<'_>,
        limits: &HttpLimits,
    ) -> Result<Bytes, Error> {
        let bytes = self.read(headers, limits).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Bytes::new());
        }
        check_content_type(headers).map(|()| bytes)
    }

    /// The whole body, inflated.
    ///
    /// # Errors
    ///
    /// E32, 408, 415 for an encoding other than gzip, and E11 for what is not gzip although it says so.
    pub(crate) async fn read(self, headers: &Headers<'_>, limits: &HttpLimits) -> Result<Bytes, Error> {
        let sent = match self {
            Body::Whole(bytes) => bytes,
            Body::Stream(stream) => collect(stream, limits).await?,
        };
        match encoding(headers)? {
            Encoding::Identity => Ok(sent),
            Encoding::Gzip if sent.is_empty() => Ok(sent),
            Encoding::Gzip => inflate(&sent, limits.body_bytes_max),
        }
    }
}

async fn collect(stream: Incoming, limits: &HttpLimits) -> Result<Bytes, Error> {
    let collected =
        tokio::time::timeout(limits.body_timeout, Limited::new(stream, limits.body_bytes_max).collect());
    let wait = Wait::begin(Part::Body);
    match wait.over(collected.await) {
        Err(_) => Err(Error::BodyTimeout),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::BodyTooLarge(limits.body_bytes_max)),
        // The connection broke or its framing is wrong: hyper closes it, so hardly anybody reads this.
        Ok(Err(_)) => Err(Error::UnreadablePayload),
    }
}

enum Encoding {
    Identity,
    Gzip,
}

fn encoding(headers: &Headers<'_>) -> Result<Encoding, Error> {
    let Some(value) = headers.content_encoding.first else { return Ok(Encoding::Identity) };
    match value.to_str().map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Ok("" | "identity") => Ok(Encoding::Identity),
        Ok("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        _ => Err(Error::UnsupportedEncoding),
    }
}

/// Stops one byte past the limit, so that a bomb costs no more than an honest body.
fn inflate(sent: &[u8], max: usize) -> Result<Bytes, Error> {
    let mut inflated = Vec::new();
    let mut decoder = MultiGzDecoder::new(sent).take(max as u64 + 1);
    decoder.read_to_end(&mut inflated).map_err(|_| Error::UnreadablePayload)?;
    if inflated.len() > max { Err(Error::BodyTooLarge(max)) } else { Ok(inflated.into()) }
}

/// Refuses a body that announces more than the limit before any of it is read.
///
/// # Errors
///
/// E32.
pub(crate) fn check_announced_length(headers: &Headers<'_>, limits: &HttpLimits) -> Result<(), Error> {
    let length = headers.content_length.text().and_then(|text| text.parse::<u64>().ok());
    match length {
        Some(length) if length > limits.body_bytes_max as u64 => {
            Err(Error::BodyTooLarge(limits.body_bytes_max))
        }
        _ => Ok(()),
    }
}

/// Refuses a content type other than JSON; none at all is taken for it.
///
/// # Errors
///
/// E30.
fn check_content_type(headers: &Headers<'_>) -> Result<(), Error> {
    let Some(value) = headers.content_type.first else { return Ok(()) };
    let essence = value.to_str().ok().and_then(|text| text.split(';').next()).map(str::trim);
    match essence {
        Some(essence) if essence.is_empty() || essence.eq_ignore_ascii_case("application/json") => Ok(()),
        _ => Err(Error::UnsupportedMediaType),
    }
}
