//! Nine o'clock: very many people appear within a minute, while others follow them by streams and webhooks.
//!
//! Who appears when follows a bell: in the middle of the minute twice as many come as on the mean. Everything
//! counts from when an appearance was due: until its write was answered, until the event of a stream was
//! read, and until the request of a webhook began. In the end every watcher must know what the server says.

use std::f64::consts::TAU;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::LocalSet;

use super::audience::{Audience, TEAM};
use super::files;
use super::job::{Job, Requests, What};
use super::load::{Crew, Load};
use super::plot::{Axis, Line, Panel, Picture, Pictures};
use super::sample::{Sample, Sampler};
use super::times::Summary;
use super::vitals::Patient;
use crate::folder::write_seed;
use crate::report::{Figure, Outcome, mebibytes};
use crate::rows::Bench;
use crate::server::Server;
use crate::stopwatch::Stopwatch;

const ROW: &str = "storm";

/// Connections over which people appear, as of some applications.
const WRITERS: u32 = 256;

/// Files beyond those of connections.
const FILES_BESIDE: u64 = 500;

/// No factor in common with numbers of people; and another one than that of
/// [`scattered`](crate::requests::scattered), by which a team's members would all come at one time.
const STRIDE: u64 = 7_919;

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much of it.
#[derive(Clone, Copy)]
struct Size {
    people: u32,
    streams: u32,
    webhooks: u32,
    over: Duration,
}

/// What came of it.
struct Found {
    writes: Summary,
    streams: Summary,
    webhooks: Summary,
    own: Summary,
    samples: Vec<Sample>,
    /// When people began to appear.
    before: Sample,
    /// From when nobody appeared any more until everybody knew.
    settled: Duration,
    memory_peak: u64,
}

/// Has people appear, and stops the server.
pub(super) fn measure(bench: &Bench, pictures: &Pictures) -> Result<Outcome> {
    let size = Size::of(bench.scale.quick);
    files::allow(u64::from(size.streams + 2 * size.webhooks + WRITERS) + FILES_BESIDE)?;
    let folder = bench.folder()?;
    let (data, seed) = (folder.path().join("data"), folder.path().join("users.yaml"));
    write_seed(&seed, size.people)?;
    let server = bench.start(&data, Some(&seed))?;
    bench.runtime.block_on(server.ready())?;
    let patient = Patient::new(&server, &data);
    let found = LocalSet::new().block_on(&bench.runtime, storm(&server, &patient, size))?;
    server.stop()?;
    pictures.keep(&found.picture(size))?;
    Ok(Outcome { compared: vec![], figures: found.figures(size) })
}

async fn storm(server: &Server, patient: &Patient, size: Size) -> Result<Found> {
    let address = server.address();
    let mut audience = Audience::gather(address, size.people, size.streams, size.webhooks).await?;
    let crew = Crew::connect(address, WRITERS).await?;
    let load = Load::begin(Rc::new(Requests::to(address)), Some(audience.changes.clone()));
    let sampler = Sampler { server: address, patient, load: &load, audience: &audience };
    let before = sampler.look().await?;
    let mut samples = Vec::new();
    tokio::select! {
        done = crew.work(size.appearances(), &load) => done?,
        never = sampler.watch(LOOK_EVERY, &mut samples) => match never? {},
    }
    samples.push(sampler.look().await?);
    let settling = Stopwatch::start();
    audience.settle().await?;
    let settled = settling.elapsed();
    let tally = load.tally.borrow();
    Ok(Found {
        writes: tally.writes.all(),
        own: tally.own.all(),
        streams: audience.watchers.delays.all(),
        webhooks: audience.receivers.delays.all(),
        samples,
        before,
        settled,
        memory_peak: patient.memory_peak()?,
    })
}

impl Size {
    fn of(quick: bool) -> Size {
        if quick {
            Size { people: 10_000, streams: 500, webhooks: 50, over: Duration::from_secs(6) }
        } else {
            Size { people: 200_000, streams: 10_000, webhooks: 1_000, over: Duration::from_secs(60) }
        }
    }

