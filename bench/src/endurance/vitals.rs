//! What a server takes of its machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::task::spawn_blocking;

use crate::folder::bytes_on_disk;
use crate::procfs;
use crate::server::Server;

/// A server whose vitals are looked at.
#[derive(Clone, Debug)]
pub(super) struct Patient {
    process: u32,
    data: PathBuf,
}

/// What it takes at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vitals {
    /// Resident, in bytes.
    pub(super) memory: u64,
    /// Open files, sockets among them.
    pub(super) files: usize,
    /// Of its data folder, in bytes.
    pub(super) disk: u64,
    /// Processor time so far, in seconds.
    pub(super) cpu_seconds: f64,
}

impl Patient {
    /// A server and its data folder.
    pub(super) fn new(server: &Server, data: &Path) -> Patient {
        Patient { process: server.id(), data: data.to_owned() }
    }

    /// Its vitals now. Another thread looks: with many files it takes a while.
    pub(super) async fn look(&self) -> Result<Vitals> {
        let patient = self.clone();
        spawn_blocking(move || patient.vitals()).await.context("failed to look")?
    }

    /// The most memory that it has held so far, in bytes.
    pub(super) fn memory_peak(&self) -> Result<u64> {
        procfs::peak_memory(self.process)
    }

    fn vitals(&self) -> Result<Vitals> {
        Ok(Vitals {
            memory: procfs::memory(self.process)?,
            files: procfs::open_files(self.process)?,
            disk: bytes_on_disk(&self.data)?,
            cpu_seconds: procfs::cpu_seconds(self.process)?,
        })
    }
}
