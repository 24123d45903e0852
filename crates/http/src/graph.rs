//! From a resource and a method to a route: the table of contents of Graph's surface.

use http::Method;

use crate::body::Body;
use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::resource::Resource;
use crate::route::Route;
use crate::routes::{collection, documents, presence, users};
use crate::settings::Profile;

/// Answers one call of anything but a batch.
///
/// # Errors
///
/// Whatever the route answers.
pub(crate) async fn answer(call: &Call<'_>, resource: &Resource<'_>, body: Body) -> Result<Reply, Error> {
    check_method(call.method, resource, call.settings.profile)?;
    match resource {
        Resource::ServiceDocument => Ok(documents::service_document(call.base)),
        Resource::Metadata => Ok(documents::metadata()),
        Resource::User(key) => users::get(call, key),
        Resource::Users => users::list(call),
        Resource::Presence(path) => match *call.method {
            Method::PATCH => presence::patch(call, path, body).await,
            Method::DELETE => presence::delete(call, path).await,
            _ => presence::get(call, path),
        },
        Resource::Action(path, action) => presence::act(call, path, *action, body).await,
        Resource::Explain(path) => presence::explain(call, path),
        Resource::Presences => collection::list(call),
        Resource::PresencesCount => collection::count(call),
        Resource::PresencesByUserId => collection::by_user_id(call, body).await,
        Resource::Batch => Err(Error::BadBatch("A batch cannot be a step of a batch.".into())),
    }
}

/// # Errors
///
/// E9 with the methods that would do.
pub(crate) fn check_method(method: &Method, resource: &Resource<'_>, profile: Profile) -> Result<(), Error> {
    let allow: &[&str] = match resource {
        Resource::Batch | Resource::Action(..) | Resource::PresencesByUserId => &["POST"],
        Resource::Presence(_) if profile == Profile::Strict => &["GET", "HEAD", "PATCH"],
        Resource::Presence(_) => &["GET", "HEAD", "PATCH", "DELETE"],
        Resource::ServiceDocument
        | Resource::Metadata
        | Resource::User(_)
        | Resource::Users
        | Resource::Explain(_)
        | Resource::Presences
        | Resource::PresencesCount => &["GET", "HEAD"],
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
        Resource::PresencesByUserId => Route::PresencesByUserId,
    }
}
