//! What everybody in a run knows: whose presence it is about, the nodes' doors, the network and the chronicle.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_http::{Api, Development, converse};
use porchlight_notify::Notifier;
use porchlight_presence::{ApplicationId, Fade, Limits, UserId};
use tokio::io::DuplexStream;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::chronicle::Chronicle;
use crate::link::Network;
use crate::receivers::Receivers;
use crate::tagged::{Operation, Tagged};
use crate::watches::Watches;

/// Applications that set presences; each person has sessions of all.
pub(crate) const APPLICATIONS: [ApplicationId; 3] = [
    ApplicationId(Uuid::from_u128(0xa1)),
    ApplicationId(Uuid::from_u128(0xa2)),
    ApplicationId(Uuid::from_u128(0xa3)),
];

/// Writes to one person in a run: the model looks through all of them again and again.
pub(crate) const WRITES_MAX: usize = 50;

/// Everything that is shared.
pub(crate) struct Town {
    pub(crate) development: Development,
    pub(crate) limits: Limits,
    /// Whose presences are set and looked at.
    pub(crate) people: Vec<UserId>,
    /// A door for each node.
    pub(crate) doors: Vec<Door>,
    pub(crate) network: Arc<Network>,
    pub(crate) chronicle: Chronicle,
    pub(crate) receivers: Arc<Receivers>,
    pub(crate) watches: Watches,
}

impl Town {
    /// The name in tokens of a person who uses an application.
    pub(crate) fn token(user: UserId, application: ApplicationId) -> String {
        format!("dev:{user}@{application}:")
    }

    /// A connection to a node; `None`: nobody answers there. What comes by it is done for an operation, if one is named.
    pub(crate) fn knock(&self, node: usize, operation: Option<Operation>) -> Option<DuplexStream> {
        const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));
        let door = self.doors[node].0.lock();
        let inside = door.as_ref()?;
        let (ours, theirs) = self.network.connect(true);
        let api = Arc::clone(&inside.api);
        inside.handle.spawn(Tagged::new(operation, converse(api, PEER, theirs)));
        Some(ours)
    }
}

/// Limits under which much happens within a minute.
pub(crate) fn limits() -> Limits {
    let seconds = Duration::from_secs;
    Limits {
        session_duration_min: seconds(1),
        session_duration_max: seconds(300),
        session_duration_default: seconds(20),
        fade: Some(Fade { inactive_after: seconds(8), away_after: seconds(16) }),
        sessions_max: 4,
        ..Limits::default()
    }
}

/// Where a node is asked, while it runs.
#[derive(Default)]
pub(crate) struct Door(Mutex<Option<Inside>>);

/// What is behind a door.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(crate) api: Arc<Api>,
    pub(crate) notifier: Notifier,
    /// For what is done on the node.
    pub(crate) handle: Handle,
}

impl Door {
    /// From now on the node answers.
    pub(crate) fn open(&self, inside: Inside) {
        *self.0.lock() = Some(inside);
    }

    /// From now on it does not.
    pub(crate) fn close(&self) {
        *self.0.lock() = None;
    }

    /// What is behind it.
    pub(crate) fn inside(&self) -> Option<Inside> {
        self.0.lock().clone()
    }
}
