//! Streams: the present state, then changes as they happen, as server-sent events. Source: design 5.4.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use http::header::{ACCEPT, HeaderName, HeaderValue};
use hyper::body::Frame;

use super::rights;
use crate::audience::Audience;
use crate::bookmark::{Bookmark, Question};
use crate::call::Call;
use crate::error::Error;
use crate::follower::{Asked, Follower, Teller};
use crate::headers::Headers;
use crate::odata::{Options, Select};
use crate::reply::Reply;
use crate::resource::Resource;
use crate::seen;

/// What a stream is called in `Accept` and `Content-Type`.
const EVENT_STREAM: &str = "text/event-stream";

/// What a browser says when it comes back: the id of the last event that it has got.
const LAST_EVENT_ID: &str = "last-event-id";

/// nginx holds answers back unless it is told not to.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// When to come back who finds too many streams open.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Whether the client asks for a stream.
pub(crate) fn is_wanted(headers: &Headers<'_>) -> bool {
    // What nearly every client sends needs no second look.
    if headers.accept.first.is_none_or(|first| !headers.accept.repeated && first == "application/json") {
        return false;
    }
    let values = headers.all.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM));
        named && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
    })
}

/// GET `…/presence` and `/communications/presences` with `Accept: text/event-stream`
///
/// # Errors
///
/// What GET of the same resource answers, and 503 when too many streams are open, or when this node does not come
/// to what the reader has been told by another one.
pub(crate) async fn open(call: &Call<'_>, resource: &Resource<'_>) -> Result<Reply, Error> {
    let (options, of, user) = if let Resource::Presence(path) = resource {
        let user = rights::readable(call, call.tenant(), &path.key)?;
        let options = Options::parse(call.query)?;
        options.check(&["$select"], &["$expand"], call.settings.profile)?;
        (options, format!("stream of {user}"), Some(user))
    } else {
        call.caller.may_read_everybody()?;
        let options = Options::parse(call.query)?;
        let refused = ["$expand", "$search", "$orderby", "$top", "$skip", "$skiptoken", "$count"];
        options.check(&["$select", "$filter"], &refused, call.settings.profile)?;
        (options, "stream".to_owned(), None)
    };
    let bookmark = bookmark(call, &options, &of);
    if let Some(bookmark) = bookmark {
        // Before the filter, which looks people up by their names.
        seen::cursor_reached(call.engine, call.caller, bookmark.newest()).await?;
    }
    let audience = match user {
        Some(user) => Audience::one(user),
        None => Audience::read(call, &options)?,
    };
    let asked = asked(call, &options, audience, of)?;
    let open = call
        .instruments
        .open_stream(call.settings.limits.streams_max)
        .ok_or(Error::Unavailable { message: "Too many streams are open.", retry_after: RETRY_AFTER })?;
    let (tenant, bookmarks) = (Arc::clone(&call.caller.tenant), Arc::clone(call.bookmarks));
    let teller = Teller::new(call.engine.clone(), tenant, bookmarks, asked);
    let heartbeat = call.settings.limits.stream_heartbeat;
    let follower = Box::new(Follower::new(teller, bookmark, call.stop.subscribe(), heartbeat));
    let pieces = stream::unfold((follower, open), |(mut follower, open)| async {
        let piece = follower.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(piece)), (follower, open)))
    });
    let reply = Reply::stream(HeaderValue::from_static(EVENT_STREAM), pieces);
    Ok(reply.with(NO_BUFFERING, HeaderValue::from_static("no")))
}

/// How far the client has been told, if it comes back.
fn bookmark(call: &Call<'_>, options: &Options<'_>, of: &str) -> Option<Bookmark> {
    let text = call.headers.all.get(LAST_EVENT_ID)?.to_str().ok()?;
    let question = Question { of, filter: options.get("$filter"), select: options.get("$select") };
    call.bookmarks.read(text, call.tenant().id(), question)
}

fn asked(call: &Call<'_>, options: &Options<'_>, audience: Audience, of: String) -> Result<Asked, Error> {
    let text = |name: &str| options.get(name).map(str::to_owned);
    let (filter, select) = (text("$filter"), text("$select"));
    let members = Select::parse(select.as_deref())?;
    Ok(Asked { audience, of, filter, select, members, caller: call.caller.clone() })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_stream_is_asked_for_by_name() {
        let table = [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("application/json, text/event-stream;q=0.5", true),
            ("text/event-stream;q=0", false),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
        ];
        for (accept, wanted) in table {
            let all = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(is_wanted(&Headers::of(&all)), wanted, "{accept}");
        }
        assert!(!is_wanted(&Headers::of(&HeaderMap::new())));
    }
}
