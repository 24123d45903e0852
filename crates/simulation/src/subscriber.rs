//! Subscribers: each makes one subscription, and keeps it alive.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use porchlight_presence::UserId;
use serde_json::json;
use uuid::Uuid;

use crate::dice::Dice;
use crate::laws::Law;
use crate::talk::{Lost, Question};
use crate::time;
use crate::town::{APPLICATIONS, Town};

/// Under `/beta` notifications say since when something shows.
const SUBSCRIPTIONS: &str = "/beta/subscriptions";

/// How long a subscription is asked for.
const LIFE: Duration = Duration::from_secs(50 * 60);

/// Changes from so long after its maker was answered on have to be told. What shows before may be stamped by so much
/// later: a write is stamped after what others may have told of, up to eight seconds ahead, and clocks differ.
const AFTER: Duration = Duration::from_secs(11);

/// One subscriber, for ever. While things go wrong, a subscription is ended now and then, and another one is made.
pub(crate) async fn subscribe(town: Arc<Town>, number: usize, mut dice: Dice) {
    let token = Town::token(town.people[number], APPLICATIONS[2]);
    let users = if number.is_multiple_of(2) { town.people.clone() } else { town.people[..5].to_vec() };
    let mut ended = BTreeSet::new();
    loop {
        let id = loop {
            tokio::time::sleep(dice.millis(100, 3_000)).await;
            let made = make(&town, number, &token, &users, &mut dice).await;
            if let Some(id) = made.filter(|id| !ended.contains(id)) {
                break id;
            }
        };
        let since = time::now().plus(AFTER);
        let watch = town.watches.subscribe(format!("subscriber {number}"), &users, since);
        town.receivers.claim(id, watch);
        town.chronicle.note(None, || format!("subscriber {number} has {id}"));
        keep(&town, &token, id, &mut dice).await;
        end(&town, &token, id, &mut dice).await;
        town.receivers.end(id);
        town.chronicle.note(None, || format!("subscriber {number} has ended {id}"));
        ended.insert(id);
    }
}

/// Renews a subscription until it is to end.
async fn keep(town: &Town, token: &str, id: Uuid, dice: &mut Dice) {
    loop {
        // A node that is cut off has learned of it by then.
        tokio::time::sleep(dice.millis(15_000, 60_000)).await;
        if town.network.is_stormy() && dice.one_in(3) {
            return;
        }
        let body = json!({"expirationDateTime": expiry()});
        let renewal = Question::send(Method::PATCH, format!("{SUBSCRIPTIONS}/{id}"), token, body);
        // It lives long enough without.
        if let Ok(answer) = town.ask(dice.place(town.doors.len()), None, &renewal).await
            && ![StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status)
        {
            let how = format!("the renewal of {id} is answered {}: {}", answer.status, answer.text());
            town.chronicle.breaks(Law::Answered, None, how);
        }
    }
}

/// Ends a subscription, however often that has to be asked for.
async fn end(town: &Town, token: &str, id: Uuid, dice: &mut Dice) {
    let order = Question::get(format!("{SUBSCRIPTIONS}/{id}"), token);
    let order = Question { method: Method::DELETE, ..order };
    let mut may_be_done = false;
    loop {
        match town.ask(dice.place(town.doors.len()), None, &order).await.map(|answer| answer.status) {
            Ok(StatusCode::NO_CONTENT) => return,
            Ok(StatusCode::NOT_FOUND) if may_be_done => return,
            Ok(StatusCode::SERVICE_UNAVAILABLE) | Err(Lost) => may_be_done = true,
            Ok(status) => {
                let how = format!("that {id} is to end is answered {status}");
                return town.chronicle.breaks(Law::Answered, None, how);
            }
        }
        tokio::time::sleep(dice.millis(100, 3_000)).await;
    }
}

/// Makes a subscription, or finds the one that it has made without being told so.
async fn make(town: &Town, number: usize, token: &str, users: &[UserId], dice: &mut Dice) -> Option<Uuid> {
    let url = format!("http://hook{number}.example/hook");
    let resource = if users.len() == town.people.len() {
        "/communications/presences".to_owned()
    } else {
        let ids: Vec<String> = users.iter().map(|user| format!("'{user}'")).collect();
        format!("/communications/presences?$filter=id in ({})", ids.join(","))
    };
    let order = json!({
        "changeType": "updated",
        "notificationUrl": url,
        "resource": resource,
        "expirationDateTime": expiry(),
    });
    let order = Question::send(Method::POST, SUBSCRIPTIONS, token, order);
    let made = town.ask(dice.place(town.doors.len()), None, &order).await.ok();
    if let Some(answer) = made.filter(|answer| answer.status == StatusCode::CREATED) {
        return Uuid::parse_str(answer.json()["id"].as_str()?).ok();
    }
    let list =
        town.ask(dice.place(town.doors.len()), None, &Question::get(SUBSCRIPTIONS, token)).await.ok()?;
    let list = list.json();
    let mine = list["value"].as_array()?.iter().find(|one| one["notificationUrl"] == url.as_str())?;
    Uuid::parse_str(mine["id"].as_str()?).ok()
}

/// The end of a subscription that is made now.
fn expiry() -> String {
    let at = jiff::Timestamp::from_millisecond(time::now().plus(LIFE).as_millis());
    at.expect("a run does not go on for centuries").to_string()
}
