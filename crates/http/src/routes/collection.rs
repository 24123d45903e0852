//! Many presences: the collection and the bulk read.

use std::collections::HashSet;

use http::HeaderValue;
use porchlight_engine::{Tenant, View};
use porchlight_presence::{Timestamp, UserId};
use rapidhash::fast::RandomState;
use uuid::Uuid;

use super::users::Paging;
use crate::audience::Audience;
use crate::body::Body;
use crate::call::Call;
use crate::error::Error;
use crate::odata::{Options, Select};
use crate::reply::{MetadataLevel, Reply};
use crate::settings::Profile;
use crate::wire::json::{Json, Object};
use crate::wire::presence::{self, Annotations};

/// The most that one page of the collection holds.
pub(super) const TOP_MAX: usize = 650;

/// GET `/communications/presences` (P4)
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    call.caller.may_read_everybody()?;
    let options = options(call)?;
    let select = Select::parse(options.get("$select"))?;
    let (tenant, now) = (call.tenant(), call.engine.now());
    let audience = Audience::read(call, &options)?;
    let paging = Paging::read(&options, TOP_MAX)?;
    let page = page(tenant, &audience, &paging, now);
    let base = call.base;
    let mut out = Vec::with_capacity(256 * (page.users.len() + 1));
    out.push(b'{');
    if level != MetadataLevel::None {
        let context = format!("{base}/$metadata#communications/presences{}", select.context());
        annotation(&mut out, "@odata.context", &context);
    }
    if paging.count {
        let total = audience.matching(tenant, None, now).count();
        out.extend_from_slice(format!("\"@odata.count\":{total},").as_bytes());
    }
    if let Some(last) = page.more_after {
        let next = format!("{base}/communications/presences?{}", paging.next(&options, last));
        annotation(&mut out, "@odata.nextLink", &next);
    }
    out.extend_from_slice(b"\"value\":[");
    let full = (level == MetadataLevel::Full).then_some(base);
    let annotations = Annotations { context: None, full };
    for (at, (user, view)) in page.users.iter().zip(tenant.views(&page.users, now)).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        view.show(now, |seen| {
            presence::write(&mut out, *user, seen, call.caller.reader(*user), &select, annotations);
        });
    }
    out.extend_from_slice(b"]}");
    Ok(Reply::odata(out, level))
}

/// GET `/communications/presences/$count` (P5)
pub(crate) fn count(call: &Call<'_>) -> Result<Reply, Error> {
    call.caller.may_read_everybody()?;
    let audience = Audience::read(call, &options(call)?)?;
    let total = audience.matching(call.tenant(), None, call.engine.now()).count();
    Ok(Reply::ok(HeaderValue::from_static("text/plain"), total.to_string()))
}

