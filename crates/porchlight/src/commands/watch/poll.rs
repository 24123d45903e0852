//! Asking for presences again and again, and telling of it as a stream would.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep;

use crate::client::{Event, Remote, Told};
use crate::commands::people::{self, Person};
use crate::exit::UNAVAILABLE;

/// How often the server is asked.
pub(super) const EVERY: Duration = Duration::from_secs(15);

/// Tells of these people's presences, as often as they change.
pub(super) fn poll(remote: &Remote, people: Vec<Person>) -> Receiver<Told> {
    let (told, heard) = channel(64);
    let remote = remote.clone();
    tokio::spawn(async move {
        // An error means that nobody listens any more.
        ask(&remote, &people, &told).await.ok();
    });
    heard
}

async fn ask(remote: &Remote, people: &[Person], told: &Sender<Told>) -> Result<(), SendError<Told>> {
    let mut known = HashMap::new();
    loop {
        match people::presences(remote, people).await {
            Ok(presences) => {
                told.send(Told::Open).await?;
                tell(told, &mut known, presences).await?;
            }
            Err(failure) if failure.code == UNAVAILABLE => {
                told.send(Told::Away(failure.to_string())).await?;
            }
            Err(failure) => return told.send(Told::Refused(failure)).await,
        }
        sleep(EVERY).await;
    }
}

/// Tells of those that differ from what is known.
async fn tell(
    told: &Sender<Told>,
    known: &mut HashMap<String, Value>,
    presences: Vec<Value>,
) -> Result<(), SendError<Told>> {
    let event = |name: &str, data: String| Told::Event(Event { name: name.to_owned(), data });
    for presence in presences {
        let id = presence["id"].as_str().unwrap_or_default().to_owned();
        if known.get(&id) != Some(&presence) {
            told.send(event("presence", presence.to_string())).await?;
            known.insert(id, presence);
        }
    }
    told.send(event("current", "{}".to_owned())).await
}
