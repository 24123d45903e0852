//! One presence: reading it, and every way of writing it.

use std::time::Duration;

use http::header::{ETAG, HeaderName, VARY};
use http::{HeaderValue, StatusCode};
use porchlight_engine::Written;
use porchlight_presence::{Command, LocationSource, UserId};
use tokio::time::{Instant, sleep_until};

use super::rights;
use crate::body::Body;
use crate::call::Call;
use crate::error::Error;
use crate::etag::{ETag, Form};
use crate::odata::{Options, Select};
use crate::reply::{MetadataLevel, PORCHLIGHT_EFFECTIVE, PORCHLIGHT_REVISION, Reply, header_value};
use crate::resource::{Action, PresencePath, Root};
use crate::wire::json::{Json, Object};
use crate::wire::presence::Annotations;
use crate::wire::{command, explanation, guid, presence};

/// What an answer depends on besides its URL.
const VARIES: HeaderValue = HeaderValue::from_static("Authorization, Accept, Accept-Encoding");

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The most bytes that a presence without texts takes.
const USUAL_BYTES: usize = 512;

/// GET `…/presence` (P1 to P3).
pub(crate) fn get(call: &Call<'_>, path: &PresencePath<'_>) -> Result<Reply, Error> {
    look(call, path).map(|(_, reply)| reply)
}

/// GET `…/presence` with `Prefer: wait=N`: the answer is held back until it is another one than the client has, which
/// is what its `If-None-Match` names, else what would be answered now, or until the time is over.
pub(crate) async fn get_changed(
    call: &Call<'_>,
    path: &PresencePath<'_>,
    wait: Duration,
) -> Result<Reply, Error> {
    let wait = wait.min(call.settings.limits.wait_max);
    let tenant = call.tenant();
    // Before the first look: a change that it does not see is heard of.
    let mut news = tenant.feed().follow_users(&[rights::readable(call, tenant, &path.key)?]);
    let clock = call.engine.clock();
    let (until, mut jumps) = (clock.now().plus(wait), clock.jumps());
    // The clock stands still when the machine's is set back, and nobody waits longer for that.
    let deadline = Instant::now() + wait;
    let (known, mut reply) = look(call, path)?;
    let _held = call.instruments.hold();
    let is_news = call.headers.if_none_match.first.is_some() && reply.status != StatusCode::NOT_MODIFIED;
    while !is_news && clock.now() < until && Instant::now() < deadline {
        tokio::select! {
            _ = news.changed() => {}
            () = clock.wait(Some(until), &mut jumps) => {}
            () = sleep_until(deadline) => {}
            () = call.stopped() => break,
        }
        call.caller.standing(clock).map_err(Error::Token)?;
        let tag;
        (tag, reply) = look(call, path)?;
        if tag != known {
            break;
        }
    }
    let applied = HeaderValue::from_str(&format!("wait={}", wait.as_secs())).expect("a number is ASCII");
    Ok(Reply { held: true, ..reply.with(PREFERENCE_APPLIED, applied) })
}

/// The answer as of now and its tag; without a body if the client has it already.
fn look(call: &Call<'_>, path: &PresencePath<'_>) -> Result<(ETag, Reply), Error> {
    let level = call.metadata_level()?;
    // The time before the record: a record that is read later is never evaluated past a write that it lacks.
    let now = call.engine.now();
    let (user, view) = rights::seen(call, &path.key, now)?;
    let select = select(call)?;
    Ok(view.show(now, |seen| {
        let (base, reader) = (call.base, call.caller.reader(user));
        let form = Form { base, root: path.root, level, select: &select, reader };
        let tag = ETag::of(user, seen.stamps.changed_at, form);
        let mut reply = if tag.is_known(call.headers) {
            Reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            show(call, path.root, user, seen, &select, level)
        };
        reply.headers.insert(ETAG, tag.value());
        reply.headers.insert(VARY, VARIES);
        (tag, reply)
    }))
}

/// GET `…/presence/porchlight.explain`: under the rights of GET.
pub(crate) fn explain(call: &Call<'_>, path: &PresencePath<'_>) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    let tenant = call.tenant();
    let user = rights::readable(call, tenant, &path.key)?;
    no_options(call)?;
    let context = format!("{}/$metadata#porchlight.explanation", call.base);
    let context = (level != MetadataLevel::None).then_some(context.as_str());
    let now = call.engine.now();
    let explained = tenant.user(user).explain(now);
    Ok(Reply::odata(explanation::explanation(context, &explained).to_string(), level))
}

