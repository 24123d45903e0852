//! What operators ask: `/porchlight/health`, `/porchlight/limits`, `/porchlight/metrics`.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use porchlight_engine::{Engine, Person};
use porchlight_notify::GRACE;
use porchlight_notify::Notifier;
use serde_json::{Value, json};

use super::subscriptions::{LIFETIME_MIN, PAGE};
use crate::auth::TokenCache;
use crate::error::duration;
use crate::instruments::Instruments;
use crate::issuer;
use crate::odata::{COMPARISONS_MAX, OPTIONS_MAX};
use crate::reply::Reply;
use crate::scim::{
    COUNT_MAX, FILTER_BYTES_MAX, NAMES_MAX, OPERATIONS_MAX, PATCHED_VALUES_MAX, TEXT_CHARS_MAX, VALUES_MAX,
};
use crate::scrape;
use crate::settings::{Profile, Settings};
use crate::window::Rate;
use crate::windows::WINDOWS_MAX;
use crate::wire::subscription::CHARACTERS_MAX;

/// GET `/porchlight/health`: 200 when ready, 503 with the reason when not.
pub(crate) fn health(engine: &Engine) -> Reply {
    let unready = engine.unreadiness();
    let mut health = json!({
        "live": true,
        "ready": unready.is_none(),
        "version": env!("CARGO_PKG_VERSION"),
        "log": engine.log_id().0.to_string(),
    });
    let Some(reason) = unready else { return Reply::json(&health) };
    health["reason"] = reason.to_string().into();
    Reply { status: StatusCode::SERVICE_UNAVAILABLE, ..Reply::json(&health) }
}

/// GET `/porchlight/metrics`
pub(crate) async fn metrics(
    engine: &Engine,
    notifier: &Notifier,
    instruments: &Instruments,
    tokens: TokenCache,
) -> Reply {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
    Reply::ok(TEXT, scrape::scrape(engine, notifier, instruments, tokens).await)
}

/// What waits to be sent to a reader: what hyper takes before it asks for no more, and some pieces on their way there.
const STREAM_BYTES: usize = 192 * 1024;

/// How many users a subscription keeps in mind to tell of.
const PENDING_USERS: usize = 10_000;

/// GET `/porchlight/limits`: every limit as it is in force, with its unit and what happens when it is hit.
pub(crate) fn limits(engine: &Engine, notify: &porchlight_notify::Settings, settings: &Settings) -> Reply {
    let profile = match settings.profile {
        Profile::Open => "open",
        Profile::Strict => "strict",
    };
    Reply::json(&json!({"profile": profile, "limits": limits_in_force(engine, notify, settings)}))
}

/// Every limit with its name, its value and what happens when it is hit.
pub(crate) fn limits_in_force(
    engine: &Engine,
    notify: &porchlight_notify::Settings,
    settings: &Settings,
) -> Vec<Value> {
    let (http, presence) = (&settings.limits, engine.limits());
    let fade = |after: fn(&porchlight_presence::Fade) -> Duration| {
        presence.fade.as_ref().map_or(Value::Null, |fade| duration(after(fade)).into())
    };
    let mut limits = request_limits(settings.rate());
    limits.extend([
        limit("bodyBytes", http.body_bytes_max.into(), "413"),
        limit("headerBytes", http.header_bytes_max.into(), "431"),
        limit(
            "headerTime",
            duration(http.header_timeout).into(),
            "the connection is closed; an idle one too, but HTTP/2 that answers pings",
        ),
        limit("headers", 100.into(), "431 without a body"),
        limit("streamsPerConnection", 256.into(), "HTTP/2: more wait"),
        limit("bodyTime", duration(http.body_timeout).into(), "408"),
        limit(
            "answerTime",
            duration(http.answer_timeout).into(),
            "the connection is closed; room for more, made by its client's system, begins the time anew",
        ),
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
        limit(
            "connectionsPerAddress",
            http.connections_per_address.into(),
            "more are closed at once; IPv6 counts by /64; 0: no limit",
        ),
        limit("idsPerCall", http.ids_max.into(), "400 InvalidArgument"),
        limit("queryOptions", OPTIONS_MAX.into(), "400 BadRequest"),
        limit(
            "comparisonsOfPeople",
            COMPARISONS_MAX.into(),
            "400 BadRequest; in one $filter or $search of users",
        ),
        limit(
            "comparisonsOfStates",
            COMPARISONS_MAX.into(),
            "400 BadRequest; with an availability or an activity, in one $filter of presences",
        ),
        limit("batchSteps", http.batch_steps_max.into(), "400 MaximumValueExceeded"),
        limit("presencesPerPage", 650.into(), "400 InvalidArgument"),
        limit("usersPerPage", 999.into(), "400 InvalidArgument"),
        limit("userPrincipalNameCharacters", Person::NAME_CHARS_MAX.into(), "400 InvalidArgument"),
        limit("userTextCharacters", Person::TEXT_CHARS_MAX.into(), "400 InvalidArgument"),
        limit("scimUsersPerPage", COUNT_MAX.into(), "more is taken for as much"),
        limit("scimFilterBytes", FILTER_BYTES_MAX.into(), "400 invalidFilter"),
        limit("scimAttributesPerList", NAMES_MAX.into(), "400 invalidValue"),
        limit("scimOperationsPerPatch", OPERATIONS_MAX.into(), "400 tooMany"),
        limit("scimValuesPerOperation", VALUES_MAX.into(), "400 invalidValue"),
        limit(
            "scimValuesPerUser",
            PATCHED_VALUES_MAX.into(),
            "400 invalidValue; after any operation of a patch",
        ),
        limit("scimTextCharacters", TEXT_CHARS_MAX.into(), "400 invalidValue"),
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
        limit("revisionWait", duration(engine.append_timeout()).into(), "503 with Retry-After"),
    ]);
    limits.extend(subscription_limits(notify, settings.profile));
    if settings.development.is_some() {
        limits.extend(issuer_limits());
    }
    limits
}

