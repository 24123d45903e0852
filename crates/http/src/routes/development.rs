//! The levers of development mode, under `/porchlight/dev/`.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use porchlight_engine::Engine;
use porchlight_notify::{Faults, KeepError, Notifier};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::body::Body;
use crate::error::{self, Error};
use crate::headers::Headers;
use crate::reply::Reply;
use crate::settings::{Development, HttpLimits};
use crate::subscription_error::SubscriptionError;
use crate::wire::date_time;
use crate::wire::delivery::delivery_in_full;
use crate::wire::duration::{self, DurationError};
use crate::wire::json::Json;
use crate::wire::presence::instant;

/// Refuses what a page of somebody else's might send by a browser on this machine: levers need no token.
///
/// # Errors
///
/// 403 when the request comes from another origin than this machine's, or calls this machine by another name.
pub(crate) fn check_origin(headers: &Headers<'_>, authority: &str) -> Result<(), Error> {
    let origin = headers.origin.first.map(|origin| origin.to_str().unwrap_or_default());
    let origin = origin.map(|origin| origin.split_once("://").map_or("", |(_, authority)| authority));
    let is_here = is_this_machine(authority) && origin.is_none_or(is_this_machine);
    if is_here { Ok(()) } else { Err(Error::LeverFromElsewhere) }
}

/// Whether host and port name this machine to itself. A name that anybody can own does not.
fn is_this_machine(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || host == "localhost" || host.ends_with(".localhost")
}

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

/// GET `/porchlight/dev/ca`: whom to trust for https, in PEM; 404 when that is somebody else's certificate, or there is no
/// https.
pub(crate) fn certificate_authority(development: &Development) -> Result<Reply, Error> {
    let pem = development.certificate_authority.clone().ok_or(Error::NotFound)?;
    Ok(Reply::ok(HeaderValue::from_static("application/x-pem-file"), pem))
}

/// GET `/porchlight/dev/deliveries`: the newest attempts to tell anybody, oldest first, with what was sent.
pub(crate) fn deliveries(notifier: &Notifier) -> Reply {
    let attempts: Value = notifier.all_attempts().iter().map(delivery_in_full).collect();
    Reply::json(&json!({ "value": attempts }))
}

/// The body of `/porchlight/dev/faults`, as it came: what is wrong with a member is said by its name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    /// The share of deliveries that fail, from 0 to 1.
    delivery_failure_rate: Option<Value>,
    /// How much longer every delivery takes.
    extra_latency_ms: Option<Value>,
    /// A subscription that the server ends.
    drop_subscription: Option<Value>,
}

/// What a member of a body says, if it is there.
///
/// # Errors
///
/// E12.
fn read<T: DeserializeOwned>(
    value: Option<Value>,
    member: &'static str,
    expected: &'static str,
) -> Result<Option<T>, Error> {
    let read = value.map(serde_json::from_value).transpose();
    read.map_err(|_| Error::WrongType { member, expected })
}

/// POST `/porchlight/dev/faults {"deliveryFailureRate":0.2,"extraLatencyMs":4000,"dropSubscription":"{id}"}`: faults of
/// deliveries stay until others are named, and one that is not named then is over; a subscription is dropped at once.
pub(crate) async fn make_faults(
    notifier: &Notifier,
    headers: &Headers<'_>,
    body: Body,
    limits: &HttpLimits,
) -> Result<Reply, Error> {
    // Without a look at the content type: see above.
    let bytes = body.read(headers, limits).await?;
    let wanted: Wanted = serde_json::from_slice(&bytes).map_err(|_| Error::UnreadablePayload)?;
    let rate: Option<f64> = read(wanted.delivery_failure_rate, "deliveryFailureRate", "a number")?;
    let latency: Option<u64> = read(wanted.extra_latency_ms, "extraLatencyMs", "a whole number, 0 or more")?;
    let dropped: Option<Uuid> = read(wanted.drop_subscription, "dropSubscription", "a GUID")?;
    if let Some(rate) = rate.filter(|rate| !(0.0..=1.0).contains(rate)) {
        return Err(Error::ValueUnknown { member: "DeliveryFailureRate", value: rate.to_string() });
    }
    if let Some(id) = dropped {
        notifier.registry().get(id).ok_or(SubscriptionError::NotFound)?;
        // One that has gone meanwhile is dropped as well.
        if let Err(KeepError::Write(error)) = notifier.revoke(id).await {
            return Err(error.into());
        }
    }
    if rate.is_some() || latency.is_some() {
        let extra_latency = Duration::from_millis(latency.unwrap_or(0));
        notifier.make_faults(Faults { failure_rate: rate.unwrap_or(0.0), extra_latency });
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// POST `/porchlight/dev/reset`: no records, the seeds' people, the clock at its source.
pub(crate) async fn reset(engine: &Engine, development: &Development) -> Result<Reply, Error> {
    engine.reset(&development.seeds).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
