//! Subscriptions: making, reading, changing and ending them. Source: subscriptions-and-auth 6 and 9 to 12.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::LOCATION;
use porchlight_notify::{
    Certificate, GRACE, KeepError, Notifier, Refused, StoredCursor, Subscription, Target, Update,
};
use porchlight_presence::{ApplicationId, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::collection::annotation;
use crate::body::Body;
use crate::bookmark::Question;
use crate::call::Call;
use crate::error::Error;
use crate::odata::Options;
use crate::reply::{MetadataLevel, Reply, header_value};
use crate::resource::Version;
use crate::settings::Profile;
use crate::subject::Subject;
use crate::subscription_error::{Operation, SubscriptionError};
use crate::wire::date_time::Instant100;
use crate::wire::delivery::delivery;
use crate::wire::guid;
use crate::wire::json::Json;
use crate::wire::presence::instant;
use crate::wire::query_options;
use crate::wire::subscription::{self, Asked, Changes};

/// How many subscriptions one page of a list holds.
pub(super) const PAGE: usize = 100;

/// Under `strict` no subscription is made for less. Source: 4.3.
pub(super) const LIFETIME_MIN: Duration = Duration::from_secs(45 * 60);

/// Who is told for longer than this must be told of the end, too. Source: 4.8.
const UNWATCHED_MAX: Duration = Duration::from_secs(60 * 60);

/// What the token of a list's next page is good for.
const LIST: Question<'_> = Question { of: "subscriptions", filter: None, select: None };

/// POST `/subscriptions`
pub(crate) async fn create(call: &Call<'_>, body: Body) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    no_options(call)?;
    let bytes = call.read_json(body).await?;
    let wanted = wanted(call, &bytes)?;
    let created = call.notifier.create(wanted, call.request).await;
    let created = created.map_err(|error| not_kept(error, call.caller.application, call))?;
    let made = &created.subscription;
    call.notes.subscription(made.id);
    if let Target::Users(users) = &made.target
        && let [user] = users.as_slice()
    {
        call.notes.user(*user);
    }
    let location = format!("{}/subscriptions/{}", call.base, made.id);
    let reply = show(call, made, made.client_state.as_deref(), level);
    let reply = reply.with(LOCATION, header_value(&location));
    Ok(Reply { status: StatusCode::CREATED, until_sent: vec![created.held], ..reply })
}

/// GET `/subscriptions`
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    let (caller, tenant, profile) = (call.caller, call.tenant().id(), call.settings.profile);
    caller.may_list_subscriptions(profile)?;
    let options = Options::parse(call.query)?;
    options.check(&["$skiptoken"], &[], profile)?;
    let after = options.get("$skiptoken").map(|token| {
        let place = call.bookmarks.read_place(token, tenant, LIST);
        place.ok_or_else(|| Error::BadQuery("The skip token is invalid.".to_owned()))
    });
    let (after, now) = (after.transpose()?, call.engine.now());
    let mut page: Vec<Arc<Subscription>> = Vec::new();
    call.notifier.registry().list(tenant, after, |subscription| {
        if !subscription.has_ended(now) && caller.may_see(subscription, profile) {
            page.push(Arc::clone(subscription));
        }
        page.len() <= PAGE
    });
    let has_more = page.len() > PAGE;
    page.truncate(PAGE);
    let mut out = Vec::with_capacity(1024 * (page.len() + 1));
    out.push(b'{');
    if level != MetadataLevel::None {
        annotation(&mut out, "@odata.context", &format!("{}/$metadata#subscriptions", call.base));
    }
    if let Some(last) = page.last().filter(|_| has_more) {
        let token = call.bookmarks.write_place((last.made_at, last.id), tenant, LIST);
        let next = format!("{}/subscriptions?$skiptoken={token}", call.base);
        annotation(&mut out, "@odata.nextLink", &next);
    }
    out.extend_from_slice(b"\"value\":[");
    for (at, one) in page.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        subscription::write(&mut out, one, None, None);
    }
    out.extend_from_slice(b"]}");
    Ok(Reply::odata(out, level))
}

/// GET `/subscriptions/{id}`
pub(crate) fn get(call: &Call<'_>, id: &str) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    let found = visible(call, id)?;
    no_options(call)?;
    Ok(show(call, &found, None, level))
}

