//! An administrator, who deletes people.

use std::sync::Arc;

use http::{Method, StatusCode};
use porchlight_presence::UserId;

use crate::client::MISSED;
use crate::dice::Dice;
use crate::laws::Law;
use crate::talk::{Lost, Question};
use crate::town::{APPLICATIONS, Town};

/// Deletes one after another for as long as things go wrong. Whoever starts a node puts them in again.
pub(crate) async fn delete(town: Arc<Town>, mut dice: Dice) {
    while town.network.is_stormy() {
        tokio::time::sleep(dice.millis(1_000, 8_000)).await;
        let user = *dice.pick(&town.people[MISSED]);
        delete_one(&town, user, &mut dice).await;
    }
}

/// Deletes somebody, however often that has to be asked for: they are there until it was done to the end.
async fn delete_one(town: &Town, user: UserId, dice: &mut Dice) {
    let token = Town::token(town.people[0], APPLICATIONS[0]);
    let order = Question::get(format!("/v1.0/users/{user}"), &token);
    let order = Question { method: Method::DELETE, ..order };
    let before = town.chronicle.gone(user);
    town.chronicle.note(Some(user), || "is to be deleted".to_owned());
    loop {
        let node = dice.place(town.doors.len());
        match town.ask(node, None, &order).await.map(|answer| answer.status) {
            Ok(StatusCode::NO_CONTENT) => return town.chronicle.is_deleted(user, node, before),
            // They are nobody any more, perhaps since an answer was lost.
            Ok(StatusCode::NOT_FOUND) => return,
            Ok(StatusCode::SERVICE_UNAVAILABLE) | Err(Lost) => {}
            Ok(status) => {
                let how = format!("that somebody is to be deleted is answered {status}");
                return town.chronicle.breaks(Law::Answered, Some(user), how);
            }
        }
        tokio::time::sleep(dice.millis(100, 3_000)).await;
    }
}
