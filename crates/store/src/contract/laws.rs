//! The laws of a log, one function each.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::timeout;

use super::replicas::{Gate, OpenedAtLast};
use super::{PATIENCE, Recorder, Subject, Witness};
use crate::{Append, AppendError, Entry, Health, Key, Log, Receipt, Replica, Revision, Value};

/// A live value.
pub fn live(text: impl Into<String>) -> Value {
    Value::Live(Bytes::from(text.into()))
}

/// An append whose key is to be at this revision.
pub fn append(key: &Key, expected: Revision, value: Value) -> Append {
    Append { key: key.clone(), expected, value }
}

/// Appends and waits for the answer.
pub async fn put(
    log: &dyn Log,
    key: &Key,
    expected: Revision,
    value: Value,
) -> Result<Revision, AppendError> {
    log.append(append(key, expected, value), Box::new(()))?.await
}

/// Appends what must be taken, and waits for its revision.
async fn must_put(log: &dyn Log, key: &Key, expected: Revision, value: Value) -> Revision {
    let answer = timeout(PATIENCE, put(log, key, expected, value)).await.expect("a log answers");
    answer.expect("an open log takes an append that expects the right revision")
}

/// Hands over an append without waiting for the answer.
fn must_submit(log: &dyn Log, key: &Key, expected: Revision, value: Value) -> Receipt {
    log.append(append(key, expected, value), Box::new(())).expect("an open log takes appends")
}

fn key(name: impl std::fmt::Display) -> Key {
    Key::new(format!("test/part/{name}"))
}

/// Law: what was answered is there after a restart, and so is the identity of the log.
pub async fn answered_append_is_there_after_a_restart(subject: &dyn Subject) {
    let first = Recorder::new();
    let log = subject.open(first.clone());
    let id = log.id();
    let kept = must_put(&*log, &key("kept"), Revision::NONE, live("one")).await;
    let empty = must_put(&*log, &key("empty"), Revision::NONE, live("")).await;
    let gone = must_put(&*log, &key("gone"), Revision::NONE, live("two")).await;
    let gone = must_put(&*log, &key("gone"), gone, Value::Tombstone { at: 7 }).await;
    log.close();
    drop(log);

    let second = Recorder::new();
    let log = subject.open(second.clone());
    assert_eq!(log.id(), id);
    let entry =
        |name: &str, revision, value| Some(Entry { key: key(name), revision, written: revision, value });
    assert_eq!(second.entry(&key("kept")), entry("kept", kept, live("one")));
    assert_eq!(second.entry(&key("empty")), entry("empty", empty, live("")));
    assert_eq!(second.entry(&key("gone")), entry("gone", gone, Value::Tombstone { at: 7 }));
    assert_eq!(second.entries(), first.entries());
    log.close();
}

/// Law: an append that expects another revision is told the newest, and changes nothing.
pub async fn conflict_changes_nothing(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let newest = must_put(&*log, &key("a"), Revision::NONE, live("one")).await;
    let before = replica.installed();
    for expected in [Revision::NONE, Revision(newest.0 + 1), Revision(u64::MAX)] {
        let answer = put(&*log, &key("a"), expected, live("two")).await;
        assert_eq!(answer, Err(AppendError::Conflict { newest }));
    }
    let answer = put(&*log, &key("b"), newest, live("two")).await;
    assert_eq!(answer, Err(AppendError::Conflict { newest: Revision::NONE }));
    assert_eq!(replica.installed(), before);
    let next = must_put(&*log, &key("a"), newest, live("three")).await;
    assert!(next > newest);
    log.close();
}

/// Law: of all who create a key, one does.
pub async fn key_is_created_once(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let receipts: Vec<Receipt> = (0..20)
        .map(|number| must_submit(&*log, &key("name"), Revision::NONE, live(number.to_string())))
        .collect();
    let mut created = Vec::new();
    let mut conflicts = Vec::new();
    for receipt in receipts {
        match receipt.await {
            Ok(revision) => created.push(revision),
            Err(AppendError::Conflict { newest }) => conflicts.push(newest),
            Err(other) => panic!("neither created nor in conflict: {other}"),
        }
    }
    assert_eq!(created.len(), 1);
    assert_eq!(conflicts, vec![created[0]; 19]);
    assert_eq!(replica.revision(&key("name")), created[0]);
    log.close();
}

