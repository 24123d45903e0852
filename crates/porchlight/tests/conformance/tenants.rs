//! Two tenants of one server: subscriptions-and-auth 21.5. Everything that the one could try is tried with every permission.

use http::Method;
use porchlight_engine::{Person, Seed};
use porchlight_presence::{TenantId, UserId};
use porchlight_testkit::{ADA, BEN, Client, DEMO, Issuer, Receiver, TestServer};
use serde_json::{Value, json};

use crate::scim_support::{USERS, patch, user};
use crate::support::{BATCH, ME, NOBODY, PRESENCES, presence_of, session, unknown_user};
use crate::tokens::trusting;

const OTHER: &str = "11111111-2222-4333-8444-555555555555";
/// The only person of the other tenant.
const EVE: &str = "eeeeeeee-0000-4000-8000-00000000000e";

const DELEGATED: &str = "Presence.Read Presence.Read.All Presence.ReadWrite User.Read.All User.ReadWrite.All \
                         Subscription.Read.All";

/// Both tenants, and of the other one a user with every permission and an application with every permission.
struct Neighbours {
    issuer: Issuer,
    server: TestServer,
}

impl Neighbours {
    async fn start() -> Neighbours {
        let issuer = Issuer::start().await;
        let server = trusting(&issuer).await;
        let eve = Person::new(UserId(guid(EVE)), "eve@other.example");
        let seed = Seed { tenant: TenantId(guid(OTHER)), people: vec![eve] };
        server.engine().seed(&seed).await.expect("she is put in");
        Neighbours { issuer, server }
    }

    fn ada(&self) -> Client {
        self.server.anonymous().bearer(&self.issuer.token_with(&json!({"scp": DELEGATED})))
    }

    /// Whoever of the other tenant might try, with every permission that there is.
    fn foreigners(&self) -> [Client; 2] {
        let iss = format!("{}/{OTHER}/v2.0", self.issuer.url());
        let administrator = ["62e90394-69f5-4237-9190-012177145e10"];
        let user = json!({"iss": iss, "tid": OTHER, "oid": EVE, "scp": DELEGATED, "wids": administrator});
        let roles = ["Presence.Read.All", "Presence.ReadWrite.All", "User.ReadWrite.All", "User.Read.All"];
        let application =
            json!({"iss": iss, "tid": OTHER, "oid": NOBODY, "scp": null, "roles": roles, "idtyp": "app"});
        [user, application].map(|changes| self.server.anonymous().bearer(&self.issuer.token_with(&changes)))
    }
}

/// Everything that can be asked with somebody's id or name in it.
fn paths(key: &str) -> Vec<String> {
    let presence = presence_of(key);
    vec![
        presence.clone(),
        format!("{presence}?$select=activity"),
        format!("{presence}/porchlight.explain"),
        format!("{PRESENCES}/{key}"),
        format!("{PRESENCES}('{key}')"),
        format!("/beta/communications/presences/{key}"),
        format!("/v1.0/users/{key}"),
        format!("/v1.0/users/{key}?$select=displayName"),
    ]
}

#[tokio::test]
async fn a_tenant_sees_nobody_of_another_by_any_path() {
    let both = Neighbours::start().await;
    let [user, application] = both.foreigners();
    for client in [user, application] {
        for key in [ADA, "ada@porchlight.example", "ada.lovelace@porchlight.example"] {
            for path in paths(key) {
                let answer = client.get(&path).await;
                assert_eq!(answer.error(), unknown_user(key), "{path}");
            }
            let stream = client.header("accept", "text/event-stream").get(&presence_of(key)).await;
            assert_eq!(stream.error(), unknown_user(key));
        }
    }
}

