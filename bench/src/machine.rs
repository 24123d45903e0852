//! What was measured on, and with what.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The machine and the programs of a run.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    filesystem: String,
    wrk: String,
    porchlight: String,
}

impl Machine {
    /// This machine. `folder` is where data goes; `wrk` and `porchlight` say which programs are used.
    pub(crate) fn this(folder: &Path, wrk: &str, porchlight: String) -> Result<Machine> {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let folder = folder.canonicalize().with_context(|| format!("failed to find {}", folder.display()))?;
        Ok(Machine {
            cpu: cpu_model(&cpus).unwrap_or("unknown CPU").to_owned(),
            cores: available_parallelism().context("failed to count the cores")?.get(),
            kernel: kernel.trim().to_owned(),
            filesystem: filesystem(&mounts, &folder).unwrap_or("unknown").to_owned(),
            wrk: wrk.to_owned(),
            porchlight,
        })
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let Machine { cpu, cores, kernel, filesystem, wrk, porchlight } = self;
        let warning =
            if self.forgets() { " (forgets everything: durable writes cost nothing here)" } else { "" };
        format!("{cpu}, {cores} cores, Linux {kernel}; data on {filesystem}{warning}; {wrk}; {porchlight}")
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cores": self.cores,
            "kernel": self.kernel,
            "filesystem": self.filesystem,
            "wrk": self.wrk,
            "porchlight": self.porchlight,
        })
    }

    fn forgets(&self) -> bool {
        matches!(self.filesystem.as_str(), "tmpfs" | "ramfs")
    }
}

/// The model in `/proc/cpuinfo`; not every architecture names one.
fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim())
}

/// The type of the file system that holds `folder`, from `/proc/self/mountinfo`.
fn filesystem<'m>(mountinfo: &'m str, folder: &Path) -> Option<&'m str> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, device) = line.split_once(" - ")?;
        Some((mount.split(' ').nth(4)?, device.split(' ').next()?))
    });
    // Of two mounts on one point the later one is seen, and `max_by_key` keeps the last of equals.
    mounts
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_holds_a_folder() {
        let mounts = "\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:25 / /tmp rw,nosuid shared:1 - tmpfs tmpfs rw
31 22 0:26 / /tmpfoo rw - xfs /dev/b rw";
        assert_eq!(filesystem(mounts, Path::new("/tmp/x")), Some("tmpfs"));
        assert_eq!(filesystem(mounts, Path::new("/home/x")), Some("ext4"));
    }

    #[test]
    fn the_model_is_the_first_one_named() {
        assert_eq!(cpu_model("processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n"), Some("AMD EPYC"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }
}
