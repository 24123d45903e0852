//! The command line. What belongs to one family of commands is in `cli/`.

mod client;
mod serve;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use uuid::Uuid;

pub(crate) use self::client::{
    ClearFlags, DeliveriesFlags, EndFlags, ExplainFlags, GetFlags, LimitsFlags, OutOfOfficeFlags,
    PreferFlags, SetFlags, StatusMessageFlags, SubscriptionsCommand, SubscriptionsFlags, UsersFlags,
    WatchFlags,
};
pub(crate) use self::serve::{DurabilityFlag, LogFormat, ProfileFlag, ServeFlags};
use crate::client::AddressFlags;
use crate::commands::when;
use crate::completions::CompletionsFlags;
use crate::config::command::ConfigFlags;
use crate::doctor::DoctorFlags;
use crate::import::ImportFlags;

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
    Healthcheck(AddressFlags),
    /// Asks a running server who is in its cluster; exit code 0: it is ready, 1: it is not.
    Status(StatusFlags),
    /// Shows what people's presence is now.
    Get(GetFlags),
    /// Reports what an application sees somebody do: a session of the presence.
    Set(SetFlags),
    /// Ends a session before its time.
    Clear(ClearFlags),
    /// Chooses what is shown instead of what applications report.
    Prefer(PreferFlags),
    /// Writes a status message, or takes it back.
    StatusMessage(StatusMessageFlags),
    /// Says that one is out of office, or back again.
    OutOfOffice(OutOfOfficeFlags),
    /// Follows people's presence live.
    Watch(WatchFlags),
    /// Shows why a presence is what it is, and what happens next.
    Explain(ExplainFlags),
    /// Shows who is in the directory.
    Users(UsersFlags),
    /// Shows whom webhooks tell, or ends a subscription.
    Subscriptions(SubscriptionsFlags),
    /// Shows what became of the newest attempts to tell a subscription.
    Deliveries(DeliveriesFlags),
    /// Shows the limits of a server.
    Limits(LimitsFlags),
    /// Says what is wrong with a set-up, and what to do; with --repair it puts a data folder right.
    Doctor(DoctorFlags),
    /// Writes a configuration file to begin with, or says whether `serve` would take one.
    Config(ConfigFlags),
    /// Writes everything that a log holds to a file.
    Backup(BackupFlags),
    /// Fills an empty log with everything that is in a backup.
    Restore(RestoreFlags),
    /// Puts the people of a CSV file into a running server, and changes those who differ.
    Import(ImportFlags),
    /// Makes a key for a script or a device, of which the configuration file keeps a hash.
    ApiKey,
    /// Prints a token of a running development server.
    Token(TokenFlags),
    /// Prints how each platform and SDK is told to accept development's https.
    Trust(TrustFlags),
    /// Prints what makes a shell complete commands and flags.
    Completions(CompletionsFlags),
    /// Prints the version.
    Version,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct StatusFlags {
    #[command(flatten)]
    pub(crate) address: AddressFlags,
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
    #[command(flatten)]
    pub(crate) address: AddressFlags,
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
    let life = when::duration(text)?;
    if (Duration::from_secs(1)..=DAY).contains(&life) {
        Ok(life)
    } else {
        Err("it must be from 1s to 24h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_two_flags_of_a_command_have_the_same_name() {
        Cli::command().debug_assert();
    }

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
