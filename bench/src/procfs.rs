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

/// A process and all that it has started and they in turn, as far as they still run.
pub(crate) fn family(pid: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").context("failed to read /proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Whatever has ended meanwhile is nobody's child any more.
        let parent = read(&format!("/proc/{child}/stat")).ok().and_then(|stat| parent(&stat));
        parents.extend(parent.map(|parent| (child, parent)));
    }
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        family.extend(parents.iter().filter(|(_, parent)| *parent == member).map(|(child, _)| *child));
        next += 1;
    }
    Ok(family)
}

/// The processor time of a process and of all that it has started, in seconds: also of those that have ended and were
/// waited for.
pub(crate) fn family_cpu_seconds(pid: u32) -> Result<f64> {
    let mut sum = 0;
    for member in family(pid)? {
        // One that has just ended is counted by its parent.
        sum +=
            read(&format!("/proc/{member}/stat")).ok().and_then(|stat| all_ticks(&stat)).unwrap_or_default();
    }
    Ok(sum as f64 / rustix::param::clock_ticks_per_second() as f64)
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

/// How many files a process has open, sockets among them.
pub(crate) fn open_files(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).with_context(|| format!("failed to read {path}; has the process ended?"))?.count())
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
    Some(field(stat, 11)? + field(stat, 12)?)
}

/// The same, with that of the children that were waited for.
fn all_ticks(stat: &str) -> Option<u64> {
    Some(ticks(stat)? + field(stat, 13)? + field(stat, 14)?)
}

/// The parent's id.
fn parent(stat: &str) -> Option<u32> {
    field(stat, 1)?.try_into().ok()
}

/// One of the numbers in `/proc/PID/stat`, counted from the letter that stands for the state.
fn field(stat: &str, index: usize) -> Option<u64> {
    // The second field is the command in parentheses and may hold blanks and parentheses itself: count behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index)?.parse().ok()
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
    use std::process::{Command, Stdio};

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
    fn children_count_once_they_were_waited_for() {
        let stat = "7 (node) S 3 7 7 0 -1 4194304 99 0 0 0 250 17 40 3 20 0 1 0 206127 3133440 381";
        assert_eq!((all_ticks(stat), parent(stat)), (Some(310), Some(3)));
    }

    #[test]
    fn a_child_of_a_child_is_family() {
        let mut shell = Command::new("sh").args(["-c", "cat; true"]).stdin(Stdio::piped()).spawn().unwrap();
        let waiting = Stopwatch::start();
        while family(shell.id()).unwrap().len() < 2 {
            assert!(waiting.elapsed() < Duration::from_secs(30), "the shell starts nothing");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(family(std::process::id()).unwrap().len() >= 3);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    #[test]
    fn memory_is_in_kibibytes() {
        let status = "Name:\tx\nVmHWM:\t  99 kB\nVmRSS:\t    1696 kB\n";
        assert_eq!(bytes_in(status, "VmRSS:"), Some(1696 * 1024));
        assert_eq!(bytes_in(status, "VmHWM:"), Some(99 * 1024));
        assert_eq!(bytes_in("Name:\tkthreadd\n", "VmRSS:"), None);
    }
}