/// PATCH `/subscriptions/{id}`: mostly a later end. One that has ended not long ago comes back. Source: 10.5.
pub(crate) async fn update(call: &Call<'_>, id: &str, body: Body) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    let grace = match call.settings.profile {
        Profile::Open => GRACE,
        Profile::Strict => Duration::ZERO,
    };
    let stored = own(call, id, grace, Operation::Update)?;
    no_options(call)?;
    let bytes = call.read_json(body).await?;
    let update = changes(call, &stored, &bytes)?;
    let names = names(&update);
    let updated = call.notifier.update(stored.id, update, call.request).await;
    let updated = updated.map_err(|error| not_kept(error, stored.application, call))?;
    call.notes.changed(None, &names);
    Ok(show(call, &updated, None, level))
}

/// DELETE `/subscriptions/{id}`
pub(crate) async fn delete(call: &Call<'_>, id: &str) -> Result<Reply, Error> {
    call.metadata_level()?;
    let (caller, profile) = (call.caller, call.settings.profile);
    let of_others = find(call, id, Duration::ZERO).filter(|found| caller.may_end(found, profile));
    let stored = of_others.map_or_else(|| own(call, id, Duration::ZERO, Operation::Delete), Ok)?;
    call.notes.subscription(stored.id);
    no_options(call)?;
    call.notifier.delete(stored.id).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// POST `/subscriptions/{id}/reauthorize`; clients send all sorts of bodies with it, which say nothing. Source: 12.1.
pub(crate) async fn reauthorize(call: &Call<'_>, id: &str, body: Body) -> Result<Reply, Error> {
    call.metadata_level()?;
    let stored = own(call, id, Duration::ZERO, Operation::Update)?;
    no_options(call)?;
    body.read(call.headers, &call.settings.limits).await?;
    call.caller.remains()?;
    let renewed = call.notifier.reauthorize(stored.id).await;
    renewed.map_err(|error| not_kept(error, stored.application, call))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// GET `/subscriptions/{id}/porchlight.deliveries`: the newest attempts to tell, so that whoever waits in vain sees why.
pub(crate) fn deliveries(call: &Call<'_>, id: &str) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    let found = visible(call, id)?;
    no_options(call)?;
    let mut answer = Map::new();
    if level != MetadataLevel::None {
        let context = format!("{}/$metadata#Collection(porchlight.delivery)", call.base);
        answer.insert("@odata.context".to_owned(), context.into());
    }
    let attempts = call.notifier.attempts(found.id);
    answer.insert("value".to_owned(), attempts.iter().map(delivery).collect());
    Ok(Reply::odata(Value::Object(answer).to_string(), level))
}

/// The subscription that a POST asks for: steps 2 to 10 of 6.1.
fn wanted(call: &Call<'_>, bytes: &[u8]) -> Result<Subscription, Error> {
    let (caller, profile, notifier) = (call.caller, call.settings.profile, call.notifier);
    let body = Json::parse(bytes)?.into_object()?;
    let asked = Asked::read(&body)?;
    check_url(notifier, "notificationUrl", Some(asked.notification_url))?;
    check_url(notifier, "lifecycleNotificationUrl", asked.lifecycle_url)?;
    subscription::check_lengths(&body)?;
    if !asked.change_type.split(',').all(|kind| kind.trim() == "updated") {
        return Err(SubscriptionError::ChangeType(asked.change_type.to_owned()).into());
    }
    let (expires_at, expires_ticks) = end(call, asked.expires, asked.lifecycle_url.is_some())?;
    let target = target(call, asked.resource)?;
    if asked.query_options.is_some() && profile == Profile::Strict {
        return Err(SubscriptionError::PropertyNotSupported("notificationQueryOptions").into());
    }
    let options = asked.query_options.map(query_options::parse).transpose()?.unwrap_or_default();
    caller.may_be_told(&target, Operation::Create, profile)?;
    let certificate = match (asked.certificate, asked.certificate_id) {
        // Nothing is encrypted for a certificate that is not needed.
        _ if !asked.includes_resource_data => None,
        (Some(text), Some(id)) => Some(read_certificate(text, id)?),
        _ => return Err(SubscriptionError::CertificateMissing.into()),
    };
    Ok(Subscription {
        // These five are filled in when it is made.
        id: Uuid::nil(),
        made_at: Timestamp::ZERO,
        renewed_at: Timestamp::ZERO,
        proved_at: Timestamp::ZERO,
        since: StoredCursor::default(),
        tenant: caller.tenant.id(),
        application: caller.application,
        creator: caller.user.map_or(caller.application.0, |user| user.0),
        delegated: caller.user.is_some(),
        beta: call.version == Version::Beta,
        base: call.origin().to_owned(),
        resource: asked.resource.to_owned(),
        target,
        notification_url: asked.notification_url.to_owned(),
        lifecycle_url: asked.lifecycle_url.map(str::to_owned),
        expires_at,
        expires_ticks,
        client_state: asked.client_state.map(str::to_owned),
        certificate,
        latest_tls: asked.latest_tls.to_owned(),
        query_options: asked.query_options.map(str::to_owned),
        options,
        url_app: asked.url_app.map(str::to_owned),
        revoked: false,
    })
}

/// What a PATCH asks for. Source: 10.1 to 10.4.
fn changes(call: &Call<'_>, stored: &Subscription, bytes: &[u8]) -> Result<Update, Error> {
    let body = Json::parse(bytes)?.into_object()?;
    let asked = Changes::read(&body, stored)?;
    let has_certificate = asked.certificate.is_some() && call.settings.profile == Profile::Open;
    if asked.expires.is_none() && asked.notification_url.is_none() && !has_certificate {
        return Err(SubscriptionError::NothingToUpdate.into());
    }
    check_url(call.notifier, "notificationUrl", asked.notification_url)?;
    subscription::check_lengths(&body)?;
    let expires =
        asked.expires.map(|wished| end(call, wished, stored.lifecycle_url.is_some())).transpose()?;
    if stored.has_ended(call.engine.now()) && expires.is_none() {
        return Err(SubscriptionError::NotFound.into());
    }
    let certificate = asked.certificate.map(|(text, id)| read_certificate(text, id)).transpose()?;
    // The same place again need not prove itself again.
    let moved = asked.notification_url.filter(|url| *url != stored.notification_url);
    Ok(Update { expires, notification_url: moved.map(str::to_owned), certificate })
}

/// The properties that an update changes.
fn names(update: &Update) -> Vec<&'static str> {
    let changes = [
        (update.expires.is_some(), "expirationDateTime"),
        (update.notification_url.is_some(), "notificationUrl"),
        (update.certificate.is_some(), "encryptionCertificate"),
    ];
    changes.into_iter().filter_map(|(changes, name)| changes.then_some(name)).collect()
}

/// Whom a resource means. Source: 3.
fn target(call: &Call<'_>, resource: &str) -> Result<Target, Error> {
    let users_max = call.notifier.settings().users_max;
    let user = match Subject::parse(resource, call.settings.profile, users_max)? {
        Subject::Everybody => return Ok(Target::Everybody),
        Subject::Users(users) => return Ok(Target::Users(users)),
        Subject::Caller => call.caller.user.ok_or(Error::MeNeedsUser)?,
        Subject::Person(name) => {
            let Some(user) = call.tenant().resolve(&name) else {
                // That there is no such person is for those alone who may be told of everybody.
                call.caller.may_be_told(&Target::Everybody, Operation::Create, call.settings.profile)?;
                return Err(SubscriptionError::NameUnknown.into());
            };
            user
        }
    };
    Ok(Target::Users(vec![user]))
}

/// When a subscription ends that is to end at `wished`, to the tick. Source: 4.3, 4.4, 4.8, 4.11.
fn end(
    call: &Call<'_>,
    wished: Instant100,
    has_lifecycle_url: bool,
) -> Result<(Timestamp, u16), SubscriptionError> {
    let (now, lifetime_max) = (call.engine.now(), call.notifier.settings().lifetime_max);
    let after = |lifetime: Duration| instant(now.plus(lifetime));
    if wished.unix_ms <= now.as_millis() {
        return Err(SubscriptionError::EndsInThePast);
    }
    if wished > after(lifetime_max) {
        return Err(SubscriptionError::EndsTooLate { minutes: lifetime_max.as_secs() / 60 });
    }
    if wished > after(UNWATCHED_MAX) && !has_lifecycle_url {
        return Err(SubscriptionError::LifecycleUrlMissing);
    }
    let end = match call.settings.profile {
        Profile::Open => wished,
        Profile::Strict => wished.max(after(LIFETIME_MIN)),
    };
    Ok((Timestamp::from_millis(end.unix_ms), end.ticks))
}

fn check_url(
    notifier: &Notifier,
    property: &'static str,
    url: Option<&str>,
) -> Result<(), SubscriptionError> {
    let checked = url.map_or(Ok(()), |url| notifier.check_url(url));
    checked.map_err(|cause| SubscriptionError::BadUrl { property, cause })
}

fn read_certificate(text: &str, id: &str) -> Result<Certificate, SubscriptionError> {
    Notifier::read_certificate(text, id).map_err(SubscriptionError::BadCertificate)
}

/// The subscription of this id, if it has not ended, or ended less than `grace` ago.
fn find(call: &Call<'_>, id: &str, grace: Duration) -> Option<Arc<Subscription>> {
    let found = call.notifier.registry().get(guid::parse(id)?)?;
    (call.engine.now() < found.expires_at.plus(grace)).then_some(found)
}

/// That there is no subscription of an id, which only a node may say that knows what the others have taken: whoever is
/// told so makes another one. What is no id can be nobody's.
fn unknown(call: &Call<'_>, id: &str) -> Error {
    if call.engine.is_frozen() && guid::parse(id).is_some() {
        return Error::Unavailable {
            message: "This node is cut off from the others, and knows no subscription with this id; it may have been made \
                      meanwhile.",
            retry_after: Duration::from_secs(1),
        };
    }
    SubscriptionError::NotFound.into()
}

/// The subscription of this id, if the caller may see it; nobody learns whether there are others.
///
/// # Errors
///
/// E12.
fn visible(call: &Call<'_>, id: &str) -> Result<Arc<Subscription>, Error> {
    let found = find(call, id, Duration::ZERO);
    let found = found.filter(|found| call.caller.may_see(found, call.settings.profile));
    found.ok_or_else(|| unknown(call, id))
}

/// The subscription of this id, if the caller has made it and still may.
///
/// # Errors
///
/// E12, E13.
fn own(call: &Call<'_>, id: &str, grace: Duration, operation: Operation) -> Result<Arc<Subscription>, Error> {
    let found = find(call, id, grace).filter(|found| call.caller.has_made(found));
    let found = found.ok_or_else(|| unknown(call, id))?;
    call.notes.subscription(found.id);
    call.caller.may_be_told(&found.target, operation, call.settings.profile)?;
    Ok(found)
}

/// Why a subscription was not made or not changed; `application` is the one that has made it or wanted to.
fn not_kept(error: KeepError, application: ApplicationId, call: &Call<'_>) -> Error {
    let tenant = call.tenant().id();
    let error = match error {
        KeepError::Gone => SubscriptionError::NotFound,
        KeepError::Refused(Refused::Duplicate(id)) => SubscriptionError::Duplicate(id),
        KeepError::Refused(Refused::Another) => SubscriptionError::Another,
        KeepError::Refused(Refused::TooMany(max)) => SubscriptionError::TooMany { application, tenant, max },
        KeepError::Endpoint(error) => SubscriptionError::Endpoint(error),
        KeepError::Busy => {
            return Error::Unavailable {
                message: "Too many endpoints are being asked to prove themselves; nothing was written.",
                retry_after: Duration::from_secs(1),
            };
        }
        KeepError::Write(error) => return error.into(),
    };
    error.into()
}

/// The answer that is a subscription.
fn show(call: &Call<'_>, shown: &Subscription, client_state: Option<&str>, level: MetadataLevel) -> Reply {
    let context = format!("{}/$metadata#subscriptions/$entity", call.base);
    let context = (level != MetadataLevel::None).then_some(context.as_str());
    let mut out = Vec::with_capacity(1024);
    subscription::write(&mut out, shown, context, client_state);
    Reply::odata(out, level)
}

/// Refuses query options where there are none. Source: 9.1.
fn no_options(call: &Call<'_>) -> Result<(), Error> {
    Options::parse(call.query)?.check(&[], &[], call.settings.profile)
}
