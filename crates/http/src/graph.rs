//! From a resource and a method to a route: the table of contents of Graph's surface.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Ready, ready};
use http::Method;

use crate::audit::audited;
use crate::body::Body;
use crate::call::Call;
use crate::error::Error;
use crate::prefer;
use crate::reply::Reply;
use crate::resource::Resource;
use crate::route::Route;
use crate::routes::{bulk, collection, delta, documents, presence, subscriptions, users};
use crate::settings::Profile;

/// What a route answers: a read at once, and what needs a body or the log when it has that. Only the latter has a state
/// worth the name, which a read would carry about for nothing.
pub(crate) type Answer<'c> = Either<Ready<Result<Reply, Error>>, BoxFuture<'c, Result<Reply, Error>>>;

/// Answers one call of anything but a batch.
///
/// # Errors
///
/// Whatever the route answers.
pub(crate) fn answer<'c>(call: &'c Call<'c>, resource: &'c Resource<'c>, body: Body) -> Answer<'c> {
    let now = |answer| Either::Left(ready(answer));
    if let Err(error) = admit(call, resource) {
        return now(Err(error));
    }
    match resource {
        Resource::ServiceDocument => now(Ok(documents::service_document(call.base))),
        Resource::Metadata => now(Ok(documents::metadata())),
        Resource::User(key) => match *call.method {
            Method::PATCH => {
                Either::Right(audited(call, "user.update", users::update(call, key, body)).boxed())
            }
            Method::DELETE => Either::Right(audited(call, "user.delete", users::delete(call, key)).boxed()),
            _ => now(users::get(call, key)),
        },
        Resource::Users => match *call.method {
            Method::POST => Either::Right(audited(call, "user.create", users::create(call, body)).boxed()),
            _ => Either::Right(users::list(call).boxed()),
        },
        Resource::Presence(path) => match *call.method {
            Method::PATCH => Either::Right(audited(call, "patch", presence::patch(call, path, body)).boxed()),
            Method::DELETE => Either::Right(audited(call, "delete", presence::delete(call, path)).boxed()),
            _ => match prefer::wait(call.headers) {
                Some(wait) => Either::Right(presence::get_changed(call, path, wait).boxed()),
                None => now(presence::get(call, path)),
            },
        },
        Resource::Action(path, action) => {
            Either::Right(audited(call, action.name(), presence::act(call, path, *action, body)).boxed())
        }
        Resource::Explain(path) => now(presence::explain(call, path)),
        Resource::Presences => now(collection::list(call)),
        Resource::PresencesCount => now(collection::count(call)),
        Resource::PresencesDelta => Either::Right(delta::delta(call).boxed()),
        Resource::PresencesByUserId => Either::Right(bulk::by_user_id(call, body).boxed()),
        Resource::Subscriptions => match *call.method {
            Method::POST => {
                Either::Right(audited(call, "subscribe", subscriptions::create(call, body)).boxed())
            }
            _ => now(subscriptions::list(call)),
        },
        Resource::Subscription(id) => match *call.method {
            Method::PATCH => {
                Either::Right(audited(call, "renew", subscriptions::update(call, id, body)).boxed())
            }
            Method::DELETE => {
                Either::Right(audited(call, "unsubscribe", subscriptions::delete(call, id)).boxed())
            }
            _ => now(subscriptions::get(call, id)),
        },
        Resource::Reauthorize(id) => {
            Either::Right(audited(call, "reauthorize", subscriptions::reauthorize(call, id, body)).boxed())
        }
        Resource::Deliveries(id) => now(subscriptions::deliveries(call, id)),
        Resource::Batch => now(Err(Error::BadBatch("A batch cannot be a step of a batch.".into()))),
    }
}

/// What comes before every route: its methods, and how often the application may call.
///
/// # Errors
///
/// E9, E29.
pub(crate) fn admit(call: &Call<'_>, resource: &Resource<'_>) -> Result<(), Error> {
    check_method(call.method, resource, call.settings.profile)?;
    // What the server says of itself is free.
    if matches!(resource, Resource::ServiceDocument | Resource::Metadata) { Ok(()) } else { call.count() }
}

/// Whether a call may be answered with a stream, if that is what the client accepts.
pub(crate) fn has_stream(method: &Method, resource: &Resource<'_>) -> bool {
    *method == Method::GET && matches!(resource, Resource::Presence(_) | Resource::Presences)
}

/// # Errors
///
/// E9 with the methods that would do.
pub(crate) fn check_method(method: &Method, resource: &Resource<'_>, profile: Profile) -> Result<(), Error> {
    let allow: &[&str] = match resource {
        Resource::Batch | Resource::Action(..) | Resource::PresencesByUserId | Resource::Reauthorize(_) => {
            &["POST"]
        }
        Resource::Presence(_) if profile == Profile::Strict => &["GET", "HEAD", "PATCH"],
        Resource::Presence(_) | Resource::Subscription(_) | Resource::User(_) => {
            &["GET", "HEAD", "PATCH", "DELETE"]
        }
        Resource::Subscriptions | Resource::Users => &["GET", "HEAD", "POST"],
        Resource::ServiceDocument
        | Resource::Metadata
        | Resource::Explain(_)
        | Resource::Presences
        | Resource::PresencesCount
        | Resource::PresencesDelta
        | Resource::Deliveries(_) => &["GET", "HEAD"],
    };
    check_among(method, allow)
}

/// # Errors
///
/// E9 with the methods that would do.
pub(crate) fn check_among(method: &Method, allow: &'static [&'static str]) -> Result<(), Error> {
    if allow.contains(&method.as_str()) { Ok(()) } else { Err(Error::MethodNotAllowed(allow)) }
}

/// A resource's route, for metrics.
pub(crate) fn route(resource: &Resource<'_>) -> Route {
    match resource {
        Resource::ServiceDocument => Route::ServiceDocument,
        Resource::Metadata => Route::Metadata,
        Resource::Batch => Route::Batch,
        Resource::User(_) => Route::User,
        Resource::Users => Route::Users,
        Resource::Presence(_) => Route::Presence,
        Resource::Action(..) => Route::Action,
        Resource::Explain(_) => Route::Explain,
        Resource::Presences => Route::Presences,
        Resource::PresencesCount => Route::PresencesCount,
        Resource::PresencesDelta => Route::PresencesDelta,
        Resource::PresencesByUserId => Route::PresencesByUserId,
        Resource::Subscriptions => Route::Subscriptions,
        Resource::Subscription(_) => Route::Subscription,
        Resource::Reauthorize(_) => Route::Reauthorize,
        Resource::Deliveries(_) => Route::Deliveries,
    }
}
