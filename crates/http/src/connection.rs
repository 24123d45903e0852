//! What is known of a connection while it lasts.

use std::net::IpAddr;

use crate::auth::LastCaller;
use crate::last_base::LastBase;

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Who is at the other end of it; a proxy, where there is one.
    pub(crate) peer: IpAddr,
    pub(crate) last_caller: LastCaller,
    pub(crate) last_base: LastBase,
}

impl Connection {
    pub(crate) fn from(peer: IpAddr) -> Connection {
        Connection { peer, last_caller: LastCaller::default(), last_base: LastBase::default() }
    }
}
