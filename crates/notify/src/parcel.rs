//! What is sent in one request.

use std::sync::Arc;

use bytes::Bytes;
use porchlight_engine::{Origin, TraceContext};
use porchlight_presence::{Presence, Timestamp, UserId};
use uuid::Uuid;

use crate::endpoint::Address;
use crate::letter::Letter;
use crate::seal::Sealed;
use crate::subscription::Subscription;

/// Puts into words what is sent; the only one who knows Graph's names.
pub trait Words: Send + Sync {
    /// A user's presence as a notification shows it, in JSON: the members that the subscription asks for. It is
    /// encrypted, or shown as it is when the settings say so. `origin`: what made the change, if that is known and the
    /// subscription asks for it.
    fn resource(
        &self,
        subscription: &Subscription,
        user: UserId,
        seen: &Presence<'_>,
        origin: Option<Origin>,
    ) -> Vec<u8>;

    /// The body of a request with these items, and with these validation tokens if any.
    fn notifications(&self, items: &[Item], letters: &[Letter], tokens: &[Arc<str>]) -> Vec<u8>;
}

/// One user's newest state for one subscription.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its id, the same whenever this state is told to this subscription.
    pub id: Uuid,
    /// To which subscription.
    pub subscription: Arc<Subscription>,
    /// Whose state.
    pub user: UserId,
    /// Since when the user is in this state, by the stamp that the subscription listens to.
    pub stamp: Timestamp,
    /// The presence in JSON; only when the settings put it into plain notifications.
    pub plain: Option<Vec<u8>>,
    /// The presence, encrypted; only for a subscription with a certificate.
    pub sealed: Option<Sealed>,
    /// The piece of work that has made the change, if that is traced.
    pub trace: Option<TraceContext>,
}

/// One request that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) address: Address,
    /// Which attempt, beginning with 1.
    pub(crate) attempt: u32,
    /// How many files had been opened when it was put together: of those opened later it says nothing.
    pub(crate) opened: u64,
    /// Who is told of whom, in which state.
    pub(crate) told: Vec<(Uuid, UserId, Timestamp)>,
    /// What is told of the subscriptions themselves.
    pub(crate) letters: Vec<Letter>,
    /// The pieces of work that have made what is told, as far as they are traced; each once.
    pub(crate) traces: Vec<TraceContext>,
    pub(crate) body: Bytes,
}
