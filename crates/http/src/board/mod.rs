//! The board: the web page at `/`, which shows who is available and lets people say what they are doing.
//!
//! It is files as they are edited, in `assets/`; they are part of the binary and nothing builds them. The page uses
//! the public API alone, so nothing here knows of presence. What it has to know beforehand is in `settings.json`.

mod asset;
mod files;
mod page;
mod settings;

pub(crate) use page::Board;
pub use settings::{BoardSettings, SignIn};
