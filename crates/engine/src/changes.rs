//! What changed since then: a query, not a queue.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use porchlight_presence::{Stamps, TenantId, Timestamp, User, UserId};
use porchlight_store::{LogId, Revision};

use crate::engine::Engine;
use crate::feed::Change;
use crate::state::State;
use crate::tenant::Tenant;

/// How long it is known who was deleted.
pub const DELETED_KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How far back of a cursor's instant a change may be stamped that comes only after the cursor, in a cluster: for that
/// long a write may be on its way, from a node whose clock runs behind. Source: design 1.
const LATE: Duration = Duration::from_secs(60);

/// A point in the history of a tenant: everything that its records up to `revision` showed up to `at` has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose revisions these are.
    pub log: LogId,
    /// The newest record of the tenant that was considered.
    pub revision: Revision,
    /// The instant up to which it was.
    pub at: Timestamp,
}

impl Cursor {
    /// The later of two of one log; this one, if neither is.
    ///
    /// Never the instant of one with the revision of the other: a cursor that is ahead of this node's time says
    /// nothing of records that came after it, and those may still fade before that instant.
    #[must_use]
    pub fn later(self, other: Cursor) -> Cursor {
        if other.at > self.at { other } else { self }
    }
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
    /// Whether the view has changed; otherwise the person has come to the directory or left it, and nothing else.
    pub shows: bool,
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
    ///
    /// In a cluster it may be another node's, whose clock is a little ahead, and whose revision reads show only once
    /// [`Engine::reach`] says so.
    pub fn can_go_on_from(&self, tenant: &Tenant, cursor: Cursor) -> bool {
        let now = self.now();
        cursor.log == self.log_id()
            && cursor.revision >= tenant.begun_anew()
            && cursor.at <= now.plus(self.late())
            && now.since(cursor.at) < DELETED_KNOWN_FOR
    }

    /// The cursor of now: whoever has seen everything of the tenant as it is goes on from here.
    ///
    /// It lies one millisecond back, so that a write that begins in this very millisecond is later than it.
    pub fn cursor(&self, tenant: &Tenant) -> Cursor {
        let at = self.now().minus(Duration::from_millis(1));
        Cursor { log: self.log_id(), revision: tenant.applied(), at }
    }

    /// The cursor of who has been told everything that is on the tenant's feed, if the feed is looked at after asking
    /// this: what is not on it yet is later.
    pub fn feed_cursor(&self, tenant: &Tenant) -> Cursor {
        let cursor = self.cursor(tenant);
        Cursor { at: cursor.at.min(self.state.announced_through()), ..cursor }
    }

    /// Where to go on instead of from a cursor that lies ahead of time, as one does that was kept before a
    /// start with the clock set back: what comes now is stamped before it, and would count as told. Any other
    /// cursor is given back as it is.
    ///
    /// It is now, or just before the first record of a later revision: that was written since such a start,
    /// perhaps by a process before this one. Fades between now and the cursor's instant are told again, with
    /// the stamps that they had. It may look at every record, like [`Engine::changes_since`].
    #[must_use]
    pub fn not_ahead(&self, tenant: &Tenant, cursor: Cursor) -> Cursor {
        // Without the ceiling: a node that was cut off stands still, and what others have told meanwhile is
        // not ahead.
        let time = self.state.in_flight.engine_time(&self.state.clock);
        if cursor.at <= time.plus(self.late()) {
            return cursor;
        }
        let mut first = self.now();
        if tenant.applied() > cursor.revision {
            tenant.users.scan(|_, revision, record| {
                if revision > cursor.revision {
                    first = first.min(record.as_of());
                }
            });
        }
        Cursor { at: first.minus(Duration::from_millis(1)), ..cursor }
    }

    /// Whether there is news of a user since the cursor: another view at `now`, or that they have come to the directory
    /// or left it.
    pub fn has_changed(&self, tenant: &Tenant, user: UserId, since: Cursor, now: Timestamp) -> bool {
        let stamp = tenant.view(user, now).show(now, |seen| seen.stamps.changed_at);
        let shows_more =
            self.is_news(tenant, user, since, stamp) && !self.was_shown(tenant, user, since, stamp);
        shows_more || tenant.directory().written(user) > since.revision
    }

    /// Whether the tenant's feed still knows everything that may be news since the cursor.
    pub fn knows_since(&self, tenant: &Tenant, since: Cursor) -> bool {
        tenant.feed().knows_since(since.at, since.revision, self.late())
    }

    /// What is on the tenant's feed that may be news since the cursor, in order; `None` if the feed no longer knows all
    /// of it.
    pub fn recent(&self, tenant: &Tenant, since: Cursor) -> Option<Vec<Change>> {
        tenant.feed().since(since.at, since.revision, self.late())
    }