/// POST `/communications/getPresencesByUserId` (P6)
pub(crate) async fn by_user_id(call: &Call<'_>, body: Body) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    call.caller.may_read_everybody().or_else(|_| only_own(call))?;
    let options = Options::parse(call.query)?;
    options.check(&["$select"], &["$expand"], call.settings.profile)?;
    let select = Select::parse(options.get("$select"))?;
    let bytes = body.read_json(call.headers, &call.settings.limits).await?;
    let body = Json::parse(&bytes)?.into_object()?;
    let tenant = call.tenant();
    let ids = asked(call, &body)?;
    // The time before the records: see `presence::get`.
    let now = call.engine.now();
    let found = tenant.look_up_all(&ids, now);
    if call.settings.profile == Profile::Strict {
        let bad = |(id, found): (&&str, &Option<_>)| found.is_none() && !is_guid(id);
        if let Some(at) = ids.iter().zip(&found).position(bad) {
            return Err(Error::BadId(at));
        }
    }
    let is_own =
        |found: &Option<(UserId, View)>| found.as_ref().is_some_and(|(user, _)| call.caller.is(*user));
    if !found.iter().all(is_own) {
        call.caller.may_read_everybody()?;
    }
    let base = call.base;
    let mut out = Vec::with_capacity(256 * (ids.len() + 1));
    out.push(b'{');
    if level != MetadataLevel::None {
        annotation(
            &mut out,
            "@odata.context",
            &format!("{base}/$metadata#Collection(microsoft.graph.presence)"),
        );
    }
    out.extend_from_slice(b"\"value\":[");
    let annotations = Annotations { context: None, full: (level == MetadataLevel::Full).then_some(base) };
    let mut once = Once::with_capacity(ids.len());
    let start = out.len();
    for (id, found) in ids.iter().zip(&found) {
        let first = match found {
            Some((user, _)) => once.known.insert(*user),
            None => once.unknown.insert(id.to_ascii_lowercase()),
        };
        if !first {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        match found {
            None => presence::write_unknown(&mut out, id, &select),
            Some((user, view)) => view.show(now, |seen| {
                presence::write(&mut out, *user, seen, call.caller.reader(*user), &select, annotations);
            }),
        }
    }
    out.extend_from_slice(b"]}");
    Ok(Reply::odata(out, level))
}

/// A user without the right to read everybody may still name themselves alone.
fn only_own(call: &Call<'_>) -> Result<(), Error> {
    let everybody = call.caller.may_read_everybody();
    if call.caller.user.is_some() && call.caller.may_read_own().is_ok() { Ok(()) } else { everybody }
}

/// The ids asked for. Source: presence-api 6.2.
fn asked<'b>(call: &Call<'_>, body: &'b Object<'_>) -> Result<Vec<&'b str>, Error> {
    let ids = body.array("ids")?.ok_or(Error::IdsMissing)?;
    let max = call.settings.limits.ids_max;
    if ids.len() > max {
        return Err(Error::TooManyIds { given: ids.len(), max });
    }
    let text = |(at, id): (usize, &'b Json<'_>)| match id {
        Json::String(id) if !id.trim_start().is_empty() => Ok(id.as_ref()),
        _ => Err(Error::BadId(at)),
    };
    ids.iter().enumerate().map(text).collect()
}

/// Who was answered already: an id that stands twice is answered at its first place.
struct Once {
    known: HashSet<UserId, RandomState>,
    unknown: HashSet<String>,
}

impl Once {
    fn with_capacity(ids: usize) -> Once {
        Once { known: HashSet::with_capacity_and_hasher(ids, RandomState::new()), unknown: HashSet::new() }
    }
}

/// A GUID in the form 8-4-4-4-12.
fn is_guid(id: &str) -> bool {
    id.len() == 36 && Uuid::try_parse(id).is_ok()
}

fn options<'q>(call: &Call<'q>) -> Result<Options<'q>, Error> {
    let options = Options::parse(call.query)?;
    let known = ["$select", "$filter", "$top", "$skip", "$skiptoken", "$count", "$orderby"];
    options.check(&known, &["$expand", "$search"], call.settings.profile)?;
    match options.get("$orderby").map(str::trim) {
        None | Some("id" | "id asc") => Ok(options),
        Some(_) => Err(Error::BadQuery("The collection can only be ordered by id.".to_owned())),
    }
}

/// One page of users, and the last of them if more follow.
struct Page {
    users: Vec<UserId>,
    more_after: Option<UserId>,
}

fn page(tenant: &Tenant, audience: &Audience, paging: &Paging, now: Timestamp) -> Page {
    let rest = audience.matching(tenant, paging.after, now).skip(paging.skip);
    let mut users: Vec<UserId> = rest.take(paging.top + 1).collect();
    let more = users.len() > paging.top;
    users.truncate(paging.top);
    let more_after = users.last().copied().filter(|_| more);
    Page { users, more_after }
}

/// Appends `"name":"text",`.
pub(super) fn annotation(out: &mut Vec<u8>, name: &str, text: &str) {
    out.extend_from_slice(format!("\"{name}\":{},", serde_json::Value::from(text)).as_bytes());
}
