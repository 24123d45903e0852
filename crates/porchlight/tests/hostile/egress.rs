//! A notification URL is hostile input: whatever it says, this server knocks at no door that is closed to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use porchlight_notify::{Egress, Resolver, Resolving};
use porchlight_testkit::{Answer, BEN, Client, Reaction, Receiver, TestServer, Validation};
use serde_json::{Value, json};

/// A resolver that answers with these addresses, one answer after another; the last one for ever.
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&str]) -> Arc<Names> {
        let addresses =
            |answer: &&str| answer.split_whitespace().map(|ip| ip.parse().expect("an address")).collect();
        Arc::new(Names { answers: answers.iter().map(addresses).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Resolver for Names {
    fn resolve(&self, _: String, port: u16) -> Resolving {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = &self.answers[asked.min(self.answers.len() - 1)];
        let addresses = answer.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        Box::pin(async move { Ok(addresses) })
    }
}

async fn subscribe(client: &Client, url: &str) -> Answer {
    let subscription = json!({
        "changeType": "updated",
        "notificationUrl": url,
        "resource": format!("communications/presences/{BEN}"),
        "expirationDateTime": "2026-11-20T09:50:00Z",
    });
    client.post("/v1.0/subscriptions", &subscription).await
}

/// A server with production's egress policy, whose names mean these addresses.
async fn production(answers: &[&str]) -> TestServer {
    let resolver = Names::new(answers);
    TestServer::builder()
        .notify(|settings| settings.egress = Egress { resolver, ..Egress::default() })
        .start()
        .await
}

const E4: &str = "400 InvalidRequest The 'notificationUrl' value must be an absolute HTTPS URL.";
const E19: &str = "400 ValidationError Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request.";

/// What is refused by what it says.
const SAYS: [&str; 43] = [
    "http://hooks.example.org/",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "gopher://hooks.example.org:70/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "EventHub:https://vault.vault.azure.net/secrets/x?tenantId=y",
    "EventGrid:?azuresubscriptionid=x",
    "//hooks.example.org/",
    "/hook",
    "hooks.example.org/hook",
    "https:hooks.example.org",
    "https:///hook",
    "https://",
    "https://hooks.example.org/#fragment",
    "https://hooks.example.org/\nHost: internal",
    "https://hooks.example.org /",
    "https://user@hooks.example.org/",
    "https://user:secret@hooks.example.org/",
    "https://hooks.example.org@127.0.0.1/",
    "https://hooks.example.org:22/",
    "https://hooks.example.org:6379/",
    "https://hooks.example.org:0/",
    "https://hooks.example.org:65536/",
    "https://hooks.example.org:/",
    "https://127.0.0.1/",
    "https://127.0.0.1:8443/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://0.0.0.0/",
    // Numbers that are addresses to the system's resolver.
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::7f00:1]/",
];

#[tokio::test]
async fn urls_that_say_where_they_lead_are_refused_unasked() {
    let server = production(&["8.8.8.8"]).await;
    let client = server.client("ada:");
    for url in SAYS {
        let answer = subscribe(&client, url).await;
        assert_eq!(answer.error(), E4, "{url}");
        assert!(answer.json()["error"]["innerError"]["hint"].is_string(), "{url}");
    }
    assert_eq!(server.notifier().connects(), 0);
}

#[tokio::test]
async fn names_that_mean_closed_doors_are_refused_without_a_knock() {
    let urls = ["https://hooks.example.org/", "https://localhost/", "https://metadata.google.internal/"];
    let means = [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.7",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.3.4",
        "169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::ffff:10.0.0.7",
        "fe80::1",
        "fd12::1",
        "fd00:ec2::254",
        "64:ff9b::a00:7",
        "2002:a00:7::1",
        // One open door beside a closed one.
        "8.8.8.8 10.0.0.7",
    ];
    for addresses in means {
        let server = production(&[addresses]).await;
        let client = server.client("ada:");
        for url in urls {
            let answer = subscribe(&client, url).await;
            assert_eq!(answer.error(), E19, "{url} as {addresses}");
            let check = &answer.json()["error"]["innerError"]["porchlight"]["check"];
            // A number has no certificate, so TLS refuses it before anybody is asked what it means.
            assert!(["address", "connection"].contains(&check.as_str().expect("a check")), "{url}: {check}");
        }
        assert_eq!(server.notifier().connects(), 0, "{addresses}");
    }
}

#[tokio::test]
async fn the_systems_own_resolver_opens_no_closed_door() {
    let server = TestServer::builder().notify(|settings| settings.egress = Egress::default()).start().await;
    let client = server.client("ada:");
    assert_eq!(subscribe(&client, "https://localhost/").await.error(), E19);
    assert_eq!(server.notifier().connects(), 0);
}

#[tokio::test]
async fn a_name_that_comes_to_mean_something_else_is_refused_when_it_is_told() {
    let receiver = Receiver::start().await;
    let resolver = Names::new(&["127.0.0.1", "127.0.0.1", "10.0.0.7"]);
    let server = TestServer::builder()
        .notify(|settings| settings.egress = Egress { resolver, ..Egress::development() })
        .start()
        .await;
    let client = server.client("ada:");
    let port = receiver.url("").rsplit_once(':').expect("it has a port").1.to_owned();
    let made = subscribe(&client, &format!("http://hooks.example.org:{port}/")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    // The connection that was vetted goes, so that the next request needs another.
    receiver.react([Reaction::Close, Reaction::Close]);
    server
        .client("ben:")
        .patch("/v1.0/me/presence", &json!({"availability": "Busy", "activity": "Busy"}))
        .await;
    let mut classes = Vec::new();
    while classes.last().is_none_or(|class| class != "address") {
        let known = classes.len();
        let look = async {
            loop {
                let path = format!("/v1.0/subscriptions/{id}/porchlight.deliveries");
                let attempts: Vec<Value> =
                    client.get(&path).await.json()["value"].as_array().expect("a list").clone();
                if attempts.len() > known {
                    return attempts;
                }
                tokio::task::yield_now().await;
            }
        };
        let attempts = tokio::time::timeout(Duration::from_secs(10), look).await.expect("it is tried again");
        let class = |attempt: &Value| attempt["error"].as_str().unwrap_or_default().to_owned();
        classes = attempts.iter().map(class).collect();
        assert!(classes.len() < 8, "{classes:?}");
        server.advance(Duration::from_secs(40 * 60 / 8));
    }
    let connects = server.notifier().connects();
    assert!(connects <= 2, "{connects} connections, all of them to what was vetted");
}

#[tokio::test]
async fn nobody_is_sent_elsewhere() {
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let server = TestServer::start().await;
    let client = server.client("ada:");
    receiver.validate_with(Validation::Redirect(elsewhere.url("/")));
    assert_eq!(subscribe(&client, &receiver.url("/")).await.error(), E19);
    assert!(elsewhere.validations().is_empty());
    assert_eq!(server.notifier().connects(), 1);
}
