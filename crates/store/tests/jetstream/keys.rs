//! Keys of whatever characters, which are no subjects of NATS.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use porchlight_store::contract::live;
use porchlight_store::{JetStreamOptions, Key, Log, Receipt, Revision};
use porchlight_testkit::Nats;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{open, options, submit};

/// Texts of up to 1,024 bytes: of any characters, of those that mean something to NATS, and the longest.
fn texts() -> impl Strategy<Value = BTreeSet<String>> {
    let text = prop_oneof![
        4 => "(?s).{1,60}",
        4 => r"[./*> =%\r\n$_-]{1,20}",
        1 => "(?s).{200,256}",
        1 => Just("/".repeat(Key::BYTES_MAX)),
        1 => Just("\u{1F600}".repeat(Key::BYTES_MAX / 4)),
    ];
    prop::collection::btree_set(text, 1..30)
}

/// The texts of the keys that are there after a restart, when something was written under each of these.
async fn kept(options: &JetStreamOptions, texts: &BTreeSet<String>) -> BTreeSet<String> {
    let (replica, log) = open(options);
    let write = |text: &String| submit(&log, &Key::new(text.as_str()), Revision::NONE, live(text.as_str()));
    let receipts: Vec<Receipt> = texts.iter().map(write).collect();
    for receipt in receipts {
        receipt.await.unwrap();
    }
    log.close();
    let (again, log) = open(options);
    log.close();
    assert_eq!(again.entries(), replica.entries());
    again.entries().into_keys().map(|key| key.as_str().to_owned()).collect()
}

#[test]
fn keys_of_any_characters_come_back_as_they_were() {
    let nats = Nats::builder().sync(false).start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tried = AtomicU32::new(0);
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let held = TestRunner::new(config).run(&texts(), |texts| {
        let prefix = format!("keys-{}", tried.fetch_add(1, Ordering::Relaxed));
        let options = JetStreamOptions { prefix, cells: 4, ..options(&nats) };
        prop_assert_eq!(runtime.block_on(kept(&options, &texts)), texts);
        Ok(())
    });
    held.unwrap();
}