#[tokio::test]
async fn a_tenant_lists_counts_and_filters_its_own_people_only() {
    let both = Neighbours::start().await;
    let own = |answer: &Value| {
        let ids: Vec<&str> =
            answer["value"].as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
        assert!(ids.iter().all(|id| *id == EVE), "{answer}");
        ids.len()
    };
    for client in both.foreigners() {
        assert_eq!(client.get(&format!("{PRESENCES}/$count")).await.body, "1");
        let lists = [
            (PRESENCES.to_owned(), 1),
            (format!("{PRESENCES}?$count=true"), 1),
            (format!("{PRESENCES}?$filter=id%20eq%20'{ADA}'"), 0),
            (format!("{PRESENCES}?$filter=id%20in%20('{ADA}','{BEN}','{EVE}')"), 1),
            (format!("{PRESENCES}?$filter=availability%20ne%20'x'"), 1),
            (format!("{PRESENCES}?$skiptoken={}", "00000000-0000-0000-0000-000000000000"), 1),
            (format!("{PRESENCES}/delta"), 1),
            (format!("{PRESENCES}/delta?$filter=id%20eq%20'{ADA}'"), 0),
            ("/v1.0/users".to_owned(), 1),
            ("/v1.0/users?$count=true".to_owned(), 1),
        ];
        for (path, count) in lists {
            let answer = client.get(&path).await;
            if answer.status == 200 {
                assert_eq!(own(&answer.json()), count, "{path}");
                let counted = &answer.json()["@odata.count"];
                assert!(counted.is_null() || *counted == json!(1), "{path}: {counted}");
            } else {
                assert_eq!(answer.status, 400, "{path}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_tenant_reads_of_anothers_id_is_what_it_reads_of_nobodys() {
    let both = Neighbours::start().await;
    let busy = both.ada().post(&format!("{ME}/setPresence"), &session(DEMO, "Busy/InACall", "PT1H")).await;
    assert_eq!(busy.status, 200, "{busy:?}");
    for client in both.foreigners() {
        let bulk = async |id: &str| {
            let answer =
                client.post("/v1.0/communications/getPresencesByUserId", &json!({"ids": [id]})).await;
            answer.json()["value"].to_string().replace(id, "ID")
        };
        assert_eq!(bulk(ADA).await, bulk(NOBODY).await);
        let steps = |id: &str| {
            json!({"requests": [
                {"id": "1", "method": "GET", "url": format!("/users/{id}/presence")},
                {"id": "2", "method": "GET", "url": format!("/communications/presences/{id}")},
                {"id": "3", "method": "POST", "url": "/communications/getPresencesByUserId",
                 "headers": {"Content-Type": "application/json"}, "body": {"ids": [id]}},
            ]})
        };
        let batch = async |id: &str| {
            let answer = client.post(BATCH, &steps(id)).await.json();
            let steps = answer["responses"].as_array().expect("a list").iter();
            let gist = |step: &Value| {
                let mut body = step["body"].clone();
                if let Some(error) = body["error"].as_object_mut() {
                    error.remove("innerError");
                }
                format!("{} {} {}", step["id"], step["status"], body).replace(id, "ID")
            };
            let mut gists: Vec<String> = steps.map(gist).collect();
            gists.sort();
            gists
        };
        assert_eq!(batch(ADA).await, batch(NOBODY).await);
    }
}

#[tokio::test]
async fn a_tenant_writes_for_nobody_of_another() {
    let both = Neighbours::start().await;
    let ada = both.ada();
    assert_eq!(
        ada.post(&format!("{ME}/setPresence"), &session(DEMO, "Busy/InACall", "PT1H")).await.status,
        200
    );
    let before = ada.get(ME).await.json();
    let actions = [
        ("setPresence", session(DEMO, "Available/Available", "PT1H")),
        ("clearPresence", json!({"sessionId": DEMO})),
        ("setUserPreferredPresence", json!({"availability": "Away", "activity": "Away"})),
        ("clearUserPreferredPresence", json!({})),
        ("setStatusMessage", json!({"statusMessage": {"message": {"content": "x", "contentType": "text"}}})),
        ("setManualLocation", json!({"workLocationType": "office"})),
        ("clearLocation", json!({})),
    ];
    for client in both.foreigners() {
        for (action, body) in &actions {
            let answer = client.post(&format!("{}/{action}", presence_of(ADA)), body).await;
            assert!([403, 404].contains(&answer.status.as_u16()), "{action}: {answer:?}");
        }
        let patch =
            client.patch(&presence_of(ADA), &json!({"availability": "Away", "activity": "Away"})).await;
        assert!([403, 404].contains(&patch.status.as_u16()), "{patch:?}");
        let delete = client.delete(&presence_of(ADA)).await;
        assert!([403, 404].contains(&delete.status.as_u16()), "{delete:?}");
        for method in [Method::PATCH, Method::DELETE] {
            let body = json!({"displayName": "Mallory"});
            let answer = client.json(method, &format!("/v1.0/users/{ADA}"), &body).await;
            assert!(answer.status.is_client_error(), "{answer:?}");
        }
    }
    assert_eq!(ada.get(ME).await.json(), before);
    assert_eq!(ada.get("/v1.0/me").await.json()["displayName"], "Ada Lovelace");
}

/// SCIM has paths, filters and a parser of its own.
#[tokio::test]
async fn a_tenant_reaches_nobody_of_another_by_scim() {
    let both = Neighbours::start().await;
    let mallory = json!({"userName": "ada@porchlight.example", "displayName": "Mallory", "active": false});
    let operations = patch(&json!([{"op": "replace", "path": "displayName", "value": "Mallory"}]));
    for client in both.foreigners() {
        let changes = [
            (Method::GET, json!({})),
            (Method::PUT, mallory.clone()),
            (Method::PATCH, operations.clone()),
            (Method::DELETE, json!({})),
        ];
        for (method, body) in changes {
            let answer = client.json(method.clone(), &user(ADA), &body).await;
            assert_eq!(answer.status, 404, "{method}: {answer:?}");
        }
        let lists = [
            (USERS.to_owned(), 1),
            (format!("{USERS}?filter=userName%20eq%20%22ada@porchlight.example%22"), 0),
            (format!("{USERS}?filter=id%20eq%20%22{ADA}%22"), 0),
            (format!("{USERS}?filter=userName%20co%20%22@%22"), 1),
        ];
        for (path, count) in lists {
            let listed = client.get(&path).await.json();
            assert_eq!(listed["totalResults"], count, "{path}: {listed}");
            assert!(!listed.to_string().contains("porchlight.example"), "{listed}");
        }
    }
    let ada = both.ada().get("/v1.0/me?$select=displayName,accountEnabled").await.json();
    assert_eq!((&ada["displayName"], &ada["accountEnabled"]), (&json!("Ada Lovelace"), &json!(true)));
}

#[tokio::test]
async fn a_tenant_is_told_nothing_of_another() {
    let both = Neighbours::start().await;
    let ada = both.ada();
    let receiver = Receiver::start().await;
    let resource = |id: &str| {
        json!({
            "changeType": "updated", "resource": id, "notificationUrl": receiver.url("/"),
            "expirationDateTime": "2026-11-20T09:50:00Z",
        })
    };
    let mine = ada.post("/v1.0/subscriptions", &resource(&format!("communications/presences/{BEN}"))).await;
    assert_eq!(mine.status, 201, "{mine:?}");
    let mine = format!("/v1.0/subscriptions/{}", mine.json()["id"].as_str().expect("an id"));
    let foreigners = both.foreigners();
    let mut streams = Vec::new();
    for client in &foreigners {
        for (method, path) in [
            (Method::GET, mine.clone()),
            (Method::PATCH, mine.clone()),
            (Method::DELETE, mine.clone()),
            (Method::POST, format!("{mine}/reauthorize")),
            (Method::GET, format!("{mine}/porchlight.deliveries")),
        ] {
            let body = json!({"expirationDateTime": "2026-11-20T09:55:00Z"});
            let answer = client.json(method.clone(), &path, &body).await;
            assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        }
        let listed = client.get("/v1.0/subscriptions").await.json()["value"].to_string();
        assert!(!listed.contains(mine.rsplit('/').next().expect("it ends with its id")), "{listed}");
        for id in ["communications/presences".to_owned(), format!("communications/presences/{ADA}")] {
            let made = client.post("/v1.0/subscriptions", &resource(&id)).await;
            assert!([201, 403, 404].contains(&made.status.as_u16()), "{made:?}");
        }
        for path in [PRESENCES.to_owned(), format!("{PRESENCES}?$filter=id%20in%20('{ADA}','{EVE}')")] {
            let mut events = client.follow(&path, None).await;
            let told = events.until_current().await;
            assert!(
                told.iter().all(|event| event.event == "snapshot" || event.data["id"] == EVE),
                "{told:?}"
            );
            streams.push(events);
        }
    }
    let changed = ada.post(&format!("{ME}/setPresence"), &session(DEMO, "Busy/InACall", "PT1H")).await;
    assert_eq!(changed.status, 200);
    let body = session(DEMO, "Away/Away", "PT1H");
    let own = foreigners[0].post(&format!("{ME}/setPresence"), &body).await;
    assert_eq!(own.status, 200, "{own:?}");
    for mut events in streams {
        let next = events.next().await;
        assert_eq!(
            (next.event.as_str(), &next.data["id"]),
            ("presence", &json!(EVE)),
            "nothing came before it"
        );
    }
    let delivered = receiver.next().await;
    assert!(delivered.items().iter().all(|item| item["tenantId"] == OTHER), "{:?}", delivered.items());
}

/// What one tenant was handed out is nothing to another: links of delta, ids of events.
#[tokio::test]
async fn a_bookmark_of_one_tenant_is_none_in_another() {
    let both = Neighbours::start().await;
    let link =
        both.ada().get(&format!("{PRESENCES}/delta?$deltatoken=latest")).await.json()["@odata.deltaLink"]
            .clone();
    let link = link.as_str().expect("a link").to_owned();
    let path = link.split_once("/v1.0").expect("it is of this version").1;
    let mut events = both.ada().follow(PRESENCES, None).await;
    events.until_current().await;
    let id = events.last_id().expect("what was told has an id").to_owned();
    for client in both.foreigners() {
        assert_eq!(client.get(&format!("/v1.0{path}")).await.status, 410);
        let first = client.follow(PRESENCES, Some(&id)).await.next().await;
        assert_eq!(first.event, "snapshot", "it begins anew");
    }
}

fn guid(text: &str) -> uuid::Uuid {
    text.parse().expect("a GUID")
}
