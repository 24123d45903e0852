//! People who change while others watch them: each changes again as soon as everybody who watches was told.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::peers::churn::{self, post};
use crate::peers::turns::in_turns;
use crate::peers::wire::{Place, Wire};
use crate::peers::xmpp::{self, Ejabberd, appear, jid, log_in};
use crate::report::{Compared, Sample};
use crate::requests::{AUTHORIZATION, ID, PRESENCE, SET_ANOTHER_BODY, SET_BODY, SET_PRESENCE, user_id};
use crate::scale::Scale;
use crate::server::Server;

/// How long everybody may take to be told.
const PATIENCE: Duration = Duration::from_secs(30);

/// People, and how many watch each of them.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    people: u32,
    watchers: u32,
}

const CROWDS: [Crowd; 3] = [
    Crowd { people: 64, watchers: 1 },
    Crowd { people: 10, watchers: 100 },
    Crowd { people: 1, watchers: 1_000 },
];

/// How many users that takes, after those who come and go.
pub(super) const USERS: u32 = CROWDS[0].users() + CROWDS[1].users() + CROWDS[2].users();

impl Crowd {
    /// How many users that takes: a person and those who watch them stand one after the other.
    const fn users(self) -> u32 {
        self.people * (1 + self.watchers)
    }
}

/// Both in turns, with each crowd.
pub(super) async fn compare(
    scale: &Scale,
    ejabberd: &Ejabberd,
    porchlight: &Server,
) -> Result<Vec<Compared>> {
    let mut compared = Vec::new();
    let mut first = churn::USERS;
    for crowd in CROWDS {
        let (place, other) = (Place::Ejabberd(ejabberd.address()), Place::Porchlight(porchlight.address()));
        let mut theirs = Gathering::of(place, crowd, first).await.context("ejabberd")?;
        let mut ours = Gathering::of(other, crowd, first).await.context("porchlight")?;
        let their_turn =
            async |seconds| theirs.change(seconds, || ejabberd.cpu_seconds()).await.context("ejabberd");
        let our_turn =
            async |seconds| ours.change(seconds, || porchlight.cpu_seconds()).await.context("porchlight");
        let Crowd { people, watchers } = crowd;
        let title = format!("changes told, {people} with {watchers} who watch, each");
        let note = format!("a change is told {watchers} times; from when it is sent until it is read");
        compared.push(xmpp::compared(title, in_turns(scale, their_turn, our_turn).await?, note));
        first += crowd.users();
    }
    Ok(compared)
}

/// A crowd that has come.
struct Gathering {
    people: Vec<Person>,
    /// The watchers, who go with this value.
    watching: JoinSet<Result<()>>,
}

/// Somebody who changes.
struct Person {
    user: u32,
    place: Place,
    wire: Wire,
    seen: Rc<Seen>,
}

/// What is to be seen of somebody, and by how many it was not seen yet.
struct Seen {
    watchers: u32,
    busy: Cell<bool>,
    sent: Cell<Instant>,
    waiting: Cell<u32>,
    by_all: Notify,
    /// How long each watcher took to see each change, in milliseconds.
    millis: RefCell<Vec<f64>>,
}

impl Gathering {
    /// Has everybody come, `first` being the index of the first user.
    async fn of(place: Place, crowd: Crowd, first: u32) -> Result<Gathering> {
        let mut gathering = Gathering { people: Vec::new(), watching: JoinSet::new() };
        for number in 0..crowd.people {
            let user = first + number * (1 + crowd.watchers);
            let mut wire = enter(place, user).await?;
            let seen = Rc::new(Seen::new(crowd.watchers));
            for watcher in user + 1..=user + crowd.watchers {
                let eyes = match place {
                    Place::Porchlight(address) => follow(address, user).await?,
                    Place::Ejabberd(address) => subscribe(address, watcher, user, &mut wire).await?,
                };
                gathering.watching.spawn_local(watch(eyes, place, Rc::clone(&seen)));
            }
            gathering.people.push(Person { user, place, wire, seen });
        }
        Ok(gathering)
    }

    /// One run.
    async fn change(&mut self, seconds: u32, cpu_seconds: impl Fn() -> Result<f64>) -> Result<Sample> {
        let (before, begun) = (cpu_seconds()?, Instant::now());
        let until = begun + Duration::from_secs(seconds.into());
        try_join_all(self.people.iter_mut().map(|person| person.change_until(until))).await?;
        let (cpu, took) = (cpu_seconds()? - before, begun.elapsed().as_secs_f64());
        Ok(Sample::of(self.people.iter().flat_map(|person| person.seen.millis.take()), took, cpu))
    }
}

impl Person {
    /// Changes again and again, never before everybody has seen the last change.
    async fn change_until(&mut self, until: Instant) -> Result<()> {
        while Instant::now() < until {
            let busy = self.seen.expect_another();
            match self.place {
                Place::Porchlight(address) => self.wire.request(&set(address, self.user, busy)).await?,
                Place::Ejabberd(_) => self.wire.say(&show(busy)).await?,
            }
            let told = timeout(PATIENCE, self.seen.by_all.notified()).await;
            told.with_context(|| format!("{} were not told within {PATIENCE:?}", self.seen.waiting.get()))?;
            self.wire.forget();
        }
        Ok(())
    }
}

