//! The routes, a file per resource.

pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod cluster;
pub(crate) mod collection;
pub(crate) mod delta;
pub(crate) mod development;
pub(crate) mod documents;
pub(crate) mod keys;
pub(crate) mod operations;
pub(crate) mod presence;
mod rights;
pub(crate) mod stream;
pub(crate) mod subscriptions;
pub(crate) mod users;
