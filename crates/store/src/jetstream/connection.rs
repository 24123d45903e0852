//! The connection to NATS.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use tokio::time::Instant;

use super::{JetStreamError, JetStreamOptions};

/// The oldest version of NATS that will do.
const OLDEST: (u32, u32) = (2, 12);

/// How often a server is asked for a sign of life; one that misses two is left for another.
const PING: Duration = Duration::from_secs(2);

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// How long NATS may take to answer a question; an append is sent again after that.
const ANSWER: Duration = Duration::from_secs(2);

/// How many appends are on their way at the same time; more wait.
const UNDERWAY: usize = 4096;

/// Connects, and waits as long as the options say for servers that do not answer.
pub(super) async fn open(options: &JetStreamOptions) -> Result<(Client, jetstream::Context), JetStreamError> {
    let client = connect(options).await?;
    let version = client.server_info().version;
    if !is_new_enough(&version) {
        return Err(JetStreamError::TooOld { version });
    }
    let context = jetstream::context::ContextBuilder::new()
        .timeout(ANSWER)
        .max_ack_inflight(UNDERWAY)
        .backpressure_on_inflight(true)
        .build(client.clone());
    wait_for_jetstream(&context, options).await?;
    Ok((client, context))
}

async fn connect(options: &JetStreamOptions) -> Result<Client, JetStreamError> {
    let since = Instant::now();
    let mut said = String::new();
    loop {
        let error = match connect_options(options).await?.connect(&options.servers).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let cause = with_cause(&error);
        if let Some(remedy) = remedy(&error) {
            return Err(JetStreamError::Refused(format!("{cause}; {remedy}")));
        }
        if since.elapsed() >= options.patience {
            return Err(JetStreamError::Unreachable { servers: options.servers.join(", "), cause });
        }
        // Once for every cause, not for every attempt.
        if cause != said {
            tracing::info!(servers = options.servers.join(","), cause, "waiting for NATS");
            said = cause;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What to look at where it is of no use to try again.
fn remedy(error: &ConnectError) -> Option<&'static str> {
    const USER: &str = "check USER:PASSWORD and credentials";
    const TLS: &str = "check ca, certificate and key, and whether the servers speak TLS";
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => Some(USER),
        ConnectErrorKind::Tls => Some(TLS),
        ConnectErrorKind::ServerParse => Some("check how the servers are written"),
        // What TLS does not agree to comes as this.
        ConnectErrorKind::Io => {
            let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
            cause.is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData).then_some(TLS)
        }
        _ => None,
    }
}

async fn connect_options(options: &JetStreamOptions) -> Result<ConnectOptions, JetStreamError> {
    let mut connect = ConnectOptions::new()
        .name(format!("porchlight {}", options.node))
        .ping_interval(PING)
        .connection_timeout(CONNECT)
        .request_timeout(Some(ANSWER))
        .reconnect_delay_callback(|attempt| Duration::from_millis(100 * attempt.min(10) as u64))
        .event_callback(|event| async move { note(&event) })
        .require_tls(options.tls);
    if let Some(authority) = &options.authority {
        connect = connect.add_root_certificates(readable("ca", authority)?).require_tls(true);
    }
    if let Some((chain, key)) = &options.client_certificate {
        let (chain, key) = (readable("certificate", chain)?, readable("key", key)?);
        connect = connect.add_client_certificate(chain, key).require_tls(true);
    }
    if let Some((user, password)) = &options.user {
        connect = connect.user_and_password(user.clone(), password.clone());
    }
    if let Some(file) = &options.credentials {
        let unusable = |error| {
            JetStreamError::File(format!("the credentials file {} cannot be used: {error}", file.display()))
        };
        connect = connect.credentials_file(file).await.map_err(unusable)?;
    }
    Ok(connect)
}

/// A file of TLS. The client of NATS does not say which one it is that it cannot read.
fn readable(what: &str, file: &Path) -> Result<PathBuf, JetStreamError> {
    match File::open(file) {
        Ok(_) => Ok(file.to_owned()),
        Err(error) => {
            Err(JetStreamError::File(format!("the {what} file {} cannot be used: {error}", file.display())))
        }
    }
}

/// A cluster of servers that has just started has no leader yet.
async fn wait_for_jetstream(
    context: &jetstream::Context,
    options: &JetStreamOptions,
) -> Result<(), JetStreamError> {
    let since = Instant::now();
    loop {
        let Err(error) = context.query_account().await else { return Ok(()) };
        let is_off = matches!(
            error.kind(),
            jetstream::context::AccountErrorKind::JetStream(ref cause)
                if [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT]
                    .contains(&cause.error_code())
        );
        if is_off || since.elapsed() >= options.patience {
            return Err(JetStreamError::NoJetStream(with_cause(&error)));
        }
        tracing::info!(%error, "waiting for JetStream");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Asks again what NATS does not answer, as long as the options say: the streams of servers that have just started
/// have no leaders yet.
///
/// # Errors
///
/// The last [`JetStreamError::Nats`]; any other at once.
pub(super) async fn patiently<T>(
    options: &JetStreamOptions,
    ask: impl AsyncFn() -> Result<T, JetStreamError>,
) -> Result<T, JetStreamError> {
    let since = Instant::now();
    let mut said = String::new();
    loop {
        let cause = match ask().await {
            Err(JetStreamError::Nats(cause)) if since.elapsed() < options.patience => cause,
            result => return result,
        };
        if cause != said {
            tracing::info!(cause, "waiting for the streams");
            said = cause;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}

fn note(event: &Event) {
    match event {
        Event::Connected | Event::Draining | Event::Closed => tracing::info!(%event, "NATS"),
        event => tracing::warn!(%event, "NATS"),
    }
}

/// The error and what has caused it.
fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_2_12_are_too_old() {
        for (version, enough) in
            [("2.12.0", true), ("2.15.1", true), ("3.0.0-beta.1", true), ("2.11.9", false), ("", false)]
        {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }
}
