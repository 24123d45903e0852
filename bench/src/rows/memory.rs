//! What a user and a person cost in memory, and how long a start takes with all of them on disk.
//!
//! All are differences to the same program on an empty folder, taken after a start that found everything on disk:
//! what a start needs for a moment and gives back is not counted, what the allocator keeps is.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::client;
use crate::folder::{Fading, write_seed, write_users};
use crate::report::{Bound, Figure, Outcome};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::spread::Spread;
use crate::stopwatch;

const ROW: &str = "memory";

/// What a start-up is measured by.
const FROM_SPAWN: &str = "from spawn to the first answer, files in the page cache";

/// Measures users, start-up and people.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let crowd = bench.scale.crowd;
    let empty = bench.empty_memory()?;
    let (with_users, starts) = users(bench, crowd, bench.scale.starts)?;
    let with_people = people(bench)?;

    let each = |bytes: u64| (bytes as f64 - empty as f64) / f64::from(crowd);
    let (user, person) = (each(with_users), each(with_people));
    let note = |what: &str, bytes: u64| {
        format!("{crowd} {what}: {} MiB, without {} MiB, both resident", bytes >> 20, empty >> 20)
    };
    let figure = |title: &str, value, unit| Figure::new(ROW, title, value, unit);
    let Spread { median, min, max } = starts;
    let figures = vec![
        figure("memory per user with one session", user, "B")
            .target(Bound::AtMost(120.0))
            .note(note("users without directory entries", with_users)),
        figure("memory per person in the directory", person, "B")
            .note(note("people without sessions", with_people)),
        figure("memory per user with directory", user + person, "B")
            .target(Bound::AtMost(450.0))
            .note("their sum"),
        figure(&format!("start-up with {crowd} users"), median, "s")
            .target((!bench.scale.quick).then_some(Bound::AtMost(1.0)))
            .note(format!("{min:.2} to {max:.2}; {FROM_SPAWN}")),
    ];
    Ok(Outcome { compared: vec![], figures })
}

/// Measures ten times as many users, without people.
pub(super) fn measure_ten_million(bench: &Bench) -> Result<Outcome> {
    let crowd = bench.scale.crowd * 10;
    let empty = bench.empty_memory()?;
    let (with_users, starts) = users(bench, crowd, 1)?;
    let each = (with_users as f64 - empty as f64) / f64::from(crowd);
    let figure = |what: &str, value, unit| {
        Figure::new("ten-million", format!("{what} with {crowd} users"), value, unit)
    };
    let figures = vec![
        figure("memory", with_users as f64 / 1_073_741_824.0, "GiB")
            .target((!bench.scale.quick).then_some(Bound::AtMost(4.0)))
            .note(format!("resident; {each:.0} B each, with one session")),
        figure("start-up", starts.median, "s").note(FROM_SPAWN),
    ];
    Ok(Outcome { compared: vec![], figures })
}

/// The memory with so many users, and the seconds that starts took. Every user has a timer: fades lie ahead.
fn users(bench: &Bench, crowd: u32, starts: u32) -> Result<(u64, Spread)> {
    let folder = bench.folder()?;
    let data = folder.path().join("data");
    let now = stopwatch::wall();
    let fading = Fading { first: now.plus(Duration::from_secs(60 * 60)), over: Duration::from_secs(60 * 60) };
    write_users(&bench.runtime, &data, crowd, now, fading)?;
    let mut seconds = Vec::new();
    let mut memory = 0;
    for start in 1..=starts {
        let server = bench.start(&data, None)?;
        seconds.push(bench.runtime.block_on(server.restored(crowd))?.as_secs_f64());
        if start == starts {
            memory = server.settled_memory()?;
        }
        server.stop()?;
    }
    Ok((memory, Spread::of(seconds)))
}

/// The memory with people in the directory: seeded by one start, measured in the next.
fn people(bench: &Bench) -> Result<u64> {
    let folder = bench.folder()?;
    let (data, seed) = (folder.path().join("data"), folder.path().join("users.yaml"));
    write_seed(&seed, bench.scale.crowd)?;
    memory_with(bench, &data, Some(&seed)).context("failed to seed the directory")?;
    memory_with(bench, &data, None).context("failed to find the directory again after a restart")
}

/// Starts the program, makes sure that it knows the last person of the crowd, and stops it.
fn memory_with(bench: &Bench, data: &Path, seed: Option<&Path>) -> Result<u64> {
    let server = bench.start(data, seed)?;
    bench.runtime.block_on(async {
        server.restored(0).await?;
        client::fetch(server.address(), &Ask::presence(bench.scale.crowd - 1)).await
    })?;
    let memory = if seed.is_none() { server.settled_memory()? } else { 0 };
    server.stop()?;
    Ok(memory)
}
