//! That everybody shows the same when nothing happens any more: every node, every stream, every webhook.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;
use crate::followers::Told;
use crate::node::{Place, call};
use crate::people::{self, PEOPLE, explanation_of};
use crate::subscribers::Audience;

/// How long it may take, once nothing is broken and nobody writes any more.
const REST_MAX: Duration = Duration::from_secs(30);

/// How long a read is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

const BULK: &str = "/v1.0/communications/getPresencesByUserId";

/// What every node shows of a user.
pub(crate) struct Shown {
    pub(crate) presence: Value,
    pub(crate) explanation: Value,
}

/// Why it is not so yet, and of which user.
pub(crate) struct Unrest {
    pub(crate) user: usize,
    pub(crate) what: String,
}

/// What every node shows of everybody, once all streams and webhooks have told it, and how long that took.
///
/// # Errors
///
/// Who does not come to it in time.
pub(crate) async fn rest(
    cluster: &Cluster,
    followers: &[Told],
    audience: &mut Audience,
) -> Result<(Vec<Shown>, Duration), Unrest> {
    let begun = Instant::now();
    loop {
        let found = look(cluster, followers, audience).await;
        let took = begun.elapsed();
        match found {
            Ok(shown) => return Ok((shown, took)),
            Err(unrest) if took > REST_MAX => return Err(unrest),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn look(cluster: &Cluster, followers: &[Told], audience: &mut Audience) -> Result<Vec<Shown>, Unrest> {
    let places = cluster.places();
    let presences = presences(&places).await?;
    let mut shown = Vec::new();
    for (user, presence) in presences.into_iter().enumerate() {
        let explanations = ask_all(&places, Method::GET, &explanation_of(user), None).await;
        let explanations = explanations.map_err(|what| Unrest { user, what })?;
        if !are_same(&explanations) {
            return Err(Unrest { user, what: format!("the nodes explain differently: {explanations:?}") });
        }
        shown.push(Shown { presence, explanation: json_of(&explanations[0]) });
    }
    for (number, told) in followers.iter().enumerate() {
        let known = told.users();
        for (user, shown) in shown.iter().enumerate() {
            let (told, shown) = (known.get(&people::id(user)), &shown.presence);
            if told.map(members) != Some(members(shown)) {
                let what = format!("follower {number} was told {told:?}, and the nodes show {shown}");
                return Err(Unrest { user, what });
            }
        }
    }
    audience.check(&shown)?;
    Ok(shown)
}

/// Everybody's presence, which all nodes show in the same bytes.
async fn presences(places: &[Place]) -> Result<Vec<Value>, Unrest> {
    let answers = ask_all(places, Method::POST, BULK, Some(&json!({"ids": people::ids()}))).await;
    let answers = answers.map_err(|what| Unrest { user: 0, what })?;
    let lists: Vec<Vec<Value>> = answers.iter().map(list_of).collect();
    if are_same(&answers) && lists[0].len() == PEOPLE {
        return Ok(lists.into_iter().next().unwrap_or_default());
    }
    let differs = |user: &usize| lists.iter().any(|list| list.get(*user) != lists[0].get(*user));
    let user = (0..PEOPLE).find(differs).unwrap_or_default();
    let shown: Vec<Option<&Value>> = lists.iter().map(|list| list.get(user)).collect();
    Err(Unrest { user, what: format!("the nodes show {shown:?}") })
}

/// What all nodes answer, in their order.
async fn ask_all(
    places: &[Place],
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Vec<Bytes>, String> {
    let mut answers = Vec::new();
    for place in places {
        let answer = call(&place.client(), method.clone(), path, body, PATIENCE).await?;
        if answer.status != 200 {
            return Err(format!("node {}: {answer:?}", place.node));
        }
        answers.push(answer.body);
    }
    Ok(answers)
}

fn are_same(answers: &[Bytes]) -> bool {
    answers.windows(2).all(|two| two[0] == two[1])
}

fn list_of(bytes: &Bytes) -> Vec<Value> {
    json_of(bytes)["value"].as_array().cloned().unwrap_or_default()
}

fn json_of(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("not JSON ({error}): {bytes:?}"))
}

/// What of a presence is the same wherever it is shown: lists and streams name their types in other ways.
fn members(presence: &Value) -> [Value; 5] {
    ["id", "sequenceNumber", "availability", "activity", "statusMessage"].map(|name| presence[name].clone())
}
