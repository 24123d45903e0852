//! The flags of the commands that ask a server on somebody's behalf.

use std::time::Duration;

use clap::{Args, Subcommand};
use porchlight_presence::Pair;
use uuid::Uuid;

use crate::client::{AddressFlags, ServerFlags};
use crate::commands::pair::PairParser;
use crate::commands::when::{self, Until};

/// The exit codes of all of them.
macro_rules! examples {
    ($($line:literal)*) => {
        concat!(
            "Examples:\n",
            $("  ", $line, "\n",)*
            "\n",
            "Exit codes:\n",
            "  0 done, 64 wrong flag, or refused as wrong, 66 no such person, session or subscription,\n",
            "  69 the server does not answer, or cannot now, 77 no good token, or not the permission",
        )
    };
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight get --as ada                      one's own"
    "porchlight get ada ben grace@porchlight.example --as ada"
    "porchlight get ada --json --as ben | jq -r '.[].availability'"
    "porchlight get --url https://graph.microsoft.com/v1.0 --token - < token.txt"
))]
pub(crate) struct GetFlags {
    /// Whose presence: ids, user principal names, or what stands before their @ [default: one's own]
    pub(crate) who: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight set busy/in-a-call --for 1h --as ada"
    "porchlight set available --as ada            for five minutes, unless the server says otherwise"
    "porchlight set away --user ben --token - < token     with an application's token"
))]
pub(crate) struct SetFlags {
    /// What to set, in any case, with spaces or dashes; one half is enough where the other follows.
    #[arg(value_name = "AVAILABILITY[/ACTIVITY]", value_parser = PairParser::SESSION)]
    pub(crate) pair: Pair,
    /// How long the session is to live: 30m, 1h30m, or ISO 8601 such as PT1H [default: what the server says]
    #[arg(long = "for", value_name = "DURATION", value_parser = when::duration)]
    pub(crate) life: Option<Duration>,
    /// The session [default: the id of the application that the token was issued to]
    #[arg(long, value_name = "GUID")]
    pub(crate) session: Option<Uuid>,
    /// Whose presence, for tokens of an application of its own right [default: one's own]
    #[arg(long, value_name = "WHO")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight clear --as ada"
    "porchlight clear --session 5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21 --as ada"
))]
pub(crate) struct ClearFlags {
    /// The session [default: the id of the application that the token was issued to]
    #[arg(long, value_name = "GUID")]
    pub(crate) session: Option<Uuid>,
    /// Whose presence, for tokens of an application of its own right [default: one's own]
    #[arg(long, value_name = "WHO")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight prefer do-not-disturb --for 2h --as ada"
    "porchlight prefer offline --as ada           appears offline"
    "porchlight prefer --clear --as ada"
))]
pub(crate) struct PreferFlags {
    /// What to prefer, in any case, with spaces or dashes; one half is enough where the other follows.
    #[arg(
        value_name = "AVAILABILITY[/ACTIVITY]",
        value_parser = PairParser::PREFERRED,
        required_unless_present = "clear",
        conflicts_with = "clear"
    )]
    pub(crate) pair: Option<Pair>,
    /// How long it is to hold: 90m, 8h, 2d, or ISO 8601 such as PT8H [default: what the server says]
    #[arg(long = "for", value_name = "DURATION", value_parser = when::duration, conflicts_with = "clear")]
    pub(crate) life: Option<Duration>,
    /// Prefer nothing any more.
    #[arg(long)]
    pub(crate) clear: bool,
    /// Whose presence, for tokens of an application of its own right [default: one's own]
    #[arg(long, value_name = "WHO")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight status-message 'Reviewing the release' --until 17:00 --as ada"
    "porchlight status-message 'Back in a minute' --for 15m --as ada"
    "porchlight status-message --clear --as ada"
))]
pub(crate) struct StatusMessageFlags {
    /// What others are to read.
    #[arg(required_unless_present = "clear", conflicts_with = "clear")]
    pub(crate) text: Option<String>,
    /// How long it is to stand: 90m, 8h, 2d, or ISO 8601 such as PT8H [default: until it is cleared]
    #[arg(long = "for", value_name = "DURATION", value_parser = when::duration, conflicts_with = "clear")]
    pub(crate) life: Option<Duration>,
    /// When it is to end: 17:00, 2026-11-30, 2026-11-30T17:00 where you are, or 2026-11-30T17:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["life", "clear"])]
    pub(crate) until: Option<Until>,
    /// Take the message back.
    #[arg(long)]
    pub(crate) clear: bool,
    /// Whose presence, for tokens of an application of its own right [default: one's own]
    #[arg(long, value_name = "WHO")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight out-of-office 'Back on Monday' --as ada"
    "porchlight out-of-office --off --as ada"
))]
pub(crate) struct OutOfOfficeFlags {
    /// What others are to read.
    #[arg(conflicts_with = "off")]
    pub(crate) message: Option<String>,
    /// Back again.
    #[arg(long)]
    pub(crate) off: bool,
    /// Whose presence, for tokens of an application of its own right [default: one's own]
    #[arg(long, value_name = "WHO")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight watch --as ada                    everybody; q quits, / filters, arrows scroll"
    "porchlight watch ada ben --as ada"
    "porchlight watch --filter \"availability eq 'Busy'\" --json --as ada | jq -r .id"
))]
pub(crate) struct WatchFlags {
    /// Whom to watch: ids, user principal names, or what stands before their @ [default: everybody]
    pub(crate) who: Vec<String>,
    /// Whoever this $filter finds, such as "availability eq 'Busy'".
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "who")]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight explain --as ada"
    "porchlight explain ben --json --as ada"
))]
pub(crate) struct ExplainFlags {
    /// Whose presence: an id, a user principal name, or what stands before its @ [default: one's own]
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight users --as ada"
    "porchlight users love --as ada               whose name, account or address has a word that begins so"
))]
pub(crate) struct UsersFlags {
    /// How words of a name, an account or an address are to begin.
    pub(crate) search: Option<String>,
    /// How many people to show at most.
    #[arg(long, value_name = "NUMBER", default_value = "1000")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, after_help = examples!(
    "porchlight subscriptions --as ada"
    "porchlight subscriptions end 6f3b0f8e-9c55-4b0a-8f43-0d7d3f2b9a10 --as ada"
))]
pub(crate) struct SubscriptionsFlags {
    #[command(subcommand)]
    pub(crate) command: Option<SubscriptionsCommand>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SubscriptionsCommand {
    /// Ends a subscription: nothing more is told.
    End(EndFlags),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct EndFlags {
    /// The subscription's id.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = examples!(
    "porchlight deliveries 6f3b0f8e-9c55-4b0a-8f43-0d7d3f2b9a10 --as ada"
))]
pub(crate) struct DeliveriesFlags {
    /// The subscription's id; porchlight subscriptions shows them.
    #[arg(value_name = "SUBSCRIPTION")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct LimitsFlags {
    #[command(flatten)]
    pub(crate) address: AddressFlags,
    /// Print JSON as the server answers it.
    #[arg(long)]
    pub(crate) json: bool,
}
