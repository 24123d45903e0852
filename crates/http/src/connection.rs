//! What is known of a connection while it lasts.

use std::net::IpAddr;

use crate::auth::LastCaller;

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Who is at the other end of it; a proxy, where there is one.
    pub(crate) peer: IpAddr,
    pub(crate) last_caller: LastCaller,
}

impl Connection {
    pub(crate) fn from(peer: IpAddr) -> Connection {
        Connection { peer, last_caller: LastCaller::default() }
    }
}
