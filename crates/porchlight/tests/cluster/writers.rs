//! Those who write: any user, on any node, and look at once on another node at what they have written.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use porchlight_testkit::Answer;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::history::{History, Look, Outcome};
use crate::node::{Place, call};
use crate::people::{PEOPLE, explanation_of, presence_of};
use crate::words::{self, Kind};

/// How many there are. Together they write some fifty times a second.
pub(crate) const WRITERS: usize = 12;

/// How many users get half of all writes, so that nodes get into each other's way.
const POPULAR: usize = 4;

/// After that it does not matter any more what a node answers: it waits ten seconds for its log.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes until it is told to stop.
pub(crate) async fn write(
    cluster: Arc<Cluster>,
    history: Arc<History>,
    mut dice: Dice,
    stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        // Not as fast as can be: others use this machine, too.
        sleep(dice.millis(100, 300)).await;
        let Some(place) = cluster.any(&mut dice) else { continue };
        let users = if dice.below(2) == 0 { POPULAR } else { PEOPLE };
        let user = dice.below(users);
        let wanted = match dice.below(10) {
            0 | 1 => Kind::Session,
            2..=5 => Kind::Preferred,
            _ => Kind::Status,
        };
        let (number, kind) = history.begin(user, wanted, place.node);
        let outcome = send(&history, place, user, kind, number).await;
        history.end(number, outcome.clone());
        if let Outcome::Done(revision) = outcome
            && dice.below(3) == 0
            && let Some(other) = cluster.another(place.node, &mut dice)
        {
            look(&history, other, user, kind, (number, revision)).await;
        }
    }
}

async fn send(history: &History, place: Place, user: usize, kind: Kind, number: usize) -> Outcome {
    let (path, body) = words::request(user, kind, number);
    let answer = match call(&place.client(), Method::POST, &path, Some(&body), PATIENCE).await {
        Ok(answer) => answer,
        Err(error) => return Outcome::Unknown(error),
    };
    match (answer.status.as_u16(), words::revision(&answer)) {
        (200, Some(revision)) => Outcome::Done(revision),
        (503, _) if is_refusal(&answer) => Outcome::Refused(answer.error()),
        (503, _) => Outcome::Unknown(answer.error()),
        _ => {
            history.wrong(user, format!("w{number} was answered with {answer:?}"));
            Outcome::Unknown(answer.error())
        }
    }
}

/// Whether the answer promises that the write has no effect, now or later.
fn is_refusal(answer: &Answer) -> bool {
    answer.error().contains("nothing was")
}

/// Looks at a write, by its number and its revision, on another node.
async fn look(history: &History, place: Place, user: usize, kind: Kind, (number, revision): (usize, u64)) {
    let client = place.client().header("porchlight-revision", &revision.to_string());
    let path = if kind == Kind::Status { presence_of(user) } else { explanation_of(user) };
    let begun = history.now();
    let Ok(answer) = call(&client, Method::GET, &path, None, PATIENCE).await else { return };
    match answer.status.as_u16() {
        200 => {}
        503 => return history.not_reached(),
        _ => return history.wrong(user, format!("a read after w{number} was answered with {answer:?}")),
    }
    let seen = answer.json();
    let shown = match kind {
        Kind::Status => words::status(&seen),
        Kind::Preferred => words::preferred(&seen),
        Kind::Session => words::sessions(&seen).contains(&number).then_some(number),
    };
    history.look(Look { after: number, shown, node: place.node, begun, ended: history.now() });
}
