//! A reader of server-sent events.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

/// How long a reader waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream that is being read.
pub struct Events {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    unread: String,
    connection: tokio::task::JoinHandle<()>,
    last_id: Option<String>,
}

/// One event, or a comment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Its type; empty for a comment.
    pub event: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// What it says; null for a comment.
    pub data: Value,
}

impl Events {
    pub(crate) fn new(
        status: StatusCode,
        headers: HeaderMap,
        body: Incoming,
        connection: tokio::task::JoinHandle<()>,
    ) -> Events {
        Events { status, headers, body, unread: String::new(), connection, last_id: None }
    }

    /// The next event; comments are passed over.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub async fn next(&mut self) -> Event {
        self.next_or_end().await.expect("the stream goes on")
    }

    /// The next event, or `None` when the stream has ended; comments are passed over.
    ///
    /// # Panics
    ///
    /// When neither comes.
    pub async fn next_or_end(&mut self) -> Option<Event> {
        loop {
            let block = self.next_block().await?;
            if !block.event.is_empty() {
                return Some(block);
            }
        }
    }

    /// The next event or comment, or `None` when the stream has ended.
    ///
    /// # Panics
    ///
    /// When neither comes.
    pub async fn next_block(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let event = read(block);
                self.unread.drain(..self.unread.len() - rest.len());
                self.last_id = event.id.clone().or(self.last_id.take());
                return Some(event);
            }
            let frame =
                tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("something comes in time");
            let data: Bytes = frame?.ok()?.into_data().expect("a stream has no trailers");
            self.unread.push_str(std::str::from_utf8(&data).expect("events are UTF-8"));
        }
    }

    /// The events up to the next of type `current`, without that.
    pub async fn until_current(&mut self) -> Vec<Event> {
        let mut told = Vec::new();
        loop {
            let event = self.next().await;
            if event.event == "current" {
                return told;
            }
            told.push(event);
        }
    }

    /// The newest id that came, for who comes back.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn read(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", name)) => name.clone_into(&mut event.event),
            Some(("id", id)) => event.id = Some(id.to_owned()),
            Some(("data", data)) => event.data = serde_json::from_str(data).expect("the data is JSON"),
            _ => assert!(line.starts_with(':'), "{line:?} is no line of an event"),
        }
    }
    event
}
