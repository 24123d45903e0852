//! What has happened in a run, line by line: a digest of all of it, and the last lines to look at.

use std::collections::VecDeque;

use porchlight_presence::UserId;
use rapidhash::v3::rapidhash_v3;

use crate::time;

/// Lines that are kept.
const KEPT: usize = 4_000;

/// Lines that are shown of one user, or of everybody.
const SHOWN: usize = 40;

/// The events of a run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: VecDeque<(Option<UserId>, String)>,
    digest: u64,
    count: u64,
}

impl Trace {
    /// Something has happened, to a user or to none in particular.
    pub(crate) fn note(&mut self, user: Option<UserId>, what: &str) {
        let line = format!("{:>9.3} {what}", time::elapsed().as_secs_f64());
        self.digest = rapidhash_v3(line.as_bytes()) ^ self.digest.rotate_left(1);
        self.count += 1;
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back((user, line));
    }

    /// A number that all lines enter.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// How many lines there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The last lines that are about this user or about nobody.
    pub(crate) fn last_of(&self, user: Option<UserId>) -> Vec<&str> {
        let is_meant = |of: Option<UserId>| user.is_none() || of.is_none() || of == user;
        let meant = self.lines.iter().rev().filter(|(of, _)| is_meant(*of)).take(SHOWN);
        let mut lines: Vec<&str> = meant.map(|(_, line)| line.as_str()).collect();
        lines.reverse();
        lines
    }
}