impl Seen {
    fn new(watchers: u32) -> Seen {
        Seen {
            watchers,
            busy: Cell::new(false),
            sent: Cell::new(Instant::now()),
            waiting: Cell::new(0),
            by_all: Notify::new(),
            millis: RefCell::default(),
        }
    }

    /// A change is about to be made: says to what.
    fn expect_another(&self) -> bool {
        let busy = !self.busy.get();
        self.busy.set(busy);
        self.waiting.set(self.watchers);
        self.sent.set(Instant::now());
        busy
    }

    /// A watcher sees this who has seen something else before.
    fn by_one(&self, busy: bool) {
        let waiting = self.waiting.get();
        if busy != self.busy.get() || waiting == 0 {
            return;
        }
        self.millis.borrow_mut().push(self.sent.get().elapsed().as_secs_f64() * 1e3);
        self.waiting.set(waiting - 1);
        if waiting == 1 {
            self.by_all.notify_one();
        }
    }
}

/// Whoever is going to change comes.
async fn enter(place: Place, user: u32) -> Result<Wire> {
    match place {
        Place::Porchlight(address) => Wire::connect(address).await,
        Place::Ejabberd(address) => {
            let mut wire = log_in(address, user).await?;
            appear(&mut wire).await?;
            Ok(wire)
        }
    }
}

/// A stream of one person's presence, which has told of what is.
async fn follow(address: SocketAddr, user: u32) -> Result<Wire> {
    let mut wire = Wire::connect(address).await?;
    let path = PRESENCE.replace(ID, &user_id(user));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Accept: text/event-stream\r\n\r\n"
    );
    wire.ask(&request, "event: current").await?;
    Ok(wire)
}

/// A connection of somebody who asked a person whether they may see them, and was told yes. Source: RFC 6121, 3.
async fn subscribe(address: SocketAddr, watcher: u32, user: u32, person: &mut Wire) -> Result<Wire> {
    let mut wire = log_in(address, watcher).await?;
    appear(&mut wire).await?;
    wire.say(&format!("<presence to='{}' type='subscribe'/>", jid(user))).await?;
    person.ask("", "type='subscribe'").await?;
    person.say(&format!("<presence to='{}' type='subscribed'/>", jid(watcher))).await?;
    wire.ask("", "type='subscribed'").await?;
    Ok(wire)
}

/// Watches one person.
async fn watch(mut wire: Wire, place: Place, seen: Rc<Seen>) -> Result<()> {
    let end = match place {
        Place::Porchlight(_) => "\n\n",
        Place::Ejabberd(_) => "</presence>",
    };
    let mut last = None;
    loop {
        if let Some(busy) = busy(place, &wire.hear(end).await?)
            && last != Some(busy)
        {
            last = Some(busy);
            seen.by_one(busy);
        }
    }
}

/// Whether a person is told to be busy; `None`: something else is told.
fn busy(place: Place, told: &str) -> Option<bool> {
    let (busy, free) = match place {
        Place::Porchlight(_) => (r#""availability":"Busy""#, r#""availability":"Available""#),
        Place::Ejabberd(_) => ("<show>dnd</show>", "<show>away</show>"),
    };
    if told.contains(busy) { Some(true) } else { told.contains(free).then_some(false) }
}

/// How somebody changes over HTTP.
fn set(address: SocketAddr, user: u32, busy: bool) -> String {
    let body = if busy { SET_ANOTHER_BODY } else { SET_BODY };
    post(address, &SET_PRESENCE.replace(ID, &user_id(user)), "keep-alive", body)
}

/// How somebody changes over XMPP.
fn show(busy: bool) -> String {
    format!("<presence><show>{}</show></presence>", if busy { "dnd" } else { "away" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_over_when_everybody_has_seen_it() {
        let seen = Seen::new(2);
        assert!(seen.expect_another());
        seen.by_one(false);
        assert_eq!(seen.waiting.get(), 2, "what was before is not what is waited for");
        seen.by_one(true);
        seen.by_one(true);
        seen.by_one(true);
        assert_eq!((seen.waiting.get(), seen.millis.borrow().len()), (0, 2));
        assert!(!seen.expect_another());
    }

    #[test]
    fn both_tell_who_is_busy() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let (ours, theirs) = (Place::Porchlight(address), Place::Ejabberd(address));
        assert_eq!(busy(theirs, &show(true)), Some(true));
        assert_eq!(busy(theirs, &show(false)), Some(false));
        assert_eq!(busy(theirs, "<presence type='subscribed'/>"), None);
        assert_eq!(busy(ours, &set(address, 7, true)), Some(true));
        assert_eq!(busy(ours, &set(address, 7, false)), Some(false));
        assert_eq!(busy(ours, ": nothing"), None);
    }
}
