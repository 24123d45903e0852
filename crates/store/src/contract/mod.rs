//! The suite that every log must pass: one function for each law, and [`log_contract!`](crate::log_contract) that
//! makes a test of each.
//!
//! It is part of the crate, hidden from its documentation, and neither a feature nor a crate of its own: logs and
//! their tests elsewhere use it without further ado, and a program that calls none of it does not contain it.
//! Its functions panic when the log breaks the law; that is what they are for.

mod laws;
mod replicas;

use std::sync::Arc;
use std::time::Duration;

use crate::{Log, Replica};

pub use crate::record::{decode, encode};
pub use laws::*;
pub use replicas::{Recorder, Witness};

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A log to be tested.
pub trait Subject: Sync {
    /// Opens the log, empty the first time. Opened again after it was closed, it is the same log, as after a restart.
    fn open(&self, replica: Arc<dyn Replica>) -> Arc<dyn Log>;

    /// How many appends may wait while a replica installs others, if that is few enough to try; 3 at least.
    fn waiting_max(&self) -> Option<usize> {
        None
    }
}

/// Makes a module of this name with one test for each law. The subject is an expression that makes a new one.
#[doc(hidden)]
#[macro_export]
macro_rules! log_contract {
    (@tests [$subject:expr] $($law:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                $crate::contract::$law(&$subject).await;
            }
        )+
    };
    (@together [$subject:expr] $($law:ident)+) => {
        $($crate::contract::$law(&$subject).await;)+
    };
    (@laws $how:ident $subject:tt) => {
        $crate::log_contract!(@$how $subject
            answered_append_is_there_after_a_restart
            conflict_changes_nothing
            key_is_created_once
            tombstone_is_followed_by_what_expects_its_revision
            revisions_increase_over_a_restart
            revision_is_not_used_again_after_a_purge
            purge_leaves_what_is_newer
            replica_comes_before_hold_and_hold_before_receipt
            dropped_receipt_changes_nothing
            concurrent_appends_arrive_once_and_in_order
            one_of_two_appends_to_a_key_wins
            full_log_is_busy
            closed_log_finishes_what_it_took
            replay_hands_each_key_once
        );
    };
    ($name:ident, $subject:expr) => {
        mod $name {
            use super::*;

            $crate::log_contract!(@laws tests [$subject]);
        }
    };
}

/// Tries every law, one after another, each on a new subject: for logs whose making takes long.
pub async fn every_law<S: Subject>(subject: impl Fn() -> S) {
    crate::log_contract!(@laws together [subject()]);
}