/// POST `…/presence/{action}` (P7 to P15).
pub(crate) async fn act(
    call: &Call<'_>,
    path: &PresencePath<'_>,
    action: Action,
    body: Body,
) -> Result<Reply, Error> {
    call.metadata_level()?;
    let user = rights::writable(call, call.tenant(), &path.key, action.is_delegated_only())?;
    no_options(call)?;
    let bytes = if action.has_parameters() {
        call.read_json(body).await?
    } else {
        call.read_json_or_nothing(body).await?
    };
    let body = if bytes.is_empty() { Object::default() } else { Json::parse(&bytes)?.into_object()? };
    let command = from_body(call, action, &body)?;
    let written = write(call, user, &command).await?;
    let status = if action.is_delegated_only() { StatusCode::NO_CONTENT } else { StatusCode::OK };
    let reply = Reply::empty(status).with(PORCHLIGHT_REVISION, written.revision.0.into());
    match action {
        Action::SetPresence | Action::SetUserPreferredPresence => Ok(with_effective(reply, &written)),
        _ => Ok(reply),
    }
}

/// PATCH `…/presence` (P16, P17): "this is my presence now".
pub(crate) async fn patch(call: &Call<'_>, path: &PresencePath<'_>, body: Body) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    let tenant = call.tenant();
    let user = rights::writable(call, tenant, &path.key, false)?;
    let select = select(call)?;
    let bytes = call.read_json(body).await?;
    let is_own_id = |id: &str| tenant.resolve(id) == Some(user);
    let command = command::patch(&Json::parse(&bytes)?.into_object()?, is_own_id)?;
    let written = write(call, user, &command).await?;
    let reply = show(call, path.root, user, &written.user.presence(written.at), &select, level);
    Ok(with_effective(reply.with(PORCHLIGHT_REVISION, written.revision.0.into()), &written))
}

/// DELETE `…/presence` (P18): clears all but other applications' sessions.
pub(crate) async fn delete(call: &Call<'_>, path: &PresencePath<'_>) -> Result<Reply, Error> {
    call.metadata_level()?;
    let user = rights::writable(call, call.tenant(), &path.key, false)?;
    no_options(call)?;
    let written = write(call, user, &Command::Clear(call.caller.application)).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT).with(PORCHLIGHT_REVISION, written.revision.0.into()))
}

fn from_body(call: &Call<'_>, action: Action, body: &Object<'_>) -> Result<Command, Error> {
    let (application, profile) = (call.caller.application, call.settings.profile);
    match action {
        Action::SetPresence => command::set_presence(body, application, profile),
        Action::ClearPresence => command::clear_presence(body, application, profile),
        Action::SetUserPreferredPresence => command::set_preferred(body),
        Action::SetStatusMessage => command::set_status_message(body),
        Action::SetAutomaticLocation => command::set_location(body, LocationSource::Automatic),
        Action::SetManualLocation => command::set_location(body, LocationSource::Manual),
        Action::ClearUserPreferredPresence => Ok(Command::ClearPreferred),
        Action::ClearAutomaticLocation => Ok(Command::ClearLocation { manual_too: false }),
        Action::ClearLocation => Ok(Command::ClearLocation { manual_too: true }),
    }
}

async fn write(call: &Call<'_>, user: UserId, command: &Command) -> Result<Box<Written>, Error> {
    let caller = call.caller;
    let written = call.engine.write_by(Some(caller.application), caller.tenant.id(), user, command).await?;
    call.notes.written(&written, call.settings.audit_texts);
    Ok(written)
}

/// Refuses query options where there are none.
pub(super) fn no_options(call: &Call<'_>) -> Result<(), Error> {
    Options::parse(call.query)?.check(&[], &["$expand"], call.settings.profile)
}

fn select(call: &Call<'_>) -> Result<Select, Error> {
    let options = Options::parse(call.query)?;
    options.check(&["$select"], &["$expand"], call.settings.profile)?;
    Select::parse(options.get("$select"))
}

fn show(
    call: &Call<'_>,
    root: Root,
    user: UserId,
    seen: &porchlight_presence::Presence<'_>,
    select: &Select,
    level: MetadataLevel,
) -> Reply {
    let base = call.base;
    let id = guid::text(user.0);
    let id = str::from_utf8(&id).expect("a GUID is ASCII");
    let context: &[&str] = match root {
        Root::Users => &[base, "/$metadata#users('", id, "')/presence", select.context(), "/$entity"],
        Root::Communications => &[base, "/$metadata#communications/presences", select.context(), "/$entity"],
    };
    let annotations = Annotations {
        context: (level != MetadataLevel::None).then_some(context),
        full: (level == MetadataLevel::Full).then_some(base),
    };
    let mut out = Vec::with_capacity(USUAL_BYTES);
    presence::write(&mut out, user, seen, call.caller.reader(user), select, annotations);
    Reply::odata(out, level)
}

/// Says which pair results from a write and which layer won: "200 but nothing changes" explains itself.
fn with_effective(reply: Reply, written: &Written) -> Reply {
    let (pair, decider) = written.user.decided(written.at);
    let (availability, activity) = (pair.availability.name(), pair.activity.name());
    let effective = [availability, "/", activity, "; by=", explanation::decider(decider)].concat();
    reply.with(PORCHLIGHT_EFFECTIVE, header_value(&effective))
}
