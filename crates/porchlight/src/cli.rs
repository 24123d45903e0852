//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::https::HttpsListen;

/// A presence server that speaks the Microsoft Graph presence API.
#[derive(Debug, Parser)]
#[command(name = "porchlight", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server.
    Serve(Box<ServeFlags>),
    /// Asks a running server whether it is ready; exit code 0: it is, 1: it is not.
    Healthcheck(HealthcheckFlags),
    /// Asks a running server who is in its cluster; exit code 0: it is ready, 1: it is not.
    Status(StatusFlags),
    /// Looks at a data folder and says what is wrong with it; with --repair it puts it right.
    Doctor(DoctorFlags),
    /// Writes everything that a log holds to a file.
    Backup(BackupFlags),
    /// Fills an empty log with everything that is in a backup.
    Restore(RestoreFlags),
    /// Makes a key for a script or a device, of which the configuration file keeps a hash.
    ApiKey,
    /// Prints a token of a running development server.
    Token(TokenFlags),
    /// Prints how each platform and SDK is told to accept development's https.
    Trust(TrustFlags),
    /// Prints the version.
    Version,
}

/// Every flag can also be given as an environment variable or in the configuration file; the flag wins over the
/// variable, the variable over the file.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeFlags {
    /// Development mode: a demo tenant with a dozen people, tokens like `dev:ada:`, a clock that can be moved.
    #[arg(long, env = "PORCHLIGHT_DEV", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) dev: Option<bool>,
    /// Let development mode listen on an address that others can reach. Whoever reaches it may do anything.
    #[arg(long, env = "PORCHLIGHT_DEV_ALLOW_REMOTE", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) dev_allow_remote: Option<bool>,
    /// In development mode, make subscriptions without asking their endpoints for a proof.
    #[arg(long, env = "PORCHLIGHT_DEV_SKIP_VALIDATION", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) dev_skip_validation: Option<bool>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "PORCHLIGHT_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address and port for https, or `none` [default: in development mode and with a certificate the IP address
    /// of --listen and port 8443, or a free one if that of --listen is]
    #[arg(long, env = "PORCHLIGHT_HTTPS_LISTEN", value_name = "ADDRESS")]
    pub(crate) https_listen: Option<HttpsListen>,
    /// The certificate for https and its chain, in PEM; taken anew whenever it changes [default: in development
    /// mode one that is made at every start]
    #[arg(long, env = "PORCHLIGHT_HTTPS_CERTIFICATE", value_name = "FILE")]
    pub(crate) https_certificate: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    #[arg(long, env = "PORCHLIGHT_HTTPS_KEY", value_name = "FILE")]
    pub(crate) https_key: Option<PathBuf>,
    /// A name or address that development's certificate is for, besides this machine's; may be repeated.
    #[arg(long = "https-name", env = "PORCHLIGHT_HTTPS_NAMES", value_delimiter = ',', value_name = "NAME")]
    pub(crate) https_names: Option<Vec<String>>,
    /// The folder that keeps everything; made if it is not there [default: porchlight-data]
    #[arg(long, env = "PORCHLIGHT_DATA", value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Keep everything in NATS JetStream, together with every other node that is given the same:
    /// `jetstream://HOST:PORT,HOST:PORT/?NAME=VALUE&NAME=VALUE`, see docs/CONFIGURATION.md. What development mode
    /// keeps for itself goes to the folder of --data, if one is given.
    #[arg(long, env = "PORCHLIGHT_LOG_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) log: Option<String>,
    /// What this node is called where nodes are listed [default: the name of this machine]
    #[arg(long, env = "PORCHLIGHT_NODE_NAME", value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// Keep everything in memory and lose it at the end.
    #[arg(long, env = "PORCHLIGHT_EPHEMERAL", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) ephemeral: Option<bool>,
    /// What an answered write survives [default: full]
    #[arg(long, env = "PORCHLIGHT_DURABILITY")]
    pub(crate) durability: Option<DurabilityFlag>,
    /// A YAML file of tenants and people to put into the directory.
    #[arg(long, env = "PORCHLIGHT_SEED", value_name = "FILE")]
    pub(crate) seed: Option<PathBuf>,
    /// How closely to keep to the original [default: open]
    #[arg(long, env = "PORCHLIGHT_PROFILE")]
    pub(crate) profile: Option<ProfileFlag>,
    /// A TOML file with any of these settings and more.
    #[arg(long, env = "PORCHLIGHT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write a log line for every request [default: on in development mode]
    #[arg(long, env = "PORCHLIGHT_ACCESS_LOG", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) access_log: Option<bool>,
    /// How log lines look; they go to standard error [default: text in development mode, else json]
    #[arg(long, env = "PORCHLIGHT_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Threads that serve requests [default: one per core]
    #[arg(long, env = "PORCHLIGHT_THREADS")]
    pub(crate) threads: Option<usize>,
    /// URL under which clients reach the server, when it is not the one they send.
    #[arg(long, env = "PORCHLIGHT_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// An origin that browsers may call from, or `*`; may be repeated [default: * in development mode]
    #[arg(
        long = "cors-origin",
        env = "PORCHLIGHT_CORS_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub(crate) cors_origins: Option<Vec<String>>,
    /// Where a collector takes traces, by OpenTelemetry's protocol over HTTP [default: nothing is traced]
    #[arg(long, env = "PORCHLIGHT_TRACES_ENDPOINT", value_name = "URL")]
    pub(crate) traces_endpoint: Option<String>,
    /// Start although the newest write in the data lies more than five minutes in the future.
    #[arg(long, env = "PORCHLIGHT_ACCEPT_CLOCK", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) accept_clock: Option<bool>,
}

