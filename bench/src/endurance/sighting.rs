//! Presences as a server tells of them: whose, and since when.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use memchr::memmem;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::requests::{Ask, BULK_IDS, user_of};

/// How long everybody may take to be told everything, once nothing is written any more.
const TOLD_MAX: Duration = Duration::from_secs(120);

/// The time between two looks at who was told what.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A presence that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// Whose, as an index.
    pub(super) user: u32,
    /// Its sequence number.
    pub(super) number: u64,
}

/// All presences in an answer or in a piece of a stream, in their order.
pub(super) fn sightings(text: &[u8]) -> Vec<Sighting> {
    const ID: &[u8] = br#""id":""#;
    let mut begins: Vec<usize> = memmem::find_iter(text, ID).collect();
    begins.push(text.len());
    begins.windows(2).filter_map(|place| Sighting::parse(&text[place[0] + ID.len()..place[1]])).collect()
}

/// Waits until everybody was told of the last state of so many people; nobody may write any more. `untold`
/// counts how often one of them was not, by the sequence number that the server says of each person;
/// `whoever` is what one of them is called.
pub(super) async fn settle(
    server: SocketAddr,
    people: u32,
    whoever: &str,
    mut untold: impl FnMut(&[u64]) -> Result<usize>,
) -> Result<()> {
    let waiting = Instant::now();
    loop {
        // Anew each time: fades go on.
        let untold = untold(&numbers(server, people).await?)?;
        if untold == 0 {
            return Ok(());
        }
        ensure!(
            waiting.elapsed() < TOLD_MAX,
            "{untold} times {whoever} was not told of somebody's last state"
        );
        sleep(LOOK_EVERY).await;
    }
}

/// What the server says of so many people now: the sequence number of each.
async fn numbers(server: SocketAddr, people: u32) -> Result<Vec<u64>> {
    let mut client = Client::connect(server).await?;
    let mut numbers = Vec::with_capacity(people as usize);
    for first in (0..people).step_by(BULK_IDS as usize) {
        let asked = first..people.min(first + BULK_IDS);
        let answer = client.send(&Ask::bulk_of(asked.clone())).await?;
        let seen = sightings(&answer.body);
        let is_in_order = seen.iter().map(|sighting| sighting.user).eq(asked.clone());
        ensure!(is_in_order, "users {asked:?} were asked for and {} others came", seen.len());
        numbers.extend(seen.iter().map(|sighting| sighting.number));
    }
    Ok(numbers)
}

impl Sighting {
    /// Reads what follows the beginning of an id. `None`: it is no presence, or nobody's of ours.
    fn parse(text: &[u8]) -> Option<Sighting> {
        const NUMBER: &[u8] = br#""sequenceNumber":"A"#;
        let id = std::str::from_utf8(text.get(..36)?).ok()?;
        let user = user_of(id)?;
        let at = memmem::find(text, NUMBER)? + NUMBER.len();
        let number = std::str::from_utf8(text.get(at..at + 14)?).ok()?.parse().ok()?;
        Some(Sighting { user, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::user_id;

    #[test]
    fn presences_are_seen_and_what_was_removed_is_not() {
        let presence = |user: u32, number: u64| {
            let id = user_id(user);
            format!(r#"event: presence data: {{"id":"{id}","sequenceNumber":"A{number:014}"}}"#)
        };
        let removed =
            format!(r#"event: removed data: {{"@removed":{{"reason":"changed"}},"id":"{}"}}"#, user_id(3));
        let text = [presence(1, 42), removed, presence(2, 7)].join("\n\n");
        let seen = [Sighting { user: 1, number: 42 }, Sighting { user: 2, number: 7 }];
        assert_eq!(sightings(text.as_bytes()), seen);
        assert_eq!(sightings(b"id: a cursor"), []);
    }
}
