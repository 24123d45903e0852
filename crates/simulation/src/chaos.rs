//! What goes wrong on purpose.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::dice::Dice;
use crate::disk::DiskFault;
use crate::journal::Machine;
use crate::member::Wire;
use crate::node::Store;
use crate::time;
use crate::town::Town;

/// How far a clock is set back at most, in milliseconds. A node that is five minutes behind its newest write does
/// not start.
const BACK_MAX_MS: u64 = 60_000;

/// A clock is not set one way and then the other within this time: a server looks once a second whether its
/// clock was set ahead, and would see only what came of both.
const APART: Duration = Duration::from_secs(2);

/// What the scheduler is to do to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Begin to stop it in order.
    Stop {
        /// Which.
        node: usize,
    },
    /// Kill it after so many more polls.
    Kill {
        /// Which.
        node: usize,
        /// How many.
        polls: u64,
    },
    /// Start it.
    Start {
        /// Which.
        node: usize,
    },
}

/// The orders that were not obeyed yet. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<VecDeque<Order>>>);

impl Orders {
    fn give(&self, order: Order) {
        self.0.lock().push_back(order);
    }

    /// The next one.
    pub(crate) fn next(&self) -> Option<Order> {
        self.0.lock().pop_front()
    }
}

/// Lets things go wrong with a node until the run has gone on for so long; then the node runs. Its clock is set
/// back as well, if there are dice for that.
pub(crate) async fn storm(
    town: Arc<Town>,
    orders: Orders,
    (node, store): (usize, Store),
    mut dice: Dice,
    mut back: Option<Dice>,
    until: Duration,
) {
    while time::elapsed() < until {
        tokio::time::sleep(dice.millis(300, 5_000)).await;
        set_back(&town, node, back.as_mut(), 6);
        if dice.one_in(4) {
            if dice.one_in(3) {
                // Sometimes it comes to its end by then.
                orders.give(Order::Stop { node });
                tokio::time::sleep(dice.millis(0, 6_000)).await;
            }
            orders.give(Order::Kill { node, polls: dice.below(200) });
            tokio::time::sleep(dice.millis(1, 3_000)).await;
            set_back(&town, node, back.as_mut(), 3);
            orders.give(Order::Start { node });
            continue;
        }
        match &store {
            // Of several nodes the clocks are never so far apart.
            Store::Alone(_) if dice.one_in(8) => set_ahead(&town, node, dice.millis(100, 60_000)),
            Store::Alone(machine) => fail(&town, node, machine, &mut dice).await,
            Store::Shared(_, wire) => cut_off(&town, node, wire, &mut dice).await,
        }
    }
    if let Store::Alone(machine) = store {
        machine.disk.lock().heal();
    }
    set_right(&town, node).await;
    orders.give(Order::Start { node });
}

/// Lets a disk fail.
async fn fail(town: &Town, node: usize, machine: &Machine, dice: &mut Dice) {
    let fault = match dice.below(6) {
        0 => DiskFault::Write,
        1 => DiskFault::Sync,
        2 => {
            let room = dice.place(4_000);
            machine.disk.lock().limit(Some(room));
            noted(town, node, "has a full disk");
            tokio::time::sleep(dice.millis(500, 6_000)).await;
            machine.disk.lock().limit(None);
            return;
        }
        _ => return,
    };
    noted(town, node, &format!("is about to fail: {fault:?}"));
    machine.disk.lock().inject(fault);
}

/// Sets the clock ahead.
fn set_ahead(town: &Town, node: usize, by: Duration) {
    if time::was_set_back(APART) {
        return;
    }
    noted(town, node, &format!("has its clock set ahead by {by:?}"));
    time::set_ahead(by);
}

/// Sets the clock back in one of so many cases, if there are dice for that; not while it is behind already.
fn set_back(town: &Town, node: usize, dice: Option<&mut Dice>, cases: u64) {
    let Some(dice) = dice else { return };
    let (is_set, by) = (dice.one_in(cases), dice.millis(100, BACK_MAX_MS));
    if is_set && time::behind().is_zero() && !time::was_set_ahead(APART) {
        noted(town, node, &format!("has its clock set back by {by:?}"));
        time::set_back(by);
    }
}

/// Sets a clock right that is behind.
async fn set_right(town: &Town, node: usize) {
    if time::behind().is_zero() {
        return;
    }
    tokio::time::sleep(APART).await;
    let behind = time::behind();
    if !behind.is_zero() {
        set_ahead(town, node, behind);
    }
}

/// Cuts a node off from the log for a while.
async fn cut_off(town: &Town, node: usize, wire: &Wire, dice: &mut Dice) {
    if dice.one_in(2) {
        noted(town, node, "is cut off");
        wire.cut(true);
        tokio::time::sleep(dice.millis(200, 12_000)).await;
        wire.cut(false);
        town.chronicle.note(None, || format!("node {node} is not cut off any more"));
    }
}

fn noted(town: &Town, node: usize, what: &str) {
    town.chronicle.note(None, || format!("node {node} {what}"));
    town.chronicle.count(|counts| counts.faults += 1);
}
