//! Subscriptions: who is to be told what, and telling them over webhooks.
//!
//! [`Notifier`] is what the rest of the program talks to. Subscriptions are entries of the log; [`Registry`] holds them
//! in memory. The office (`office.rs`) plans: it follows the feed of changes, knows whom each subscription is still to
//! be told of (`backlog.rs`), how each endpoint answers (`endpoint.rs`), and puts together what is sent next. The
//! courier (`courier.rs`) sends it, on a thread of its own. Nothing is queued that the records do not say themselves: a
//! subscription is a cursor, and after a crash `changes_since` says the rest.
//!
//! Where several processes share the log, each of them keeps all subscriptions in memory and takes any change of them;
//! which of them tells a subscription is what `slots.rs` knows. What is asked of whoever tells it travels in the
//! subscription's own record.
//!
//! This crate knows no JSON names of Graph's; what is sent is put into words by whoever implements [`Words`].

mod attempts;
mod backlog;
mod certificate;
mod courier;
mod cursor;
mod desk;
mod egress;
mod endpoint;
mod file;
mod letter;
#[cfg(test)]
mod node;
mod notifier;
#[cfg(test)]
mod notifier_slots;
mod office;
#[cfg(test)]
mod office_laws;
#[cfg(test)]
mod office_slots;
mod outcome;
mod parcel;
mod post;
mod reach;
mod record;
mod registry;
mod roots;
mod seal;
mod settings;
mod signer;
mod slots;
mod subscription;
mod validation;
#[cfg(test)]
mod vectors;

pub use attempts::Attempt;
pub use certificate::CertificateError;
pub use cursor::StoredCursor;
pub use egress::{Dialer, Dialing, Line, Resolver, Resolving, UrlError};
pub use letter::{Event, Letter, Reason};
pub use notifier::{Created, Faults, KeepError, Notifier, Refused, StartError, Update, VALIDATIONS_MAX};
pub use outcome::Outcome;
pub use parcel::{Item, Words};
pub use reach::{Reach, ReachError};
pub use registry::{Held, Registry};
pub use roots::{RootsError, trusted_roots};
pub use seal::Sealed;
pub use settings::{Egress, Settings};
pub use signer::{Signer, SigningKey};
pub use subscription::{Certificate, GRACE, Options, Subscription, Target};
pub use validation::{Invalid, ValidationError};