/// Law: a tombstone is an entry; what comes after it expects its revision, also after a restart.
pub async fn tombstone_is_followed_by_what_expects_its_revision(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let a = key("a");
    let created = must_put(&*log, &a, Revision::NONE, live("one")).await;
    let deleted = must_put(&*log, &a, created, Value::Tombstone { at: 7 }).await;
    let answer = put(&*log, &a, Revision::NONE, live("two")).await;
    assert_eq!(answer, Err(AppendError::Conflict { newest: deleted }));
    log.close();
    drop(log);

    let log = subject.open(Recorder::new());
    let answer = put(&*log, &a, Revision::NONE, live("two")).await;
    assert_eq!(answer, Err(AppendError::Conflict { newest: deleted }));
    assert!(must_put(&*log, &a, deleted, live("two")).await > deleted);
    log.close();
}

/// Law: revisions increase over the whole log, whatever key they are of, and over restarts.
pub async fn revisions_increase_over_a_restart(subject: &dyn Subject) {
    let mut newest = Revision::NONE;
    for round in 0..3 {
        let log = subject.open(Recorder::new());
        for number in 0..5 {
            let next =
                must_put(&*log, &key(format!("{round}/{number}")), Revision::NONE, live("value")).await;
            assert!(next > newest);
            newest = next;
        }
        log.close();
    }
}

/// Law: a purged tombstone is gone from the replica and from the log; its key is created anew, and its revision is
/// not used again, although nothing has it any more.
pub async fn revision_is_not_used_again_after_a_purge(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let kept = must_put(&*log, &key("kept"), Revision::NONE, live("one")).await;
    let created = must_put(&*log, &key("gone"), Revision::NONE, live("two")).await;
    let deleted = must_put(&*log, &key("gone"), created, Value::Tombstone { at: 1_000 }).await;
    log.purge(1_001);
    replica.until(|replica| replica.entry(&key("gone")).is_none()).await;
    log.close();
    drop(log);

    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    assert_eq!(replica.installed(), [(key("kept"), kept)]);
    let again = must_put(&*log, &key("gone"), Revision::NONE, live("three")).await;
    assert!(again > deleted);
    log.close();
}

/// Law: a purge takes tombstones of before its instant and nothing else, also those of before a restart.
pub async fn purge_leaves_what_is_newer(subject: &dyn Subject) {
    let log = subject.open(Recorder::new());
    let live_again = must_put(&*log, &key("back"), Revision::NONE, Value::Tombstone { at: 10 }).await;
    must_put(&*log, &key("back"), live_again, live("one")).await;
    must_put(&*log, &key("old"), Revision::NONE, Value::Tombstone { at: 10 }).await;
    must_put(&*log, &key("young"), Revision::NONE, Value::Tombstone { at: 20 }).await;
    log.close();
    drop(log);

    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    log.purge(20);
    replica.until(|replica| replica.entry(&key("old")).is_none()).await;
    let left: Vec<Key> = replica.entries().into_keys().collect();
    assert_eq!(left, [key("back"), key("young")]);
    log.close();
}

/// Law: the replica has the entry before the hold is dropped, and the hold is dropped before the receipt is answered;
/// of a conflict too.
pub async fn replica_comes_before_hold_and_hold_before_receipt(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let a = key("a");
    let mut expected = Revision::NONE;
    for number in 0..100 {
        let (witness, seen) = Witness::new(&a, &replica);
        let value = live(number.to_string());
        let receipt = log.append(append(&a, expected, value), witness).expect("an open log takes appends");
        let revision = receipt.await.expect("nothing else writes to this key");
        assert_eq!(*seen.lock(), Some(revision));
        expected = revision;
    }
    let (witness, seen) = Witness::new(&a, &replica);
    let receipt = log.append(append(&a, Revision::NONE, live("late")), witness);
    let answer = receipt.expect("an open log takes appends").await;
    assert_eq!(answer, Err(AppendError::Conflict { newest: expected }));
    assert_eq!(*seen.lock(), Some(expected));
    log.close();
}

/// Law: what was asked for happens even if nobody waits for it.
pub async fn dropped_receipt_changes_nothing(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let (witness, seen) = Witness::new(&key("a"), &replica);
    drop(log.append(append(&key("a"), Revision::NONE, live("one")), witness));
    replica.until(|replica| replica.entry(&key("a")).is_some()).await;
    log.close();
    assert_eq!(*seen.lock(), Some(replica.revision(&key("a"))));
}

/// Law: whoever appends at the same time as others gets an answer of his own, and the replica gets every entry once,
/// in revision order.
pub async fn concurrent_appends_arrive_once_and_in_order(subject: &dyn Subject) {
    const TASKS: usize = 64;
    const APPENDS: usize = 1_024;
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut expected = [Revision::NONE; 4];
                for number in 0..APPENDS / TASKS {
                    let (slot, value) = (number % 4, live(number.to_string()));
                    let key = key(format!("{task}/{slot}"));
                    expected[slot] = must_put(&*log, &key, expected[slot], value).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("every append succeeds");
    }
    let installed = replica.installed();
    assert_eq!(installed.len(), APPENDS);
    assert!(installed.is_sorted_by(|(_, one), (_, next)| one < next));
    assert_eq!(log.stats().appends, APPENDS as u64);
    log.close();
    drop(log);

    let again = Recorder::new();
    subject.open(again.clone()).close();
    assert_eq!(again.entries(), replica.entries());
}

