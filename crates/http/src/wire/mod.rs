//! Graph's JSON: the only place that knows its names.

pub(crate) mod command;
#[cfg(test)]
mod command_laws;
pub(crate) mod date_time;
pub(crate) mod duration;
pub(crate) mod explanation;
pub(crate) mod guid;
pub(crate) mod json;
mod object;
pub(crate) mod person;
pub(crate) mod presence;
#[cfg(test)]
mod presence_laws;
mod windows_zones;