/// Those of how many requests an application may make.
fn request_limits(rate: Option<Rate>) -> Vec<Value> {
    vec![
        limit("requests", rate.map(Rate::requests_max).into(), "429 with Retry-After; null: none"),
        limit(
            "requestsWindow",
            rate.map_or(Value::Null, |rate| duration(rate.window()).into()),
            "how long a request counts, for one application in one tenant",
        ),
        limit("requestWindows", WINDOWS_MAX.into(), "applications beyond that share one"),
    ]
}

/// Those of subscriptions and of telling them.
fn subscription_limits(notify: &porchlight_notify::Settings, profile: Profile) -> Vec<Value> {
    let (shortest, grace, too_many) = match profile {
        Profile::Open => (Value::Null, GRACE, "403 ExtensionError"),
        Profile::Strict => (duration(LIFETIME_MIN).into(), Duration::ZERO, "409 ExtensionError"),
    };
    let mut limits = vec![
        limit("usersPerSubscription", notify.users_max.into(), "400 ExtensionError"),
        limit("subscriptionsPerOwner", notify.per_owner_max.into(), too_many),
        limit("subscriptionsPerPage", PAGE.into(), "more follow on the next page"),
        limit("subscriptionLifetimeMin", shortest, "less is taken for as much"),
        limit("subscriptionLifetimeMax", duration(notify.lifetime_max).into(), "400 ExtensionError"),
        limit("subscriptionGrace", duration(grace).into(), "PATCH brings back what has ended; then 404"),
        limit("validationTime", duration(notify.validation_timeout).into(), "400 ValidationError"),
        limit("validationsUnderway", porchlight_notify::VALIDATIONS_MAX.into(), "503 with Retry-After"),
        limit("deliveryTime", duration(notify.first_timeout).into(), "it is told again"),
        limit("deliveryRetryTime", duration(notify.retry_timeout).into(), "it is told again, later"),
        limit("deliveriesInFlightPerEndpoint", notify.underway_max.into(), "more wait"),
        limit("itemsPerDelivery", notify.items_max.into(), "more go with the next"),
        limit(
            "pendingUsersPerSubscription",
            PENDING_USERS.into(),
            "dropped, and looked up when they can be told",
        ),
    ];
    for (property, max) in CHARACTERS_MAX {
        limits.push(limit(&format!("{property}Characters"), max.into(), "400 InvalidRequest"));
    }
    limits
}

/// Those of development's issuer.
fn issuer_limits() -> [Value; 10] {
    const ANEW: &str = "400 invalid_grant; sign in anew";
    [
        limit("accessTokenTime", duration(issuer::ACCESS_TOKEN_LIFE).into(), "401"),
        limit("accessTokenTimeMax", duration(issuer::ACCESS_TOKEN_LIFE_MAX).into(), "400 invalid_request"),
        limit("refreshTokenTime", duration(issuer::REFRESH_TOKEN_LIFE).into(), ANEW),
        limit("authorizationCodeTime", duration(issuer::CODE_LIFE).into(), ANEW),
        limit("authorizationCodes", issuer::CODES_MAX.into(), "the oldest goes"),
        limit("deviceCodeTime", duration(issuer::DEVICE_CODE_LIFE).into(), "400 bad_verification_code"),
        limit("deviceCodes", issuer::CODES_MAX.into(), "the oldest goes"),
        limit("issuerParameters", issuer::PARAMETERS_MAX.into(), "400 invalid_request"),
        limit("issuerParameterBytes", issuer::PARAMETER_BYTES_MAX.into(), "400 invalid_request"),
        limit("peopleOnSignInPage", issuer::PEOPLE_SHOWN.into(), "others are named by login_hint"),
    ]
}

fn limit(name: &str, value: Value, answer: &str) -> Value {
    [("name", name.into()), ("value", value), ("answer", Value::from(answer))].into_iter().collect()
}
