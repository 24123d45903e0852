//! The audit: one line for every call that is to change something, whatever comes of it.
//!
//! A line is an event of the target `porchlight::write`; where it goes is the program's business. It says who
//! asked for what, for whom, what came of it, and what was seen before and after. It never holds a token, and
//! what people write about themselves only if [`crate::Settings::audit_texts`] says so.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use futures_util::FutureExt;
use http::{HeaderValue, StatusCode};
use metrics::{Counter, counter};
use porchlight_engine::Written;
use porchlight_presence::{Pair, Part, Presence, Timestamp, UserId};
use rapidhash::fast::RandomState;
use uuid::Uuid;

use crate::auth::Caller;
use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::settings::Profile;
use crate::wire::presence::instant;
use crate::wire::{date_time, guid};

/// What is learned of a change on its way, noted by whoever learns it. What was noted first stays.
#[derive(Default)]
pub(crate) struct Notes {
    user: OnceLock<UserId>,
    subscription: OnceLock<Uuid>,
    change: OnceLock<Change>,
}

/// What a change has come to.
#[derive(Default)]
struct Change {
    at: Option<Timestamp>,
    revision: Option<u64>,
    /// What was seen before and after.
    pairs: Option<(Pair, Pair)>,
    /// The names of what has changed.
    parts: String,
    /// What people have written before and after, if it is to be told.
    texts: Option<Box<(Texts, Texts)>>,
}

/// What people write about themselves, as far as it has changed.
struct Texts {
    status_message: Option<String>,
    out_of_office: Option<String>,
    work_location: Option<String>,
}

impl Notes {
    /// The change is about this user.
    pub(crate) fn user(&self, user: UserId) {
        self.user.set(user).ok();
    }

    /// The change is about this subscription.
    pub(crate) fn subscription(&self, subscription: Uuid) {
        self.subscription.set(subscription).ok();
    }

    /// The change is made, has left this revision, and is about what has these names.
    pub(crate) fn changed(&self, revision: Option<u64>, names: &[&str]) {
        self.change.set(Change { revision, parts: names.join(","), ..Change::default() }).ok();
    }

    /// A presence was written.
    pub(crate) fn written(&self, written: &Written, with_texts: bool) {
        let Written { before, user, revision, at } = written;
        let parts: Vec<Part> = user.parts_changed(before, *at).collect();
        let texts = with_texts.then(|| {
            let texts = |presence: Presence<'_>| Texts::of(&presence, &parts);
            Box::new((texts(before.presence(*at)), texts(user.presence(*at))))
        });
        let change = Change {
            at: Some(*at),
            revision: Some(revision.0),
            pairs: Some((before.decided(*at).0, user.decided(*at).0)),
            parts: parts.iter().copied().map(name).collect::<Vec<_>>().join(","),
            texts,
        };
        self.change.set(change).ok();
    }
}

impl Texts {
    fn of(presence: &Presence<'_>, changed: &[Part]) -> Texts {
        let message = presence.status_message.filter(|_| changed.contains(&Part::StatusMessage));
        let out = presence.out_of_office.filter(|_| changed.contains(&Part::OutOfOffice));
        let location = presence.work_location.filter(|_| changed.contains(&Part::WorkLocation));
        Texts {
            status_message: message.map(|message| message.content.to_owned()),
            out_of_office: out.map(|out| out.message.clone().unwrap_or_default()),
            work_location: location.map(|location| {
                [location.kind.name(), location.place.unwrap_or_default()].join(" ").trim_end().to_owned()
            }),
        }
    }
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Sessions => "sessions",
        Part::Preferred => "preferred",
        Part::StatusMessage => "statusMessage",
        Part::OutOfOffice => "outOfOffice",
        Part::WorkLocation => "workLocation",
        Part::Hidden => "hidden",
    }
}

/// What has come of a change.
pub(crate) enum Outcome {
    /// It is made.
    Done,
    /// It is not made, or that is not known.
    Failed(Failed),
    /// The client went away, or the route panicked: it may be made all the same.
    Abandoned,
}

/// Why a change is not made.
pub(crate) struct Failed {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    /// What the code does not say. Nothing that a client has sent: that might be anything.
    pub(crate) reason: Option<String>,
    /// It may be made all the same.
    pub(crate) is_unknown: bool,
}

impl Failed {
    /// What an error means for the change.
    pub(crate) fn of(error: &Error, profile: Profile) -> Failed {
        let row = error.row(profile);
        let reason = match error {
            Error::Refused(refusal) => Some(refusal.to_string()),
            _ => None,
        };
        let is_unknown = matches!(error, Error::Unconfirmed | Error::Internal);
        Failed { status: row.status, code: row.code, reason, is_unknown }
    }
}

impl Outcome {
    /// What a route has answered.
    pub(crate) fn of(answer: &Result<Reply, Error>, profile: Profile) -> Outcome {
        match answer {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Failed(Failed::of(error, profile)),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Outcome::Done => "written",
            Outcome::Failed(Failed { is_unknown: true, .. }) | Outcome::Abandoned => "unknown",
            Outcome::Failed(_) => "refused",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Outcome::Failed(failed) => failed.reason.as_deref(),
            Outcome::Abandoned => Some("nobody waited for the answer"),
            Outcome::Done => None,
        }
    }
}

