//! A subscription: who asked to be told of whom, where, and until when.

use std::time::Duration;

use bytes::Bytes;
use porchlight_engine::{Origin, Stamp, Whom};
use porchlight_presence::{ApplicationId, TenantId, Timestamp, UserId};
use porchlight_store::Key;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cursor::StoredCursor;
use crate::record;

/// The format of a subscription's record, which this program writes.
const VERSION: u8 = 1;

/// For this long after its end a subscription can be brought back with a PATCH, under the profile `open`.
///
/// Source: subscriptions-and-auth 10.5.
pub const GRACE: Duration = Duration::from_secs(5 * 60);

/// A subscription as it is kept in the log, under `subscription/{id}`.
///
/// Source: subscriptions-and-auth 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: Uuid,
    /// Whose people it is about.
    #[serde(with = "record")]
    pub tenant: TenantId,
    /// The application that made it.
    #[serde(with = "record")]
    pub application: ApplicationId,
    /// The user whose delegate the application was, or the application's own object.
    pub creator: Uuid,
    /// Whether it was made in a user's name.
    pub delegated: bool,
    /// When it was made.
    #[serde(with = "record")]
    pub made_at: Timestamp,
    /// Whether it was made under `/beta`.
    pub beta: bool,
    /// Scheme and host under which its maker reached this server: the issuer of its validation tokens.
    pub base: String,
    /// The resource as its maker wrote it.
    pub resource: String,
    /// Whom that means.
    pub target: Target,
    /// Where to tell.
    pub notification_url: String,
    /// Where to tell of the subscription itself.
    pub lifecycle_url: Option<String>,
    /// When it ends.
    #[serde(with = "record")]
    pub expires_at: Timestamp,
    /// How many 100 ns after that, less than 10,000: clients get the end back as they gave it.
    pub expires_ticks: u16,
    /// Goes back with every notification; at most 128 characters.
    pub client_state: Option<String>,
    /// Whom its notifications are encrypted for; `None`: they carry no resource.
    pub certificate: Option<Certificate>,
    /// As its maker wrote it.
    pub latest_tls: String,
    /// `notificationQueryOptions` as its maker wrote them.
    pub query_options: Option<String>,
    /// What they mean.
    pub options: Options,
    /// The audience of its validation tokens, in place of the application.
    pub url_app: Option<String>,
    /// From where on changes are told.
    pub since: StoredCursor,
    /// When its present time began: with its making, its newest PATCH or its newest reauthorization.
    #[serde(skip)]
    pub renewed_at: Timestamp,
    /// The right to it was taken back: whoever tells it is to end it.
    #[serde(skip)]
    pub revoked: bool,
    /// When `notification_url` was last asked to prove itself, and did: with its making, or with a PATCH that names it.
    #[serde(skip)]
    pub proved_at: Timestamp,
}

/// What a record carries behind the fields that it began with; behind this comes `proved_at`, in milliseconds. A
/// program from before either passes over it, and writes records without it.
#[derive(Serialize, Deserialize)]
struct Later {
    #[serde(with = "record")]
    renewed_at: Timestamp,
    revoked: bool,
}

/// Whom a subscription is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Everybody of the tenant.
    Everybody,
    /// These users, in ascending order, each once.
    Users(#[serde(with = "record::many")] Vec<UserId>),
}

impl Target {
    /// The same for the engine.
    pub(crate) fn whom(&self) -> Whom<'_> {
        match self {
            Target::Everybody => Whom::Everybody,
            Target::Users(users) => Whom::Users(users),
        }
    }
}

/// The public key that resources are encrypted for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What its owner calls it; at most 128 characters.
    pub id: String,
    /// Its public key, as an X.509 `SubjectPublicKeyInfo` in DER.
    pub public_key: Vec<u8>,
    /// SHA-1 of the certificate in upper-case hexadecimal digits.
    pub thumbprint: String,
}

/// What `notificationQueryOptions` ask for. Source: subscriptions-and-auth 13.7.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The members to show, and whose changes are told, as the value of `$select`.
    pub select: Option<String>,
    /// Tell of everybody once at the beginning.
    pub initial_snapshot: bool,
    /// For how many seconds after a change further ones are waited for; at most 60.
    pub coalesce_seconds: u8,
    /// Do not tell of what the subscribing application did itself.
    pub exclude_self: bool,
}

impl Subscription {
    /// The key of its record.
    pub(crate) fn key(id: Uuid) -> Key {
        Key::new(format!("subscription/{id}"))
    }

