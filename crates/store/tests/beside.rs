//! Several handles on one log in memory.
#![expect(clippy::unwrap_used, reason = "the subjects of the tests are part of the tests")]

use std::sync::Arc;

use porchlight_store::contract::{Recorder, append, live, put};
use porchlight_store::{AppendError, Key, Log, Memory, Replica, Revision};

/// Two handles, and what they have been given.
struct Two {
    one: Memory,
    other: Memory,
    ones: Arc<Recorder>,
    others: Arc<Recorder>,
}

/// Two handles on a log that has one entry, `a`.
async fn two() -> Two {
    let (ones, others) = (Recorder::new(), Recorder::new());
    let one = Memory::new(ones.clone());
    put(&one, &Key::new("a"), Revision::NONE, live("a")).await.unwrap();
    let other = one.beside(others.clone());
    Two { one, other, ones, others }
}

#[tokio::test]
async fn what_one_handle_appends_comes_to_all() {
    let two = two().await;
    assert_eq!(two.one.id(), two.other.id());
    assert_eq!(put(&two.other, &Key::new("b"), Revision::NONE, live("b")).await, Ok(Revision(2)));
    assert_eq!(put(&two.one, &Key::new("b"), Revision(2), live("b")).await, Ok(Revision(3)));
    for replica in [&two.ones, &two.others] {
        assert_eq!(replica.revision(&Key::new("a")), Revision(1));
        assert_eq!(replica.revision(&Key::new("b")), Revision(3));
    }
    two.one.close();
    assert_eq!(put(&two.other, &Key::new("c"), Revision::NONE, live("c")).await, Ok(Revision(4)));
    assert_eq!(two.ones.revision(&Key::new("c")), Revision::NONE, "who has gone gets nothing");
}

#[tokio::test]
async fn who_is_held_back_is_given_all_of_it_in_order_and_answered_then() {
    let two = two().await;
    two.other.hold_back();
    put(&two.one, &Key::new("b"), Revision::NONE, live("b")).await.unwrap();
    let conflict = put(&two.other, &Key::new("b"), Revision::NONE, live("c")).await;
    assert_eq!(conflict, Err(AppendError::Conflict { newest: Revision(2) }));
    let own = two.other.append(append(&Key::new("c"), Revision::NONE, live("c")), Box::new(())).unwrap();
    assert_eq!(two.ones.revision(&Key::new("c")), Revision(3), "the others have it");
    assert_eq!(two.others.revision(&Key::new("b")), Revision::NONE);
    two.other.let_go();
    assert_eq!(own.await, Ok(Revision(3)));
    let expected = [("a", 1), ("b", 2), ("c", 3)].map(|(key, revision)| (Key::new(key), Revision(revision)));
    assert_eq!(two.others.installed(), expected);
}

#[tokio::test]
async fn an_entry_that_is_moved_was_written_when_it_was() {
    let two = two().await;
    two.one.sweep(&Key::new("a"));
    for replica in [&two.ones, &two.others] {
        let entry = replica.entry(&Key::new("a")).unwrap();
        assert_eq!((entry.revision, entry.written, entry.value), (Revision(2), Revision(1), live("a")));
    }
    assert_eq!(put(&two.one, &Key::new("a"), Revision(2), live("b")).await, Ok(Revision(3)));
}
