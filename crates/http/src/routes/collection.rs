//! Many presences: the collection.

use http::HeaderValue;
use porchlight_engine::Tenant;
use porchlight_presence::{Timestamp, UserId};

use super::users::Paging;
use crate::audience::Audience;
use crate::call::Call;
use crate::error::Error;
use crate::odata::{Options, Select};
use crate::reply::{MetadataLevel, Reply};
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
    for (at, (user, (_, view))) in page.users.iter().zip(tenant.look_at_all(&page.users, now)).enumerate() {
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
