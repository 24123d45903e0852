//! The description of the API in OpenAPI 3.1, which `/porchlight/openapi.json` answers.
//!
//! The JSON files beside this one are written by hand, one for each part of the API. An operation stands there as
//! OpenAPI has it, but for what other tables know: `needs` names the right that a caller needs (`needs.rs`), `answers` and
//! `never` the errors that it has beside or without those of its file (`errors.rs`), and texts such as
//! `limit:idsPerCall` what is in force (`facts.rs`). `family.rs` makes whole operations of that, `document.rs` puts the
//! files together, and [`Description`] says it to a client. Nothing here decides what the server does: tests hold what
//! is said against it.

#[cfg(test)]
mod agreement;
mod description;
mod document;
mod errors;
mod facts;
mod family;
mod needs;

pub(crate) use description::Description;
