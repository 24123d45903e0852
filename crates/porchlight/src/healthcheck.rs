//! `porchlight healthcheck`: for containers and service managers that run a command to see whether all is well.

use anyhow::bail;

use crate::cli::HealthcheckFlags;
use crate::exit::{Failure, UNHEALTHY};
use crate::request::Server;
use crate::say;

/// Asks the server; says `ready` or fails.
pub(crate) fn run(flags: &HealthcheckFlags) -> Result<(), Failure> {
    ask(&flags.url).map_err(|cause| Failure::new(UNHEALTHY, cause))?;
    say("ready");
    Ok(())
}

fn ask(url: &str) -> anyhow::Result<()> {
    let server = Server::at(url)?;
    let answer = server.get("/porchlight/health")?;
    match answer.status {
        Some(200) if answer.body.contains("\"ready\":true") => Ok(()),
        Some(503) => bail!("the server on {} is not ready{}", server.host, answer.reason()),
        _ => bail!("what answers on {} is no porchlight", server.host),
    }
}
