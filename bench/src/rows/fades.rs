//! How late fades are announced: many of them spread evenly over a while, and all of them at once.
//!
//! Nobody sees a late fade in a read, which evaluates; late is the timer that tells those who want to be told. What
//! readers can notice is the work that timers make, so reads go on beside.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use porchlight_presence::Timestamp;
use tokio::time::sleep;

use crate::client;
use crate::folder::{Fading, write_seed, write_users};
use crate::metrics::Metrics;
use crate::reads::{Reads, Took};
use crate::report::{Bound, Figure, Outcome};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::server::Server;
use crate::stopwatch::{self, Stopwatch};

/// Reads per second beside the fades.
const READS_PER_SECOND: u32 = 5_000;
/// The people who are read; they are in the directory.
const READERS: u32 = 1_000;
/// How long after the last deadline, or after the jump, everything must have been announced.
const ANNOUNCED_MAX: Duration = Duration::from_secs(60);
/// How late a timer fired.
const LATENESS: &str = "porchlight_timer_lateness_seconds";

/// Fades spread evenly over a while.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let (crowd, over) = (bench.scale.crowd, bench.scale.fades_over);
    let folder = bench.folder()?;
    let (data, first) = write_in_time(bench, folder.path())?;
    thread::sleep(first.since(stopwatch::wall().plus(bench.scale.fades_lead)));
    let server = start(bench, folder.path(), &data)?;
    ensure!(stopwatch::wall() < first, "the server was not ready before the first fade was due");

    let (lateness, took) = bench.runtime.block_on(watch(server.address(), crowd, first.plus(over)))?;
    server.stop()?;

    let figure = |title: &str, value| Figure::new("fades", title, value, "ms");
    let bucket = "the bound of its bucket";
    let figures = vec![
        figure(&format!("lateness of {crowd} fades in {over:?}, p50"), lateness.p50_ms).note(bucket),
        figure("lateness of fades, p99", lateness.p99_ms).target(Bound::AtMost(20.0)).note(bucket),
        figure("lateness of fades, slowest", lateness.max_ms),
        figure("reads beside, p50", took.p50_ms).note(format!("{:.0} reads/s", took.per_second)),
        figure("reads beside, p99", took.p99_ms),
        figure("reads beside, slowest", took.max_ms),
    ];
    Ok(Outcome { compared: vec![], figures })
}

/// All fades at once: the clock jumps over them.
pub(super) fn measure_jump(bench: &Bench) -> Result<Outcome> {
    let crowd = bench.scale.crowd;
    let folder = bench.folder()?;
    let data = folder.path().join("data");
    let now = stopwatch::wall();
    let fading = Fading { first: now.plus(Duration::from_secs(10 * 60)), over: Duration::from_secs(60 * 60) };
    write_users(&bench.runtime, &data, crowd, now, fading)?;
    let server = start(bench, folder.path(), &data)?;

    let (drained, took) = bench.runtime.block_on(jump(server.address()))?;
    server.stop()?;

    let until_drained = format!("a jump of the clock over {crowd} fades, until drained");
    let Took { per_second, p50_ms, p99_ms, max_ms, .. } = took;
    let figures = vec![
        Figure::new("jump", until_drained, drained.as_secs_f64(), "s")
            .target((!bench.scale.quick).then_some(Bound::AtMost(2.0))),
        Figure::new("jump", "slowest read meanwhile", max_ms, "ms")
            .target(Bound::AtMost(50.0))
            .note(format!("p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, {per_second:.0} reads/s")),
    ];
    Ok(Outcome { compared: vec![], figures })
}

