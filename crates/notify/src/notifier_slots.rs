//! Two notifiers that share a log: a real receiver is told by whoever holds the slot.

use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{Origin, Person};
use porchlight_presence::{
    Activity, Availability, Change, Command, Pair, Patch, Presence, StandingPair, TenantId, UserId,
};
use porchlight_store::{Key, Revision, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::cursor::StoredCursor;
use crate::letter::{Event, Letter, Reason};
use crate::node::{Node, START};
use crate::notifier::Notifier;
use crate::parcel::{Item, Words};
use crate::settings::{Egress, Settings};
use crate::subscription::tests::subscription;
use crate::subscription::{Subscription, Target};

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const ADA: UserId = UserId(Uuid::from_u128(9));
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says who tells, and what: one line for an item, one for a letter.
struct Lines(&'static str);

impl Words for Lines {
    fn resource(&self, _: &Subscription, _: UserId, _: &Presence<'_>, _: Option<Origin>) -> Vec<u8> {
        Vec::new()
    }

    fn notifications(&self, items: &[Item], letters: &[Letter], _: &[Arc<str>]) -> Vec<u8> {
        let who = self.0;
        let items = items.iter().map(|item| format!("{who} {}\n", item.stamp.as_millis()));
        let letters = letters.iter().map(|letter| format!("{who} {:?}\n", letter.event));
        items.chain(letters).collect::<String>().into_bytes()
    }
}

/// A receiver that takes everything.
struct Receiver {
    url: String,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Receiver {
    async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (tell, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, tell.clone()));
            }
        });
        Receiver { url, lines }
    }

    async fn next(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
        line.expect("it is told in time").expect("the receiver lives")
    }

    /// Waits for this line; whatever comes before it may be anything but what `never` begins with.
    async fn until(&mut self, line: &str, never: &str) {
        loop {
            let next = self.next().await;
            assert!(!next.starts_with(never), "{next} before {line}");
            if next == line {
                return;
            }
        }
    }
}

/// Answers request after request of one connection.
async fn answer(stream: TcpStream, tell: mpsc::UnboundedSender<String>) -> std::io::Result<()> {
    let mut stream = BufStream::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut header = String::new();
            if stream.read_line(&mut header).await? == 0 {
                return Ok(());
            }
            let header = header.trim().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await?;
        stream.flush().await?;
        // Only now: a test that stops a notifier keeps this thread from answering.
        for line in String::from_utf8_lossy(&body).lines() {
            // Nobody asks any more once the test is over.
            let _ = tell.send(line.to_owned());
        }
    }
}

struct Side {
    node: Node,
    notifier: Notifier,
}

impl Side {
    fn start(node: Node, name: &'static str) -> Side {
        let egress = Egress::development();
        let settings = Settings { egress, skip_validation: true, ..Settings::default() };
        let notifier = Notifier::start(&node.engine, settings, Arc::new(Lines(name)), false);
        Side { notifier: notifier.unwrap_or_else(|error| panic!("it starts: {error}")), node }
    }

    /// Ada's state becomes another one; returns its stamp.
    async fn change(&self, availability: Availability, activity: Activity) -> i64 {
        let pair = StandingPair::new(Pair { availability, activity }).expect("it is coherent");
        let command = Command::Patch(Patch { preferred: Change::Set((pair, None)), ..Patch::default() });
        let written = self.node.engine.write(TENANT, ADA, &command).await.unwrap();
        written.user.presence(self.node.engine.now()).stamps.state_since.as_millis()
    }

    async fn busy(&self) -> i64 {
        self.change(Availability::Busy, Activity::Busy).await
    }

    async fn away(&self) -> i64 {
        self.change(Availability::Away, Activity::Away).await
    }

    /// Returns when it has seen the subscription.
    async fn knows(&self, id: Uuid) {
        let mut kept = self.notifier.registry().follow();
        let knows =
            async { while self.notifier.registry().get(id).is_none() && kept.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, knows).await.expect("it comes in time");
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.notifier.stop();
    }
}

