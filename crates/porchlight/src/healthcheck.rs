//! `porchlight healthcheck`: for containers and service managers that run a command to see whether all is well.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::cli::HealthcheckFlags;
use crate::exit::{Failure, UNHEALTHY};
use crate::say;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server; says `ready` or fails.
pub(crate) fn run(flags: &HealthcheckFlags) -> Result<(), Failure> {
    ask(&flags.url).map_err(|cause| Failure::new(UNHEALTHY, cause))?;
    say("ready");
    Ok(())
}

/// A request by hand: one line and two headers need no HTTP library.
fn ask(url: &str) -> anyhow::Result<()> {
    let host = url.strip_prefix("http://").ok_or_else(|| anyhow!("the url must begin with http://"))?;
    let host = host.split('/').next().unwrap_or(host);
    let authority = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = authority.to_socket_addrs().context("cannot resolve the host")?.next();
    let address = address.ok_or_else(|| anyhow!("the host {host} has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("no server answers on {host}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET /porchlight/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).context("the server does not answer")?;
    match answer.split_whitespace().nth(1) {
        Some("200") if answer.contains("\"ready\":true") => Ok(()),
        Some("503") => bail!("the server on {host} is not ready"),
        _ => bail!("what answers on {host} is no porchlight"),
    }
}