const EXAMPLES: &str = "\
Examples:
  porchlight serve --dev                        on http://127.0.0.1:8080, https://127.0.0.1:8443
  porchlight serve --dev --ephemeral --listen 127.0.0.1:0
  porchlight serve --config /etc/porchlight.toml
  PORCHLIGHT_LISTEN=0.0.0.0:8080 porchlight serve --data /var/lib/porchlight
  porchlight serve --log 'jetstream://nats-1,nats-2,nats-3/?replicas=3'

Log lines go to standard error; PORCHLIGHT_LOG=info,porchlight::write=warn leaves out those of writes.

Exit codes:
  0 done, 64 wrong flag or configuration, 65 data damaged or ahead of the clock, or streams in NATS
  not as they must be, 69 address in use, or NATS not there, 70 internal error, 73 data folder or
  audit file cannot be used, 75 data folder in use by another process";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DurabilityFlag {
    /// The disk has confirmed it: nothing acknowledged is lost, not even when the power fails.
    Full,
    /// The disk confirms every 100 ms. Faster; when the machine (not just the process) dies, the last 100 ms of
    /// acknowledged writes may be gone.
    Relaxed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProfileFlag {
    /// Every valid request of the original works, its needless limits are relaxed.
    Open,
    /// The original's limits and refusals too, for testing clients that will run against it.
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct HealthcheckFlags {
    /// The server to ask; plain http.
    #[arg(long, env = "PORCHLIGHT_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct StatusFlags {
    /// The server to ask; plain http.
    #[arg(long, env = "PORCHLIGHT_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// Print the server's answer as it is, in JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which log is meant: one of the two.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogFlags {
    /// The data folder. No server may be using it [default: porchlight-data]
    #[arg(long, env = "PORCHLIGHT_DATA", value_name = "FOLDER", conflicts_with = "log")]
    pub(crate) data: Option<PathBuf>,
    /// The log in NATS JetStream, as `serve --log` takes it.
    #[arg(long, env = "PORCHLIGHT_LOG_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) log: Option<String>,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(crate) struct BackupFlags {
    /// The file to write, for nobody else to read: there are secrets in it.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) log: LogFlags,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

const BACKUP_EXAMPLES: &str = "\
Examples:
  porchlight backup --data /var/lib/porchlight monday.porchlight
  porchlight backup --log 'jetstream://nats-1,nats-2,nats-3/?replicas=3' monday.porchlight

Exit codes:
  0 done, 64 wrong flag, or the file is there, 65 data damaged, or streams in NATS not as they must
  be, 69 NATS not there, 73 no such log, or the file cannot be written, 75 data folder in use by
  another process";

#[derive(Args, Clone, Debug)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct RestoreFlags {
    /// A file that `porchlight backup` has written.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) log: LogFlags,
}

const RESTORE_EXAMPLES: &str = "\
Examples:
  porchlight restore --data /var/lib/porchlight monday.porchlight
  porchlight restore --log 'jetstream://nats-1,nats-2,nats-3/?replicas=3' monday.porchlight

Exit codes:
  0 done, 64 wrong flag, or no such file, 65 backup damaged, or streams in NATS not as they must be,
  69 NATS not there, 73 the log is not empty, or cannot be written, 75 data folder in use by another
  process";

#[derive(Args, Clone, Debug)]
pub(crate) struct TrustFlags {
    /// The data folder whose development CA is to be trusted.
    #[arg(long, env = "PORCHLIGHT_DATA", default_value = "porchlight-data", value_name = "FOLDER")]
    pub(crate) data: PathBuf,
    /// A running server to fetch the CA from instead, such as one that keeps nothing; plain http.
    #[arg(long)]
    pub(crate) url: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct DoctorFlags {
    /// The data folder to look at. No server may be using it.
    #[arg(long, env = "PORCHLIGHT_DATA", default_value = "porchlight-data", value_name = "FOLDER")]
    pub(crate) data: PathBuf,
    /// Cut off what a crash has torn at the end of the journal, after copying it aside.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Write everything anew, so that the files hold nothing any more of what was overwritten, or deleted more than seven
    /// days ago.
    #[arg(long)]
    pub(crate) compact: bool,
}

/// Whose token, for what and from where.
#[derive(Args, Clone, Debug)]
#[command(after_help = TOKEN_EXAMPLES)]
pub(crate) struct TokenFlags {
    /// The person whom the token is for: an id, a user principal name, or what stands before its @.
    #[arg(long, value_name = "WHO", required_unless_present = "app")]
    pub(crate) user: Option<String>,
    /// The person's permissions, in one argument [default: all that a person can have]
    #[arg(long, value_name = "PERMISSIONS", requires = "user")]
    pub(crate) scp: Option<String>,
    /// The application (client) id; without --user the token is for the application itself [default: the demo
    /// application]
    #[arg(long, value_name = "GUID")]
    pub(crate) app: Option<Uuid>,
    /// The application's permissions, in one argument [default: all that an application can have]
    #[arg(long, value_name = "PERMISSIONS", conflicts_with = "user")]
    pub(crate) role: Option<String>,
    /// How long the token is good for, up to a day: 90s, 30m, 1h, or ISO 8601 such as PT1H.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = life)]
    pub(crate) ttl: Duration,
    /// The server to ask; plain http.
    #[arg(long, env = "PORCHLIGHT_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The data folder of the server to ask, instead of its URL.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
}

const TOKEN_EXAMPLES: &str = "\
Examples:
  porchlight token --user ada
  porchlight token --user ada --scp 'Presence.Read.All Presence.ReadWrite' --ttl 30m
  porchlight token --app 5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21 --role Presence.ReadWrite.All
  curl -H \"Authorization: Bearer $(porchlight token --user ada)\" http://127.0.0.1:8080/v1.0/me

Exit codes:
  0 done, 64 wrong flag or refused by the server, 69 no development server answers";

/// The life of a token: a number with its unit, or ISO 8601.
fn life(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let unit = |letter: char, seconds: u64| {
        let count: u64 = text.strip_suffix(letter)?.parse().ok()?;
        count.checked_mul(seconds).map(Duration::from_secs)
    };
    let short = unit('s', 1).or_else(|| unit('m', 60)).or_else(|| unit('h', 60 * 60));
    let life = match short {
        Some(life) => life,
        None => porchlight_http::parse_duration(text)?,
    };
    if (Duration::from_secs(1)..=DAY).contains(&life) {
        Ok(life)
    } else {
        Err("it must be from 1s to 24h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_token_is_read_in_two_ways() {
        for (text, seconds) in
            [("90s", 90), ("30m", 1_800), ("24h", 86_400), ("PT1H", 3_600), ("P1D", 86_400)]
        {
            assert_eq!(life(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "1", "0s", "25h", "PT25H", "-1h", "1.5h", "99999999999999999999h", "PT0.5S"] {
            assert!(life(text).is_err(), "{text}");
        }
    }
}
