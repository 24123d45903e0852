//! What the tests of subscriptions share: orders of subscriptions, and how what is told is read.

use std::time::Duration;

use porchlight_testkit::{APP_A, Answer, Client, PrivateKey, TestServer};
use serde_json::{Value, json};

use crate::support::{Application, ben, done, hours, presence_of, seconds, session};

pub(crate) const SUBSCRIPTIONS: &str = "/v1.0/subscriptions";

/// The demo tenant.
pub(crate) const TENANT: &str = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";

/// The certificate of subscriptions-and-auth 16.1, and its thumbprint.
pub(crate) const CERTIFICATE: &str = include_str!("certificates/rsa.pem");
pub(crate) const THUMBPRINT: &str = "16E258BE5644111805AE6A0F9B8F02B9A5FAB1D1";

/// Its private key.
const PRIVATE_KEY: &str = include_str!("certificates/rsa_key.pem");

/// Another certificate, and its thumbprint.
pub(crate) const OTHER_CERTIFICATE: &str = include_str!("certificates/other.pem");
pub(crate) const OTHER_THUMBPRINT: &str = "CC8E2E1B7D7F1BE6713B85D3A831C048884E22C7";

/// E12
pub(crate) const NOT_FOUND: &str = "404 ResourceNotFound The object was not found.";

/// A part of a second.
pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The base64 of a certificate in PEM: that of its DER, in one line.
pub(crate) fn in_base64(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// The resource that means one user.
pub(crate) fn single(id: &str) -> String {
    format!("communications/presences/{id}")
}

/// The resource that means these users.
pub(crate) fn many<I: AsRef<str>>(ids: &[I]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{}'", id.as_ref())).collect();
    format!("/communications/presences?$filter=id in ({})", ids.join(","))
}

/// The instant so long after the server's now, as answers write it.
pub(crate) fn from_now(server: &TestServer, after: Duration) -> String {
    let at = server.engine().clock().now().plus(after).as_millis();
    let whole = jiff::Timestamp::from_second(at / 1000).expect("an instant of this century").to_string();
    format!("{}.{:03}0000Z", whole.trim_end_matches('Z'), at % 1000)
}

/// An order of a subscription that is good for an hour.
pub(crate) fn order(server: &TestServer, url: &str, resource: &str) -> Value {
    json!({
        "changeType": "updated",
        "notificationUrl": url,
        "resource": resource,
        "expirationDateTime": from_now(server, hours(1)),
    })
}

/// The same body with one member more, or another one.
pub(crate) fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

/// The same body without a member.
pub(crate) fn without(mut body: Value, name: &str) -> Value {
    body.as_object_mut().expect("an object").remove(name);
    body
}

/// The same order for notifications with resources, which [`opened`] reads.
pub(crate) fn rich(order: Value) -> Value {
    let order = with(order, "includeResourceData", true);
    let order = with(order, "encryptionCertificate", in_base64(CERTIFICATE));
    with(order, "encryptionCertificateId", "the certificate")
}

/// The resource in an item that was ordered so.
pub(crate) fn opened(item: &Value) -> Value {
    PrivateKey::new(PRIVATE_KEY).open(&item["encryptedContent"])
}

/// Makes a subscription, and gives it as the answer shows it.
pub(crate) async fn subscribe(client: &Client, order: &Value) -> Value {
    made(&client.post(SUBSCRIPTIONS, order).await)
}

/// The subscription that was made.
#[track_caller]
pub(crate) fn made(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// The id of a subscription.
#[track_caller]
pub(crate) fn id_of(subscription: &Value) -> &str {
    subscription["id"].as_str().expect("a subscription has an id")
}

/// Where a subscription lives.
pub(crate) fn path_of(subscription: &Value) -> String {
    format!("{SUBSCRIPTIONS}/{}", id_of(subscription))
}

/// The ids on a list.
#[track_caller]
pub(crate) fn ids_on(list: &Value) -> Vec<String> {
    list["value"].as_array().expect("a list").iter().map(|one| id_of(one).to_owned()).collect()
}

/// A list of a client's subscriptions.
pub(crate) async fn listed(client: &Client) -> Vec<String> {
    let answer = client.get(SUBSCRIPTIONS).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    ids_on(&answer.json())
}

/// Ben with every delegated permission, through application A.
pub(crate) fn ben_of_a(server: &TestServer) -> Client {
    server.client(&format!("ben@{APP_A}:"))
}

/// Somebody else's subscription about this user: what comes through it comes after whatever had to come before.
pub(crate) async fn witness(server: &TestServer, url: &str, user: &str) -> Value {
    subscribe(&ben(server), &order(server, url, &single(user))).await
}

/// Has application A say for four hours that somebody is in this state.
pub(crate) async fn set(server: &TestServer, user: &str, pair: &str) {
    let path = format!("{}/setPresence", presence_of(user));
    done(&Application::a(server).client.post(&path, &session(APP_A, pair, "PT4H")).await);
}

/// A server that shows the presence in plain notifications.
pub(crate) async fn plain() -> TestServer {
    TestServer::builder().notify(|settings| settings.plain_presence = true).start().await
}

/// Whom an item tells of.
#[track_caller]
pub(crate) fn whose(item: &Value) -> &str {
    let resource = item["resource"].as_str().expect("a resource");
    let id = resource.strip_prefix("communications/presences('").and_then(|rest| rest.strip_suffix("')"));
    id.unwrap_or_else(|| panic!("{resource} is no resource of one user"))
}

/// `availability/activity` of an item that shows them.
#[track_caller]
pub(crate) fn pair_in(item: &Value) -> String {
    let text = |name: &str| item["resourceData"][name].as_str().unwrap_or("none").to_owned();
    format!("{}/{}", text("availability"), text("activity"))
}

/// Every attempt to tell a subscription that the server lists.
pub(crate) async fn attempts(client: &Client, subscription: &Value) -> Vec<Value> {
    let answer = client.get(&format!("{}/porchlight.deliveries", path_of(subscription))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["value"].as_array().expect("a list").clone()
}

/// The attempt of this number to tell a subscription, once it is known what came of it.
pub(crate) async fn noted(client: &Client, subscription: &Value, number: usize) -> Value {
    let look = async {
        loop {
            let attempts = attempts(client, subscription).await;
            let found = attempts.into_iter().find(|attempt| attempt["attempt"] == number);
            if let Some(attempt) = found {
                return attempt;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(seconds(10), look).await.expect("the attempt is noted in time")
}
