//! The flags of `porchlight serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, FromArgMatches, ValueEnum};

use crate::exit::Failure;
use crate::https::HttpsListen;

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

impl ServeFlags {
    /// What the variables of the environment say, as `serve` without a flag takes it.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for a value that is of no use.
    pub(crate) fn of_environment() -> Result<ServeFlags, Failure> {
        let command = ServeFlags::augment_args(clap::Command::new("serve")).no_binary_name(true);
        let flags = command.try_get_matches_from(std::iter::empty::<&str>());
        flags.and_then(|flags| ServeFlags::from_arg_matches(&flags)).map_err(|error| {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default();
            Failure::usage(format!("the environment: {}", first.trim_start_matches("error: ")))
        })
    }
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
