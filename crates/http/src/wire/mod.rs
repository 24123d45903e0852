//! Graph's JSON: the only place that knows its names.

pub(crate) mod command;
pub(crate) mod date_time;
pub(crate) mod duration;
pub(crate) mod explanation;
pub(crate) mod json;
pub(crate) mod person;
pub(crate) mod presence;
mod windows_zones;
