//! An hour at seven tenths of what goes: whether anything grows or gets slower with time.
//!
//! First everybody asks as fast as they are answered, for a while: that is the maximum. Then requests are due
//! at seven tenths of that rate and count from when they were due. Of a hundred requests eighty read,
//! eighteen keep alive and two change what somebody shows; streams and webhooks are told of that. Afterwards
//! the last quarter of the time is held against the second.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::audience::Audience;
use super::files;
use super::job::{Job, Requests, What};
use super::load::{Crew, Load};
use super::plot::{Axis, Line, Panel, Picture, Pictures};
use super::receivers::Receivers;
use super::sample::{Sample, Sampler};
use super::times::Summary;
use super::vitals::Patient;
use crate::folder::write_people;
use crate::report::{Bound, Figure, Outcome, mebibytes};
use crate::requests::scattered;
use crate::rows::Bench;
use crate::server::Server;
use crate::spread::Spread;

const ROW: &str = "hour";

/// The share of the maximum that is asked for.
const SHARE: f64 = 0.7;

const CONNECTIONS: u32 = 256;

/// Files that this program and the server may need.
const FILES: u64 = 4_000;

/// The golden ratio's share of 2⁶⁴.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The fewest looks that say anything of quarters.
const LOOKS_MIN: usize = 8;

/// Subscriptions are renewed well before they end.
const RENEW_EVERY: Duration = Duration::from_secs(20 * 60);

/// How much of it.
#[derive(Clone, Copy)]
struct Size {
    people: u32,
    streams: u32,
    webhooks: u32,
    /// How long the maximum is looked for.
    maximum_for: Duration,
    hold_for: Duration,
}

/// Who asks what next, for as long as it goes on.
struct Mix {
    people: u32,
    /// How many requests there were before, in all mixes that share it.
    count: Rc<Cell<u64>>,
    pace: Pace,
}

#[derive(Clone, Copy)]
enum Pace {
    /// As fast as answers come, until then.
    AtOnce { until: Instant },
    /// So many per second, as many of these in all, of which so many were due already.
    Steady { per_second: f64, all: u64, due: u64 },
}

/// What came of it.
struct Found {
    /// Requests per second.
    maximum: f64,
    asked: f64,
    answered: f64,
    reads: Summary,
    writes: Summary,
    own: Summary,
    streams: Summary,
    webhooks: Summary,
    before: Sample,
    samples: Vec<Sample>,
    memory_peak: u64,
}

/// Looks for the maximum, holds most of it for so many minutes, and stops the server. `None`: as long as is
/// usual.
pub(super) fn measure(bench: &Bench, minutes: Option<u32>, pictures: &Pictures) -> Result<Outcome> {
    let size = Size::of(bench.scale.quick, minutes);
    files::allow(FILES)?;
    let folder = bench.folder()?;
    let (data, seed) = write_people(&bench.runtime, folder.path(), size.people)?;
    let server = bench.start(&data, Some(&seed))?;
    bench.runtime.block_on(server.restored(size.people))?;
    let patient = Patient::new(&server, &data);
    let found = LocalSet::new().block_on(&bench.runtime, hold(&server, &patient, size))?;
    server.stop()?;
    pictures.keep(&found.picture())?;
    Ok(Outcome { compared: vec![], figures: found.figures(size) })
}

