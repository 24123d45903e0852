//! What was asked, what became durable and what was seen, and whether that agrees: the laws that can be checked at
//! once are checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_presence::{Command, Limits, Pair, Presence, Stamps, TenantId, Timestamp, User, UserId};
use porchlight_store::{Entry, Key, Revision, Value};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::laws::{Broken, Law};
use crate::life::{Life, UNDERWAY};
use crate::model::View;
use crate::tagged::Operation;
use crate::time;
use crate::trace::Trace;

/// How far ahead of the world the clocks of nodes may be that share a log.
const AHEAD: Duration = Duration::from_millis(2_500);

/// How far ahead of others a part of the world may be that has its turn.
const TURN: Duration = Duration::from_millis(100);

/// For how long after its last write others may tell of what a record would have done without the next one.
const FORESEEN: Duration = Duration::from_secs(30);

/// What somebody was shown of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// `availability/activity`.
    pub(crate) pair: String,
    /// Since when.
    pub(crate) changed_at: Timestamp,
}

impl Shown {
    /// Who and what a presence in JSON shows; `None` when it is none.
    pub(crate) fn read(json: &Json) -> Option<(UserId, Shown)> {
        let text = |name: &str| json[name].as_str();
        let user = UserId(Uuid::parse_str(text("id")?).ok()?);
        let millis = text("sequenceNumber")?.strip_prefix('A')?.parse().ok()?;
        let pair = format!("{}/{}", text("availability")?, text("activity")?);
        Some((user, Shown { pair, changed_at: Timestamp::from_millis(millis) }))
    }
}

/// How often what has happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Requests to write.
    pub(crate) operations: u64,
    /// Records that became durable.
    pub(crate) writes: u64,
    /// Writes that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Presences that were seen by whoever reads, follows or is told.
    pub(crate) seen: u64,
    /// Requests to webhooks that arrived.
    pub(crate) deliveries: u64,
    /// Nodes that have died.
    pub(crate) crashes: u64,
    /// What else went wrong on purpose.
    pub(crate) faults: u64,
}

/// The chronicle of a run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Chronicle(Arc<Mutex<Pages>>);

struct Pages {
    limits: Limits,
    tenant: TenantId,
    /// Whether nodes share a log: then others may tell of what a write prevents.
    is_shared: bool,
    lives: BTreeMap<UserId, Life>,
    operations: Vec<(UserId, Command)>,
    /// The newest durable entry of each key.
    durable: BTreeMap<Key, Entry>,
    /// Times of which a node by itself may have told before it died, and which come once more since its clock
    /// was set back.
    twice: Vec<RangeInclusive<Timestamp>>,
    /// Who is in the directory, by the durable entries.
    there: BTreeSet<UserId>,
    /// What has gone of each person.
    gone: BTreeMap<UserId, Gone>,
    counts: Counts,
    trace: Trace,
    broken: Option<Broken>,
}

/// How often what has gone of somebody, durably.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gone {
    /// Their record.
    records: u64,
    /// Their entry in the directory.
    entries: u64,
    /// When that was the last time, since the run began.
    left_at: Duration,
}

impl Chronicle {
    /// An empty one about these people.
    pub(crate) fn new(limits: &Limits, tenant: TenantId, people: &[UserId], is_shared: bool) -> Chronicle {
        let mut limits = limits.clone();
        if is_shared {
            // What every engine that shares its log has.
            limits.foresight = Duration::from_secs(10);
        }
        Chronicle(Arc::new(Mutex::new(Pages {
            lives: people.iter().map(|user| (*user, Life::new(&limits))).collect(),
            limits,
            tenant,
            is_shared,
            operations: Vec::new(),
            durable: BTreeMap::new(),
            twice: Vec::new(),
            there: BTreeSet::new(),
            gone: BTreeMap::new(),
            counts: Counts::default(),
            trace: Trace::default(),
            broken: None,
        })))
    }

    /// Notes that something has happened.
    pub(crate) fn note(&self, user: Option<UserId>, what: impl FnOnce() -> String) {
        self.0.lock().trace.note(user, &what());
    }

    /// Notes that a law was broken; the first one counts.
    pub(crate) fn breaks(&self, law: Law, user: Option<UserId>, how: String) {
        self.0.lock().breaks(law, user, how);
    }

