//! Clients: they write and read, go away in the middle of it, and see that answers are as they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use porchlight_presence::{Command, Timestamp, UserId};
use serde_json::{Value, json};

use crate::chronicle::Shown;
use crate::deed::Deed;
use crate::dice::Dice;
use crate::laws::Law;
use crate::talk::{Answer, Lost, Question};
use crate::town::{APPLICATIONS, Town, WRITES_MAX};

/// Writers write to the first of the people alone, so that writes meet; the others stay as they were.
const WRITTEN: usize = 8;

/// Those of them whose accounts are disabled now and then, or who are deleted; nobody watches in their name.
pub(crate) const MISSED: Range<usize> = 5..8;

/// Who asks: people whose accounts stay enabled.
const ASKING: usize = 4;

/// One client, which does so many things.
pub(crate) async fn act(town: Arc<Town>, mut dice: Dice, steps: u64) {
    for _ in 0..steps {
        tokio::time::sleep(dice.millis(0, 1_200)).await;
        let user = *dice.pick(&town.people[..WRITTEN]);
        if dice.one_in(25) {
            let person = MISSED.start + dice.place(MISSED.len());
            let (is_enabled, node) = (dice.one_in(2), dice.place(town.doors.len()));
            // What comes of it shows in the record.
            let _ = enable(&town, node, person, is_enabled).await;
        } else if dice.one_in(3) || town.chronicle.writes_of(user) >= WRITES_MAX {
            look(&town, &mut dice).await;
        } else {
            write(&town, &mut dice, user).await;
        }
    }
}

async fn write(town: &Town, dice: &mut Dice, user: UserId) {
    let deed = Deed::draw(dice, user);
    let operation = town.chronicle.begins(user, &deed.command);
    let node = dice.place(town.doors.len());
    let asked = town.ask(node, Some(operation), &deed.question);
    let answer = if town.network.is_stormy() && dice.one_in(8) {
        // It goes away.
        tokio::time::timeout(dice.millis(0, 40), asked).await.unwrap_or(Err(Lost))
    } else {
        asked.await
    };
    match answer {
        Ok(answer) if answer.status.is_success() => match answer.revision() {
            Some(revision) => town.chronicle.is_acknowledged(operation, node, revision),
            None => unexpected(town, user, &deed, &answer),
        },
        Ok(answer) => {
            let status = answer.status;
            town.chronicle.note(Some(user), || format!("refused {operation}: {status}"));
            let is_missed = may_be_missed(town, user) && status.is_client_error();
            if !may_be_refused(&deed.command, status) && !is_missed {
                unexpected(town, user, &deed, &answer);
            }
        }
        Err(Lost) => town.chronicle.note(Some(user), || format!("lost {operation}")),
    }
}

/// Enables or disables somebody's account.
async fn enable(town: &Town, node: usize, person: usize, is_enabled: bool) -> Result<Answer, Lost> {
    let token = Town::token(town.people[0], APPLICATIONS[0]);
    let (user, body) = (town.people[person], json!({"accountEnabled": is_enabled}));
    town.chronicle.note(Some(user), || format!("asks that the account is enabled: {is_enabled}"));
    town.ask(node, None, &Question::send(Method::PATCH, format!("/v1.0/users/{user}"), &token, body)).await
}

fn may_be_missed(town: &Town, user: UserId) -> bool {
    town.people[MISSED].contains(&user)
}

/// Whether a command may be answered so. What the log does not take is answered 503.
fn may_be_refused(command: &Command, status: StatusCode) -> bool {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => true,
        // The session has ended.
        StatusCode::NOT_FOUND => matches!(command, Command::ClearPresence(_)),
        // There are as many sessions as may be.
        StatusCode::BAD_REQUEST => matches!(command, Command::SetPresence(_)),
        _ => false,
    }
}

fn unexpected(town: &Town, user: UserId, deed: &Deed, answer: &Answer) {
    let how = format!("{:?} is answered {}: {}", deed.question, answer.status, answer.text());
    town.chronicle.breaks(Law::Answered, Some(user), how);
}

