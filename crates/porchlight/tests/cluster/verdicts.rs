//! What of a history cannot be, when writes are promised to last and revisions to tell their order.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::history::{Noted, Outcome, Write, Wrong};
use crate::rest::Shown;
use crate::words::{self, Kind};

/// For this long after its answer a write of unknown fate may still take effect. Source: design 1, W.
const LATE: Duration = Duration::from_secs(60);

/// How many wrongs are shown, and how many users' histories.
const WRONGS_MAX: usize = 50;
const USERS_MAX: usize = 3;

/// Everything in the history that cannot be, given what is shown at the end.
pub(crate) fn wrongs(noted: &Noted, shown: &[Shown]) -> Vec<Wrong> {
    let mut wrongs = noted.wrongs.clone();
    for (user, shown) in shown.iter().enumerate() {
        wrongs.extend(wrongs_of_order(noted, user));
        wrongs.extend(wrongs_at_rest(noted, user, shown));
    }
    wrongs.extend(wrongs_of_looks(noted));
    wrongs.extend(wrongs_of_reads(noted));
    wrongs
}

/// The report of what is wrong: everything that was noted of the users whom it is about, and what was done meanwhile.
pub(crate) fn report(wrongs: &[Wrong], noted: &Noted, cluster: &Cluster) -> String {
    let mut report = String::new();
    let mut add = |text: &str| writeln!(report, "{text}").expect("a string takes any text");
    for wrong in wrongs.iter().take(WRONGS_MAX) {
        add(&format!("user {} at {:.3} s: {}", wrong.user, wrong.at.as_secs_f64(), wrong.what));
    }
    let mut users: Vec<usize> = wrongs.iter().map(|wrong| wrong.user).collect();
    users.sort_unstable();
    users.dedup();
    for user in users.into_iter().take(USERS_MAX) {
        add(&format!("\nall of user {user}:\n{}", noted.of(user)));
        for wrong in wrongs.iter().filter(|wrong| wrong.user == user).take(WRONGS_MAX) {
            let done = cluster.chronicle.before(wrong.at);
            add(&format!("what was done before {:.3} s:\n{done}", wrong.at.as_secs_f64()));
        }
    }
    for (number, node) in cluster.nodes().iter().enumerate() {
        add(&format!("\nthe last words of node {number}:\n{}", node.last_words()));
    }
    report
}

/// Revisions of one user's writes are all different, and a write that begins after another has been acknowledged has a
/// later one.
fn wrongs_of_order(noted: &Noted, user: usize) -> Vec<Wrong> {
    let mut done: Vec<(u64, &Write)> = noted
        .writes
        .iter()
        .filter(|write| write.user == user)
        .filter_map(|write| done(write).map(|revision| (revision, write)))
        .collect();
    done.sort_by_key(|(revision, _)| *revision);
    let mut wrongs = Vec::new();
    for (at, (revision, write)) in done.iter().enumerate() {
        for (later, other) in &done[at + 1..] {
            if revision == later || other.ended < write.begun {
                wrongs.push(Wrong { user, at: write.ended, what: format!("out of order: {other}; {write}") });
            }
        }
    }
    wrongs
}

/// No acknowledged write is lost.
fn wrongs_at_rest(noted: &Noted, user: usize, shown: &Shown) -> Vec<Wrong> {
    let at = noted.writes.iter().map(|write| write.begun).max().unwrap_or_default();
    let mut wrongs = Vec::new();
    let registers = [
        (Kind::Status, words::status(&shown.presence)),
        (Kind::Preferred, words::preferred(&shown.explanation)),
    ];
    for (kind, number) in registers {
        let of_kind = noted.writes.iter().filter(|write| write.user == user && write.kind == kind);
        let newest = of_kind.filter(|write| done(write).is_some()).max_by_key(|write| done(write));
        if let Err(what) = explain(noted, user, kind, number, newest) {
            wrongs.push(Wrong { user, at, what: format!("at the end: {what}") });
        }
    }
    let sessions = words::sessions(&shown.explanation);
    let mut wrong = |what: String| wrongs.push(Wrong { user, at, what });
    for write in noted.writes.iter().filter(|write| write.user == user && write.kind == Kind::Session) {
        let is_there = sessions.contains(&write.number);
        match (&write.outcome, is_there) {
            (Outcome::Done(_), false) => wrong(format!("a session is lost: {write}")),
            (Outcome::Refused(_), true) => wrong(format!("a session that was refused is there: {write}")),
            _ => {}
        }
    }
    let is_ours = |number: &usize| {
        let write = noted.writes.get(*number);
        write.is_some_and(|write| write.user == user && write.kind == Kind::Session)
    };
    for number in sessions.iter().filter(|number| !is_ours(number)) {
        wrong(format!("nobody has set session w{number}"));
    }
    wrongs
}

/// Who has sent the revision of a write with a read sees that write or a later one.
fn wrongs_of_looks(noted: &Noted) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for look in &noted.looks {
        let after = &noted.writes[look.after];
        if let Err(what) = explain(noted, after.user, after.kind, look.shown, Some(after)) {
            let what = format!("{look}: {what}");
            wrongs.push(Wrong { user: after.user, at: look.ended, what });
        }
    }
    wrongs
}

/// Nobody was shown what nobody has written, or what was refused.
fn wrongs_of_reads(noted: &Noted) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for &(number, user) in &noted.shown {
        if let Err(what) = explain(noted, user, Kind::Status, Some(number), None) {
            let at = noted.writes.get(number).map_or(Duration::ZERO, |write| write.begun);
            wrongs.push(Wrong { user, at, what: format!("a read: {what}") });
        }
    }
    wrongs
}

/// Whether a user may be shown with this write's text, preference or session by who must see at least that acknowledged
/// write.
///
/// # Errors
///
/// Why not.
fn explain(
    noted: &Noted,
    user: usize,
    kind: Kind,
    shown: Option<usize>,
    least: Option<&Write>,
) -> Result<(), String> {
    let Some(number) = shown else {
        return least.map_or(Ok(()), |least| Err(format!("nothing is shown, and there is {least}")));
    };
    let write = noted.writes.get(number).filter(|write| write.user == user && write.kind == kind);
    let write = write.ok_or_else(|| format!("{kind:?} w{number} is shown, which nobody wrote"))?;
    let may_be = match &write.outcome {
        Outcome::Refused(_) => false,
        Outcome::Done(revision) => least.and_then(done).is_none_or(|least| least <= *revision),
        Outcome::Underway | Outcome::Unknown(_) => {
            least.is_none_or(|least| least.begun <= write.ended.saturating_add(LATE))
        }
    };
    match least {
        _ if may_be => Ok(()),
        Some(least) => Err(format!("what is shown is {write}, and there is {least}")),
        None => Err(format!("what is shown is {write}")),
    }
}

/// The revision of a write that was acknowledged.
fn done(write: &Write) -> Option<u64> {
    match write.outcome {
        Outcome::Done(revision) => Some(revision),
        Outcome::Underway | Outcome::Refused(_) | Outcome::Unknown(_) => None,
    }
}