    /// The law that was broken, if one was.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.0.lock().broken.clone()
    }

    /// Counts something.
    pub(crate) fn count(&self, what: impl FnOnce(&mut Counts)) {
        what(&mut self.0.lock().counts);
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        self.0.lock().counts
    }

    /// What the trace has come to: its digest and its lines.
    pub(crate) fn digest(&self) -> (u64, u64) {
        let pages = self.0.lock();
        (pages.trace.digest(), pages.trace.count())
    }

    /// The last lines about a user, or about everybody.
    pub(crate) fn last_of(&self, user: Option<UserId>) -> Vec<String> {
        self.0.lock().trace.last_of(user).into_iter().map(str::to_owned).collect()
    }

    /// The last lines about everybody, unless somebody has the chronicle right now: for whoever cannot wait.
    pub(crate) fn last_if_free(&self) -> Vec<String> {
        let pages = self.0.try_lock();
        pages
            .map(|pages| pages.trace.last_of(None).into_iter().map(str::to_owned).collect())
            .unwrap_or_default()
    }

    /// How many writes to a user are durable.
    pub(crate) fn writes_of(&self, user: UserId) -> usize {
        self.0.lock().lives.get(&user).map_or(0, |life| life.stamps.len())
    }

    /// Somebody is about to ask for this.
    pub(crate) fn begins(&self, user: UserId, command: &Command) -> Operation {
        let mut pages = self.0.lock();
        let number = pages.operations.len();
        pages.operations.push((user, command.clone()));
        pages.counts.operations += 1;
        pages.trace.note(Some(user), &format!("asks {number}: {command:?}"));
        number
    }

    /// An operation was answered by a node, with success and this revision.
    pub(crate) fn is_acknowledged(&self, operation: Operation, node: usize, revision: Revision) {
        let pages = &mut *self.0.lock();
        let (user, _) = pages.operations[operation];
        pages.counts.acknowledged += 1;
        pages.trace.note(Some(user), &format!("acknowledged {operation}, at {revision}"));
        let life = pages.lives.get_mut(&user).expect("operations are about people");
        let was_deleted = life.before.as_ref().is_some_and(|before| revision < before.revision);
        let how = match life.stamps.get(&revision) {
            Some((_, by)) if was_deleted && by.is_none_or(|by| by == operation) => return,
            Some((stamp, by)) if by.is_none_or(|by| by == operation) => {
                let floor = life.floors.entry(node).or_default();
                *floor = (*stamp).max(*floor);
                return;
            }
            Some((_, by)) => format!("{operation} was acknowledged at {revision}, which is that of {by:?}"),
            None => format!("revision {revision} was acknowledged and is not durable"),
        };
        pages.breaks(Law::Kept, Some(user), how);
    }

    /// What has gone of somebody so far.
    pub(crate) fn gone(&self, user: UserId) -> Gone {
        self.0.lock().gone.get(&user).copied().unwrap_or_default()
    }

    /// Whether somebody is in the directory, as the newest durable entry says.
    pub(crate) fn is_there(&self, user: UserId) -> bool {
        self.0.lock().there.contains(&user)
    }

    /// Whether somebody has left the directory, and has not come back.
    pub(crate) fn has_left(&self, user: UserId) -> bool {
        self.0.lock().left_at(user).is_some()
    }

    /// A node has answered that somebody was deleted, of whom so much had gone when that was asked for.
    pub(crate) fn is_deleted(&self, user: UserId, node: usize, before: Gone) {
        let pages = &mut *self.0.lock();
        pages.trace.note(Some(user), "acknowledged that they are deleted");
        let gone = pages.gone.get(&user).copied().unwrap_or_default();
        if gone.records <= before.records || gone.entries <= before.entries {
            let how = format!("a deletion was acknowledged, and {before:?} has become {gone:?}");
            pages.breaks(Law::Kept, Some(user), how);
        } else if let Some(life) = pages.lives.get_mut(&user)
            && let Some(before) = &life.before
        {
            let floor = life.floors.entry(node).or_default();
            *floor = before.until.max(*floor);
        }
    }

    /// What whoever asks a node for a user from now on is to be shown at least: what it has acknowledged itself. Another
    /// one may be behind.
    pub(crate) fn floor(&self, user: UserId, node: usize) -> Timestamp {
        let pages = self.0.lock();
        let floor = pages.lives.get(&user).and_then(|life| life.floors.get(&node));
        floor.copied().unwrap_or_default()
    }

    /// Somebody was shown this.
    pub(crate) fn is_seen(&self, user: UserId, shown: &Shown, floor: Timestamp, by: &str) {
        let pages = &mut *self.0.lock();
        pages.counts.seen += 1;
        let by_now = time::now().plus(if pages.is_shared { AHEAD } else { TURN });
        pages
            .trace
            .note(Some(user), &format!("{by} sees {} since {}", shown.pair, shown.changed_at.as_millis()));
        let Some(life) = pages.lives.get(&user) else { return };
        let left_at = pages.left_at(user);
        let broken = if left_at.is_some_and(|at| time::elapsed().saturating_sub(at) > UNDERWAY) {
            Some((Law::Seen, format!("{by} sees {shown:?} of somebody who was deleted")))
        } else if !life.has_shown(shown, by_now) && !life.had_shown(shown) {
            Some((Law::Seen, format!("{by} sees {shown:?}, which no durable record has shown")))
        } else if shown.changed_at < floor && !life.is_restamped && !life.is_empty_since(shown, floor) {
            let floor = floor.as_millis();
            Some((Law::Fresh, format!("{by} sees {shown:?}, and what shows since {floor} was acknowledged")))
        } else {
            None
        };
        if let Some((law, how)) = broken {
            pages.breaks(law, Some(user), how);
        }
    }

    /// Whether this says that nothing shows of a user, since their record was deleted after what has this stamp.
    pub(crate) fn is_empty_since(&self, user: UserId, shown: &Shown, stamp: Timestamp) -> bool {
        self.0.lock().lives.get(&user).is_some_and(|life| life.is_empty_since(shown, stamp))
    }

    /// What the model says that a user shows at this instant, and the stamps of it; no pair for who is hidden or has
    /// left.
    pub(crate) fn truth(&self, user: UserId, at: Timestamp) -> Option<(Option<Pair>, Stamps)> {
        let pages = self.0.lock();
        if pages.left_at(user).is_some() {
            return Some((None, Stamps::default()));
        }
        let moment = pages.lives.get(&user)?.timeline.at(at);
        Some(((!moment.is_hidden()).then_some(moment.view.pair), moment.stamps))
    }

    /// Whether the stamps of a user are those of the model.
    pub(crate) fn knows_stamps(&self, user: UserId) -> bool {
        self.0.lock().lives.get(&user).is_some_and(|life| !life.is_restamped)
    }

    /// Whether nobody has to be told of what a user shows with this stamp: it is from a time that came twice, and
    /// may be before a cursor of the first time.
    pub(crate) fn may_be_untold(&self, user: UserId, stamp: Timestamp) -> bool {
        let pages = self.0.lock();
        let untold = pages.lives.get(&user).and_then(|life| life.untold);
        untold.is_some_and(|untold| stamp <= untold)
    }

    /// Compares what reads show of the newest record that is durable with the model at an instant.
    pub(crate) fn compare(&self, user: UserId, shown: &Presence<'_>, at: Timestamp) {
        self.0.lock().compare(user, shown, at);
    }

    /// An entry is durable from now on; an operation of a client has written it, or the server by itself.
    pub(crate) fn is_durable(&self, entry: &Entry, operation: Option<Operation>) {
        let pages = &mut *self.0.lock();
        let known = pages.durable.get(&entry.key).map_or(Revision::NONE, |known| known.revision);
        if entry.revision <= known {
            return;
        }
        pages.durable.insert(entry.key.clone(), entry.clone());
        if let Some(user) = pages.user_of(&entry.key) {
            match &entry.value {
                Value::Live(record) => pages.is_written(user, entry.revision, record, operation),
                Value::Tombstone { at } => {
                    pages.is_emptied(user, entry.revision, Timestamp::from_millis(*at));
                }
            }
        }
        if let Some(user) = pages.person_of(&entry.key) {
            match &entry.value {
                Value::Live(_) => pages.has_come(user),
                Value::Tombstone { .. } => pages.leaves(user),
            }
        }
    }

    /// How often some time has come once more.
    pub(crate) fn repeats(&self) -> u64 {
        self.0.lock().twice.len() as u64
    }

    /// A node by itself has started, and its engine time begins here: never before the newest write that is
    /// durable.
    ///
    /// Where its clock was set back, that may be before what was told of when it died. The time in between comes
    /// once more then, and what has happened in it by itself may be prevented.
    pub(crate) fn goes_on_from(&self, at: Timestamp) {
        let pages = &mut *self.0.lock();
        let newest = pages.newest_write();
        if at < newest {
            let (at, newest) = (at.as_millis(), newest.as_millis());
            let how = format!("engine time begins at {at}, and a write of {newest} is durable");
            pages.breaks(Law::Fresh, None, how);
        }
        let shown = time::now();
        if at < shown {
            let behind = shown.since(at);
            pages.trace.note(None, &format!("{behind:?} come once more"));
            // Whoever was told may have been a little ahead.
            pages.twice.push(at..=shown.plus(TURN));
        }
    }

    /// A log was opened again, and has these entries.
    pub(crate) fn reopened(&self, entries: &[Entry]) {
        let pages = &mut *self.0.lock();
        let found: BTreeMap<&Key, &Entry> = entries.iter().map(|entry| (&entry.key, entry)).collect();
        let is_lost = |known: &&Entry| {
            found.get(&known.key).is_none_or(|found| {
                found.revision < known.revision
                    || found.revision == known.revision && found.value != known.value
            })
        };
        let lost = pages.durable.values().find(is_lost).map(|entry| (entry.key.clone(), entry.revision));
        if let Some((key, revision)) = lost {
            let user = pages.user_of(&key);
            pages.breaks(Law::Kept, user, format!("'{key}' was durable at {revision} and is gone"));
        }
    }
}