/// Reads the presence of one or of many.
async fn look(town: &Town, dice: &mut Dice) {
    let asks = *dice.pick(&town.people[..ASKING]);
    let token = Town::token(asks, *dice.pick(&APPLICATIONS));
    let (users, question) = match dice.below(3) {
        0 => {
            let user = *dice.pick(&town.people);
            (vec![user], Question::get(format!("/v1.0/users/{user}/presence"), &token))
        }
        1 => {
            let mut users = town.people.clone();
            dice.shuffle(&mut users);
            users.truncate(1 + dice.place(town.people.len()));
            let ids: Vec<String> = users.iter().map(ToString::to_string).collect();
            let path = "/v1.0/communications/getPresencesByUserId";
            (users, Question::send(Method::POST, path, &token, json!({"ids": ids})))
        }
        _ => (town.people.clone(), Question::get("/v1.0/communications/presences", &token)),
    };
    let node = dice.place(town.doors.len());
    let floors: BTreeMap<UserId, Timestamp> =
        users.iter().map(|user| (*user, town.chronicle.floor(*user, node))).collect();
    let Ok(answer) = town.ask(node, None, &question).await else { return };
    if answer.status == StatusCode::NOT_FOUND && floors.keys().all(|user| may_be_missed(town, *user)) {
        return;
    }
    if answer.status != StatusCode::OK {
        let how = format!("{question:?} is answered {}: {}", answer.status, answer.text());
        town.chronicle.breaks(Law::Answered, None, how);
        return;
    }
    let seen = answer.json();
    let presences = seen["value"].as_array().cloned().unwrap_or_else(|| vec![seen]);
    see(town, &presences, &floors);
}

fn see(town: &Town, presences: &[Value], floors: &BTreeMap<UserId, Timestamp>) {
    let all: Vec<(UserId, Shown)> = presences.iter().filter_map(Shown::read).collect();
    for (user, shown) in &all {
        let floor = floors.get(user).copied().unwrap_or_default();
        town.chronicle.is_seen(*user, shown, floor, "a reader");
    }
    let seen: BTreeSet<UserId> = all.iter().map(|(user, _)| *user).collect();
    // Whoever was asked for once, and nobody else; who is disabled or deleted may be left out.
    let has_all = floors.keys().all(|user| seen.contains(user) || may_be_missed(town, *user));
    let is_asked = seen.len() == all.len() && seen.iter().all(|user| floors.contains_key(user));
    if !has_all || !is_asked {
        let how = format!("{} presences were asked for, and these came: {presences:?}", floors.len());
        town.chronicle.breaks(Law::Answered, None, how);
    }
}

/// Once everything has calmed down, each write is taken at once: nothing that went wrong has left a lane closed.
pub(crate) async fn last_round(town: Arc<Town>) {
    for person in MISSED.filter(|person| !town.chronicle.has_left(town.people[*person])) {
        match enable(&town, person % town.doors.len(), person, true).await {
            Ok(answer) if answer.status.is_success() => {}
            answer => {
                let how = format!("an account is enabled at rest, and the answer is {answer:?}");
                town.chronicle.breaks(Law::Answered, Some(town.people[person]), how);
            }
        }
    }
    for (place, user) in town.people.iter().enumerate() {
        if town.chronicle.has_left(*user) {
            is_nobody(&town, *user).await;
            continue;
        }
        let deed = Deed::last(*user, place);
        let operation = town.chronicle.begins(*user, &deed.command);
        let node = place % town.doors.len();
        let asked = town.ask(node, Some(operation), &deed.question);
        let answer = tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap_or(Err(Lost));
        let Ok(answer) = answer else {
            let how = format!("{:?} is not answered at rest", deed.question);
            town.chronicle.breaks(Law::Answered, Some(*user), how);
            continue;
        };
        match answer.revision().filter(|_| answer.status.is_success()) {
            Some(revision) => town.chronicle.is_acknowledged(operation, node, revision),
            None => unexpected(&town, *user, &deed, &answer),
        }
    }
}

/// Who was deleted may do nothing any more, and does not come back by asking.
async fn is_nobody(town: &Town, user: UserId) {
    let question = Question::get("/v1.0/me/presence", &Town::token(user, APPLICATIONS[0]));
    let answer = town.ask(0, None, &question).await;
    if !answer.as_ref().is_ok_and(|answer| answer.status.is_client_error()) {
        let how = format!("somebody who was deleted asks, and the answer is {answer:?}");
        town.chronicle.breaks(Law::Answered, Some(user), how);
    }
}
