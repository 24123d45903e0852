//! OData's query options. Everything here is pure: text in, a typed query or a precise error out.

mod filter;
#[cfg(test)]
mod filter_laws;
mod options;
mod people_filter;
mod reader;
mod select;

pub(crate) use filter::Filter;
pub(crate) use options::{OPTIONS_MAX, Options, decode};
pub(crate) use people_filter::{COMPARISONS_MAX, PeopleFilter};
pub(crate) use select::{Part, Select};
