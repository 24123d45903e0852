//! Somebody who follows presences: what they have been told, and what they are to be told next.
//!
//! A follower keeps no queue. It knows how far its reader has been told and looks up the rest when the reader can take
//! more, so a slow reader is told the newest state, and costs no more memory than a quick one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use porchlight_engine::{Change, Cursor, Engine, Recent, Stamp, Tenant, Whom};
use porchlight_presence::{Timestamp, UserId};
use rapidhash::fast::RandomState;
use rapidhash::v3::rapidhash_v3;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::audience::Audience;
use crate::auth::Caller;
use crate::bookmark::{Bookmark, Bookmarks, Question};
use crate::events::{Event, Piece};
use crate::odata::Select;
use crate::relay;
use crate::walk::{LOOKS, Walk, changed_at};
use crate::wire::presence::{self, Annotations};

/// Changes within this time are told together.
const TOGETHER: Duration = Duration::from_millis(5);

/// A piece is told once it has this many bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// The id of the event with which a snapshot begins. Nobody can go on from it: a reader who is cut off before the next
/// one has forgotten what they knew, and is to be told everything, not what came after the id that they had before.
const BEGINNING: &str = "beginning";

/// What is followed, and how it is told.
pub(crate) struct Asked {
    pub(crate) audience: Audience,
    /// The question, as its bookmarks know it.
    pub(crate) of: String,
    pub(crate) filter: Option<String>,
    pub(crate) select: Option<String>,
    /// The members that are told.
    pub(crate) members: Select,
    /// Who reads.
    pub(crate) caller: Caller,
}

impl Asked {
    /// What its bookmarks are good for.
    fn question(&self) -> Question<'_> {
        Question { of: &self.of, filter: self.filter.as_deref(), select: self.select.as_deref() }
    }
}

/// One who follows.
pub(crate) struct Follower {
    teller: Teller,
    place: Place,
    news: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    /// Word of every jump of the clock by which the reader's token expires.
    jumps: watch::Receiver<u64>,
    heartbeat: Duration,
    /// When something was told last.
    told_at: Instant,
}

/// Where a follower is.
enum Place {
    /// At the end: the reader may not go on.
    Ended,
    Walking(Telling),
    /// Has been told everything up to the cursor, and every change before this number of the feed.
    Following {
        cursor: Cursor,
        number: u64,
    },
}

/// Telling in ascending order of ids how things are; when `since` is given, only of those who have changed.
struct Telling {
    walk: Walk,
    since: Option<Cursor>,
    until: Cursor,
    after: Option<UserId>,
    /// The number of the feed when it began; `None` when it was cut off and goes on: those whom it had passed may have
    /// changed in between, so another one has to follow.
    number: Option<u64>,
}

/// What a follower was woken by.
enum Word {
    News,
    Silence,
    /// The reader's token expires about now.
    Expiry,
    End,
}

impl Follower {
    /// One who begins where the bookmark says that they have been told, else at the beginning.
    pub(crate) fn new(
        teller: Teller,
        bookmark: Option<Bookmark>,
        stop: watch::Receiver<bool>,
        heartbeat: Duration,
    ) -> Follower {
        let news = teller.follow();
        let place = teller.place(bookmark);
        let jumps = teller.engine.clock().jumps();
        Follower { teller, place, news, stop, jumps, heartbeat, told_at: Instant::now() }
    }