/// How late timers fired.
#[expect(clippy::struct_field_names, reason = "the unit belongs to each")]
struct Lateness {
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// Reads until all fades were announced.
async fn watch(address: SocketAddr, fades: u32, last: Timestamp) -> Result<(Lateness, Took)> {
    let fired = format!("{LATENESS}_count");
    let before = Metrics::of(address).await?;
    let reads = Reads::start(address, READS_PER_SECOND, READERS).await?;
    let after = loop {
        sleep(Duration::from_millis(500)).await;
        let now = Metrics::of(address).await?;
        // A series that nothing was observed in yet may be missing.
        let count = now.value(&fired).unwrap_or_default() - before.value(&fired).unwrap_or_default();
        if count >= f64::from(fades) {
            break now;
        }
        if stopwatch::wall() > last.plus(ANNOUNCED_MAX) {
            bail!("of {fades} timers {count} had fired {ANNOUNCED_MAX:?} after the last deadline ({fired})");
        }
    };
    let took = reads.stop().await?;
    let max = after.value("porchlight_timer_lateness_max_seconds")?;
    let quantile = |of| Ok::<f64, anyhow::Error>(after.quantile_since(&before, LATENESS, of)?.min(max) * 1e3);
    Ok((Lateness { p50_ms: quantile(0.5)?, p99_ms: quantile(0.99)?, max_ms: max * 1e3 }, took))
}

/// Moves the clock over all deadlines; says how long it took until no timer was overdue, and how reads fared.
async fn jump(address: SocketAddr) -> Result<(Duration, Took)> {
    let mut reads = Reads::start(address, READS_PER_SECOND, READERS).await?;
    sleep(Duration::from_secs(1)).await;
    reads.lap();
    let jumped = Stopwatch::start();
    client::fetch(address, &Ask::advance_clock("PT2H")).await?;
    let drained = drained(address, jumped).await?;
    // A read that the jump held up is still to be answered.
    sleep(Duration::from_millis(200)).await;
    Ok((drained, reads.stop().await?))
}

/// The time since `jumped` at which no timer was overdue any more.
pub(super) async fn drained(address: SocketAddr, jumped: Stopwatch) -> Result<Duration> {
    /// None overdue may also mean that the timers have not looked at the clock yet: it must stay so for a while.
    const LOOKS: u32 = 5;
    let mut none_overdue = 0;
    let mut since = Duration::ZERO;
    while none_overdue < LOOKS {
        let overdue = Metrics::of(address).await?.value("porchlight_timers_overdue_seconds")?;
        if overdue > 0.0 {
            none_overdue = 0;
        } else {
            none_overdue += 1;
            if none_overdue == 1 {
                since = jumped.elapsed();
            }
        }
        ensure!(
            jumped.elapsed() < ANNOUNCED_MAX,
            "{overdue} timers are overdue {ANNOUNCED_MAX:?} after the jump"
        );
        sleep(Duration::from_millis(5)).await;
    }
    Ok(since)
}

/// Porchlight with the crowd of a data folder restored and the readers seeded.
fn start(bench: &Bench, folder: &Path, data: &Path) -> Result<Server> {
    let seed = folder.join("users.yaml");
    write_seed(&seed, READERS)?;
    let server = bench.start(data, Some(&seed))?;
    bench.runtime.block_on(server.restored(bench.scale.crowd))?;
    Ok(server)
}

/// Writes a crowd whose fades begin shortly after the writing is done: the folder and the first fade.
fn write_in_time(bench: &Bench, folder: &Path) -> Result<(PathBuf, Timestamp)> {
    let crowd = bench.scale.crowd;
    let mut allowance = Duration::from_micros(20) * crowd;
    for attempt in 1..=3 {
        let data = folder.join(format!("data-{attempt}"));
        let now = stopwatch::wall();
        let first = now.plus(allowance).plus(bench.scale.fades_lead);
        write_users(&bench.runtime, &data, crowd, now, Fading { first, over: bench.scale.fades_over })?;
        if stopwatch::wall().plus(bench.scale.fades_lead) <= first {
            return Ok((data, first));
        }
        allowance *= 3;
    }
    bail!("writing {crowd} users took longer than {allowance:?}: this disk is too slow for the row")
}
