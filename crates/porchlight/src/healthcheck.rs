//! `porchlight healthcheck`: for containers and service managers that run a command to see whether all is well.

use anyhow::anyhow;
use http::{Method, StatusCode};

use crate::client::{AddressFlags, Client};
use crate::exit::{Failure, UNHEALTHY};
use crate::say;

/// Asks the server; says `ready` or fails.
pub(crate) fn run(flags: &AddressFlags) -> Result<(), Failure> {
    ask(flags).map_err(|failure| Failure { code: UNHEALTHY, ..failure })?;
    say("ready");
    Ok(())
}

fn ask(flags: &AddressFlags) -> Result<(), Failure> {
    let client = Client::anonymous(flags)?;
    let answer = client.ask(Method::GET, "/porchlight/health", None)?;
    let host = client.host();
    let said = answer.json().unwrap_or_default();
    match answer.status {
        StatusCode::OK if said["ready"] == true => Ok(()),
        StatusCode::SERVICE_UNAVAILABLE => {
            let why = said["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
            Err(Failure::new(UNHEALTHY, anyhow!("the server on {host} is not ready{why}")))
        }
        _ => Err(Failure::new(UNHEALTHY, anyhow!("what answers on {host} is no porchlight"))),
    }
}
