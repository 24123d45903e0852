//! Those who read: any user, on any node, one read after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::history::History;
use crate::node::{Place, call};
use crate::people::{PEOPLE, presence_of};
use crate::words;

/// How many there are. Together they read some hundred times a second.
pub(crate) const READERS: usize = 10;

/// How long a read is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads for ever. What one node shows of a user never goes back, from its start to its end.
pub(crate) async fn read(cluster: Arc<Cluster>, history: Arc<History>, mut dice: Dice) {
    let mut seen: HashMap<(Place, usize), i64> = HashMap::new();
    loop {
        // Not as fast as can be: others use this machine, too.
        sleep(dice.millis(50, 150)).await;
        let (Some(place), user) = (cluster.any(&mut dice), dice.below(PEOPLE)) else { continue };
        let answer = call(&place.client(), Method::GET, &presence_of(user), None, PATIENCE).await;
        let Ok(answer) = answer else { continue };
        match answer.status.as_u16() {
            200 => {}
            // It is stopping.
            503 => continue,
            _ => {
                history.wrong(user, format!("a read was answered with {answer:?}"));
                continue;
            }
        }
        let presence = answer.json();
        let sequence = words::changed_at(&presence).unwrap_or_default();
        history.view(user, sequence, words::status(&presence), &answer.body);
        let before = seen.insert((place, user), sequence).unwrap_or_default();
        if before > sequence {
            history.wrong(user, format!("node {} went back from {before} to {presence}", place.node));
        }
    }
}
