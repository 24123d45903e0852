//! Exit codes, after BSD's `sysexits.h`, and the failures that end in them.

use porchlight_store::JetStreamError;

/// Done.
pub(crate) const OK: u8 = 0;
/// `healthcheck`, `status`: the server does not answer, or says that it is not ready; `doctor`: something is wrong.
pub(crate) const UNHEALTHY: u8 = 1;
/// A wrong flag, environment variable or configuration file; the server refuses what it was asked for.
pub(crate) const USAGE: u8 = 64;
/// The data cannot be read: damaged, written by a newer program, or ahead of the clock; or the streams in NATS are not as
/// they must be; or a file to import has wrong rows.
pub(crate) const DATA: u8 = 65;
/// What is asked for is not there: no such person, session or subscription.
pub(crate) const NO_SUCH: u8 = 66;
/// The address cannot be listened on; NATS does not answer or does not want us; the server that is asked does not answer,
/// or cannot now.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Something that should not happen.
pub(crate) const INTERNAL: u8 = 70;
/// The data folder, the audit file or the file of a backup cannot be made or written, or is not one; what is to be backed
/// up is not there; what is to be restored into is not empty.
pub(crate) const CANNOT_CREATE: u8 = 73;
/// Another process uses the data folder: try again when it has stopped.
pub(crate) const IN_USE: u8 = 75;
/// The server does not let us: no good token, or not the permission.
pub(crate) const NOT_PERMITTED: u8 = 77;

/// Why the program ends, and with which code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) cause: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(code: u8, cause: impl Into<anyhow::Error>) -> Failure {
        Failure { code, cause: cause.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(USAGE, anyhow::Error::msg(message.into()))
    }
}

/// What the engine asks of whoever opens its log.
impl std::error::Error for Failure {}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.cause)
    }
}

impl From<JetStreamError> for Failure {
    fn from(error: JetStreamError) -> Failure {
        let code = match &error {
            JetStreamError::WrongShape { .. }
            | JetStreamError::OtherCells { .. }
            | JetStreamError::Unreadable { .. } => DATA,
            JetStreamError::Missing { .. } => CANNOT_CREATE,
            JetStreamError::File(_) => USAGE,
            JetStreamError::Thread(_) => INTERNAL,
            _ => UNAVAILABLE,
        };
        Failure::new(code, error)
    }
}

impl From<porchlight_store::OpenError> for Failure {
    fn from(error: porchlight_store::OpenError) -> Failure {
        use porchlight_store::OpenError;
        let code = match &error {
            OpenError::NotWritable { .. } | OpenError::Foreign { .. } | OpenError::Missing { .. } => {
                CANNOT_CREATE
            }
            OpenError::InUse { .. } => IN_USE,
            _ => DATA,
        };
        Failure::new(code, error)
    }
}