/// Law: of two appends to one key that both expect what was there, one wins, and the other is told of it.
pub async fn one_of_two_appends_to_a_key_wins(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    let a = key("a");
    let mut expected = Revision::NONE;
    for round in 0..50 {
        let one = must_submit(&*log, &a, expected, live(format!("{round} one")));
        let two = must_submit(&*log, &a, expected, live(format!("{round} two")));
        let revision = one.await.expect("it was the first");
        assert_eq!(two.await, Err(AppendError::Conflict { newest: revision }));
        let entry =
            Entry { key: a.clone(), revision, written: revision, value: live(format!("{round} one")) };
        assert_eq!(replica.entry(&a), Some(entry));
        expected = revision;
    }
    log.close();
}

/// Law: one append more than may wait is answered busy, drops its hold, and leaves the others alone.
///
/// Of a subject that says how many may wait; to others it does not apply.
pub async fn full_log_is_busy(subject: &dyn Subject) {
    let Some(waiting_max) = subject.waiting_max() else { return };
    let gate = Arc::new(Gate::default());
    let mut entered = gate.entered.subscribe();
    let log = subject.open(gate.clone());
    let _opened_at_last = OpenedAtLast(&gate);
    let first = must_submit(&*log, &key("first"), Revision::NONE, live("one"));
    timeout(PATIENCE, entered.wait_for(|entered| *entered))
        .await
        .expect("the log hands on what is durable")
        .expect("the gate is there");
    let waiting: Vec<Receipt> = (0..waiting_max)
        .map(|number| must_submit(&*log, &key(number), Revision::NONE, live("two")))
        .collect();
    let (witness, seen) = Witness::new(&key("more"), &Recorder::new());
    let refused = log.append(append(&key("more"), Revision::NONE, live("three")), witness);
    assert_eq!(refused.map(drop), Err(AppendError::Busy));
    assert_eq!(*seen.lock(), Some(Revision::NONE));
    gate.open();
    for receipt in waiting.into_iter().chain([first]) {
        assert!(timeout(PATIENCE, receipt).await.expect("a log answers").is_ok());
    }
    must_put(&*log, &key("more"), Revision::NONE, live("three")).await;
    log.close();
}

/// Law: a log that is closed finishes what it has taken, and takes no more.
pub async fn closed_log_finishes_what_it_took(subject: &dyn Subject) {
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    assert_eq!(*log.health().borrow(), Health::Writable);
    let receipts: Vec<Receipt> =
        (0..500).map(|number| must_submit(&*log, &key(number), Revision::NONE, live("value"))).collect();
    log.close();
    assert_eq!(*log.health().borrow(), Health::Closed);
    for receipt in receipts {
        receipt.await.expect("it was taken before the log was closed");
    }
    let refused = log.append(append(&key("late"), Revision::NONE, live("value")), Box::new(()));
    assert_eq!(refused.map(drop), Err(AppendError::Unavailable));
    log.close();
    drop(log);

    let again = Recorder::new();
    subject.open(again.clone()).close();
    assert_eq!(again.entries(), replica.entries());
    assert_eq!(again.entries().len(), 500);
}

/// Law: a log that is opened hands every key's newest entry to the replica, each key once, tombstones included.
pub async fn replay_hands_each_key_once(subject: &dyn Subject) {
    const KEYS: usize = 3_000;
    let replica = Recorder::new();
    let log = subject.open(replica.clone());
    assert!(replica.installed().is_empty());
    let write = async |every: usize, value: Value| {
        let receipts: Vec<Receipt> = (0..KEYS)
            .step_by(every)
            .map(|number| {
                let key = key(number);
                must_submit(&*log, &key, replica.revision(&key), value.clone())
            })
            .collect();
        for receipt in receipts {
            receipt.await.expect("nothing else writes to this key");
        }
    };
    write(1, live("one")).await;
    write(3, live("two")).await;
    write(5, Value::Tombstone { at: 7 }).await;
    log.close();
    drop(log);

    let again = Recorder::new();
    subject.open(again.clone()).close();
    let keys: BTreeSet<Key> = again.installed().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), KEYS);
    assert_eq!(again.installed().len(), KEYS);
    assert_eq!(again.entries(), replica.entries());
}
