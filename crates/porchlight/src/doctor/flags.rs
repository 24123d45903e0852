//! What `porchlight doctor` is told.

use std::path::PathBuf;

use clap::Args;

use crate::cli::ServeFlags;
use crate::config::DATA;
use crate::exit::Failure;

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorFlags {
    /// The configuration file. What else `serve` goes by is taken from the environment, as it would.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The data folder. Without --config and --url nothing else is looked at, and no server may be using it.
    #[arg(long, value_name = "FOLDER")]
    pub(super) data: Option<PathBuf>,
    /// A server that runs, to be looked at too. Without --config and --data nothing else is.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// Certificates to trust beside the system's when that server is asked, in PEM.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(super) ca: Option<PathBuf>,
    /// Print what was found in JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Cut off what a crash has torn at the end of the data folder's journal, after copying it aside.
    #[arg(long, conflicts_with_all = ["config", "url", "json"])]
    pub(super) repair: bool,
    /// Write the data folder anew, so that its files hold nothing any more of what was overwritten, or deleted more than
    /// seven days ago.
    #[arg(long, conflicts_with_all = ["config", "url", "json"])]
    pub(super) compact: bool,
}

const EXAMPLES: &str = "\
Examples:
  porchlight doctor --config /etc/porchlight.toml
  PORCHLIGHT_DATA=/var/lib/porchlight porchlight doctor
  porchlight doctor --url https://presence.example.org
  porchlight doctor --data /var/lib/porchlight --repair

Exit codes:
  0 nothing is wrong, 1 something is, 64 wrong flag; of a data folder by itself 65 damaged or ahead
  of the clock, 73 not one, or cannot be written, 75 in use by another process";

impl DoctorFlags {
    /// Whether nothing but a data folder is meant.
    pub(super) fn is_about_a_folder_alone(&self) -> bool {
        let is_named_alone = self.data.is_some() && self.config.is_none() && self.url.is_none();
        self.repair || self.compact || is_named_alone
    }

    /// Whether nothing but a server that runs is meant.
    pub(super) fn is_about_a_server_alone(&self) -> bool {
        self.url.is_some() && self.config.is_none() && self.data.is_none()
    }

    /// What `serve` would be told.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for a variable whose value is of no use.
    pub(super) fn serve(&self) -> Result<ServeFlags, Failure> {
        let environment = ServeFlags::of_environment()?;
        let config = self.config.clone().or(environment.config);
        let data = self.data.clone().or(environment.data);
        Ok(ServeFlags { data, config, ..environment })
    }

    /// The data folder by itself.
    ///
    /// # Errors
    ///
    /// As [`DoctorFlags::serve`].
    pub(super) fn folder(&self) -> Result<PathBuf, Failure> {
        match &self.data {
            Some(data) => Ok(data.clone()),
            None => Ok(ServeFlags::of_environment()?.data.unwrap_or_else(|| PathBuf::from(DATA))),
        }
    }
}
