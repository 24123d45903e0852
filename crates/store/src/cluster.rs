//! Those who share a log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

/// This process among those that share its log.
pub struct Cluster {
    /// This process; another id at every start.
    pub me: Uuid,
    /// Whoever lives, this process among them, as the log tells; in the order of ids.
    pub nodes: watch::Receiver<Arc<[Node]>>,
    /// Who does what only one may do at a time.
    pub leases: Arc<dyn Leases>,
}

/// A process that shares the log and lives: it was heard of within the last ten seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its id.
    pub id: Uuid,
    /// What its operator calls it.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The newest formats of records that it reads, as one number that grows with every new format.
    pub reads: u16,
    /// How far its clock is ahead of those of the others, in milliseconds; less than zero: behind. The median of five.
    pub skew_ms: i64,
    /// How long what it writes takes to come back to it: how far what it shows lies behind. As it said itself.
    pub lag: Duration,
}

/// Slots: what only one process may do at a time, in equal shares. Who holds a slot renews its lease every other second;
/// a lease that was not renewed for six seconds is taken over.
///
/// Nothing is taken before [`Leases::take`].
pub trait Leases: Send + Sync {
    /// How many slots there are; the same for everybody who shares the log.
    fn slots(&self) -> u16;

    /// Begins to take slots, as many as are this process's share of those that nobody holds.
    fn take(&self);

    /// Whether work for this slot may begin now: it is held, and its lease was renewed within the last four seconds. Costs
    /// some ten nanoseconds.
    fn may_begin(&self, slot: u16) -> bool;

    /// The slots that this process holds, and word of every change.
    fn held(&self) -> watch::Receiver<BTreeSet<u16>>;

    /// Who holds which slot, as far as is known: slot and [`Node::id`].
    fn holders(&self) -> Vec<(u16, Uuid)>;

    /// Gives a slot up, since somebody else does its work as well.
    fn give_up(&self, slot: u16);

    /// Takes no more slots, and gives up all that are held. Blocks until the others can see it, two seconds at most.
    fn release(&self);
}
