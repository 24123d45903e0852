//! What operators ask: `/porchlight/health`, `/porchlight/limits`, `/porchlight/metrics`.

use http::{HeaderValue, StatusCode};
use porchlight_engine::Engine;
use serde_json::{Value, json};

use crate::error::duration;
use crate::instruments::Instruments;
use crate::reply::Reply;
use crate::settings::{Profile, Settings};

/// GET `/porchlight/health`: 200 when ready, 503 when not.
pub(crate) fn health(engine: &Engine) -> Reply {
    let ready = engine.is_writable();
    let health = json!({
        "live": true,
        "ready": ready,
        "version": env!("CARGO_PKG_VERSION"),
        "log": engine.log_id().0.to_string(),
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Reply { status, ..Reply::json(&health) }
}

/// GET `/porchlight/metrics`
pub(crate) fn metrics(engine: &Engine, instruments: &Instruments) -> Reply {
    Reply::ok(HeaderValue::from_static("text/plain; version=0.0.4"), instruments.render(engine))
}

/// What waits to be sent to a reader: what hyper takes before it asks for no more, and some pieces on their way there.
const STREAM_BYTES: usize = 192 * 1024;

/// GET `/porchlight/limits`: every limit as it is in force, with its unit and what happens when it is hit.
pub(crate) fn limits(engine: &Engine, settings: &Settings) -> Reply {
    let (http, presence) = (&settings.limits, engine.limits());
    let limit =
        |name: &str, value: Value, answer: &str| json!({"name": name, "value": value, "answer": answer});
    let fade = |after: fn(&porchlight_presence::Fade) -> std::time::Duration| {
        presence.fade.as_ref().map_or(Value::Null, |fade| duration(after(fade)).into())
    };
    let limits = [
        limit("bodyBytes", http.body_bytes_max.into(), "413"),
        limit("headerBytes", http.header_bytes_max.into(), "431"),
        limit(
            "headerTime",
            duration(http.header_timeout).into(),
            "the connection is closed; an idle one too",
        ),
        limit("headers", 100.into(), "431 without a body"),
        limit("streamsPerConnection", 256.into(), "HTTP/2: more wait"),
        limit("bodyTime", duration(http.body_timeout).into(), "408"),
        limit("wait", duration(http.wait_max).into(), "Prefer: wait=N: more is taken for as much"),
        limit("openStreams", http.streams_max.into(), "503 with Retry-After"),
        limit(
            "bufferedBytesPerStream",
            STREAM_BYTES.into(),
            "the reader is skipped forward to the newest state",
        ),
        limit(
            "streamHeartbeat",
            duration(http.stream_heartbeat).into(),
            "a comment, when nothing else was sent",
        ),
        limit("connections", http.connections_max.into(), "more wait to be accepted"),
        limit("idsPerCall", http.ids_max.into(), "400 InvalidArgument"),
        limit("batchSteps", http.batch_steps_max.into(), "400 MaximumValueExceeded"),
        limit("presencesPerPage", 650.into(), "400 InvalidArgument"),
        limit("usersPerPage", 999.into(), "400 InvalidArgument"),
        limit("sessionsPerUser", presence.sessions_max.into(), "400 InvalidArgument"),
        limit("sessionDurationMin", duration(presence.session_duration_min).into(), "400 InvalidArgument"),
        limit("sessionDurationMax", duration(presence.session_duration_max).into(), "400 InvalidArgument"),
        limit(
            "sessionDurationDefault",
            duration(presence.session_duration_default).into(),
            "used when none is given",
        ),
        limit("expiryGrace", duration(presence.expiry_grace).into(), "added to a session's end"),
        limit("fadeInactiveAfter", fade(|fade| fade.inactive_after), "Available turns AvailableInactive"),
        limit("fadeAwayAfter", fade(|fade| fade.away_after), "Available turns Away"),
        limit(
            "preferredDurationMax",
            duration(presence.preferred_duration_max).into(),
            "400 InvalidArgument",
        ),
        limit(
            "statusMessageCharacters",
            presence.status_chars_max.into(),
            "400 InvalidArgument; white space around the text counts only beyond four times as much",
        ),
        limit("outOfOfficeMessageCharacters", presence.out_of_office_chars_max.into(), "400 InvalidArgument"),
        limit("placeIdCharacters", presence.place_chars_max.into(), "400 InvalidArgument"),
        limit("workLocationDays", presence.location_days.into(), "it ends at midnight; 0: when cleared"),
        limit("waitingWrites", engine.waiting_writes_max().into(), "503 with Retry-After"),
        limit("writeTime", duration(engine.append_timeout()).into(), "503; the write may have been done"),
    ];
    let profile = match settings.profile {
        Profile::Open => "open",
        Profile::Strict => "strict",
    };
    Reply::json(&json!({"profile": profile, "limits": limits}))
}