    /// What is to be told next, as soon as there is something; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let piece = match self.place {
                Place::Walking(_) => self.end().unwrap_or_else(|| self.walk_on()),
                Place::Ended => return None,
                Place::Following { .. } => match self.wait().await {
                    Word::End => return None,
                    Word::News => {
                        sleep_until(self.told_at + TOGETHER).await;
                        self.end().unwrap_or_else(|| self.look())
                    }
                    Word::Silence => self.end().unwrap_or_else(|| self.beat()),
                    Word::Expiry => self.end().unwrap_or_default(),
                },
            };
            if !piece.is_empty() {
                self.told_at = Instant::now();
                return Some(piece.into_bytes());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn wait(&mut self) -> Word {
        let (clock, until) = (self.teller.engine.clock(), self.teller.asked.caller.until());
        tokio::select! {
            () = clock.wait(Some(until), &mut self.jumps), if until < Timestamp::MAX => Word::Expiry,
            news = self.news.changed() => if news.is_ok() { Word::News } else { Word::End },
            () = sleep_until(self.told_at + self.heartbeat) => Word::Silence,
            _ = self.stop.wait_for(|stop| *stop) => Word::End,
        }
    }

    /// The last words to a reader who may not go on. They are to come back with another token, and go on then.
    fn end(&mut self) -> Option<Piece> {
        let teller = &self.teller;
        let error = teller.asked.caller.standing(teller.engine.clock()).err()?;
        self.place = Place::Ended;
        let mut piece = Piece::default();
        let message = serde_json::json!({"code": "InvalidAuthenticationToken", "message": error.message()});
        piece.event(Event::Expired, |out| out.extend_from_slice(message.to_string().as_bytes()));
        Some(piece)
    }

    /// The next piece of a walk, which may be empty.
    fn walk_on(&mut self) -> Piece {
        let Place::Walking(telling) = &mut self.place else { return Piece::default() };
        let (piece, next) = telling.go_on(&mut self.teller);
        if let Some(next) = next {
            self.place = next;
        }
        piece
    }

    /// What has changed since the last look; may be nothing that is told.
    fn look(&mut self) -> Piece {
        let Place::Following { cursor, number } = self.place else { return Piece::default() };
        let (piece, next) = if self.teller.can_go_on_from(cursor) {
            match self.teller.asked.audience.users() {
                Some(_) => self.teller.changes_of_users(cursor, number),
                None => self.teller.changes_of_everybody(cursor, number),
            }
        } else {
            // Development has begun anew.
            (Piece::default(), self.teller.walk(None))
        };
        if let Place::Following { number: next, .. } = next
            && next < self.teller.tenant.feed().pushed()
            && self.teller.asked.audience.users().is_none()
        {
            // There is more already.
            self.news.mark_changed();
        }
        self.place = next;
        piece
    }

    /// A sign of life, and how far the reader has been told by now: who comes back after a long silence need not be
    /// told of what others saw long ago.
    fn beat(&mut self) -> Piece {
        let mut piece = Piece::heartbeat();
        // Before the look at whether there is news; see there.
        let told = self.teller.engine.feed_cursor(&self.teller.tenant);
        if let Place::Following { cursor, number } = &mut self.place
            && match self.teller.asked.audience.users() {
                // Word of everybody may still be on its way.
                None => self.teller.tenant.feed().pushed() == *number,
                Some(_) => self.news.has_changed().is_ok_and(|changed| !changed),
            }
        {
            *cursor = told.later(*cursor);
            piece.mark(&self.teller.bookmark(Bookmark::Told(*cursor)));
        }
        piece
    }
}

impl Telling {
    /// The next piece, which may be empty, and where the follower is after the last one.
    fn go_on(&mut self, teller: &mut Teller) -> (Piece, Option<Place>) {
        let users = self.walk.next(&teller.tenant, self.after);
        let mut piece = Piece::default();
        if self.since.is_none() && self.after.is_none() {
            piece.event(Event::Snapshot, |out| out.extend_from_slice(b"{}"));
            piece.mark(BEGINNING);
        }
        // The time before the records: a record that is read later is never evaluated past a write that it lacks.
        let now = teller.engine.now();
        for user in &users {
            let is_news = |since| teller.engine.has_changed(&teller.tenant, *user, since, now);
            if self.since.is_none_or(is_news) {
                teller.tell(&mut piece, *user, now, self.since.is_some());
            }
            self.after = Some(*user);
            if piece.len() >= PIECE_BYTES {
                break;
            }
        }
        if users.len() == LOOKS || self.after != users.last().copied().or(self.after) {
            if let Some(after) = self.after.filter(|_| !piece.is_empty()) {
                let (since, until) = (self.since, self.until);
                piece.mark(&teller.bookmark(Bookmark::Telling { since, until, after }));
            }
            return (piece, None);
        }
        for user in self.since.map(|since| self.walk.departed(&teller.tenant, since)).unwrap_or_default() {
            teller.tell(&mut piece, user, now, true);
        }
        let Some(number) = self.number else { return (piece, Some(teller.walk(Some(self.until)))) };
        piece.event(Event::Current, |out| out.extend_from_slice(b"{}"));
        piece.mark(&teller.bookmark(Bookmark::Told(self.until)));
        (piece, Some(Place::Following { cursor: self.until, number }))
    }
}

/// Looks up what is told to a follower, and puts it into words.
pub(crate) struct Teller {
    engine: Engine,
    tenant: Arc<Tenant>,
    bookmarks: Arc<Bookmarks>,
    asked: Asked,
    /// A hash of what was told last of each user; only of users who were asked for by name.
    told: HashMap<UserId, u64, RandomState>,
}