impl Pages {
    fn breaks(&mut self, law: Law, user: Option<UserId>, how: String) {
        self.trace.note(user, &format!("broken: {law:?}: {how}"));
        self.broken.get_or_insert(Broken { law, how, user });
    }

    /// The instant of the newest write whose record is still there.
    fn newest_write(&self) -> Timestamp {
        let records = self.durable.iter().filter_map(|(key, entry)| match &entry.value {
            Value::Live(record) if self.user_of(key).is_some() => User::decode(record).ok(),
            Value::Live(_) | Value::Tombstone { .. } => None,
        });
        records.map(|record| record.as_of()).max().unwrap_or_default()
    }

    /// Whose record has this key.
    fn user_of(&self, key: &Key) -> Option<UserId> {
        self.named(key, "user/")
    }

    /// Whose entry in the directory has this key.
    fn person_of(&self, key: &Key) -> Option<UserId> {
        self.named(key, "directory/")
    }

    fn named(&self, key: &Key, kind: &str) -> Option<UserId> {
        let rest = key.as_str().strip_prefix(kind)?;
        let (tenant, user) = rest.split_once('/')?;
        (Uuid::parse_str(tenant).ok()? == self.tenant.0).then_some(())?;
        Uuid::parse_str(user).ok().map(UserId)
    }