    /// Its record.
    #[doc(hidden)]
    pub fn encode(&self) -> Bytes {
        let later = Later { renewed_at: self.renewed_at, revoked: self.revoked };
        let encoded = postcard::to_extend(self, vec![VERSION]);
        let encoded = encoded.and_then(|fields| postcard::to_extend(&later, fields));
        let encoded = encoded.and_then(|fields| postcard::to_extend(&self.proved_at.as_millis(), fields));
        encoded.expect("a vector takes any number of bytes").into()
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[doc(hidden)]
    pub fn decode(record: &[u8]) -> Result<Subscription, String> {
        match record.split_first() {
            Some((&VERSION, fields)) => {
                Subscription::read(fields).map_err(|error| format!("the subscription is damaged: {error}"))
            }
            Some((version, _)) => Err(format!(
                "the subscription has format {version}, this program reads formats up to {VERSION}"
            )),
            None => Err("the subscription is empty".to_owned()),
        }
    }

    fn read(fields: &[u8]) -> Result<Subscription, postcard::Error> {
        let (subscription, later): (Subscription, &[u8]) = postcard::take_from_bytes(fields)?;
        let made_at = subscription.made_at;
        let (later, last) = if later.is_empty() {
            (Later { renewed_at: made_at, revoked: false }, later)
        } else {
            postcard::take_from_bytes(later)?
        };
        let proved_at =
            if last.is_empty() { made_at } else { Timestamp::from_millis(postcard::from_bytes(last)?) };
        let Later { renewed_at, revoked } = later;
        Ok(Subscription { renewed_at, revoked, proved_at, ..subscription })
    }

    /// Which stamp says that there is something to tell. Source: subscriptions-and-auth 17.8.
    pub fn stamp(&self) -> Stamp {
        if self.options.select.is_some() { Stamp::ChangedAt } else { Stamp::StateSince }
    }

    /// Whether a change is not told for who has made it.
    pub(crate) fn excludes(&self, origin: Origin) -> bool {
        self.options.exclude_self && origin.application == Some(self.application)
    }

    /// Whether it has ended by `now`.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// The user in whose name it was made, if it was made in somebody's.
    pub(crate) fn user(&self) -> Option<UserId> {
        self.delegated.then_some(UserId(self.creator))
    }

    /// Who owns it: of these it may have only so many.
    pub(crate) fn owner(&self) -> Owner {
        Owner { tenant: self.tenant, application: self.application, creator: self.creator }
    }

    /// The id of the item that tells of this state of a user: the same on every retry and by whichever node. Source:
    /// design 4.
    pub(crate) fn item_id(&self, user: UserId, stamp: Timestamp) -> Uuid {
        let mut name = [0; 24];
        name[..16].copy_from_slice(user.0.as_bytes());
        name[16..].copy_from_slice(&stamp.as_millis().to_be_bytes());
        Uuid::new_v5(&self.id, &name)
    }
}

/// Whoever may have only so many subscriptions. Source: subscriptions-and-auth 4.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    pub(crate) application: ApplicationId,
    pub(crate) creator: Uuid,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A subscription that tells of this target.
    pub(crate) fn subscription(id: u128, target: Target) -> Subscription {
        Subscription {
            id: Uuid::from_u128(id),
            tenant: TenantId(Uuid::from_u128(1)),
            application: ApplicationId(Uuid::from_u128(2)),
            creator: Uuid::from_u128(3),
            delegated: false,
            made_at: Timestamp::from_millis(1_700_000_000_000),
            beta: false,
            base: "https://presence.example.org".to_owned(),
            resource: "communications/presences".to_owned(),
            target,
            notification_url: format!("https://hook-{id}.example.org/"),
            lifecycle_url: None,
            expires_at: Timestamp::from_millis(1_700_003_600_000),
            expires_ticks: 1,
            client_state: None,
            certificate: None,
            latest_tls: "v1_2".to_owned(),
            query_options: None,
            options: Options::default(),
            url_app: None,
            since: StoredCursor::default(),
            renewed_at: Timestamp::from_millis(1_700_000_000_000),
            revoked: false,
            proved_at: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    #[test]
    fn records_come_back_and_newer_ones_are_refused_by_name() {
        let mut record = subscription(7, Target::Users(vec![UserId(Uuid::from_u128(9))])).encode().to_vec();
        let read = Subscription::decode(&record).unwrap();
        assert_eq!(read, subscription(7, Target::Users(vec![UserId(Uuid::from_u128(9))])));
        record[0] = 2;
        assert!(Subscription::decode(&record).unwrap_err().contains("format 2"));
        assert!(Subscription::decode(&record[..1]).is_err());
        assert!(Subscription::decode(&[]).is_err());
    }

    #[test]
    fn what_came_later_stands_behind_what_older_programs_read() {
        let first = subscription(7, Target::Everybody);
        let (renewed_at, proved_at) = (Timestamp::from_millis(5), Timestamp::from_millis(1_700_000_000_001));
        let renewed = Subscription { renewed_at, proved_at, revoked: true, ..first.clone() };
        let record = renewed.encode();
        assert_eq!(Subscription::decode(&record).unwrap(), renewed);
        let before = postcard::to_extend(&first, vec![VERSION]).unwrap();
        assert!(record.starts_with(&before), "a program of before finds all that it knows");
        assert_eq!(Subscription::decode(&before).unwrap(), first);
        assert!(Subscription::decode(&record[..record.len() - 1]).is_err(), "half of it is none");
        let later = Later { renewed_at, revoked: true };
        let between = postcard::to_extend(&later, before).unwrap();
        assert!(record.starts_with(&between));
        let unproved = Subscription { proved_at: first.made_at, ..renewed };
        assert_eq!(Subscription::decode(&between).unwrap(), unproved, "as of its making");
    }

    #[test]
    fn item_ids_differ_with_subscription_user_and_stamp_alone() {
        let (one, other) = (subscription(1, Target::Everybody), subscription(2, Target::Everybody));
        let (ada, ben) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let at = Timestamp::from_millis(5);
        assert_eq!(one.item_id(ada, at), one.clone().item_id(ada, at));
        let others = [one.item_id(ben, at), one.item_id(ada, at.next()), other.item_id(ada, at)];
        assert!(others.iter().all(|id| *id != one.item_id(ada, at)));
    }
}
