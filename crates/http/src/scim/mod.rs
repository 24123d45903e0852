//! SCIM 2.0: how an identity provider pushes people. Everything under `/porchlight/scim/v2`.
//!
//! Source: RFC 7643 (schemas) and RFC 7644 (protocol); how Entra ID and Okta depart from them is in `docs/SCIM.md`. A
//! person goes out as a JSON document (`user.rs`) and is read back from one. Filters, paths and patches work on such
//! documents and know nothing of people, so that all of them understand the same names in the same way. What a person
//! has no place for is accepted and not kept. Groups are not here.

mod call;
mod comparison;
mod discovery;
mod document;
mod endpoint;
mod error;
mod filter;
#[cfg(test)]
mod filter_laws;
mod list;
mod parameters;
mod patch;
mod path;
mod scanner;
mod selection;
mod user;
mod users;
mod version;

pub(crate) use call::ScimCall;
#[cfg(test)]
pub(crate) use endpoint::methods;
pub(crate) use endpoint::{answer, below};
pub(crate) use error::ScimError;
pub(crate) use filter::FILTER_BYTES_MAX;
pub(crate) use list::COUNT_MAX;
pub(crate) use patch::{OPERATIONS_MAX, PATCHED_VALUES_MAX, VALUES_MAX};
pub(crate) use selection::NAMES_MAX;
pub(crate) use user::TEXT_CHARS_MAX;

/// The schema of a user.
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// The schema of what an organisation knows of a user.
const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
