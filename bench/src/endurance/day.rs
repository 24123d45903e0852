//! A day in an hour: a million people at work, on a clock that goes 24 times as fast.
//!
//! The clock is moved on in small steps, so that a step is what a fade is late by at the least. Clients renew
//! every quarter of an hour where real ones do so every five minutes, since an hour passes in 150 seconds;
//! people who are not renewed fade later, too. How they spend their day is said in [`office`](super::office).

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::audience::{Audience, TEAM};
use super::files;
use super::job::Requests;
use super::load::{Crew, Load};
use super::office::{DAY, Offices};
use super::plot::{Axis, Line, Panel, Picture, Pictures};
use super::sample::{Sample, Sampler};
use super::times::Summary;
use super::vitals::Patient;
use crate::client::Client;
use crate::folder::write_seed;
use crate::report::{Figure, Outcome, mebibytes};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::server::Server;

const ROW: &str = "day";

/// How many seconds of the day pass in one.
const SPEED: u32 = 24;

/// The time between two steps of the clock.
const STEP: Duration = Duration::from_millis(20);

/// Connections that people's clients share.
const CONNECTIONS: u32 = 256;

/// Files that this program and the server may need.
const FILES: u64 = 2_000;

/// What the server is told beside where its data is: in which mode it runs, that clients may be silent for
/// long (towards the end there is little to say), and when people fade who are not renewed.
const CONFIGURATION: &str = r#"dev = true
[limits]
header_time = "PT1H"
[presence]
fade_inactive_after = "PT25M"
fade_away_after = "PT50M"
"#;

/// How late a timer fired, as a histogram and as the worst.
const LATENESS: &str = "porchlight_timer_lateness_seconds";
const LATENESS_MAX: &str = "porchlight_timer_lateness_max_seconds";

/// How much of it.
#[derive(Clone, Copy)]
struct Size {
    people: u32,
    streams: u32,
    minutes: u32,
    /// The time between two looks.
    look_every: Duration,
}

/// What came of it.
struct Found {
    writes: Summary,
    own: Summary,
    before: Sample,
    samples: Vec<Sample>,
    memory_peak: u64,
}

/// Lets the day begin, and stops the server after so many minutes. `None`: as long as is usual.
pub(super) fn measure(bench: &Bench, minutes: Option<u32>, pictures: &Pictures) -> Result<Outcome> {
    let size = Size::of(bench.scale.quick, minutes);
    files::allow(FILES)?;
    let folder = bench.folder()?;
    let (data, seed) = (folder.path().join("data"), folder.path().join("users.yaml"));
    write_seed(&seed, size.people)?;
    let server = start(bench, folder.path(), &data, &seed)?;
    bench.runtime.block_on(server.ready())?;
    let patient = Patient::new(&server, &data);
    let found = LocalSet::new().block_on(&bench.runtime, live(&server, &patient, size))?;
    server.stop()?;
    pictures.keep(&found.picture(size))?;
    Ok(Outcome { compared: vec![], figures: found.figures(size)? })
}

/// Porchlight in development, by a file alone: there is no flag for when people fade.
fn start(bench: &Bench, folder: &Path, data: &Path, seed: &Path) -> Result<Server> {
    let config = folder.join("porchlight.toml");
    fs::write(&config, CONFIGURATION).with_context(|| format!("failed to write {}", config.display()))?;
    bench.start_in_production(&config, data, Some(seed))
}

async fn live(server: &Server, patient: &Patient, size: Size) -> Result<Found> {
    let address = server.address();
    let mut audience = Audience::gather(address, size.people, size.streams, 0).await?;
    let crew = Crew::connect(address, CONNECTIONS).await?;
    let offices = Offices::open(size.people, size.until(), SPEED);
    // Nobody asks how soon changes are told: here most of them are made by time.
    let load = Load::begin(Rc::new(Requests::to(address)), None);
    let sampler = Sampler { server: address, patient, load: &load, audience: &audience };
    let before = sampler.look().await?;
    let mut samples = Vec::new();
    tokio::select! {
        done = crew.work(offices, &load) => done?,
        never = move_clock(address, load.begun) => match never? {},
        never = sampler.watch(size.look_every, &mut samples) => match never? {},
    }
    samples.push(sampler.look().await?);
    audience.watchers.settle().await?;
    let tally = load.tally.borrow();
    let (writes, own) = (tally.writes.all(), tally.own.all());
    Ok(Found { writes, own, before, samples, memory_peak: patient.memory_peak()? })
}

/// Moves the server's clock on, again and again: it goes by itself once, and is moved by the rest.
async fn move_clock(server: SocketAddr, begun: Instant) -> Result<Infallible> {
    let mut client = Client::connect(server).await?;
    let mut moved = Duration::ZERO;
    loop {
        sleep(STEP).await;
        let by = (begun.elapsed() * (SPEED - 1)).saturating_sub(moved);
        let by = Duration::from_millis(by.as_millis() as u64);
        let text = format!("PT{}.{:03}S", by.as_secs(), by.subsec_millis());
        client.send(&Ask::advance_clock(&text)).await?;
        moved += by;
    }
}