impl Teller {
    pub(crate) fn new(
        engine: Engine,
        tenant: Arc<Tenant>,
        bookmarks: Arc<Bookmarks>,
        asked: Asked,
    ) -> Teller {
        Teller { engine, tenant, bookmarks, asked, told: HashMap::default() }
    }

    /// Word of whatever may have to be told.
    fn follow(&self) -> watch::Receiver<u64> {
        match self.asked.audience.users() {
            None => relay::follow(&self.tenant),
            Some(users) => {
                // The reader too, whose stream ends when they may not sign in any more.
                let users: Vec<UserId> = users.iter().copied().chain(self.asked.caller.user).collect();
                self.tenant.feed().follow_users(&users)
            }
        }
    }

    /// Where to begin who comes with this bookmark.
    fn place(&self, bookmark: Option<Bookmark>) -> Place {
        match bookmark {
            Some(Bookmark::Told(cursor)) => self.walk(Some(cursor)),
            Some(Bookmark::Telling { since, until, after })
                if since.into_iter().chain([until]).all(|cursor| self.can_go_on_from(cursor)) =>
            {
                // Another node may have begun, whose clock is ahead: of whoever follows here, what shows
                // by this one's clock is told.
                let until = Cursor { at: until.at.min(self.engine.feed_cursor(&self.tenant).at), ..until };
                let walk = self.through(since);
                Place::Walking(Telling { walk, since, until, after: Some(after), number: None })
            }
            _ => self.walk(None),
        }
    }

    /// A new walk: since a cursor, if that is one that can be gone on from.
    fn walk(&self, since: Option<Cursor>) -> Place {
        let since = since.filter(|since| self.can_go_on_from(*since));
        // In this order: what the walk may not tell of has a number from here on, and is later than the cursor.
        let until = self.engine.feed_cursor(&self.tenant);
        let number = Some(self.tenant.feed().pushed());
        Place::Walking(Telling { walk: self.through(since), since, until, after: None, number })
    }

    fn can_go_on_from(&self, cursor: Cursor) -> bool {
        self.engine.can_go_on_from(&self.tenant, cursor)
    }

    fn through(&self, since: Option<Cursor>) -> Walk {
        Walk::new(&self.engine, &self.tenant, &self.asked.audience, since)
    }

    /// What has changed of those who were asked for by name.
    fn changes_of_users(&mut self, cursor: Cursor, number: u64) -> (Piece, Place) {
        let users = self.asked.audience.users().unwrap_or_default();
        let changes = self.engine.changes_since(&self.tenant, cursor, Whom::Users(users), Stamp::ChangedAt);
        if changes.changed.len() > LOOKS {
            return (Piece::default(), self.walk(Some(cursor)));
        }
        let mut piece = Piece::default();
        let now = self.engine.now();
        for changed in &changes.changed {
            self.tell(&mut piece, changed.user, now, true);
        }
        if !piece.is_empty() {
            piece.mark(&self.bookmark(Bookmark::Told(changes.next)));
        }
        (piece, Place::Following { cursor: changes.next, number })
    }

    /// What is on the feed.
    fn changes_of_everybody(&mut self, cursor: Cursor, number: u64) -> (Piece, Place) {
        // Before the feed is looked at; see there.
        let told = self.engine.feed_cursor(&self.tenant);
        let Recent::Changes(changes, _) = self.tenant.feed().since_number(number, LOOKS) else {
            return (Piece::default(), self.walk(Some(cursor)));
        };
        let mut piece = Piece::default();
        let now = self.engine.now();
        let mut looked_at = 0;
        for change in &changes {
            looked_at += 1;
            // What is told is the newest. A fade that comes later than this change may not be on the feed yet: it is told
            // now all the same, since the cursor may be beyond it.
            let again = |later: &Change| later.user == change.user;
            let is_newest = || changed_at(&self.tenant, change.user, now) <= change.stamps.changed_at;
            if is_newest() || !changes[looked_at..].iter().any(again) {
                self.tell(&mut piece, change.user, now, true);
            }
            if piece.len() >= PIECE_BYTES {
                break;
            }
        }
        let number = number + looked_at as u64;
        if looked_at < changes.len() || looked_at == LOOKS {
            // A cursor says that everything before it was told: not yet.
            return (piece, Place::Following { cursor, number });
        }
        let cursor = told.later(cursor);
        if !piece.is_empty() {
            piece.mark(&self.bookmark(Bookmark::Told(cursor)));
        }
        (piece, Place::Following { cursor, number })
    }