/// Counts a call that came to this. Each thread remembers its counters: to look one up makes the labels anew, and asks a
/// registry that all threads share.
fn count(action: &'static str, outcome: &'static str) {
    thread_local! {
        static COUNTERS: RefCell<HashMap<(&'static str, &'static str), Counter, RandomState>> =
            RefCell::default();
    }
    let made = || counter!("porchlight_writes_total", "action" => action, "outcome" => outcome);
    // A call may be given up by a thread that is about to end, and has forgotten them.
    COUNTERS
        .try_with(|counters| counters.borrow_mut().entry((action, outcome)).or_insert_with(made).increment(1))
        .ok();
}

/// A line of the audit.
pub(crate) struct Entry<'e> {
    pub(crate) action: &'static str,
    pub(crate) request: Uuid,
    /// What the client named its request, or the same.
    pub(crate) client_request: &'e HeaderValue,
    /// `None`: somebody who needs no token.
    pub(crate) caller: Option<&'e Caller>,
    /// The clock's time, where no note says better.
    pub(crate) now: Timestamp,
    pub(crate) notes: &'e Notes,
}

impl Entry<'_> {
    /// Writes the line.
    pub(crate) fn write(&self, outcome: &Outcome) {
        count(self.action, outcome.name());
        let (caller, change) = (self.caller, self.notes.change.get());
        let mut at = Vec::new();
        date_time::write_utc(instant(change.and_then(|change| change.at).unwrap_or(self.now)), &mut at);
        let at = String::from_utf8_lossy(&at);
        let client_request = self.client_request.to_str().ok();
        let failed = match outcome {
            Outcome::Failed(failed) => Some(failed),
            Outcome::Done | Outcome::Abandoned => None,
        };
        let pairs = change.and_then(|change| change.pairs);
        let texts = change.and_then(|change| change.texts.as_deref());
        let (before, after) = (texts.map(|texts| &texts.0), texts.map(|texts| &texts.1));
        // What is `None` is left out.
        tracing::info!(
            target: "porchlight::write",
            at = &*at,
            request = %self.request,
            client_request = client_request.filter(|id| id.as_bytes() != guid::text(self.request)),
            tenant = caller.map(|caller| display(caller.tenant.id())),
            application = caller.map(|caller| display(caller.application)),
            by = caller.and_then(|caller| caller.user).map(display),
            user = self.notes.user.get().map(display),
            subscription = self.notes.subscription.get().map(display),
            action = self.action,
            outcome = outcome.name(),
            status = failed.map(|failed| failed.status.as_u16()),
            code = failed.map(|failed| failed.code).filter(|code| !code.is_empty()),
            reason = outcome.reason(),
            revision = change.and_then(|change| change.revision),
            before = pairs.map(|pairs| display(pairs.0)),
            after = pairs.map(|pairs| display(pairs.1)),
            changed = change.map(|change| change.parts.as_str()),
            status_message_before = before.and_then(|texts| texts.status_message.as_deref()),
            status_message = after.and_then(|texts| texts.status_message.as_deref()),
            out_of_office_before = before.and_then(|texts| texts.out_of_office.as_deref()),
            out_of_office = after.and_then(|texts| texts.out_of_office.as_deref()),
            work_location_before = before.and_then(|texts| texts.work_location.as_deref()),
            work_location = after.and_then(|texts| texts.work_location.as_deref()),
        );
    }
}

/// Answers a call that is to change something, and leaves its line, even if the client goes away before.
///
/// `change` is boxed before anything is put around it, which would move it each time.
///
/// # Errors
///
/// What `change` answers.
pub(crate) fn audited<'c>(
    call: &'c Call<'_>,
    action: &'static str,
    change: impl Future<Output = Result<Reply, Error>> + Send + 'c,
) -> impl Future<Output = Result<Reply, Error>> {
    let line = Line::begin(Entry {
        action,
        request: call.request,
        client_request: call.client_request,
        caller: Some(call.caller),
        now: call.engine.clock().now(),
        notes: &call.notes,
    });
    // The line itself says whose it is.
    call.journey.run(call.request, change.boxed()).map(move |answer| {
        line.end(&Outcome::of(&answer, call.settings.profile));
        answer
    })
}

/// The line of a call that is being answered.
pub(crate) struct Line<'e>(Option<Entry<'e>>);

impl<'e> Line<'e> {
    /// A line that is left whatever becomes of the call.
    pub(crate) fn begin(entry: Entry<'e>) -> Line<'e> {
        Line(Some(entry))
    }

    /// Writes the line.
    pub(crate) fn end(mut self, outcome: &Outcome) {
        if let Some(entry) = self.0.take() {
            entry.write(outcome);
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.0.take() {
            entry.write(&Outcome::Abandoned);
        }
    }
}
