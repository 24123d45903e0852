//! Floods of requests that do not wait for the answers before them.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use futures_util::future::try_join_all;
use memchr::memmem::Finder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::Scene;
use crate::report::Figure;
use crate::requests::Ask;

/// Connections of the flood.
const CONNECTIONS: u32 = 16;

/// Requests in one piece.
const TOGETHER: usize = 64;

/// What every good answer begins with.
const GOOD: &[u8] = b"HTTP/1.1 200";

/// Sends as many requests as the server takes.
pub(in crate::rows) async fn come(scene: Scene) -> Result<Vec<Figure>> {
    let answers = AtomicU64::new(0);
    let floods = (0..CONNECTIONS).map(|number| flood(scene, number, &answers));
    try_join_all(floods).await?;
    let answers = answers.load(Ordering::Relaxed);
    ensure!(answers > 0, "not one request was answered");
    let per_second = answers as f64 / scene.lasts.as_secs_f64();
    let note = format!("over {CONNECTIONS} connections, {TOGETHER} reads in each piece");
    Ok(vec![scene.figure("answers per second", per_second, "").note(note)])
}

/// One connection's part of it, for as long as it lasts.
async fn flood(scene: Scene, number: u32, answers: &AtomicU64) -> Result<()> {
    let mut stream = scene.connect().await?;
    let requests = Ask::presence(number).wire(scene.address).repeat(TOGETHER);
    let (mut reader, mut writer) = stream.split();
    let both = async {
        tokio::select! {
            ended = send(&mut writer, &requests) => ended,
            ended = count(&mut reader, answers) => ended,
        }
    };
    // It goes on until the time is over.
    timeout(scene.lasts, both).await.unwrap_or(Ok(()))
}

async fn send(writer: &mut WriteHalf<'_>, requests: &[u8]) -> Result<()> {
    loop {
        writer.write_all(requests).await.context("failed to send")?;
    }
}

/// Counts the answers that come.
async fn count(reader: &mut ReadHalf<'_>, answers: &AtomicU64) -> Result<()> {
    let (good, any) = (Finder::new(GOOD), Finder::new(&GOOD[..9]));
    let mut unread = Vec::with_capacity(64 * 1024);
    while reader.read_buf(&mut unread).await.context("failed to read answers")? > 0 {
        // A beginning that is not whole yet stays for the next time.
        let (goods, all) = (good.find_iter(&unread).count(), any.find_iter(&unread).count());
        let tail = unread.len().saturating_sub(GOOD.len() - 1);
        let cut = any.find_iter(&unread[tail..]).count();
        ensure!(goods + cut >= all, "a request of a flood was refused");
        answers.fetch_add(goods as u64, Ordering::Relaxed);
        unread.drain(..tail);
    }
    bail!("the server closed a connection in the middle of a flood")
}
