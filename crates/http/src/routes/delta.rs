//! Delta: what has changed since the last time, page by page. Source: design 5.4, Graph's delta convention.

use porchlight_engine::Cursor;
use porchlight_presence::{Timestamp, UserId};

use super::collection::{TOP_MAX, annotation};
use crate::audience::Audience;
use crate::bookmark::{Bookmark, Question};
use crate::call::Call;
use crate::error::Error;
use crate::odata::{Options, Select};
use crate::reply::{MetadataLevel, Reply};
use crate::seen;
use crate::walk::{LOOKS, Walk};
use crate::wire::presence::{self, Annotations};

/// The options that every link of a round carries on.
const CARRIED: [&str; 3] = ["$filter", "$select", "$top"];

/// GET `/communications/presences/delta`
///
/// A round begins without a token, with everybody, or with the token of the round before, with those who have changed
/// since. Its end is fixed when it begins, so what changes between two of its pages is told in the next one, perhaps
/// in both. Only a page of another node, whose clock is behind, brings the end forward.
pub(crate) async fn delta(call: &Call<'_>) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    call.caller.may_read_everybody()?;
    let options = options(call)?;
    let select = Select::parse(options.get("$select"))?;
    let question = Question { of: "delta", filter: options.get("$filter"), select: options.get("$select") };
    let bookmark = token(&options).and_then(|text| call.bookmarks.read(text, call.tenant().id(), question));
    if let Some(bookmark) = bookmark {
        // Before the filter, which looks people up by their names.
        seen::cursor_reached(call.engine, call.caller, bookmark.newest()).await?;
    }
    let audience = Audience::read(call, &options)?;
    let top = options.number("$top", 1, TOP_MAX)?.unwrap_or(100);
    let round = Round::read(call, &options, bookmark)?;
    let page = round.page(call, &audience, top).await;
    let (name, token, bookmark) = match page.more_after {
        Some(after) => (
            "@odata.nextLink",
            "$skiptoken",
            Bookmark::Telling { since: round.since, until: page.until, after },
        ),
        None => ("@odata.deltaLink", "$deltatoken", Bookmark::Told(page.until)),
    };
    let text = call.bookmarks.write(bookmark, call.tenant().id(), question);
    let link = link(call, &options, &format!("{token}={text}"));
    let mut out = Vec::with_capacity(256 * (page.users.len() + 1));
    out.push(b'{');
    if level != MetadataLevel::None {
        let context = format!("{}/$metadata#communications/presences{}/$delta", call.base, select.context());
        annotation(&mut out, "@odata.context", &context);
    }
    annotation(&mut out, name, &link);
    out.extend_from_slice(b"\"value\":[");
    let annotations =
        Annotations { context: None, full: (level == MetadataLevel::Full).then_some(call.base) };
    for (at, user) in page.users.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match audience.look(call.tenant(), user, page.now) {
            Ok(view) => view.show(page.now, |seen| {
                presence::write(&mut out, user, seen, call.caller.reader(user), &select, annotations);
            }),
            Err(removed) => presence::write_removed(&mut out, user, removed.reason()),
        }
    }
    out.extend_from_slice(b"]}");
    Ok(Reply::odata(out, level))
}

fn options<'q>(call: &Call<'q>) -> Result<Options<'q>, Error> {
    let options = Options::parse(call.query)?;
    let known = ["$select", "$filter", "$top", "$skiptoken", "$deltatoken"];
    let refused = ["$expand", "$search", "$orderby", "$skip", "$count"];
    options.check(&known, &refused, call.settings.profile)?;
    Ok(options)
}

/// What the client brings of the page or the round before.
fn token<'o>(options: &'o Options<'_>) -> Option<&'o str> {
    options.get("$skiptoken").or_else(|| options.get("$deltatoken"))
}

fn link(call: &Call<'_>, options: &Options<'_>, token: &str) -> String {
    let carried = options.carried(&CARRIED);
    format!("{}/communications/presences/delta?{carried}{token}", call.base)
}

/// Which round a call belongs to, and where in it.
struct Round {
    /// What the client knows already; `None`: nothing.
    since: Option<Cursor>,
    /// What it will know at the end, if the round has begun; and the last user of the page before.
    begun: Option<(Cursor, UserId)>,
    /// Nobody is to be told, only from where to ask on.
    latest: bool,
}

/// One page of a round.
struct Page {
    users: Vec<UserId>,
    /// The last of them, if more follow.
    more_after: Option<UserId>,
    /// The end of the round.
    until: Cursor,
    /// The instant to look at them.
    now: Timestamp,
}

impl Round {
    /// # Errors
    ///
    /// 410 with the way to begin anew, for a token that is none of ours or too old to go on from.
    fn read(call: &Call<'_>, options: &Options<'_>, bookmark: Option<Bookmark>) -> Result<Round, Error> {
        let beginning = Round { since: None, begun: None, latest: false };
        let Some(token) = token(options) else { return Ok(beginning) };
        if token.eq_ignore_ascii_case("latest") {
            return Ok(Round { latest: true, ..beginning });
        }
        let round = match bookmark {
            Some(Bookmark::Told(since)) => Some(Round { since: Some(since), ..beginning }),
            Some(Bookmark::Telling { since, until, after }) => {
                Some(Round { since, begun: Some((until, after)), latest: false })
            }
            None => None,
        };
        let known = |round: &Round| {
            let cursors = round.since.into_iter().chain(round.begun.map(|(until, _)| until));
            cursors.into_iter().all(|cursor| call.engine.can_go_on_from(call.tenant(), cursor))
        };
        let again = link(call, options, "");
        round
            .filter(known)
            .ok_or_else(|| Error::SyncStateNotFound(again.trim_end_matches(['?', '&']).to_owned()))
    }

    async fn page(&self, call: &Call<'_>, audience: &Audience, top: usize) -> Page {
        // Before the feed is looked at; see there.
        let cursor = call.engine.feed_cursor(call.tenant());
        let (users, more_after) =
            if self.latest { (Vec::new(), None) } else { self.users(call, audience, top).await };
        Page {
            users,
            more_after,
            // What fades between the clocks of two nodes has not been told by the one that is behind.
            until: self.begun.map_or(cursor, |(until, _)| Cursor { at: until.at.min(cursor.at), ..until }),
            now: call.engine.now(),
        }
    }

    /// The next `top` users to tell of, and the last of them if more follow. The last page also has those who have left
    /// the directory, whom a walk through it does not come by.
    async fn users(&self, call: &Call<'_>, audience: &Audience, top: usize) -> (Vec<UserId>, Option<UserId>) {
        let tenant = call.tenant();
        let walk = Walk::new(call.engine, tenant, audience, self.since);
        let mut after = self.begun.map(|(_, after)| after);
        let mut told = Vec::new();
        loop {
            let users = walk.next(tenant, after);
            let now = call.engine.now();
            told.extend(users.iter().copied().filter(|user| match self.since {
                Some(since) => call.engine.has_changed(tenant, *user, since, now),
                None => audience.look(tenant, *user, now).is_ok(),
            }));
            if told.len() > top {
                told.truncate(top);
                let more_after = told.last().copied();
                return (told, more_after);
            }
            if users.len() < LOOKS {
                told.extend(self.since.into_iter().flat_map(|since| walk.departed(tenant, since)));
                return (told, None);
            }
            after = users.last().copied();
            // A walk through a large directory takes a while.
            tokio::task::yield_now().await;
        }
    }
}
