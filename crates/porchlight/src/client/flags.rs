//! The flags that say which server is meant, and as whom it is asked.

use std::io::BufRead;
use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;

/// The variable that a token may stand in.
const TOKEN_VARIABLE: &str = "PORCHLIGHT_TOKEN";

/// Which server.
#[derive(Args, Clone, Debug)]
pub(crate) struct AddressFlags {
    /// The server to ask, by http or https; /v1.0 or /beta may stand at its end.
    #[arg(long, env = "PORCHLIGHT_URL", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The data folder of the development server to ask, instead of its URL.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Certificates to trust beside the system's, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// Which server, as whom, and how the answer is shown.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerFlags {
    #[command(flatten)]
    pub(crate) address: AddressFlags,
    /// The access token to send; `-` reads it from standard input [default: that in `PORCHLIGHT_TOKEN`]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Ask a development server as this person, without a token: an id, a user principal name, or what stands before
    /// its @
    #[arg(id = "as", long = "as", value_name = "WHO", conflicts_with = "token")]
    pub(crate) who: Option<String>,
    /// Print JSON as the API answers it.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ServerFlags {
    /// The token that is sent to `host`.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] when there is none.
    pub(super) fn token(&self, host: &str, is_here: bool) -> Result<String, Failure> {
        if let Some(who) = &self.who {
            return Ok(format!("dev:{who}:"));
        }
        let given = self.token.clone().or_else(|| std::env::var(TOKEN_VARIABLE).ok());
        let token = match given.as_deref().map(str::trim) {
            Some("-") => first_line()?,
            Some(token) => token.to_owned(),
            None => String::new(),
        };
        if !token.is_empty() {
            return Ok(token);
        }
        let how = format!("give an access token by --token or in {TOKEN_VARIABLE}");
        Err(Failure::usage(if is_here {
            format!("{host} wants to know who asks: for a development server add --as ada, or {how}")
        } else {
            format!("{host} wants to know who asks: {how}")
        }))
    }
}

/// The first line of standard input.
fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|cause| Failure::usage(format!("cannot read a token from standard input: {cause}")))?;
    Ok(line.trim().to_owned())
}