    /// Whether what a user shows with this stamp is news to who has been told everything up to the cursor.
    ///
    /// In a cluster that is also what a write of before the cursor's instant shows which came only after it. With a log
    /// of one process there is no such write: it would have been on its way, and held back engine time, when the cursor
    /// was made. So there the revision says nothing, and a keep-alive, which moves it and nothing else, is no news.
    fn is_news(&self, tenant: &Tenant, user: UserId, since: Cursor, stamp: Timestamp) -> bool {
        stamp > since.at
            || stamp > since.at.minus(self.late()) && tenant.users.revision(user) > since.revision
    }

    /// Whether a user showed what has this stamp at the cursor's instant already: in a cluster a write may be stamped
    /// some seconds ahead of its time, and would be news for as long otherwise.
    fn was_shown(&self, tenant: &Tenant, user: UserId, since: Cursor, stamp: Timestamp) -> bool {
        if self.cluster.is_none() {
            return false;
        }
        let (record, revision, _) = tenant.users.to_write(user);
        revision <= since.revision
            && record.as_of() <= since.at
            && record.presence(since.at).stamps.changed_at == stamp
    }

    /// How far back of a cursor's instant a change may be stamped that comes only after the cursor: nothing with a log of one
    /// process, where a write on its way holds back engine time.
    pub fn late(&self) -> Duration {
        if self.cluster.is_some() { LATE } else { Duration::ZERO }
    }

    /// Who of `whom` has changed since `cursor`, by `stamp`; by [`Stamp::ChangedAt`] also who has come to the directory
    /// or left it.
    ///
    /// What is recent comes from the feed; for an older cursor every record of the tenant is looked at, a slice at a
    /// time. That takes a fraction of a microsecond a user: call it off the threads that serve requests.
    pub fn changes_since(&self, tenant: &Tenant, cursor: Cursor, whom: Whom<'_>, stamp: Stamp) -> Changes {
        // Of this node alone: another one may have shown more by the cursor asked with.
        let (mut next, told) = (self.cursor(tenant), self.feed_cursor(tenant));
        // Not the instant of the cursor, which lies back: who asks may have been woken by a fade of this millisecond, and
        // have read of it on the feed already. It is told now, or nobody tells it.
        let now = self.now();
        let mut changed = Vec::new();
        let seen =
            |user: UserId, record: &User| Changed { user, stamps: record.presence(now).stamps, shows: true };
        match whom {
            Whom::Users(users) => {
                let mut once = HashSet::new();
                let users = users.iter().copied().filter(|user| once.insert(*user));
                changed.extend(users.map(|user| seen(user, &tenant.user(user))));
            }
            Whom::Everybody => match self.recent(tenant, cursor) {
                Some(recent) => {
                    // A fade that nobody has announced yet is not on the feed.
                    next.at = next.at.min(told.at);
                    let mut once = HashSet::new();
                    let users = recent.iter().map(|change| change.user).filter(|user| once.insert(*user));
                    changed.extend(users.map(|user| seen(user, &tenant.user(user))));
                }
                None => tenant.users.scan(|user, _, record| changed.push(seen(user, record))),
            },
        }
        changed.retain(|changed| self.is_news(tenant, changed.user, cursor, stamp.of(changed.stamps)));
        if stamp == Stamp::ChangedAt {
            changed.extend(directory_changes(tenant, cursor.revision, whom, &changed, now));
        }
        changed.sort_by_key(|changed| (stamp.of(changed.stamps), changed.user));
        Changes { changed, next: next.later(cursor) }
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
    moved.into_iter().filter(asked).map(|user| Changed { user, stamps: stamps(user), shows: false }).collect()
}

/// What came of one batch of entries, tenant by tenant, and the newest instant of a write.
#[derive(Default)]
pub(crate) struct Batch {
    tenants: Vec<OfTenant>,
    newest: Timestamp,
}

/// What came of it for one tenant.
pub(crate) struct OfTenant {
    pub(crate) tenant: Arc<Tenant>,
    /// What goes on its feed.
    pub(crate) changes: Vec<Change>,
    /// The newest entry.
    revision: Revision,
}

impl Batch {
    pub(crate) fn written_at(&mut self, at: Timestamp) {
        self.newest = self.newest.max(at);
    }

    pub(crate) fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Where what comes of an entry of this revision goes, which is the tenant's.
    pub(crate) fn of(&mut self, state: &State, tenant: TenantId, revision: Revision) -> &mut OfTenant {
        // Nearly always the last one, or one of a few.
        let known = self.tenants.iter().rposition(|of| of.tenant.id() == tenant);
        let known = known.unwrap_or_else(|| {
            let (tenant, changes) = (state.tenant_or_new(tenant), Vec::new());
            self.tenants.push(OfTenant { tenant, changes, revision: Revision::NONE });
            self.tenants.len() - 1
        });
        let of = &mut self.tenants[known];
        of.revision = of.revision.max(revision);
        of
    }

    /// Puts the changes on the feeds, and then lets those go on who wait for a revision.
    pub(crate) fn push(self) {
        for OfTenant { tenant, changes, revision } in self.tenants {
            if !changes.is_empty() {
                tenant.feed().push(&changes);
            }
            tenant.has_applied(revision);
        }
    }
}
