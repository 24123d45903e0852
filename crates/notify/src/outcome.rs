//! What came of one request to an endpoint.

/// What came of one request to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered with this status.
    Status(u16),
    /// It did not answer in time.
    Timeout,
    /// Its name could not be resolved.
    Name,
    /// Its name means an address that the egress policy refuses.
    Address,
    /// No connection came about, or it broke.
    Connection,
    /// TLS was not agreed upon, or its certificate is not trusted.
    Tls,
    /// A fault that was asked for, in development.
    Fault,
}

impl Outcome {
    /// Whether it has taken what it was sent.
    pub fn is_delivered(self) -> bool {
        matches!(self, Outcome::Status(200..300))
    }

    /// Whether it says that nobody is there. Source: subscriptions-and-auth 17.3.
    pub(crate) fn is_gone(self) -> bool {
        matches!(self, Outcome::Status(404 | 410))
    }

    /// Its status, if it has answered.
    pub fn status(self) -> Option<u16> {
        match self {
            Outcome::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Why it was no success, in a word: `status`, `timeout`, `name`, `address`, `connection`, `tls` or `fault`.
    pub fn class(self) -> Option<&'static str> {
        Some(match self {
            Outcome::Status(200..300) => return None,
            Outcome::Status(_) => "status",
            Outcome::Timeout => "timeout",
            Outcome::Name => "name",
            Outcome::Address => "address",
            Outcome::Connection => "connection",
            Outcome::Tls => "tls",
            Outcome::Fault => "fault",
        })
    }
}
