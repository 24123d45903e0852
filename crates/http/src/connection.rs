//! What is known of a connection while it lasts.

use std::net::IpAddr;

use crate::auth::LastCaller;
use crate::last_base::LastBase;

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Who is at the other end of it; a proxy, where there is one.
    pub(crate) peer: IpAddr,
    /// Whether TLS is spoken on it.
    pub(crate) secure: bool,
    pub(crate) last_caller: LastCaller,
    pub(crate) last_base: LastBase,
}

impl Connection {
    pub(crate) fn new(peer: IpAddr, secure: bool) -> Connection {
        Connection { peer, secure, last_caller: LastCaller::default(), last_base: LastBase::default() }
    }
}