/// Two nodes that share one slot, which nobody holds yet, and a subscription to Ada that the second one has made.
async fn two(receiver: &Receiver) -> (Side, Side, Uuid) {
    let node = Node::first(1);
    node.engine.put_person(TENANT, &Person::new(ADA, "ada@x.example".to_owned())).await.unwrap();
    let other = node.beside(1);
    for node in [&node, &other] {
        node.advance(Duration::from_secs(1));
    }
    let (one, two) = (Side::start(node, "one"), Side::start(other, "two"));
    for side in [&one, &two] {
        assert!(*side.node.leases.is_taking.borrow(), "slots are taken once everything is ready");
    }
    let wanted = Subscription {
        notification_url: receiver.url.clone(),
        lifecycle_url: Some(receiver.url.clone()),
        expires_at: START.plus(HOUR),
        ..subscription(1, Target::Users(vec![ADA]))
    };
    let created = two.notifier.create(wanted, Uuid::new_v4()).await;
    let id = created.unwrap_or_else(|error| panic!("it is made: {error:?}")).subscription.id;
    one.knows(id).await;
    for side in [&one, &two] {
        side.node.advance(Duration::from_secs(1));
    }
    (one, two, id)
}

#[tokio::test]
async fn the_holder_tells_whoever_writes_and_hands_over_on_a_stop() {
    let mut receiver = Receiver::start().await;
    let (one, two, id) = two(&receiver).await;
    one.node.leases.give(0);
    let stamp = two.busy().await;
    receiver.until(&format!("one {stamp}"), "two").await;
    for side in [&one, &two] {
        side.node.advance(Duration::from_secs(1));
    }

    let stopping = one.notifier.clone();
    tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
    assert!(!*one.node.leases.is_taking.borrow(), "its slots are released");
    assert_ne!(two.node.engine.revision_of(&StoredCursor::key(id)), Revision::NONE, "its cursor is kept");

    two.node.leases.give(0);
    let stamp = two.away().await;
    receiver.until(&format!("two {stamp}"), &format!("one {stamp}")).await;
}

#[tokio::test]
async fn who_cannot_renew_begins_nothing_and_is_followed_by_another() {
    let mut receiver = Receiver::start().await;
    let (one, two, _) = two(&receiver).await;
    one.node.leases.give(0);
    let stamp = one.busy().await;
    receiver.until(&format!("one {stamp}"), "two").await;

    one.node.leases.let_go_stale(0);
    let stamp = one.away().await;
    two.node.leases.give(0);
    receiver.until(&format!("two {stamp}"), &format!("one {stamp}")).await;
    one.node.leases.take_away(0);
    let stamp = one.busy().await;
    receiver.until(&format!("two {stamp}"), &format!("one {stamp}")).await;
}

#[tokio::test]
async fn whatever_is_asked_of_any_node_the_holder_does() {
    let mut receiver = Receiver::start().await;
    let (one, two, id) = two(&receiver).await;
    one.node.leases.give(0);
    let advance = |by: Duration| {
        for side in [&one, &two] {
            side.node.advance(by);
        }
    };
    advance(HOUR * 3 / 4);
    receiver.until(&format!("one {:?}", Event::ReauthorizationRequired), "two").await;
    two.notifier.reauthorize(id).await.unwrap_or_else(|error| panic!("it is kept: {error:?}"));
    let renewed = one.notifier.registry().get(id).unwrap();
    assert!(renewed.renewed_at > renewed.made_at, "every node knows");
    // A quarter of an hour is left: it is warned of once more, in the middle.
    advance(HOUR / 8);
    receiver.until(&format!("one {:?}", Event::ReauthorizationRequired), "two").await;

    two.notifier.revoke(id).await.unwrap_or_else(|error| panic!("it is kept: {error:?}"));
    receiver.until(&format!("one {:?}", Event::SubscriptionRemoved(Reason::Revoked)), "two").await;
}

#[tokio::test]
async fn who_cannot_read_an_entry_leaves_its_slots_and_keeps_no_cursor_behind_it() {
    let mut receiver = Receiver::start().await;
    let (one, _two, id) = two(&receiver).await;
    one.node.leases.give(0);
    let stamp = one.busy().await;
    receiver.until(&format!("one {stamp}"), "two").await;
    let key = Key::new(format!("user/{TENANT}/{}", UserId(Uuid::from_u128(10))));
    let unreadable = Value::Live("of a newer program".into());
    let at = one.node.engine.write_kept(key, Revision::NONE, unreadable, Box::new(())).await.unwrap();
    let mut is_taking = one.node.leases.is_taking.subscribe();
    let leaves = is_taking.wait_for(|is_taking| !is_taking);
    drop(tokio::time::timeout(PATIENCE, leaves).await.expect("it leaves in time").unwrap());
    let stopping = one.notifier.clone();
    tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
    let kept = one.notifier.registry().kept_cursor(id);
    assert!(kept.is_none_or(|kept| kept.in_log(&one.node.engine).revision < at));
}
