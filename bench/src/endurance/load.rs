//! Requests at their time: many connections that take one job after another.
//!
//! A job that is due counts from then on, whether a connection was free for it or not, so a server that falls
//! behind cannot keep its clients from noticing. This program's own timer wakes up to a millisecond late, and
//! later on a busy machine; that is in every time, and told apart as well.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::changes::Changes;
use super::job::{Job, Requests, What};
use super::times::Times;
use super::wire::Wire;

/// How long before its beginning a load is made: who has to look at something first has time for it.
const LEAD: Duration = Duration::from_millis(500);

/// Connections that wait for jobs.
pub(super) struct Crew(Vec<Wire>);

/// What its members share.
#[derive(Clone)]
pub(super) struct Load {
    /// When it began: instants at which jobs are due count from here.
    pub(super) begun: Instant,
    pub(super) requests: Rc<Requests>,
    pub(super) tally: Rc<RefCell<Tally>>,
    /// Told of what shows; `None`: nobody wants to know.
    pub(super) changes: Option<Changes>,
}

/// How long it took from when jobs were due until they were answered.
pub(super) struct Tally {
    pub(super) reads: Times,
    pub(super) writes: Times,
    /// How late this program's own timer woke.
    pub(super) own: Times,
}

impl Crew {
    /// Connects.
    pub(super) async fn connect(server: SocketAddr, connections: u32) -> Result<Crew> {
        let mut wires = Vec::new();
        for _ in 0..connections {
            wires.push(Wire::connect(server).await?);
        }
        Ok(Crew(wires))
    }

    /// Does jobs until there are no more, or until one fails. They come in the order in which they are due.
    pub(super) async fn work(self, jobs: impl Iterator<Item = Job> + 'static, load: &Load) -> Result<()> {
        let jobs = Rc::new(RefCell::new(jobs));
        let mut workers = JoinSet::new();
        for wire in self.0 {
            let worker = Worker { wire, jobs: Rc::clone(&jobs), load: load.clone() };
            workers.spawn_local(worker.work());
        }
        while let Some(done) = workers.join_next().await {
            done.context("a worker has died")??;
        }
        Ok(())
    }
}

/// One connection.
struct Worker<J> {
    wire: Wire,
    jobs: Rc<RefCell<J>>,
    load: Load,
}

impl<J: Iterator<Item = Job>> Worker<J> {
    async fn work(mut self) -> Result<()> {
        let mut request = Vec::new();
        loop {
            let job = self.jobs.borrow_mut().next();
            let Some(job) = job else { return Ok(()) };
            let since = self.load.turn(&job).await;
            if let Some(changes) = self.load.changes.as_ref().filter(|_| job.what.shows()) {
                changes.begin(job.user, since);
            }
            self.load.requests.write(&job, &mut request);
            let body = self.wire.ask(&request).await.with_context(|| job.to_string())?;
            job.check(body).with_context(|| job.to_string())?;
            self.load.tally.borrow_mut().note(job.what, since);
        }
    }
}

impl Load {
    /// A load that begins in a moment.
    pub(super) fn begin(requests: Rc<Requests>, changes: Option<Changes>) -> Load {
        let tally = Rc::new(RefCell::new(Tally::new()));
        Load { begun: Instant::now() + LEAD, requests, tally, changes }
    }

    /// How many requests were answered.
    pub(super) fn answered(&self) -> u64 {
        let tally = self.tally.borrow();
        tally.reads.all().count + tally.writes.all().count
    }

    /// Waits until a job is due, and says from when on it counts.
    async fn turn(&self, job: &Job) -> Instant {
        let Some(due) = job.due else { return Instant::now() };
        let due = self.begun + due;
        if due > Instant::now() {
            sleep_until(due).await;
            self.tally.borrow_mut().own.note(due.elapsed());
        }
        due
    }
}

impl Tally {
    fn new() -> Tally {
        Tally { reads: Times::new(), writes: Times::new(), own: Times::new() }
    }

    fn note(&mut self, what: What, since: Instant) {
        let times = if what.is_write() { &mut self.writes } else { &mut self.reads };
        times.note(since.elapsed());
    }
}
