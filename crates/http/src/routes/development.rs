//! The levers of development mode, under `/porchlight/dev/`.

use porchlight_engine::{Engine, PersonError};
use serde_json::json;

use crate::body::Body;
use crate::error::{self, Error};
use crate::headers::Headers;
use crate::reply::Reply;
use crate::settings::{Development, HttpLimits};
use crate::wire::date_time;
use crate::wire::duration::{self, DurationError};
use crate::wire::json::Json;
use crate::wire::presence::instant;
use http::StatusCode;

/// GET `/porchlight/dev/clock`: what time it is, and how far that was moved.
pub(crate) fn clock(engine: &Engine) -> Reply {
    let mut now = Vec::new();
    date_time::write_utc(instant(engine.clock().now()), &mut now);
    let offset = error::duration(engine.clock().offset());
    Reply::json(&json!({"now": String::from_utf8_lossy(&now), "offset": offset}))
}

/// POST `/porchlight/dev/clock {"advance": "PT5M"}`: moves time ahead; everything that waits wakes up.
pub(crate) async fn advance_clock(
    engine: &Engine,
    headers: &Headers<'_>,
    body: Body,
    limits: &HttpLimits,
) -> Result<Reply, Error> {
    // Without a look at the content type: this is typed by hand, and curl names a form's.
    let bytes = body.read(headers, limits).await?;
    if bytes.trim_ascii().is_empty() {
        return Err(Error::EmptyPayload);
    }
    let body = Json::parse(&bytes)?.into_object()?;
    let advance = body.string("advance")?.ok_or(Error::ValueMissing("Advance"))?;
    let by = duration::parse(advance).map_err(|error| match error {
        DurationError::Unparsable => Error::DurationUnreadable("Advance"),
        DurationError::NotPositive | DurationError::TooLarge => Error::DurationOutOfRange("Advance"),
    })?;
    engine.advance_clock(by).await?;
    Ok(clock(engine))
}

/// POST `/porchlight/dev/reset`: no records, the seeds' people, the clock at its source.
pub(crate) async fn reset(engine: &Engine, development: &Development) -> Result<Reply, Error> {
    match engine.reset(&development.seeds).await {
        Ok(()) => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        Err(PersonError::Write(error)) => Err(error.into()),
        // The seeds were put in at start, so their names are free of each other.
        Err(PersonError::NameTaken(name)) => Err(Error::BadQuery(format!("The name '{name}' is taken."))),
    }
}
