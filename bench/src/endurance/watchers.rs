//! Those who follow a team over a stream, all of them on this thread.
//!
//! They come from several addresses of this machine: a server lets one address have only so many connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::changes::{Changes, Delays};
use super::sighting::{settle, sightings};
use super::team::Teams;
use crate::requests::AUTHORIZATION;

/// How many come from one address.
const OF_ONE_ADDRESS: u32 = 5_000;

/// How long a stream may take to begin.
const BEGIN_MAX: Duration = Duration::from_secs(60);

/// What is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Those who follow. They leave when this value goes.
pub(super) struct Watchers {
    server: SocketAddr,
    teams: Teams,
    told: Rc<RefCell<Told>>,
    /// From when a change was due until its event was read.
    pub(super) delays: Delays,
    readers: JoinSet<Result<()>>,
}

/// What they were told.
struct Told {
    delays: Delays,
    /// For each of them, the newest sequence number of each user.
    states: Vec<HashMap<u32, u64>>,
    /// What was read last, by whichever of them.
    read: Vec<u8>,
}

impl Watchers {
    /// Opens a stream for each, which tells how their team is.
    pub(super) async fn open(
        server: SocketAddr,
        count: u32,
        teams: Teams,
        changes: Changes,
    ) -> Result<Watchers> {
        let (delays, states) = (Delays::of(changes), vec![HashMap::new(); count as usize]);
        let told = Told { delays: delays.clone(), states, read: vec![0; READ_BYTES] };
        let told = Rc::new(RefCell::new(told));
        let mut watchers = Watchers { server, teams, told, delays, readers: JoinSet::new() };
        for number in 0..count {
            let stream = timeout(BEGIN_MAX, watchers.begin(number)).await;
            let stream = stream.context("a stream did not begin")??;
            watchers.readers.spawn_local(read(stream, number, Rc::clone(&watchers.told)));
        }
        Ok(watchers)
    }

    /// Waits until all know what the server says; nobody may write any more.
    pub(super) async fn settle(&mut self) -> Result<()> {
        settle(self.server, self.teams.people, "a stream", |numbers| {
            if let Some(ended) = self.readers.try_join_next() {
                ended.context("a reader has died")??;
            }
            Ok(self.behind(numbers))
        })
        .await
    }

    /// How often one of them knows something else of somebody than the server says.
    fn behind(&self, numbers: &[u64]) -> usize {
        let told = self.told.borrow();
        let of = |(number, known): (usize, &HashMap<u32, u64>)| {
            let is_behind = |user: &u32| known.get(user) != numbers.get(*user as usize);
            self.teams.members(number as u32).filter(is_behind).count()
        };
        told.states.iter().enumerate().map(of).sum()
    }

    /// Opens a stream, and reads it until it has told how everybody is.
    async fn begin(&self, number: u32) -> Result<TcpStream> {
        let mut stream = connect(self.server, number).await.context("failed to connect")?;
        let filter = self.teams.filter(number).replace(' ', "%20");
        let request = format!(
            "GET /v1.0/communications/presences?$filter={filter} HTTP/1.1\r\nHost: {}\r\n\
             Authorization: {AUTHORIZATION}\r\nAccept: text/event-stream\r\n\r\n",
            self.server
        );
        stream.write_all(request.as_bytes()).await.context("failed to ask for a stream")?;
        let mut seen = Vec::new();
        while memchr::memmem::find(&seen, b"event: current").is_none() {
            ensure!(stream.read_buf(&mut seen).await.context("failed to read")? > 0, "a stream has ended");
            let text = String::from_utf8_lossy(&seen);
            ensure!(text.starts_with("HTTP/1.1 200") || text.len() < 12, "a stream was refused: {text}");
        }
        self.told.borrow_mut().know(number, &seen);
        Ok(stream)
    }
}

impl Told {
    /// Remembers what a piece of a stream says.
    fn know(&mut self, number: u32, piece: &[u8]) {
        for seen in sightings(piece) {
            self.states[number as usize].insert(seen.user, seen.number);
        }
    }

    /// The same, and notes how long it took.
    fn hear(&mut self, number: u32, piece: &[u8], at: Instant) {
        for seen in sightings(piece) {
            self.states[number as usize].insert(seen.user, seen.number);
            self.delays.note(seen.user, at);
        }
    }
}

/// Connects from an address that is for the watcher of this number, and some others.
async fn connect(server: SocketAddr, number: u32) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let from = Ipv4Addr::new(127, 0, 0, 2 + (number / OF_ONE_ADDRESS) as u8);
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(server).await
}

/// Reads a stream for as long as it goes.
async fn read(stream: TcpStream, number: u32, told: Rc<RefCell<Told>>) -> Result<()> {
    let mut unread = Vec::new();
    loop {
        stream.readable().await?;
        let at = Instant::now();
        let mut told = told.borrow_mut();
        let mut buffer = std::mem::take(&mut told.read);
        match stream.try_read(&mut buffer) {
            Ok(0) => bail!("a stream has ended"),
            // A piece ends with an empty line, and its chunk with a line break.
            Ok(read) if unread.is_empty() && buffer[..read].ends_with(b"\n\n\r\n") => {
                told.hear(number, &buffer[..read], at);
            }
            Ok(read) => {
                unread.extend_from_slice(&buffer[..read]);
                if unread.ends_with(b"\n\n\r\n") {
                    told.hear(number, &unread, at);
                    // There are many of them: none keeps room that it needs no more.
                    unread = Vec::new();
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("failed to read a stream"),
        }
        told.read = buffer;
    }
}