async fn hold(server: &Server, patient: &Patient, size: Size) -> Result<Found> {
    let address = server.address();
    let mut audience = Audience::gather(address, size.people, size.streams, size.webhooks).await?;
    let (requests, count) = (Rc::new(Requests::to(address)), Rc::new(Cell::new(0)));
    let mix = |pace| Mix { people: size.people, count: Rc::clone(&count), pace };

    let load = Load::begin(Rc::clone(&requests), Some(audience.changes.clone()));
    let crew = Crew::connect(address, CONNECTIONS).await?;
    let begun = Instant::now();
    crew.work(mix(Pace::AtOnce { until: begun + size.maximum_for }), &load).await?;
    let maximum = load.answered() as f64 / begun.elapsed().as_secs_f64();
    audience.watchers.delays.forget();
    audience.receivers.delays.forget();

    let per_second = maximum * SHARE;
    let all = (per_second * size.hold_for.as_secs_f64()) as u64;
    let crew = Crew::connect(address, CONNECTIONS).await?;
    let load = Load::begin(requests, Some(audience.changes.clone()));
    let sampler = Sampler { server: address, patient, load: &load, audience: &audience };
    let before = sampler.look().await?;
    let mut samples = Vec::new();
    tokio::select! {
        done = crew.work(mix(Pace::Steady { per_second, all, due: 0 }), &load) => done?,
        never = renew(&audience.receivers) => match never? {},
        never = sampler.watch(size.look_every(), &mut samples) => match never? {},
    }
    let took = load.begun.elapsed().as_secs_f64();
    ensure!(samples.len() >= LOOKS_MIN, "after {} looks quarters say nothing", samples.len());
    audience.settle().await?;
    let answered = load.answered() as f64 / took;
    let tally = load.tally.borrow();
    Ok(Found {
        maximum,
        asked: per_second,
        answered,
        reads: tally.reads.all(),
        writes: tally.writes.all(),
        own: tally.own.all(),
        streams: audience.watchers.delays.all(),
        webhooks: audience.receivers.delays.all(),
        before,
        samples,
        memory_peak: patient.memory_peak()?,
    })
}

/// Renews all subscriptions again and again.
async fn renew(receivers: &Receivers) -> Result<Infallible> {
    loop {
        sleep(RENEW_EVERY).await;
        receivers.renew().await?;
    }
}

impl Size {
    fn of(quick: bool, minutes: Option<u32>) -> Size {
        let hold_for = |usual: u32| Duration::from_secs(60) * minutes.unwrap_or(usual);
        if quick {
            let maximum_for = Duration::from_secs(3);
            Size { people: 20_000, streams: 100, webhooks: 10, maximum_for, hold_for: hold_for(1) }
        } else {
            let maximum_for = Duration::from_secs(20);
            Size { people: 100_000, streams: 1_000, webhooks: 100, maximum_for, hold_for: hold_for(60) }
        }
    }

    /// The time between two looks: shorter than usual if there would be too few.
    fn look_every(self) -> Duration {
        LOOK_EVERY.min(self.hold_for / (2 * LOOKS_MIN as u32))
    }
}

impl Iterator for Mix {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        let due = match &mut self.pace {
            Pace::AtOnce { until } if Instant::now() >= *until => return None,
            Pace::AtOnce { .. } => None,
            Pace::Steady { all, due, .. } if due == all => return None,
            Pace::Steady { per_second, due, .. } => {
                *due += 1;
                Some(Duration::from_secs_f64((*due - 1) as f64 / *per_second))
            }
        };
        let number = self.count.get();
        self.count.set(number + 1);
        let (what, user) = ask(number, self.people);
        Some(Job { due, what, user })
    }
}

/// What the request of this number is, of all that there ever are.
fn ask(number: u64, people: u32) -> (What, u32) {
    // Spread evenly over everybody, whatever the kind.
    let someone = (((number.wrapping_mul(GOLDEN) >> 32) * u64::from(people)) >> 32) as u32;
    // Each hundred has all kinds, mixed.
    match scattered(number, 100) {
        0..80 => (What::Read, someone),
        80..98 => (What::KeepAlive, someone),
        place => {
            let change = number / 100 * 2 + u64::from(place) - 98;
            // Everybody is busy before anybody is away, and the other way round: each is a change.
            let what = if (change / u64::from(people)).is_multiple_of(2) { What::Busy } else { What::Away };
            (what, scattered(change, people))
        }
    }
}

impl Found {
    fn figures(&self, size: Size) -> Vec<Figure> {
        let figure = |title: &str, value, unit| Figure::new(ROW, title, value, unit);
        let Size { maximum_for, hold_for, .. } = size;
        let last = &self.samples[self.samples.len() - 1];
        let mut figures = vec![
            figure("most requests per second", self.maximum, "").note(format!(
                "for {maximum_for:?}, over {CONNECTIONS} connections, as fast as answers come"
            )),
            figure("requests per second asked for", self.asked, "").note(format!("for {hold_for:?}")),
            figure("requests per second answered", self.answered, "")
                .target(Bound::AtLeast(self.asked * 0.99))
                .note("with those that were late"),
        ];
        for (what, times) in [
            ("due to read answered", self.reads),
            ("due to write answered", self.writes),
            ("due to event read", self.streams),
            ("due to webhook begun", self.webhooks),
            ("of which this program's own timer", self.own),
        ] {
            figures.extend(times.figures(ROW, what));
        }
        figures.extend([
            figure("server CPU, mean", last.cores_since(&self.before), "cores"),
            figure("memory, peak", mebibytes(self.memory_peak), "MiB")
                .note(format!("before {:.0}", self.before.memory())),
        ]);
        figures.extend(self.verdicts());
        figures
    }