    /// Tells of a user. Who `was_told` of before, perhaps, is taken back when they are not to be seen any more.
    fn tell(&mut self, piece: &mut Piece, user: UserId, now: Timestamp, was_told: bool) {
        let before = piece.len();
        match self.asked.audience.look(&self.tenant, user, now) {
            Ok(view) => piece.event(Event::Presence, |out| {
                let reader = self.asked.caller.reader(user);
                let (members, none) = (&self.asked.members, Annotations::default());
                view.show(now, |seen| presence::write(out, user, seen, reader, members, none));
            }),
            Err(removed) if was_told => {
                piece.event(Event::Removed, |out| presence::write_removed(out, user, removed.reason()));
            }
            Err(_) => {}
        }
        if self.asked.audience.users().is_some() {
            let told = &mut self.told;
            piece.take_back_if(before, |event| {
                let hash = rapidhash_v3(event);
                told.insert(user, hash) == Some(hash)
            });
        }
    }

    fn bookmark(&self, bookmark: Bookmark) -> String {
        self.bookmarks.write(bookmark, self.tenant.id(), self.asked.question())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use porchlight_engine::{Clock, Options, Person};
    use porchlight_presence::{Command, Expiry, NewStatusMessage, TenantId};
    use porchlight_store::{Log, Memory};
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    /// No server of these tests stops.
    static STOP: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));
    /// More than are looked at together.
    const PEOPLE: u128 = 300;

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    async fn engine() -> Engine {
        let clock = Arc::new(Clock::manual(Timestamp::from_millis(1_700_000_000_000)));
        let open =
            |replica| Ok::<_, std::convert::Infallible>(Arc::new(Memory::new(replica)) as Arc<dyn Log>);
        let engine = Engine::open(clock, Options::default(), open).expect("it opens");
        for number in 0..PEOPLE {
            let person = Person::new(user(number), format!("p{number}@x.example"));
            engine.put_person(TENANT, &person).await.expect("they are put in");
        }
        // What was done so far is not news.
        engine.clock().advance(Duration::from_secs(1));
        engine
    }

    async fn say(engine: &Engine, number: u128, what: &str) {
        let message = NewStatusMessage { content: what.to_owned(), expiry: None };
        let command = Command::SetStatusMessage(Some(message));
        engine.write(TENANT, user(number), &command).await.expect("it is written");
    }

    /// Somebody who follows everybody from this bookmark on.
    fn follower(engine: &Engine, bookmark: Option<&str>) -> Follower {
        let asked = Asked {
            audience: Audience::everybody(),
            of: "stream".to_owned(),
            filter: None,
            select: None,
            members: Select::ALL,
            caller: Caller::unbound(engine.tenant(TENANT).expect("it is known")),
        };
        let tenant = engine.tenant(TENANT).expect("it is known");
        let bookmarks = Arc::new(Bookmarks::new(b"a secret"));
        let bookmark = bookmark.and_then(|text| bookmarks.read(text, TENANT, asked.question()));
        let teller = Teller::new(engine.clone(), tenant, bookmarks, asked);
        Follower::new(teller, bookmark, STOP.subscribe(), Duration::from_secs(15))
    }

    async fn next(follower: &mut Follower) -> String {
        let piece = follower.next().await.expect("it goes on");
        String::from_utf8(piece.to_vec()).expect("events are text")
    }

    /// The id that a piece ends with.
    fn id(piece: &str) -> &str {
        piece.rsplit_once("id: ").expect("it has an id").1.trim_end()
    }

    #[tokio::test]
    async fn who_was_cut_off_within_a_snapshot_is_also_told_what_changed_before_the_cut() {
        let engine = engine().await;
        let mut cut = follower(&engine, None);
        let first = next(&mut cut).await;
        assert!(first.contains(&user(0).to_string()) && !first.contains("event: current"));
        let bookmark = id(&first).to_owned();
        drop(cut);
        say(&engine, 0, "news of who was passed already").await;
        engine.clock().advance(Duration::from_secs(1));
        let mut resumed = follower(&engine, Some(&bookmark));
        let mut told = String::new();
        while !told.contains("event: current") {
            told += &next(&mut resumed).await;
        }
        assert!(!told.contains("event: snapshot"), "it goes on where it was cut");
        assert!(told.contains("news of who was passed already"));
        let of = |number| told.matches(&format!("\"id\":\"{}\"", user(number))).count();
        assert_eq!((of(0), of(1), of(PEOPLE - 1)), (1, 0, 1), "nobody else is told twice");
    }

    #[tokio::test]
    async fn who_was_cut_off_by_a_node_that_is_ahead_is_told_no_further_than_this_one_is() {
        let engine = engine().await;
        let follower = follower(&engine, None);
        let here = engine.feed_cursor(&follower.teller.tenant);
        let until = Cursor { at: engine.now(), ..here };
        let bookmark = Bookmark::Telling { since: None, until, after: user(0) };
        let Place::Walking(telling) = follower.teller.place(Some(bookmark)) else { panic!("there are more") };
        assert_eq!((telling.until, telling.after), (here, Some(user(0))));
    }

    #[tokio::test]
    async fn who_was_cut_off_at_the_beginning_of_a_snapshot_is_told_all_of_it() {
        let engine = engine().await;
        let mut known = follower(&engine, None);
        while !next(&mut known).await.contains("event: current") {}
        // Later than this server's time: there is no going on from it yet, but there would be soon.
        let ahead = Cursor {
            at: engine.now().plus(Duration::from_secs(1)),
            ..engine.feed_cursor(&known.teller.tenant)
        };
        let ahead = known.teller.bookmark(Bookmark::Told(ahead));
        let told = next(&mut follower(&engine, Some(&ahead))).await;
        let (beginning, _) = told.split_once("\n\n").expect("it is an event");
        assert!(beginning.starts_with("event: snapshot\n"), "{told}");
        engine.clock().advance(Duration::from_secs(2));
        let told = next(&mut follower(&engine, Some(id(beginning)))).await;
        assert!(told.starts_with("event: snapshot\n") && told.contains(&user(0).to_string()), "{told}");
    }

    #[tokio::test]
    async fn a_snapshot_ends_when_its_reader_may_not_read_any_more() {
        let engine = engine().await;
        let mut follower = follower(&engine, None);
        follower.teller.asked.caller.user = Some(user(0));
        assert!(!next(&mut follower).await.contains("event: current"), "there is more");
        engine.write(TENANT, user(0), &Command::SetHidden(true)).await.expect("it is written");
        let last = next(&mut follower).await;
        assert!(last.contains("event: expired") && !last.contains("event: presence"), "{last}");
        assert_eq!(follower.next().await, None);
    }

    #[tokio::test]
    async fn pieces_stay_small_whatever_is_told() {
        let engine = engine().await;
        for number in 0..PEOPLE {
            say(&engine, number, &"x".repeat(280)).await;
        }
        let mut follower = follower(&engine, None);
        let mut pieces = Vec::new();
        while pieces.last().is_none_or(|piece: &String| !piece.contains("event: current")) {
            pieces.push(next(&mut follower).await);
        }
        for number in 0..PEOPLE {
            say(&engine, number, &"y".repeat(280)).await;
        }
        while pieces.iter().map(|piece| piece.matches("yyy\"").count()).sum::<usize>() < PEOPLE as usize {
            pieces.push(next(&mut follower).await);
        }
        let longest = pieces.iter().map(String::len).max().expect("there are some");
        assert!(longest < PIECE_BYTES + 2048, "{longest} bytes");
    }

    #[tokio::test]
    async fn who_fades_before_a_change_is_told_is_told_of_with_it() {
        let engine = engine().await;
        let mut follower = follower(&engine, None);
        while !next(&mut follower).await.contains("event: current") {}
        let expiry = Some(Expiry { at: engine.now().plus(Duration::from_secs(60)), ticks: 0 });
        let message = NewStatusMessage { content: "for a while".to_owned(), expiry };
        let command = Command::SetStatusMessage(Some(message));
        engine.write(TENANT, user(0), &command).await.expect("it is written");
        // Nobody has announced its end.
        engine.clock().advance(Duration::from_secs(61));
        let told = String::from_utf8(follower.look().into_bytes().to_vec()).expect("events are text");
        assert!(told.contains(&user(0).to_string()) && !told.contains("for a while"), "{told}");
    }

    #[tokio::test]
    async fn a_sign_of_life_does_not_claim_what_is_still_to_be_told() {
        let engine = engine().await;
        let mut follower = follower(&engine, None);
        while !next(&mut follower).await.contains("event: current") {}
        let text = |piece: Piece| String::from_utf8(piece.into_bytes().to_vec()).expect("events are text");
        assert!(text(follower.beat()).contains("id: "), "everything was told");
        say(&engine, 0, "news").await;
        engine.clock().advance(Duration::from_secs(1));
        assert!(!text(follower.beat()).contains("id: "));
        let told = next(&mut follower).await;
        assert!(told.contains("news") && told.contains("id: "), "{told}");
    }
}
