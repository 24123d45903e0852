//! What changed since then: a query, not a queue.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use porchlight_presence::{Stamps, Timestamp, UserId};
use porchlight_store::{LogId, Revision};

use crate::engine::Engine;
use crate::feed::Change;
use crate::tenant::Tenant;

/// How long it is known who was deleted.
pub const DELETED_KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A point in the history of a log: everything that records up to `revision` showed up to `at` has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose revisions these are.
    pub log: LogId,
    /// The newest record that was considered.
    pub revision: Revision,
    /// The instant up to which it was.
    pub at: Timestamp,
}

/// Whom a question is about.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    /// Everybody of the tenant.
    Everybody,
    /// These users.
    Users(&'a [UserId]),
}

/// Which stamp counts: who listens to the pair alone is not told of a new status message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Any change of the view.
    ChangedAt,
    /// Changes of the pair.
    StateSince,
}

/// A user who has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Who.
    pub user: UserId,
    /// The stamps of the newest view.
    pub stamps: Stamps,
}

/// Who has changed, and where to ask from next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Each user once, in the order of the stamp asked for.
    pub changed: Vec<Changed>,
    /// The cursor that has been reached.
    pub next: Cursor,
}

impl Stamp {
    /// The stamp of these that counts.
    pub fn of(self, stamps: Stamps) -> Timestamp {
        match self {
            Stamp::ChangedAt => stamps.changed_at,
            Stamp::StateSince => stamps.state_since,
        }
    }
}

impl Engine {
    /// Whether who goes on from this cursor can be told everything since: it is of this log, not from before
    /// everything began anew, not of the future, and not older than what is known of the deleted.
    pub fn can_go_on_from(&self, cursor: Cursor) -> bool {
        let now = self.now();
        let begun_anew = Revision(self.state.begun_anew.load(Ordering::SeqCst));
        cursor.log == self.log_id()
            && cursor.revision >= begun_anew
            && cursor.at <= now
            && now.since(cursor.at) < DELETED_KNOWN_FOR
    }

    /// The cursor of now: whoever has seen everything as it is goes on from here.
    ///
    /// It lies one millisecond back, so that a write that begins in this very millisecond is later than it.
    pub fn cursor(&self) -> Cursor {
        let at = self.now().minus(Duration::from_millis(1));
        Cursor { log: self.log_id(), revision: self.state.applied(), at }
    }

    /// The cursor of who has been told everything that is on the tenants' feeds, if the feed is looked at after asking
    /// this: what is not on it yet is later.
    pub fn feed_cursor(&self) -> Cursor {
        let cursor = self.cursor();
        Cursor { at: cursor.at.min(self.state.announced_through()), ..cursor }
    }

    /// Who of `whom` has changed since `cursor`, by `stamp`; by [`Stamp::ChangedAt`] also who has come to the directory
    /// or left it.
    ///
    /// What is recent comes from the feed; for an older cursor every record of the tenant is looked at, a slice at a
    /// time. That takes a fraction of a microsecond a user: call it off the threads that serve requests.
    pub fn changes_since(&self, tenant: &Tenant, cursor: Cursor, whom: Whom<'_>, stamp: Stamp) -> Changes {
        let (mut next, told) = (self.cursor(), self.feed_cursor());
        let mut changed = Vec::new();
        match whom {
            Whom::Users(users) => {
                let mut once = HashSet::new();
                for user in users.iter().filter(|user| once.insert(**user)) {
                    changed
                        .push(Changed { user: *user, stamps: tenant.user(*user).presence(next.at).stamps });
                }
            }
            Whom::Everybody => match tenant.feed().since_stamp(cursor.at) {
                Some(recent) => {
                    // A fade that nobody has announced yet is not on the feed.
                    next.at = next.at.min(told.at);
                    let mut once = HashSet::new();
                    let users = recent.iter().map(|change| change.user).filter(|user| once.insert(*user));
                    changed.extend(
                        users
                            .map(|user| Changed { user, stamps: tenant.user(user).presence(next.at).stamps }),
                    );
                }
                None => tenant.users.scan(|user, _, record| {
                    changed.push(Changed { user, stamps: record.presence(next.at).stamps });
                }),
            },
        }
        changed.retain(|changed| stamp.of(changed.stamps) > cursor.at);
        if stamp == Stamp::ChangedAt {
            changed.extend(directory_changes(tenant, cursor.revision, whom, &changed, next.at));
        }
        changed.sort_by_key(|changed| (stamp.of(changed.stamps), changed.user));
        next.at = next.at.max(cursor.at);
        Changes { changed, next }
    }
}

/// Who of `whom` has come to the directory or left it since, but for those who are `told` already.
fn directory_changes(
    tenant: &Tenant,
    since: Revision,
    whom: Whom<'_>,
    told: &[Changed],
    at: Timestamp,
) -> Vec<Changed> {
    let moved = tenant.directory().changed_since(since);
    if moved.is_empty() {
        return Vec::new();
    }
    let told: HashSet<UserId> = told.iter().map(|changed| changed.user).collect();
    let among: Option<HashSet<UserId>> = match whom {
        Whom::Everybody => None,
        Whom::Users(users) => Some(users.iter().copied().collect()),
    };
    let asked =
        |user: &UserId| !told.contains(user) && among.as_ref().is_none_or(|among| among.contains(user));
    let stamps = |user| tenant.user(user).presence(at).stamps;
    moved.into_iter().filter(asked).map(|user| Changed { user, stamps: stamps(user) }).collect()
}

/// What came of one batch of entries: the changes, tenant by tenant, and the newest instant of a write.
#[derive(Default)]
pub(crate) struct Batch {
    changes: Vec<(Arc<Tenant>, Vec<Change>)>,
    newest: Timestamp,
}

impl Batch {
    pub(crate) fn written_at(&mut self, at: Timestamp) {
        self.newest = self.newest.max(at);
    }

    pub(crate) fn newest(&self) -> Timestamp {
        self.newest
    }

    pub(crate) fn add(&mut self, tenant: &Arc<Tenant>, change: Change) {
        match self.changes.iter_mut().find(|(known, _)| known.id() == tenant.id()) {
            Some((_, changes)) => changes.push(change),
            None => self.changes.push((Arc::clone(tenant), vec![change])),
        }
    }

    pub(crate) fn push(self) {
        for (tenant, changes) in self.changes {
            tenant.feed().push(&changes);
        }
    }
}
