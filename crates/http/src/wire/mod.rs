//! Graph's JSON: the only place that knows its names.

pub(crate) mod command;
#[cfg(test)]
mod command_laws;
pub(crate) mod date_time;
pub(crate) mod delivery;
pub(crate) mod duration;
pub(crate) mod explanation;
pub(crate) mod guid;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod notification;
mod object;
pub(crate) mod person;
pub(crate) mod presence;
#[cfg(test)]
mod presence_laws;
pub(crate) mod query_options;
mod stencil;
pub(crate) mod subscription;
mod windows_zones;