impl Size {
    fn of(quick: bool, minutes: Option<u32>) -> Size {
        if quick {
            let (minutes, look_every) = (minutes.unwrap_or(5), Duration::from_secs(5));
            Size { people: 100_000, streams: 20, minutes, look_every }
        } else {
            let (minutes, look_every) = (minutes.unwrap_or(60), Duration::from_secs(60));
            Size { people: 1_000_000, streams: 200, minutes, look_every }
        }
    }

    /// The second of the day at which it is over.
    fn until(self) -> u32 {
        (self.minutes * 60 * SPEED).min(DAY)
    }
}

impl Found {
    fn figures(&self, size: Size) -> Result<Vec<Figure>> {
        let figure = |title: &str, value, unit| Figure::new(ROW, title, value, unit);
        let last = &self.samples[self.samples.len() - 1];
        let took = last.at.as_secs_f64();
        let most = |value: &dyn Fn(&Sample, &Sample) -> f64| {
            self.looks().map(|(one, other)| value(one, other)).fold(0.0, f64::max)
        };
        let since = |name: &str| {
            Ok::<f64, anyhow::Error>(
                last.metrics.value(name)? - self.before.metrics.value(name).unwrap_or_default(),
            )
        };
        let (told, fired) = (since("porchlight_feed_changes_total")?, since(&format!("{LATENESS}_count"))?);
        let late_max = last.metrics.value(LATENESS_MAX)?;
        let late = last.metrics.quantile_since(&self.before.metrics, LATENESS, 0.99)?.min(late_max);
        let step = format!("of the day's time; a step of the clock is {:?}", STEP * SPEED);
        let busiest =
            most(&|before, now| now.writes.count as f64 / now.at.saturating_sub(before.at).as_secs_f64());
        let (people, minutes) = (size.people, took / 60.0);
        let mut figures = vec![
            figure("writes per second", self.writes.count as f64 / took, "")
                .note(format!("{people} people, {minutes:.0} minutes; busiest look {busiest:.0}/s")),
        ];
        figures.extend(self.writes.figures(ROW, "due to write answered"));
        figures.extend(self.own.figures(ROW, "of which this program's own timer"));
        figures.extend([
            figure("changes told per second", told / took, "").note(format!(
                "to {} streams of {TEAM} people; each knows everybody's last state",
                size.streams
            )),
            figure("timers fired per second", fired / took, ""),
            figure("lateness of timers, p99", late, "s").note(format!("the bound of its bucket, {step}")),
            figure("lateness of timers, slowest", late_max, "s").note(step),
            figure("server CPU, mean", last.cores_since(&self.before), "cores")
                .note(format!("busiest look {:.2}", most(&|before, now| now.cores_since(before)))),
            figure("memory, peak", mebibytes(self.memory_peak), "MiB")
                .note(format!("before {:.0}", self.before.memory())),
            figure("data folder, most", most(&|_, now| now.disk()), "MiB")
                .note(format!("at the end {:.0}", last.disk())),
        ]);
        Ok(figures)
    }

    /// Each look with the one before it.
    fn looks(&self) -> impl Iterator<Item = (&Sample, &Sample)> {
        [&self.before].into_iter().chain(&self.samples).zip(&self.samples)
    }

    fn picture(&self, size: Size) -> Picture {
        let hour = |sample: &Sample| sample.at.as_secs_f64() * f64::from(SPEED) / 3_600.0;
        let points = |value: &dyn Fn(&Sample, &Sample) -> f64| {
            self.looks().map(|(before, now)| (hour(now), value(before, now))).collect()
        };
        let rate = |count: f64, before: &Sample, now: &Sample| {
            count / now.at.saturating_sub(before.at).as_secs_f64()
        };
        let since = |name: &str, before: &Sample, now: &Sample| {
            let value = |sample: &Sample| sample.metrics.value(name).unwrap_or_default();
            rate(value(now) - value(before), before, now)
        };
        let late = |before: &Sample, now: &Sample| {
            now.metrics.quantile_since(&before.metrics, LATENESS, 0.99).unwrap_or(f64::NAN)
        };
        let panel = |title: &str, y, lines| Panel {
            title: title.to_owned(),
            x: Axis { name: "hour of the day", times: None },
            y,
            lines,
        };
        let line = |name, points| Line { name, points };
        Picture {
            name: "day",
            title: format!("A day of {} people in {} minutes", size.people, size.minutes),
            columns: 2,
            panels: vec![
                panel(
                    "Writes, and changes that are told",
                    "per second",
                    vec![
                        line("writes", points(&|before, now| rate(now.writes.count as f64, before, now))),
                        line(
                            "changes",
                            points(&|before, now| since("porchlight_feed_changes_total", before, now)),
                        ),
                    ],
                ),
                panel(
                    "From due until a write was answered",
                    "ms",
                    vec![
                        line("p99", points(&|_, now| now.writes.p99_ms)),
                        line("p50", points(&|_, now| now.writes.p50_ms)),
                    ],
                ),
                panel(
                    "How late timers fired: p99, by the bounds of buckets",
                    "seconds of the day",
                    vec![line("p99", points(&late))],
                ),
                panel(
                    "Memory and data folder",
                    "MiB",
                    vec![
                        line("memory", points(&|_, now| now.memory())),
                        line("folder", points(&|_, now| now.disk())),
                    ],
                ),
            ],
        }
    }
}
