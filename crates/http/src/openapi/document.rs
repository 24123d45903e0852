//! The whole document.

use serde_json::{Value, json};

use super::errors;
use super::facts::Facts;
use super::family::Family;
use crate::resource::Version;

/// What stands wherever the server's own origin belongs.
pub(super) const ORIGIN: &str = "https://origin.invalid";

/// What is there before any operation.
const FRAME: &str = include_str!("frame.json");

/// The parts of the API that are always there, in the order in which they are described.
const FAMILIES: [&str; 7] = [
    include_str!("presence.json"),
    include_str!("communications.json"),
    include_str!("users.json"),
    include_str!("subscriptions.json"),
    include_str!("batch.json"),
    include_str!("scim.json"),
    include_str!("operations.json"),
];

/// The parts that are there in development mode only. Their paths replace those that are there already.
const DEVELOPMENT: [&str; 2] = [include_str!("development.json"), include_str!("issuer.json")];

/// The description, with [`ORIGIN`] for where the server is.
pub(super) fn document(facts: &Facts) -> Value {
    let mut document: Value = serde_json::from_str(FRAME).expect("the frame is JSON: a test reads it");
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let versions = [Version::V1, Version::Beta].map(|version| format!("{ORIGIN}/{}", version.name()));
    document["servers"] = versions.iter().map(|url| json!({"url": url})).collect();
    errors::describe(&mut document["components"]);
    let development = DEVELOPMENT.iter().filter(|_| facts.is_development);
    for file in FAMILIES.iter().chain(development) {
        Family::read(file).describe(&mut document, facts);
    }
    facts.fill_in(&mut document);
    document
}