    /// When somebody has left the directory who has not come back.
    fn left_at(&self, user: UserId) -> Option<Duration> {
        let gone = self.gone.get(&user).filter(|gone| gone.entries > 0 && !self.there.contains(&user));
        gone.map(|gone| gone.left_at)
    }

    fn is_emptied(&mut self, user: UserId, revision: Revision, at: Timestamp) {
        self.trace.note(Some(user), &format!("the record has gone at {revision}, as of {}", at.as_millis()));
        self.gone.entry(user).or_default().records += 1;
        let limits = &self.limits;
        self.lives.entry(user).or_insert_with(|| Life::new(limits)).end(limits, revision, at);
    }

    fn leaves(&mut self, user: UserId) {
        self.trace.note(Some(user), "has left");
        self.there.remove(&user);
        let gone = self.gone.entry(user).or_default();
        gone.entries += 1;
        gone.left_at = time::elapsed();
    }

    fn has_come(&mut self, user: UserId) {
        if self.left_at(user).is_some() {
            self.trace.note(Some(user), "has come back");
        }
        self.there.insert(user);
    }

    fn is_written(&mut self, user: UserId, revision: Revision, record: &[u8], operation: Option<Operation>) {
        self.counts.writes += 1;
        let Ok(record) = User::decode(record) else {
            self.breaks(Law::Model, Some(user), format!("the record of revision {revision} cannot be read"));
            return;
        };
        let at = record.as_of();
        self.trace.note(Some(user), &format!("durable at {revision}, as of {}", at.as_millis()));
        let life = self.lives.entry(user).or_insert_with(|| Life::new(&self.limits));
        let asked = operation.map(|operation| &self.operations[operation]);
        let was_hidden = life.timeline.at(at).is_hidden();
        let command = match asked {
            Some((whose, command)) if *whose == user => Some(command.clone()),
            // A person was disabled or enabled.
            _ if record.is_hidden() != was_hidden => Some(Command::SetHidden(record.is_hidden())),
            _ => None,
        };
        let mut broken = None;
        match command {
            Some(command) => {
                let refusal = life.model.refusal(&command, at);
                broken = refusal.map(|refusal| format!("{command:?} was taken in spite of {refusal:?}"));
                life.model.write(&command, at);
            }
            None if self.is_shared => life.is_restamped = true,
            None => broken = Some(format!("nobody asked for what revision {revision} says")),
        }
        if let Some(end) = self.twice.iter().filter(|time| time.contains(&at)).map(|time| *time.end()).max() {
            life.foresee(end);
            life.untold = life.untold.max(Some(end));
        }
        life.timeline = life.model.replay();
        let by = asked.filter(|(whose, _)| *whose == user).and(operation);
        life.stamps.insert(revision, (record.stamps_at_write().changed_at, by));
        if self.is_shared {
            life.foresee(at.plus(FORESEEN));
        }
        if let Some(how) = broken {
            self.breaks(Law::Model, Some(user), how);
        }
        self.compare(user, &record.presence(at), at);
    }

    fn compare(&mut self, user: UserId, shown: &Presence<'_>, at: Timestamp) {
        let Some(life) = self.lives.get(&user) else { return };
        let said = life.timeline.at(at);
        let agree = View::of(shown) == said.view && (life.is_restamped || shown.stamps == said.stamps);
        if !agree {
            let how = format!("at {} the record shows {shown:?}, and the model {said:?}", at.as_millis());
            self.breaks(Law::Model, Some(user), how);
        }
    }
}
