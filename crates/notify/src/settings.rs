//! How subscriptions and their telling work.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::Spans;

use crate::egress::{Dialer, Resolver, SystemDialer, SystemResolver};

/// How subscriptions and their telling work.
#[derive(Clone)]
pub struct Settings {
    /// Keep to the original's limits and refusals: the profile `strict`.
    pub strict: bool,
    /// Users in one subscription. More: 400 E11. Default 10,000; 650 under `strict`.
    pub users_max: usize,
    /// Subscriptions of one application for one user. More: 403 E18. Default 100; 1 under `strict`, with 409 E17.
    pub per_owner_max: usize,
    /// The longest life. More: 400 E7. From 1 to 4,320 minutes; default 60 minutes.
    pub lifetime_max: Duration,
    /// How long an endpoint may take to prove itself when a subscription is made. Longer: 400 E21. Default 10 s.
    pub validation_timeout: Duration,
    /// Believe endpoints without a proof. For development alone: whoever is named is told. Default off.
    pub skip_validation: bool,
    /// How long an endpoint may take to answer at first. Longer: told again. Default 3 s.
    pub first_timeout: Duration,
    /// How long it may take when it is told again. Default 10 s.
    pub retry_timeout: Duration,
    /// Requests underway to one endpoint. More: they wait. Default 8.
    pub underway_max: usize,
    /// Items in one request. More: they go with the next. Default 100.
    pub items_max: usize,
    /// Put the presence into plain notifications, too. Default off.
    pub plain_presence: bool,
    /// What requests may go out to.
    pub egress: Egress,
    /// Who collects pieces of work that are traced; `None`: nobody. Default none.
    pub spans: Option<Arc<dyn Spans>>,
}

/// What requests may go out to. Source: subscriptions-and-auth 7.8.
#[derive(Clone)]
pub struct Egress {
    /// Allow `http://`.
    pub http: bool,
    /// Allow loopback addresses.
    pub loopback: bool,
    /// Allow private addresses.
    pub private: bool,
    /// The ports that are allowed; none: every one. Default 443 and 8443.
    pub ports: Vec<u16>,
    /// A PEM file with certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// PEM files with a certificate chain and its key, to show to endpoints that ask for one.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Who turns names into addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Who makes connections.
    pub dialer: Arc<dyn Dialer>,
}

impl Egress {
    /// What development allows: `http://`, loopback and every port.
    pub fn development() -> Egress {
        Egress { http: true, loopback: true, ports: Vec::new(), ..Egress::default() }
    }
}

impl Default for Egress {
    fn default() -> Egress {
        Egress {
            http: false,
            loopback: false,
            private: false,
            ports: vec![443, 8443],
            ca: None,
            client_certificate: None,
            resolver: Arc::new(SystemResolver),
            dialer: Arc::new(SystemDialer),
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            strict: false,
            users_max: 10_000,
            per_owner_max: 100,
            lifetime_max: Duration::from_secs(60 * 60),
            validation_timeout: Duration::from_secs(10),
            skip_validation: false,
            first_timeout: Duration::from_secs(3),
            retry_timeout: Duration::from_secs(10),
            underway_max: 8,
            items_max: 100,
            plain_presence: false,
            egress: Egress::default(),
            spans: None,
        }
    }
}

impl Settings {
    /// The same with the original's limits. Source: subscriptions-and-auth 4.
    #[must_use]
    pub fn into_strict(self) -> Settings {
        let lifetime_max = Duration::from_secs(60 * 60);
        Settings { strict: true, users_max: 650, per_owner_max: 1, lifetime_max, ..self }
    }
}