    /// What has grown from the second quarter of the time to the last: the first is for settling in.
    fn verdicts(&self) -> [Figure; 5] {
        let quarter = self.samples.len() / 4;
        let (second, last) =
            (&self.samples[quarter..2 * quarter], &self.samples[self.samples.len() - quarter..]);
        let both = |value: fn(&Sample) -> f64| [second, last].map(|of| Spread::of(of.iter().map(value)));
        let middle = |value| both(value).map(|spread| spread.median);
        let most = |value| both(value).map(|spread| spread.max);
        let figure = |title: &str, [before, after]: [f64; 2], limit: f64, unit: &str| {
            Figure::new(ROW, format!("{title}, last quarter over second"), after / before, "")
                .target(Bound::AtMost(limit))
                .note(format!("{before:.2} {unit}, then {after:.2}"))
        };
        [
            figure("memory, median", middle(Sample::memory), 1.05, "MiB"),
            figure("open files, most", most(|sample| sample.vitals.files as f64), 1.01, "files"),
            figure("data folder, most", most(Sample::disk), 1.25, "MiB"),
            figure("p99 of reads, median", middle(|sample| sample.reads.p99_ms), 1.25, "ms"),
            figure("p99 of writes, median", middle(|sample| sample.writes.p99_ms), 1.25, "ms"),
        ]
    }

    fn picture(&self) -> Picture {
        let points = |value: fn(&Sample) -> f64| {
            self.samples.iter().map(|sample| (sample.at.as_secs_f64() / 60.0, value(sample))).collect()
        };
        let panel = |title: &str, y, lines| Panel {
            title: title.to_owned(),
            x: Axis { name: "minutes", times: None },
            y,
            lines,
        };
        let line = |name, value: fn(&Sample) -> f64| Line { name, points: points(value) };
        Picture {
            name: "hour",
            title: format!("{:.0} requests per second, 70 % of the maximum", self.asked),
            columns: 2,
            panels: vec![
                panel("Memory, resident", "MiB", vec![line("memory", Sample::memory)]),
                panel("Open files", "files", vec![line("files", |sample| sample.vitals.files as f64)]),
                panel("Data folder", "MiB", vec![line("folder", Sample::disk)]),
                panel(
                    "From due until answered: p99 of each look",
                    "ms",
                    vec![
                        line("writes", |sample| sample.writes.p99_ms),
                        line("reads", |sample| sample.reads.p99_ms),
                    ],
                ),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_hundred_requests_are_eighty_reads_and_twenty_writes() {
        let mut kinds: HashMap<&str, u32> = HashMap::new();
        for number in 1_000..2_000 {
            let kind = match ask(number, 20_000).0 {
                What::Read => "read",
                What::KeepAlive => "kept alive",
                _ => "changed",
            };
            *kinds.entry(kind).or_default() += 1;
        }
        assert_eq!(kinds, HashMap::from([("read", 800), ("kept alive", 180), ("changed", 20)]));
    }

    #[test]
    fn nobody_is_made_what_they_are() {
        let mut shown: HashMap<u32, What> = HashMap::new();
        for number in 0..100_000 {
            let (what, user) = ask(number, 500);
            if what.shows() {
                assert_ne!(shown.insert(user, what), Some(what), "request {number}");
            }
        }
        assert_eq!(shown.len(), 500);
    }

    #[test]
    fn a_steady_mix_is_due_evenly_and_ends() {
        let pace = Pace::Steady { per_second: 100.0, all: 250, due: 0 };
        let mix = Mix { people: 500, count: Rc::default(), pace };
        let dues: Vec<Duration> = mix.filter_map(|job| job.due).collect();
        assert_eq!((dues.len(), dues[0]), (250, Duration::ZERO));
        assert_eq!(dues[249], Duration::from_millis(2_490));
    }
}
