//! NATS servers that are one.

use super::builder::{ATTEMPTS, NatsBuilder, Ports};
use super::process::StartError;
use super::server::Nats;
use crate::Proxy;

/// NATS servers with routes to one another.
pub struct NatsCluster {
    servers: Vec<Nats>,
}

impl NatsCluster {
    /// As many servers, once they have a leader; they have everything on disk before they acknowledge it.
    ///
    /// # Panics
    ///
    /// When they do not start.
    pub fn start(size: usize) -> NatsCluster {
        Nats::builder().start_cluster(size)
    }

    /// As many servers of this kind, once they have a leader.
    pub(super) fn of(builder: &NatsBuilder, size: usize) -> NatsCluster {
        for _ in 0..ATTEMPTS {
            match NatsCluster::try_start(builder, size) {
                Ok(cluster) => {
                    cluster.settle();
                    return cluster;
                }
                Err(StartError::PortTaken) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("{}", StartError::PortTaken);
    }

    fn try_start(builder: &NatsBuilder, size: usize) -> Result<NatsCluster, StartError> {
        let ports: Vec<Ports> = (0..size).map(|_| Ports::free()).collect();
        let routes: Vec<u16> = ports.iter().map(|ports| ports.routes).collect();
        let start = |(number, &ports)| builder.start_on(ports, &format!("server-{number}"), &routes);
        let servers: Result<Vec<Nats>, StartError> = ports.iter().enumerate().map(start).collect();
        Ok(NatsCluster { servers: servers? })
    }

    /// The servers, each to be killed, paused or restarted.
    pub fn servers(&self) -> &[Nats] {
        &self.servers
    }

    /// `127.0.0.1:port` of each, where clients connect to.
    pub fn addresses(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.address().to_string()).collect()
    }

    /// A new way to each of them, in their order: the network of one client, to be broken on demand.
    pub fn proxied(&self) -> Vec<Proxy> {
        self.servers.iter().map(Nats::proxied).collect()
    }

    /// Waits until all that run have whatever JetStream keeps, and know a leader.
    ///
    /// # Panics
    ///
    /// When that takes more than 30 s.
    pub fn settle(&self) {
        self.servers.iter().for_each(Nats::settle);
    }
}
