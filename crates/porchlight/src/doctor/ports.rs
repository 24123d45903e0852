//! Whether the addresses are free that `serve` is to listen on, or who has them.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use super::finding::Finding;
use super::holder::Holder;
use crate::config::Config;

const CHECK: &str = "ports";

/// An address, and what the configuration calls it.
struct Wanted {
    address: SocketAddr,
    key: &'static str,
}

/// Tries each address, and gives it back at once.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let http = Wanted { address: config.listen, key: "listen" };
    let https = config.https.as_ref().map(|https| Wanted { address: https.listen, key: "https.listen" });
    // By https nobody is asked who they are: whoever serves http beside it will be the same.
    let is_served = Holder::is_porchlight(http.address);
    let wanted = [Some(http), https].into_iter().flatten();
    wanted.map(|wanted| wanted.look(is_served)).collect()
}

impl Wanted {
    fn look(&self, is_served: bool) -> Finding {
        let (address, key) = (self.address, self.key);
        let Err(error) = TcpListener::bind(address) else {
            return Finding::good(CHECK, format!("{address} is free"));
        };
        match error.kind() {
            ErrorKind::AddrInUse if is_served => {
                Finding::good(CHECK, format!("{address} is listened on by a porchlight that runs"))
            }
            ErrorKind::AddrInUse => {
                let holder = Holder::of(address.port());
                Finding::wrong(CHECK, format!("{address} is listened on by {holder}"))
                    .advise(format!("stop that one, or choose another address by {key}"))
            }
            ErrorKind::PermissionDenied => {
                Finding::wrong(CHECK, format!("{address} cannot be listened on: {error}"))
                    .advise(format!("ports below 1024 need CAP_NET_BIND_SERVICE; or choose another by {key}"))
            }
            ErrorKind::AddrNotAvailable => {
                Finding::wrong(CHECK, format!("this machine has no address {}", address.ip()))
                    .advise(format!("name one of its own, or 0.0.0.0 for all of them, by {key}"))
            }
            _ => Finding::wrong(CHECK, format!("{address} cannot be listened on: {error}"))
                .advise(format!("choose another address by {key}")),
        }
    }
}
