//! The audit: one line for every call that is to change something, whatever comes of it.
//!
//! A line is an event of the target `porchlight::write`; where it goes is the program's business. It says who
//! asked for what, for whom, what came of it, and what was seen before and after. It never holds a token, and
//! what people write about themselves only if [`crate::Settings::audit_texts`] says so.

use std::sync::OnceLock;

use http::HeaderValue;
use porchlight_engine::Written;
use porchlight_presence::{Pair, Part, Presence, Timestamp, UserId};
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

    /// The change is made, and is about what has these names.
    pub(crate) fn changed(&self, names: &[&str]) {
        self.change.set(Change { parts: names.join(","), ..Change::default() }).ok();
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
#[derive(Clone, Copy)]
pub(crate) enum Outcome<'o> {
    /// It is made.
    Done,
    /// It is not made, or that is not known: the error says which.
    Failed(&'o Error),
    /// The client went away, or the route panicked: it may be made all the same.
    Abandoned,
}

impl<'o> Outcome<'o> {
    /// What a route has answered.
    pub(crate) fn of(answer: &'o Result<Reply, Error>) -> Outcome<'o> {
        match answer {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Failed(error),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Outcome::Done => "written",
            Outcome::Failed(Error::Unconfirmed | Error::Internal) | Outcome::Abandoned => "unknown",
            Outcome::Failed(_) => "refused",
        }
    }

    /// What a code does not say. Nothing that a client has sent: that might be anything.
    fn reason(self) -> Option<String> {
        match self {
            Outcome::Failed(Error::Refused(refusal)) => Some(refusal.to_string()),
            Outcome::Abandoned => Some("nobody waited for the answer".to_owned()),
            Outcome::Done | Outcome::Failed(_) => None,
        }
    }
}

/// A line of the audit.
pub(crate) struct Entry<'e> {
    pub(crate) action: &'e str,
    pub(crate) request: Uuid,
    /// What the client named its request, or the same.
    pub(crate) client_request: &'e HeaderValue,
    /// `None`: somebody who needs no token.
    pub(crate) caller: Option<&'e Caller>,
    /// The clock's time, where no note says better.
    pub(crate) now: Timestamp,
    pub(crate) notes: &'e Notes,
    pub(crate) profile: Profile,
}

impl Entry<'_> {
    /// Writes the line.
    pub(crate) fn write(&self, outcome: Outcome<'_>) {
        let (caller, change) = (self.caller, self.notes.change.get());
        let mut at = Vec::new();
        date_time::write_utc(instant(change.and_then(|change| change.at).unwrap_or(self.now)), &mut at);
        let at = String::from_utf8_lossy(&at);
        let client_request = self.client_request.to_str().ok();
        let row = match outcome {
            Outcome::Failed(error) => Some(error.row(self.profile)),
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
            status = row.as_ref().map(|row| row.status.as_u16()),
            code = row.as_ref().map(|row| row.code),
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
/// # Errors
///
/// What `change` answers.
pub(crate) async fn audited(
    call: &Call<'_>,
    action: &'static str,
    change: impl Future<Output = Result<Reply, Error>>,
) -> Result<Reply, Error> {
    let mut line = Line { call, action, is_written: false };
    let answer = change.await;
    line.write(Outcome::of(&answer));
    answer
}

/// The line of a call that is being answered.
struct Line<'c> {
    call: &'c Call<'c>,
    action: &'static str,
    is_written: bool,
}

impl Line<'_> {
    fn write(&mut self, outcome: Outcome<'_>) {
        let call = self.call;
        let entry = Entry {
            action: self.action,
            request: call.request,
            client_request: call.client_request,
            caller: Some(call.caller),
            now: call.engine.clock().now(),
            notes: &call.notes,
            profile: call.settings.profile,
        };
        entry.write(outcome);
        self.is_written = true;
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            self.write(Outcome::Abandoned);
        }
    }
}
