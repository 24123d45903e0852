//! Those who are told by webhooks, and what they were told.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use porchlight_testkit::{Delivery, Receiver};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::node::{Place, call};
use crate::people::{self, PEOPLE};
use crate::rest::{Shown, Unrest};
use crate::words;

const SUBSCRIPTIONS: &str = "/v1.0/subscriptions";
const CLOCK: &str = "/porchlight/dev/clock";

/// How long a node may take to make a subscription.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a subscription lives: longer than any run.
const LIFE: Duration = Duration::from_secs(50 * 60);

/// A subscription.
struct Subscriber {
    id: Uuid,
    /// Of whom it is told.
    users: Vec<usize>,
    listens: Listens,
}

/// What changes of users a subscription is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listens {
    /// Those of availability and activity.
    Pair,
    /// All of them.
    Everything,
}

/// Subscriptions, and what was told to any of them.
pub(crate) struct Audience {
    receiver: Receiver,
    subscribers: Vec<Subscriber>,
    /// The ids of items that the receiver has taken.
    told: HashSet<Uuid>,
    deliveries: usize,
    /// How many notifications the receiver has answered with 503.
    refused: usize,
}

impl Audience {
    /// Five subscriptions, made on any nodes: of everybody, of a few and of one, told of everything or of the pair
    /// alone.
    pub(crate) async fn gather(places: &[Place]) -> Audience {
        let receiver = Receiver::start().await;
        let everybody: Vec<usize> = (0..PEOPLE).collect();
        let wanted = [
            (everybody.clone(), Listens::Everything),
            (everybody, Listens::Pair),
            (vec![0, 1, 2, 3, 17], Listens::Everything),
            (vec![0], Listens::Everything),
            (vec![1], Listens::Pair),
        ];
        let mut subscribers = Vec::new();
        for (number, (users, listens)) in wanted.into_iter().enumerate() {
            let place = places[number % places.len()];
            let application = Uuid::from_u128(0xa00 + number as u128);
            let url = receiver.url(&format!("/{number}"));
            let mut body = json!({"notificationUrl": url, "resource": resource(&users)});
            if listens == Listens::Everything {
                body["notificationQueryOptions"] = "$select=availability,activity,statusMessage".into();
            }
            let id = subscribe(place, application, body).await;
            subscribers.push(Subscriber { id, users, listens });
        }
        Audience { receiver, subscribers, told: HashSet::new(), deliveries: 0, refused: 0 }
    }

    /// Who receives.
    pub(crate) fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// How many notifications came, and how many of them were answered with 503.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.deliveries, self.refused)
    }

    /// Whether every subscription was told of the newest state of everybody whom it is about.
    ///
    /// # Errors
    ///
    /// Who was not told of whom.
    pub(crate) fn check(&mut self, shown: &[Shown]) -> Result<(), Unrest> {
        for delivery in self.receiver.take_all() {
            self.deliveries += 1;
            if delivery.is_accepted {
                self.told.extend(ids(&delivery));
            } else {
                self.refused += 1;
            }
        }
        for subscriber in &self.subscribers {
            for &user in &subscriber.users {
                let Some(stamp) = subscriber.stamp(&shown[user]) else { continue };
                if !self.told.contains(&item(subscriber.id, user, stamp)) {
                    let Subscriber { id, listens, .. } = subscriber;
                    let what = format!("subscription {id}, of {listens:?}, was not told of {stamp}");
                    return Err(Unrest { user, what });
                }
            }
        }
        Ok(())
    }
}

impl Subscriber {
    /// Since when a user is in the state that this subscription is told of, in Unix milliseconds.
    fn stamp(&self, shown: &Shown) -> Option<i64> {
        match self.listens {
            Listens::Pair => words::state_since(&shown.explanation),
            Listens::Everything => words::changed_at(&shown.presence),
        }
    }
}

/// The id of the item that tells a subscription of a user's state since then. Source: design 4.
pub(crate) fn item(subscription: Uuid, user: usize, stamp: i64) -> Uuid {
    let user = Uuid::parse_str(&people::id(user)).expect("a GUID");
    Uuid::new_v5(&subscription, &[user.as_bytes().as_slice(), &stamp.to_be_bytes()].concat())
}

/// The ids of the items of a notification.
pub(crate) fn ids(delivery: &Delivery) -> Vec<Uuid> {
    let id = |item: &Value| item["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).expect("an id");
    delivery.items().iter().map(id).collect()
}

/// The resource that means these users.
fn resource(users: &[usize]) -> String {
    match users {
        [one] => format!("communications/presences/{}", people::id(*one)),
        all if all.len() == PEOPLE => "communications/presences".to_owned(),
        some => {
            let ids: Vec<String> = some.iter().map(|user| format!("'{}'", people::id(*user))).collect();
            format!("communications/presences?$filter=id in ({})", ids.join(","))
        }
    }
}

/// Makes a subscription for an application, with its members `notificationUrl` and `resource`, and returns its id.
pub(crate) async fn subscribe(place: Place, application: Uuid, mut body: Value) -> Uuid {
    let client = place.client_of(&application.to_string());
    let clock = call(&client, Method::GET, CLOCK, None, PATIENCE).await.expect("the node answers").json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    body["changeType"] = "updated".into();
    body["expirationDateTime"] = (now + LIFE).to_string().into();
    let made = call(&client, Method::POST, SUBSCRIPTIONS, Some(&body), PATIENCE).await;
    let made = made.expect("the node answers");
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).expect("an id")
}
