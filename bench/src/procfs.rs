//! What `/proc` says of another process.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::stopwatch::Stopwatch;

/// The processor time that a process has used so far, all its threads together, in seconds.
///
/// The kernel counts it in ticks, of which there are commonly 100 to the second.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = read(&path)?;
    let ticks = ticks(&text).with_context(|| format!("{path} does not read as expected: {text}"))?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The memory that a process holds (resident set), in bytes, once that has stopped moving.
pub(crate) fn settled_memory(pid: u32) -> Result<u64> {
    const STILL: u64 = 256 * 1024;
    const PAUSE: Duration = Duration::from_millis(500);
    const PATIENCE: Duration = Duration::from_secs(10);
    let waiting = Stopwatch::start();
    let mut last = memory(pid)?;
    let mut still = 0;
    while still < 2 && waiting.elapsed() < PATIENCE {
        thread::sleep(PAUSE);
        let now = memory(pid)?;
        still = if now.abs_diff(last) < STILL { still + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

/// The most memory that a process has held so far, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmHWM:")
}

/// The memory that a process holds now (resident set), in bytes.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// How many sockets of this machine's have closed and keep their ports until no packet of theirs can come any more.
pub(crate) fn sockets_in_time_wait() -> Result<u64> {
    let path = "/proc/net/sockstat";
    let text = read(path)?;
    time_wait(&text).with_context(|| format!("{path} does not read as expected: {text}"))
}

fn status_bytes(pid: u32, name: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = read(&path)?;
    bytes_in(&text, name).with_context(|| format!("{path} has no {name}"))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {path}; has the process ended?"))
}

/// User and system time from `/proc/PID/stat`.
fn ticks(stat: &str) -> Option<u64> {
    // The second field is the command in parentheses and may hold blanks and parentheses itself: count behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// A line such as `VmRSS:` of `/proc/PID/status`.
fn bytes_in(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The number behind `tw` in the line about TCP.
fn time_wait(sockstat: &str) -> Option<u64> {
    let words = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    words.split_whitespace().skip_while(|word| *word != "tw").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_in_time_wait_are_those_of_tcp() {
        let sockstat =
            "sockets: used 290\nTCP: inuse 11 orphan 0 tw 4242 alloc 15 mem 3\nUDP: inuse 2 mem 0\n";
        assert_eq!(time_wait(sockstat), Some(4242));
        assert_eq!(time_wait("UDP: inuse 2 mem 0"), None);
    }

    #[test]
    fn ticks_are_found_behind_an_odd_command_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 -1 4194304 99 0 0 0 250 17 0 0 20 0 1 0 206127 3133440 381";
        assert_eq!(ticks(stat), Some(267));
    }

    #[test]
    fn memory_is_in_kibibytes() {
        let status = "Name:\tx\nVmHWM:\t  99 kB\nVmRSS:\t    1696 kB\n";
        assert_eq!(bytes_in(status, "VmRSS:"), Some(1696 * 1024));
        assert_eq!(bytes_in(status, "VmHWM:"), Some(99 * 1024));
        assert_eq!(bytes_in("Name:\tkthreadd\n", "VmRSS:"), None);
    }
}
