//! Where a call of SCIM leads: the table of contents.

use http::Method;
use percent_encoding::percent_decode_str;

use super::{ScimCall, ScimError, discovery, users};
use crate::body::Body;
use crate::error::Error;
use crate::graph::check_among;
use crate::reply::Reply;

/// The path that everything of SCIM is below.
pub(super) const BASE: &str = "/porchlight/scim/v2";

/// What is below the base of SCIM, if a path is.
pub(crate) fn below(path: &str) -> Option<&str> {
    path.strip_prefix(BASE).filter(|below| below.is_empty() || below.starts_with('/'))
}

/// What a path means. Source: RFC 7644 3.2 and 4.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Users,
    User(String),
    /// `/Users/.search`, and `/.search` of every resource, which is the same as long as there are users only.
    Search,
    /// There are none, but Okta looks whether there are.
    Groups,
    ServiceProviderConfig,
    ResourceTypes,
    ResourceType(String),
    Schemas,
    Schema(String),
    Me,
    Bulk,
}

impl Endpoint {
    /// What this path below the base means. A slash at its end makes no difference.
    fn parse(below: &str) -> Option<Endpoint> {
        let path = below.strip_prefix('/').unwrap_or(below);
        let path = path.strip_suffix('/').unwrap_or(path);
        let (name, id) = match path.split_once('/') {
            Some((name, id)) => (name, Some(percent_decode_str(id).decode_utf8().ok()?.into_owned())),
            None => (path, None),
        };
        match (name, id) {
            ("Users", None) => Some(Endpoint::Users),
            ("Users", Some(id)) if id == ".search" => Some(Endpoint::Search),
            ("Users", Some(id)) => Some(Endpoint::User(id)),
            (".search", None) => Some(Endpoint::Search),
            ("Groups", None) => Some(Endpoint::Groups),
            ("ServiceProviderConfig", None) => Some(Endpoint::ServiceProviderConfig),
            ("ResourceTypes", None) => Some(Endpoint::ResourceTypes),
            ("ResourceTypes", Some(id)) => Some(Endpoint::ResourceType(id)),
            ("Schemas", None) => Some(Endpoint::Schemas),
            ("Schemas", Some(id)) => Some(Endpoint::Schema(id)),
            ("Me", _) => Some(Endpoint::Me),
            ("Bulk", None) => Some(Endpoint::Bulk),
            _ => None,
        }
    }

    /// The methods that it has; `None` where every method is answered alike.
    fn methods(&self) -> Option<&'static [&'static str]> {
        match self {
            Endpoint::Users => Some(&["GET", "HEAD", "POST"]),
            Endpoint::User(_) => Some(&["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
            Endpoint::Search => Some(&["POST"]),
            Endpoint::Groups
            | Endpoint::ServiceProviderConfig
            | Endpoint::ResourceTypes
            | Endpoint::ResourceType(_)
            | Endpoint::Schemas
            | Endpoint::Schema(_) => Some(&["GET", "HEAD"]),
            Endpoint::Me | Endpoint::Bulk => None,
        }
    }
}

/// The methods of what is at this path below the base; `None` where there is nothing, or every method is answered alike.
#[cfg(test)]
pub(crate) fn methods(below: &str) -> Option<&'static [&'static str]> {
    Endpoint::parse(below)?.methods()
}

/// Answers a call of what is at this path below the base.
///
/// # Errors
///
/// 404 and 405, and whatever the endpoint answers.
pub(crate) async fn answer(call: &ScimCall<'_>, below: &str, body: Body) -> Result<Reply, ScimError> {
    let endpoint = Endpoint::parse(below).ok_or(Error::NotFound)?;
    if let Some(methods) = endpoint.methods() {
        check_among(call.method, methods)?;
    }
    match &endpoint {
        Endpoint::Users => match *call.method {
            Method::POST => call.audited("scim.create", users::create(call, body)).await,
            _ => users::list(call).await,
        },
        Endpoint::User(id) => match *call.method {
            Method::PUT => call.audited("scim.replace", users::replace(call, id, body)).await,
            Method::PATCH => call.audited("scim.patch", users::patch(call, id, body)).await,
            Method::DELETE => call.audited("scim.delete", users::delete(call, id)).await,
            _ => users::get(call, id),
        },
        Endpoint::Search => users::search(call, body).await,
        Endpoint::Groups => users::list_groups(call),
        Endpoint::ServiceProviderConfig => discovery::service_provider_config(call),
        Endpoint::ResourceTypes => discovery::resource_types(call),
        Endpoint::ResourceType(id) => discovery::resource_type(call, id),
        Endpoint::Schemas => discovery::schemas(call),
        Endpoint::Schema(id) => discovery::schema(call, id),
        Endpoint::Me => Err(ScimError::NotImplemented("/Me")),
        Endpoint::Bulk => Err(ScimError::NotImplemented("/Bulk")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_what_they_name() {
        let table = [
            ("/Users", Some(Endpoint::Users)),
            ("/Users/", Some(Endpoint::Users)),
            ("/Users/a%40b", Some(Endpoint::User("a@b".to_owned()))),
            ("/Users/.search", Some(Endpoint::Search)),
            ("/.search", Some(Endpoint::Search)),
            ("/Schemas/urn%3Ax", Some(Endpoint::Schema("urn:x".to_owned()))),
            ("/ResourceTypes/User", Some(Endpoint::ResourceType("User".to_owned()))),
            ("/Me", Some(Endpoint::Me)),
            ("/Me/x", Some(Endpoint::Me)),
            ("/Groups", Some(Endpoint::Groups)),
            ("/Groups/x", None),
            ("/users", None),
            ("/Users/%ff", None),
            ("", None),
            ("/", None),
        ];
        for (path, endpoint) in table {
            assert_eq!(Endpoint::parse(path), endpoint, "{path}");
        }
    }

    #[test]
    fn only_what_is_below_the_base_is_of_scim() {
        assert_eq!(below("/porchlight/scim/v2/Users"), Some("/Users"));
        assert_eq!(below("/porchlight/scim/v2"), Some(""));
        assert_eq!(below("/porchlight/scim/v20"), None);
        assert_eq!(below("/porchlight/health"), None);
    }
}
