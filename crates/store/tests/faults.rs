//! The faults that a test can inject into a log in memory.

use std::sync::Arc;

use porchlight_store::contract::{Recorder, Witness, append, live, put};
use porchlight_store::{
    AppendError, Fault, Health, Hold, Key, Log, Memory, Receipt, Replica, Revision, Value,
};

fn memory() -> (Memory, Arc<Recorder>) {
    let replica = Recorder::new();
    (Memory::new(replica.clone()), replica)
}

fn key(name: &str) -> Key {
    Key::new(name)
}

/// Asks for a key to be created.
fn create(log: &Memory, name: &str, hold: Hold) -> Result<Receipt, AppendError> {
    log.append(append(&key(name), Revision::NONE, live(name)), hold)
}

/// Whether the receipt has been answered, and with what.
async fn answer_now(receipt: &mut Receipt) -> Option<Result<Revision, AppendError>> {
    tokio::select! {
        biased;
        answer = receipt => Some(answer),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn append_is_installed_and_answered_within_the_call() {
    let (log, replica) = memory();
    let (witness, seen) = Witness::new(&key("a"), &replica);
    let mut receipt = create(&log, "a", witness).unwrap();
    assert_eq!(*seen.lock(), Some(Revision(1)));
    assert_eq!(answer_now(&mut receipt).await, Some(Ok(Revision(1))));
}

#[tokio::test]
async fn failed_and_written_append_reaches_the_replica_when_the_fault_ends() {
    let (log, replica) = memory();
    log.inject(Fault::FailedAndWritten);
    let (witness, seen) = Witness::new(&key("a"), &replica);
    let mut receipt = create(&log, "a", witness).unwrap();
    assert_eq!(answer_now(&mut receipt).await, Some(Err(AppendError::Unknown)));
    assert!(matches!(*log.health().borrow(), Health::Failed(_)));
    assert_eq!(create(&log, "b", Box::new(())).map(drop), Err(AppendError::Unavailable));
    assert!(replica.installed().is_empty());
    assert_eq!(*seen.lock(), None, "the hold lasts until the outcome is known");

    log.resolve();
    assert_eq!(*log.health().borrow(), Health::Writable);
    assert_eq!(replica.installed(), [(key("a"), Revision(1))]);
    assert_eq!(*seen.lock(), Some(Revision(1)));
    assert_eq!(put(&log, &key("a"), Revision(1), live("two")).await, Ok(Revision(2)));
    assert_eq!(log.stats().faults, 1);
}

#[tokio::test]
async fn failed_and_not_written_append_leaves_nothing() {
    let (log, replica) = memory();
    log.inject(Fault::FailedNotWritten);
    let (witness, seen) = Witness::new(&key("a"), &replica);
    let mut receipt = create(&log, "a", witness).unwrap();
    assert_eq!(answer_now(&mut receipt).await, Some(Err(AppendError::Unknown)));
    assert_eq!(create(&log, "b", Box::new(())).map(drop), Err(AppendError::Unavailable));
    assert_eq!(*seen.lock(), None);

    log.resolve();
    assert_eq!(*log.health().borrow(), Health::Writable);
    assert!(replica.installed().is_empty());
    assert_eq!(*seen.lock(), Some(Revision::NONE));
    let revision = put(&log, &key("a"), Revision::NONE, live("two")).await.unwrap();
    assert_eq!(revision, Revision(2), "a revision that was given out is not used again");
}

#[tokio::test]
async fn what_comes_after_a_late_append_waits_behind_it() {
    let (log, replica) = memory();
    log.inject(Fault::Late);
    let mut receipts = Vec::new();
    let mut notes = Vec::new();
    for name in ["a", "b", "c"] {
        let (witness, seen) = Witness::new(&key(name), &replica);
        receipts.push(create(&log, name, witness).unwrap());
        notes.push(seen);
    }
    let mut conflict = create(&log, "a", Box::new(())).unwrap();
    for receipt in receipts.iter_mut().chain([&mut conflict]) {
        assert_eq!(answer_now(receipt).await, None);
    }
    assert_eq!(*log.health().borrow(), Health::Writable);
    assert!(replica.installed().is_empty());

    log.resolve();
    let expected = [(key("a"), Revision(1)), (key("b"), Revision(2)), (key("c"), Revision(3))];
    assert_eq!(replica.installed(), expected);
    for (receipt, (seen, (_, revision))) in receipts.into_iter().zip(notes.into_iter().zip(expected)) {
        assert_eq!(receipt.await, Ok(revision));
        assert_eq!(*seen.lock(), Some(revision));
    }
    assert_eq!(conflict.await, Err(AppendError::Conflict { newest: Revision(1) }));
    assert_eq!(put(&log, &key("d"), Revision::NONE, live("d")).await, Ok(Revision(4)));
}

#[tokio::test]
async fn log_behind_a_late_append_is_busy_when_its_places_are_taken() {
    let replica = Recorder::new();
    let log = Memory::with_waiting_max(replica.clone(), 2);
    log.inject(Fault::Late);
    let receipts = ["a", "b"].map(|name| create(&log, name, Box::new(())).unwrap());
    assert_eq!(create(&log, "c", Box::new(())).map(drop), Err(AppendError::Busy));
    log.resolve();
    for receipt in receipts {
        assert!(receipt.await.is_ok());
    }
    assert!(create(&log, "c", Box::new(())).unwrap().await.is_ok());
}

#[tokio::test]
async fn fault_meets_the_append_that_it_was_meant_for() {
    let (log, _replica) = memory();
    log.fail_at(3, Fault::FailedNotWritten);
    assert_eq!(put(&log, &key("a"), Revision::NONE, live("a")).await, Ok(Revision(1)));
    let conflict = Err(AppendError::Conflict { newest: Revision(1) });
    assert_eq!(put(&log, &key("a"), Revision::NONE, live("a")).await, conflict);
    assert_eq!(put(&log, &key("b"), Revision::NONE, live("b")).await, Ok(Revision(2)));
    assert_eq!(put(&log, &key("c"), Revision::NONE, live("c")).await, Err(AppendError::Unknown));
}

#[tokio::test]
async fn restart_in_the_middle_of_a_fault_shows_what_was_written() {
    for (fault, written) in
        [(Fault::FailedAndWritten, true), (Fault::FailedNotWritten, false), (Fault::Late, true)]
    {
        let (log, _replica) = memory();
        log.inject(fault);
        drop(create(&log, "a", Box::new(())));
        let replica = Recorder::new();
        let reopened = log.reopen(replica.clone());
        assert_eq!(replica.entry(&key("a")).is_some(), written, "{fault:?}");
        assert_eq!(reopened.id(), log.id());
        assert_eq!(*log.health().borrow(), Health::Closed);
        assert_eq!(put(&reopened, &key("b"), Revision::NONE, live("b")).await, Ok(Revision(2)));
    }
}

#[tokio::test]
async fn purge_does_nothing_while_something_is_kept_back() {
    let (log, replica) = memory();
    put(&log, &key("a"), Revision::NONE, Value::Tombstone { at: 1 }).await.unwrap();
    log.inject(Fault::Late);
    let receipt = create(&log, "b", Box::new(())).unwrap();
    log.purge(2);
    assert_eq!(replica.revision(&key("a")), Revision(1));
    log.resolve();
    receipt.await.unwrap();
    log.purge(2);
    assert_eq!(replica.revision(&key("a")), Revision::NONE);
}
