//! A tenant: its users' records, its people and its feed.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use porchlight_presence::{TenantId, Timestamp, User, UserId};
use porchlight_store::Revision;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::census::Census;
use crate::directory::{Directory, Place};
use crate::feed::Feed;
use crate::table::{Table, Touched};
use crate::view::View;

/// Everything of one tenant that is in memory. Nothing here ever refers to another tenant.
#[derive(Debug)]
pub struct Tenant {
    id: TenantId,
    pub(crate) users: Table,
    directory: Directory,
    feed: Feed,
    /// The newest revision that was installed.
    applied: AtomicU64,
    /// Rung when that moves.
    moved: Notify,
    /// The revision after which everything has begun anew, in development; nothing before it can be gone on from.
    begun_anew: AtomicU64,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, number: u32, now: Timestamp) -> Tenant {
        Tenant {
            id,
            users: Table::new(number),
            directory: Directory::default(),
            feed: Feed::new(now),
            applied: AtomicU64::new(0),
            moved: Notify::new(),
            begun_anew: AtomicU64::new(0),
        }
    }

    /// The tenant's id.
    pub fn id(&self) -> TenantId {
        self.id
    }

    /// The newest revision of the tenant that reads show.
    pub fn applied(&self) -> Revision {
        Revision(self.applied.load(Ordering::SeqCst))
    }

    /// A user's record; that of a user nobody has written for is the default.
    pub fn user(&self, user: UserId) -> User {
        self.users.user(user)
    }

    /// Whether a user's record says that they are hidden.
    pub fn is_hidden(&self, user: UserId) -> bool {
        self.users.is_hidden(user)
    }

    /// A user's view at `now`.
    pub fn view(&self, user: UserId, now: Timestamp) -> View {
        self.users.look_at(user, now).map(|(_, view)| view).unwrap_or_default()
    }

    /// Whether each of many users is somebody, and their views at `now`: in their order, read together.
    pub fn look_at_all(&self, users: &[UserId], now: Timestamp) -> Vec<(bool, View)> {
        let mut found = Vec::with_capacity(users.len());
        self.users.visit(users, now, |user, slot| {
            found.push(slot.unwrap_or_else(|| (self.directory.contains(user), View::default())));
        });
        found
    }

    /// Whether this is somebody's id.
    pub fn is_somebody(&self, user: UserId) -> bool {
        self.users.is_listed(user).unwrap_or_else(|| self.directory.contains(user))
    }

    /// Whether an account is disabled, as the record says or as the directory does: of somebody who is being deleted, the
    /// record goes first.
    pub fn is_disabled(&self, user: UserId) -> bool {
        self.is_hidden(user) || self.directory.person(user).is_some_and(|person| !person.account_enabled)
    }

    /// Whether this is somebody whose account is enabled.
    pub fn may_sign_in(&self, user: UserId) -> bool {
        self.is_somebody(user) && !self.is_hidden(user)
    }

    /// Whether this is the id of somebody whose deletion is still known: for [`DELETED_KNOWN_FOR`] nobody comes back
    /// just by signing in.
    ///
    /// [`DELETED_KNOWN_FOR`]: crate::DELETED_KNOWN_FOR
    pub fn was_deleted(&self, user: UserId) -> bool {
        self.directory.was_deleted(user)
    }

    /// Somebody's view at `now`; `None` when this is nobody's id.
    pub fn look_at(&self, user: UserId, now: Timestamp) -> Option<View> {
        let slot = self.users.look_at(user, now);
        let (listed, view) = slot.unwrap_or_else(|| (self.directory.contains(user), View::default()));
        listed.then_some(view)
    }

    /// Whom a key in a path means: an id, a user principal name, or a mail address that exactly one person has.
    ///
    /// Source: presence-api 3.1.
    pub fn resolve(&self, key: &str) -> Option<UserId> {
        match guid(key) {
            Some(id) => Some(id).filter(|id| self.is_somebody(*id)),
            None => self.directory.resolve(key),
        }
    }

    /// The same, and also the id of somebody whose deletion is still known: who asks what has changed is to hear of it.
    pub fn resolve_also_deleted(&self, key: &str) -> Option<UserId> {
        self.resolve(key).or_else(|| guid(key).filter(|user| self.was_deleted(*user)))
    }

    /// Whom a key means, with their view at `now`.
    pub fn look_up(&self, key: &str, now: Timestamp) -> Option<(UserId, View)> {
        let user = guid(key).or_else(|| self.directory.resolve(key))?;
        self.look_at(user, now).map(|view| (user, view))
    }

    /// How many users have a record.
    pub fn users_len(&self) -> usize {
        self.users.len()
    }

    /// How many users show what.
    pub fn census(&self) -> Census {
        self.users.census()
    }

    /// The people.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What changes.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Reads show everything up to this revision, and what has come of it is on the feed.
    pub(crate) fn has_applied(&self, revision: Revision) {
        self.applied.fetch_max(revision.0, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Returns when reads show this revision; it may take for ever.
    pub(crate) async fn reach(&self, revision: Revision) {
        loop {
            // Before the look, so that no move in between is missed.
            let moved = self.moved.notified();
            if self.applied() >= revision {
                return;
            }
            moved.await;
        }
    }

    /// The revision after which everything has begun anew.
    pub(crate) fn begun_anew(&self) -> Revision {
        Revision(self.begun_anew.load(Ordering::SeqCst))
    }

    /// Notes a revision at which everything has begun anew; returns whether that is news.
    pub(crate) fn begins_at(&self, revision: Revision) -> bool {
        self.begun_anew.fetch_max(revision.0, Ordering::SeqCst) < revision.0
    }

    /// Everything begins anew: nobody can go on from before, and who was deleted may come back. For development.
    pub(crate) fn begin_anew(&self, now: Timestamp) {
        self.begins_at(self.applied());
        self.directory.forget_deleted();
        self.feed.clear(now, self.applied());
    }

    /// Puts a record in; see [`Table::install`].
    pub(crate) fn install(
        &self,
        user: UserId,
        revision: Revision,
        record: &Bytes,
        decoded: &User,
        quietly: Option<Timestamp>,
    ) -> Option<Touched> {
        // Whoever was disabled already has been found by nobody since.
        let disables = decoded.is_hidden() && !self.users.is_hidden(user);
        let touched =
            self.users.install(user, revision, record, decoded, quietly, || self.directory.contains(user));
        if disables {
            // After the record: whoever was found before may not come any more.
            self.directory.has_changed();
        }
        touched
    }

    /// Empties a record; see [`Table::remove`].
    pub(crate) fn remove(&self, user: UserId, revision: Revision) -> Option<Touched> {
        self.users.remove(user, revision, || self.directory.contains(user))
    }

    /// Puts a person's entry in, or takes it out when `entry` is `None`, unless what is there is newer. Returns whether
    /// that is news; see [`Directory::install`].
    pub(crate) fn install_person(
        &self,
        user: UserId,
        place: Place,
        entry: Option<&Bytes>,
    ) -> Result<bool, String> {
        let listed = self.directory.install(user, place, entry)?;
        if let Some(listed) = listed {
            self.users.list(user, listed);
            // Once more: who was looked for between the two was found by the slot alone.
            self.directory.has_changed();
        }
        Ok(listed.is_some())
    }
}

/// A GUID in the form 8-4-4-4-12, in any case.
fn guid(key: &str) -> Option<UserId> {
    (key.len() == 36).then(|| Uuid::try_parse(key).ok()).flatten().map(UserId)
}
