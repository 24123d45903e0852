//! How a log in JetStream is to be run.

use std::path::PathBuf;
use std::time::Duration;

/// Where the log is and how it is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JetStreamOptions {
    /// Servers of NATS, each as `host:port`; those that they name are used, too.
    pub servers: Vec<String>,
    /// Speak TLS, and nothing else.
    pub tls: bool,
    /// A PEM file of authorities to trust instead of the system's.
    pub authority: Option<PathBuf>,
    /// PEM files of a certificate chain and its key to show to the servers.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// A credentials file, as NATS's tools write it.
    pub credentials: Option<PathBuf>,
    /// User and password.
    pub user: Option<(String, String)>,
    /// What the names of all streams and subjects begin with: 1 to 32 of `A-Z`, `a-z`, `0-9`, `_` and `-`. Default
    /// `porchlight`.
    pub prefix: String,
    /// Over how many streams the log is spread, 1 to 256. Default 16. The number is the log's for good.
    pub cells: u16,
    /// How many servers keep each stream: 1, 3 or 5. Default 1.
    pub replicas: usize,
    /// Appends that may wait, at least 1; one more is answered [`AppendError::Busy`](crate::AppendError::Busy). Default
    /// 16,384.
    pub waiting_max: usize,
    /// What the operator calls this process.
    pub node: String,
    /// Make the log if there is none. Default true.
    pub create: bool,
    /// How long to wait for servers that do not answer when the log is opened. Default 30 s.
    pub patience: Duration,
}

impl Default for JetStreamOptions {
    fn default() -> JetStreamOptions {
        JetStreamOptions {
            servers: vec!["127.0.0.1:4222".to_owned()],
            tls: false,
            authority: None,
            client_certificate: None,
            credentials: None,
            user: None,
            prefix: "porchlight".to_owned(),
            cells: 16,
            replicas: 1,
            waiting_max: 16_384,
            node: String::new(),
            create: true,
            patience: Duration::from_secs(30),
        }
    }
}
