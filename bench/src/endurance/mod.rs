//! Loads that last, and curves: whether a server holds what it promises, with very many clients and for a
//! long time.
//!
//! Each is a command of its own and starts its own server. Who asks, who follows and who is called runs on
//! one thread of this program, on the cores that the server has, too; [`wire`] says how that is kept cheap.
//! One request that fails is the end of a run, and so is a watcher who in the end knows something else than
//! the server.

mod audience;
mod changes;
mod curves;
mod day;
mod files;
mod hour;
mod job;
mod load;
mod office;
mod plot;
mod receivers;
mod request;
mod sample;
mod sighting;
mod storm;
mod team;
mod times;
mod vitals;
mod watchers;
mod wire;

use anyhow::Result;
use clap::Subcommand;

use crate::report::Outcome;
use crate::rows::Bench;
use plot::Pictures;

/// One of them.
#[derive(Subcommand)]
pub(crate) enum Scenario {
    /// Nine o'clock: 200,000 people appear within a minute while 10,000 streams and 1,000 webhooks listen.
    Storm {
        #[command(flatten)]
        pictures: Pictures,
    },
    /// A day in an hour: a million people at work, on a clock that goes 24 times as fast.
    Day {
        /// How long; of a shorter run the day ends early. Default 60, with --quick 5.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
        minutes: Option<u32>,
        #[command(flatten)]
        pictures: Pictures,
    },
    /// An hour at 70 % of the maximum: whether memory, files, disk or times grow.
    Hour {
        /// How long. Default 60, with --quick 1.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1440))]
        minutes: Option<u32>,
        #[command(flatten)]
        pictures: Pictures,
    },
    /// Requests per second over 1 to 4,096 connections, and over 1,000 to 10,000,000 users.
    Curves {
        #[command(flatten)]
        pictures: Pictures,
    },
}

impl Scenario {
    /// Its name on the command line and in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Scenario::Storm { .. } => "storm",
            Scenario::Day { .. } => "day",
            Scenario::Hour { .. } => "hour",
            Scenario::Curves { .. } => "curves",
        }
    }

    /// What it is about.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            Scenario::Storm { .. } => "nine o'clock",
            Scenario::Day { .. } => "a day in an hour",
            Scenario::Hour { .. } => "an hour at 70 % of the maximum",
            Scenario::Curves { .. } => "throughput over connections and users",
        }
    }

    /// Measures it. Takes from minutes to more than an hour.
    pub(crate) fn measure(&self, bench: &Bench) -> Result<Outcome> {
        match self {
            Scenario::Storm { pictures } => storm::measure(bench, pictures),
            Scenario::Day { minutes, pictures } => day::measure(bench, *minutes, pictures),
            Scenario::Hour { minutes, pictures } => hour::measure(bench, *minutes, pictures),
            Scenario::Curves { pictures } => curves::measure(bench, pictures),
        }
    }
}
