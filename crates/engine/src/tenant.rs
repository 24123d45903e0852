//! A tenant: its users' records, its people and its feed.

use porchlight_presence::{TenantId, Timestamp, User, UserId};

use crate::directory::Directory;
use crate::feed::Feed;
use crate::table::Table;

/// Everything of one tenant that is in memory. Nothing here ever refers to another tenant.
#[derive(Debug)]
pub struct Tenant {
    id: TenantId,
    pub(crate) users: Table,
    directory: Directory,
    feed: Feed,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, number: u32, now: Timestamp) -> Tenant {
        Tenant { id, users: Table::new(number), directory: Directory::default(), feed: Feed::new(now) }
    }

    /// The tenant's id.
    pub fn id(&self) -> TenantId {
        self.id
    }

    /// A user's record; that of a user nobody has written for is the default.
    pub fn user(&self, user: UserId) -> User {
        self.users.user(user)
    }

    /// How many users have a record.
    pub fn users_len(&self) -> usize {
        self.users.len()
    }

    /// The people.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What changes.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }
}
