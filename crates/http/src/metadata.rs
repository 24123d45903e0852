//! What `GET /{version}/$metadata` answers: the types, actions and functions of this server, as CSDL 4.0 in XML.
//!
//! The document is written by hand and served as it is; it is the same under `v1.0` and `beta`. The schema
//! `microsoft.graph` declares the part of Graph that is served here, in Graph's own terms; the schema `porchlight`
//! declares our additions. A member that an answer carries has to be declared here:
//! `crates/porchlight/tests/csdl/check.mjs` holds the document against real answers.

/// The document, to be sent as `application/xml`.
///
/// Actions are listed as Graph's own metadata has them, nullability included; where the server is stricter than that
/// (a `sessionId` may be null by its type, and is refused all the same), the refusal says so.
pub(crate) const CSDL: &str = include_str!("metadata.xml");
