//! What clients have asked, and what they were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;

use crate::chronicle::Chronicle;
use crate::people::PEOPLE;
use crate::words::Kind;

/// How many sessions are set for one user at most: the server takes 32.
const SESSIONS_MAX: usize = 24;

/// What is known of a write's fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Underway,
    /// It was acknowledged with this revision.
    Done(u64),
    /// It was answered that nothing was written.
    Refused(String),
    /// It may have been written, or may be yet.
    Unknown(String),
}

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Its number, by which its place in the history is found.
    pub(crate) number: usize,
    pub(crate) user: usize,
    pub(crate) kind: Kind,
    pub(crate) node: usize,
    pub(crate) begun: Duration,
    /// As late as can be while it is underway.
    pub(crate) ended: Duration,
    pub(crate) outcome: Outcome,
}

/// A read, on another node, by somebody who sent the revision of an acknowledged write with it.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// The number of that write.
    pub(crate) after: usize,
    /// The write whose text, preference or session was shown; of sessions that one, if it was there.
    pub(crate) shown: Option<usize>,
    pub(crate) node: usize,
    pub(crate) begun: Duration,
    pub(crate) ended: Duration,
}

/// Something that cannot be.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(crate) user: usize,
    pub(crate) at: Duration,
    pub(crate) what: String,
}

/// All of it.
pub(crate) struct History {
    chronicle: Chronicle,
    /// Held for a moment at a time, and never while something is waited for.
    noted: Mutex<Noted>,
}

/// What was noted so far.
#[derive(Clone, Default)]
pub(crate) struct Noted {
    pub(crate) writes: Vec<Write>,
    pub(crate) looks: Vec<Look>,
    /// Status messages that anybody was shown, by the numbers of their writes, and to whom.
    pub(crate) shown: BTreeSet<(usize, usize)>,
    pub(crate) wrongs: Vec<Wrong>,
    /// What every state of every user looks like, by the user and the sequence number.
    views: BTreeMap<(usize, i64), Bytes>,
    reads: usize,
    /// Reads with a revision that were refused, since the node did not come to it in time.
    not_reached: usize,
}

impl History {
    pub(crate) fn new(chronicle: Chronicle) -> History {
        History { chronicle, noted: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.chronicle.now()
    }

    /// Notes that a write begins, and returns its number. One session too many becomes a status message.
    pub(crate) fn begin(&self, user: usize, wanted: Kind, node: usize) -> (usize, Kind) {
        let begun = self.now();
        let mut noted = self.noted();
        let number = noted.writes.len();
        let is_session = |write: &&Write| write.user == user && write.kind == Kind::Session;
        let is_too_many =
            wanted == Kind::Session && noted.writes.iter().filter(is_session).count() >= SESSIONS_MAX;
        let kind = if is_too_many { Kind::Status } else { wanted };
        let (ended, outcome) = (Duration::MAX, Outcome::Underway);
        noted.writes.push(Write { number, user, kind, node, begun, ended, outcome });
        (number, kind)
    }

    /// Notes what came of it.
    pub(crate) fn end(&self, number: usize, outcome: Outcome) {
        let ended = self.now();
        let mut noted = self.noted();
        let write = &mut noted.writes[number];
        (write.ended, write.outcome) = (ended, outcome);
    }

    /// Notes what somebody saw after a write.
    pub(crate) fn look(&self, look: Look) {
        self.noted().looks.push(look);
    }

    /// Notes that a node did not come to a revision in time.
    pub(crate) fn not_reached(&self) {
        self.noted().not_reached += 1;
    }

    /// Notes a state that somebody was shown. The same state must look the same to everybody, on every node.
    pub(crate) fn view(&self, user: usize, sequence: i64, status: Option<usize>, body: &Bytes) {
        let mut noted = self.noted();
        noted.reads += 1;
        noted.shown.extend(status.map(|number| (number, user)));
        let before = noted.views.entry((user, sequence)).or_insert_with(|| body.clone()).clone();
        drop(noted);
        if before != body {
            self.wrong(user, format!("the same state looks different: {before:?} and {body:?}"));
        }
    }

    /// Notes something that cannot be.
    pub(crate) fn wrong(&self, user: usize, what: String) {
        let at = self.now();
        self.noted().wrongs.push(Wrong { user, at, what });
    }

    /// Everything that was noted so far.
    pub(crate) fn all(&self) -> Noted {
        self.noted().clone()
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().expect("nobody panics while they hold it")
    }
}

impl Noted {
    /// Figures for whoever reads the output.
    pub(crate) fn counts(&self) -> String {
        let count =
            |is_one: fn(&Outcome) -> bool| self.writes.iter().filter(|write| is_one(&write.outcome)).count();
        let users: BTreeSet<usize> = self.writes.iter().map(|write| write.user).collect();
        format!(
            "writes to {} of {PEOPLE} users: {} acknowledged, {} refused, {} unknown; {} reads; \
             {} reads of what was just written, on another node, and {} that were refused",
            users.len(),
            count(|outcome| matches!(outcome, Outcome::Done(_))),
            count(|outcome| matches!(outcome, Outcome::Refused(_))),
            count(|outcome| matches!(outcome, Outcome::Underway | Outcome::Unknown(_))),
            self.reads,
            self.looks.len(),
            self.not_reached,
        )
    }

    /// How many writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.writes.iter().filter(|write| matches!(write.outcome, Outcome::Done(_))).count()
    }

    /// Everything that has to do with one user, in the order in which it began.
    pub(crate) fn of(&self, user: usize) -> String {
        let mut lines: Vec<(Duration, String)> = Vec::new();
        let writes = self.writes.iter().filter(|write| write.user == user);
        lines.extend(writes.map(|write| (write.begun, write.to_string())));
        let looks = self.looks.iter().filter(|look| self.writes[look.after].user == user);
        lines.extend(looks.map(|look| (look.begun, look.to_string())));
        lines.sort();
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }
}

impl fmt::Display for Write {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Write { number, kind, node, .. } = self;
        write_span(formatter, self.begun, self.ended)?;
        write!(formatter, "node {node}: {kind:?} w{number}: {:?}", self.outcome)
    }
}

impl fmt::Display for Look {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Look { after, shown, node, .. } = self;
        write_span(formatter, self.begun, self.ended)?;
        match shown {
            Some(shown) => write!(formatter, "node {node}: a read after w{after} shows w{shown}"),
            None => write!(formatter, "node {node}: a read after w{after} shows nothing of the kind"),
        }
    }
}

fn write_span(formatter: &mut fmt::Formatter<'_>, begun: Duration, ended: Duration) -> fmt::Result {
    write!(formatter, "{:>8.3} s ", begun.as_secs_f64())?;
    if ended == Duration::MAX {
        formatter.write_str("to        ?    ")
    } else {
        write!(formatter, "to {:>8.3} s  ", ended.as_secs_f64())
    }
}