    /// Everybody once, in the order in which they are due.
    fn appearances(self) -> impl Iterator<Item = Job> {
        (0..self.people).map(move |place| {
            let user = (u64::from(place) * STRIDE % u64::from(self.people)) as u32;
            let due = self.over.mul_f64(bell(f64::from(place) / f64::from(self.people)));
            Job { due: Some(due), what: What::Appear, user }
        })
    }
}

/// The share of the time after which this share of people has appeared.
fn bell(share: f64) -> f64 {
    let (mut least, mut most) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(least, most);
        let appeared = middle - (TAU * middle).sin() / TAU;
        if appeared < share {
            least = middle;
        } else {
            most = middle;
        }
    }
    least
}

impl Found {
    fn figures(&self, size: Size) -> Vec<Figure> {
        let Size { people, streams, webhooks, over } = size;
        let figure = |title: &str, value, unit| Figure::new(ROW, title, value, unit);
        let last = &self.samples[self.samples.len() - 1];
        let files = self.samples.iter().map(|sample| sample.vitals.files).max().unwrap_or_default();
        let cores = last.cores_since(&self.before);
        let busiest = self.samples.windows(2).map(|pair| pair[1].cores_since(&pair[0])).fold(0.0, f64::max);
        let mut figures = vec![figure("people who appeared", f64::from(people), "").note(format!(
            "in {over:?}, all answered; {streams} streams, {webhooks} webhooks, {TEAM} people each"
        ))];
        figures.extend(self.writes.figures(ROW, "due to write answered"));
        figures.extend(self.streams.figures(ROW, "due to event read"));
        figures.extend(self.webhooks.figures(ROW, "due to webhook begun"));
        figures.extend(self.own.figures(ROW, "of which this program's own timer"));
        figures.extend([
            figure("until every watcher knew everything", self.settled.as_secs_f64() * 1e3, "ms"),
            figure("memory, peak", mebibytes(self.memory_peak), "MiB")
                .note(format!("before {:.0}", self.before.memory())),
            figure("open files, most", files as f64, ""),
            figure("server CPU, mean", cores, "cores").note(format!("busiest second {busiest:.2}")),
        ]);
        figures
    }

    fn picture(&self, size: Size) -> Picture {
        let points = |value: &dyn Fn(&Sample) -> f64| {
            self.samples.iter().map(|sample| (sample.at.as_secs_f64(), value(sample))).collect()
        };
        let seconds = Axis { name: "seconds", times: None };
        Picture {
            name: "storm",
            title: format!("{} people appear within {:?}", size.people, size.over),
            columns: 1,
            panels: vec![
                Panel {
                    title: "People who appear, events of streams, items of webhooks".to_owned(),
                    x: seconds,
                    y: "per second",
                    lines: vec![
                        Line { name: "appear", points: points(&|sample| sample.writes.count as f64) },
                        Line { name: "events", points: points(&|sample| sample.streams.count as f64) },
                        Line { name: "items", points: points(&|sample| sample.webhooks.count as f64) },
                    ],
                },
                Panel {
                    title: "From due until answered, and until others were told: p99 of each second"
                        .to_owned(),
                    x: seconds,
                    y: "ms",
                    lines: vec![
                        Line { name: "answered", points: points(&|sample| sample.writes.p99_ms) },
                        Line { name: "event read", points: points(&|sample| sample.streams.p99_ms) },
                        Line { name: "webhook begun", points: points(&|sample| sample.webhooks.p99_ms) },
                    ],
                },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everybody_appears_once_and_most_in_the_middle() {
        let size = Size { people: 1_000, ..Size::of(false) };
        let jobs: Vec<Job> = size.appearances().collect();
        assert_eq!(jobs.iter().map(|job| job.user).collect::<HashSet<u32>>().len(), 1_000);
        let dues: Vec<Duration> = jobs.iter().filter_map(|job| job.due).collect();
        assert!(dues.is_sorted() && dues[999] <= size.over);
        let within =
            |from: u64, to: u64| dues.iter().filter(|due| (from..to).contains(&due.as_secs())).count();
        assert!(within(0, 10) < 100 && within(25, 35) > 300, "{} and {}", within(0, 10), within(25, 35));
    }
}
