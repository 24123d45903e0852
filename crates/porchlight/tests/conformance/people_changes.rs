//! Putting people in and changing them: `/users` as Graph has it.

use http::Method;
use porchlight_testkit::{ADA, APP_A, Answer, BEN, Client, TestServer};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    Application, BATCH, BULK, EXPLAIN, ME, ME_NEEDS_A_USER, NOBODY, PRESENCES, ada, below, ben, done,
    done_without_content, lacks, members, presence_of, refused, session, status, unknown_user,
};

const USERS: &str = "/v1.0/users";
const RIGHT: &str = "User.ReadWrite.All";
const NAME_TAKEN: &str = "400 Request_BadRequest Another object with the same value for property \
                          userPrincipalName already exists.";
const NOT_VALID: &str = "401 InvalidAuthenticationToken Access token validation failure.";

fn user(key: &str) -> String {
    format!("{USERS}/{key}")
}

/// Somebody who may do what these tests are about, and nothing else.
fn administrator(server: &TestServer) -> Client {
    server.client(&format!("ben:{RIGHT}"))
}

fn named(name: &str) -> Value {
    json!({"userPrincipalName": name, "displayName": name})
}

/// Puts somebody in, and gives their id.
async fn put_in(server: &TestServer, body: &Value) -> String {
    let answer = administrator(server).post(USERS, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_new_person_is_what_the_body_says_with_an_id_of_the_servers() {
    let server = TestServer::start().await;
    let body = json!({
        "userPrincipalName": "Zoe@porchlight.example",
        "displayName": "Zoë Ångström",
        "givenName": "Zoë",
        "surname": "Ångström",
        "mail": null,
        "jobTitle": "Astronomer",
        "accountEnabled": true,
        "mailNickname": "zoe",
        "passwordProfile": {"password": "a secret", "forceChangePasswordNextSignIn": false},
        "@odata.type": "#microsoft.graph.user",
    });
    let made = administrator(&server).post(USERS, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let shown = made.json();
    assert_eq!(shown["@odata.context"], format!("{}/v1.0/$metadata#users/$entity", server.url()));
    for (name, value) in ["userPrincipalName", "displayName", "givenName", "surname", "mail", "jobTitle"]
        .map(|name| (name, &body[name]))
    {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["department"], Value::Null);
    assert!(!made.body.windows(8).any(|part| part == b"a secret"));
    let id = shown["id"].as_str().expect("an id");
    let location = below(&server, made.header("location"));
    assert_eq!(location, user(id));
    assert_eq!(administrator(&server).get(&location).await.json(), shown);
    // She may sign in, and is one of those whose presence is seen.
    let zoe = server.client("zoe:");
    assert_eq!(zoe.get("/v1.0/me").await.json(), shown);
    done(&zoe.post(&format!("{ME}/setPresence"), &session(APP_A, "Busy/InACall", "")).await);
    assert_eq!(ben(&server).get(&presence_of("zoe@porchlight.example")).await.pair(), "Busy/InACall");
    let selected =
        administrator(&server).post(&format!("{USERS}?$select=accountEnabled"), &named("y@x.example")).await;
    assert_eq!(members(&selected.json()), ["@odata.context", "accountEnabled"]);
}

#[tokio::test]
async fn the_longest_texts_are_taken_and_longer_ones_refused() {
    let server = TestServer::start().await;
    let client = administrator(&server);
    let name = |characters: usize| "é".repeat(characters - "@x.example".len()) + "@x.example";
    let id = put_in(&server, &named(&name(113))).await;
    let too_long = client.patch(&user(&id), &json!({"userPrincipalName": name(114)})).await;
    refused(
        &too_long,
        "400 InvalidArgument The provided [UserPrincipalName] must be of the form local@domain, with at most 113 \
         characters, none of them whitespace or a control character.",
    );
    for (member, called) in [
        ("displayName", "DisplayName"),
        ("mail", "Mail"),
        ("givenName", "GivenName"),
        ("surname", "Surname"),
        ("jobTitle", "JobTitle"),
        ("department", "Department"),
    ] {
        let longest = client.patch(&user(&id), &json!({member: "é".repeat(256)})).await;
        assert_eq!(longest.status, 204, "{member}: {longest:?}");
        for bad in ["é".repeat(257), String::new(), "a\u{7}b".to_owned()] {
            let expected = format!(
                "400 InvalidArgument The provided [{called}] must have 1 to 256 characters, none of them a control \
                 character."
            );
            refused(&client.patch(&user(&id), &json!({member: bad})).await, &expected);
        }
        let kept = client.get(&user(&id)).await.json()[member].as_str().map(|text| text.chars().count());
        assert_eq!(kept, Some(256), "{member}");
    }
    for required in ["UserPrincipalName", "DisplayName"] {
        let (first, rest) = required.split_at(1);
        let mut body = named("z@x.example");
        body.as_object_mut().expect("an object").remove(&(first.to_lowercase() + rest));
        let expected = format!("400 InvalidArgument [{required}]: The {required} field is required.");
        refused(&client.post(USERS, &body).await, &expected);
    }
    let mut body = named("z@x.example");
    body["id"] = NOBODY.into();
    refused(
        &client.post(USERS, &body).await,
        "400 InvalidArgument The provided [Id] cannot be set: the server gives a user their id.",
    );
}

#[tokio::test]
async fn writing_people_needs_one_right() {
    let server = TestServer::start().await;
    let others = "User.Read.All,User.ReadBasic.All,Presence.Read.All,Presence.ReadWrite";
    let application = format!("{APP_A}:User.Read.All,Presence.ReadWrite.All");
    let paths = [user(ADA), user(BEN), user(NOBODY)];
    for token in [format!("ada:{others}"), application.clone()] {
        let client = server.client(&token);
        refused(&client.post(USERS, &named("z@x.example")).await, &lacks(RIGHT));
        for path in &paths {
            refused(&client.patch(path, &json!({})).await, &lacks(RIGHT));
            refused(&client.delete(path).await, &lacks(RIGHT));
        }
    }
    let own = server.client(&format!("ada:{others}"));
    refused(&own.patch("/v1.0/me", &json!({})).await, &lacks(RIGHT));
    refused(&own.delete("/v1.0/me").await, &lacks(RIGHT));
    let application = server.client(&format!("{APP_A}:{RIGHT}"));
    refused(&application.patch("/v1.0/me", &json!({})).await, ME_NEEDS_A_USER);
    refused(&application.delete("/v1.0/me").await, ME_NEEDS_A_USER);
    for answer in
        [application.patch(&user(NOBODY), &json!({})).await, application.delete(&user(NOBODY)).await]
    {
        refused(&answer, &unknown_user(NOBODY));
    }
    assert_eq!(application.post(USERS, &named("z@x.example")).await.status, 201);
    done_without_content(&application.patch(&user(BEN), &json!({"jobTitle": "Lead"})).await);
    done_without_content(&application.delete(&user("z@x.example")).await);
    let me = server.client(&format!("ada:{RIGHT}"));
    done_without_content(&me.patch("/v1.0/me", &json!({"jobTitle": "Countess"})).await);
    assert_eq!(me.get("/v1.0/me").await.json()["jobTitle"], "Countess");
    done_without_content(&me.delete("/v1.0/me").await);
    refused(&me.get("/v1.0/me").await, NOT_VALID);
}

#[tokio::test]
async fn what_is_not_mentioned_stays_and_null_clears() {
    let server = TestServer::start().await;
    let client = administrator(&server);
    let mut expected = client.get(&user(ADA)).await.json();
    let change =
        json!({"id": ADA.to_uppercase(), "jobTitle": null, "department": "Mathematics", "city": "London"});
    done_without_content(&client.patch(&user(ADA), &change).await);
    (expected["jobTitle"], expected["department"]) = (Value::Null, "Mathematics".into());
    assert_eq!(client.get(&user(ADA)).await.json(), expected);
    done_without_content(&client.patch(&user("ada@porchlight.example"), &json!({})).await);
    assert_eq!(client.get(&user(ADA)).await.json(), expected);
    for required in ["userPrincipalName", "displayName", "accountEnabled"] {
        let answer = client.patch(&user(ADA), &json!({required: null, "surname": "Byron"})).await;
        let (first, rest) = required.split_at(1);
        let name = first.to_uppercase() + rest;
        refused(&answer, &format!("400 InvalidArgument [{name}]: The {name} field is required."));
    }
    refused(
        &client.patch(&user(ADA), &json!({"id": BEN})).await,
        "400 InvalidArgument The provided [Id] is not the id of this user.",
    );
    assert_eq!(client.get(&user(ADA)).await.json(), expected, "all or nothing");
}

#[tokio::test]
async fn a_name_that_was_changed_is_free_for_others() {
    let server = TestServer::start().await;
    let client = administrator(&server);
    refused(&client.post(USERS, &named("ADA@Porchlight.example")).await, NAME_TAKEN);
    let taken = json!({"userPrincipalName": "Ben@porchlight.example", "displayName": "Ben"});
    refused(&client.patch(&user(ADA), &taken).await, NAME_TAKEN);
    let other = json!({"userPrincipalName": "Lovelace@porchlight.example"});
    done_without_content(&client.patch(&user(ADA), &other).await);
    refused(&client.get(&user("ada@porchlight.example")).await, &unknown_user("ada@porchlight.example"));
    assert_eq!(client.get(&user("lovelace@porchlight.example")).await.json()["id"], ADA);
    refused(&server.client("ada:").get(ME).await, NOT_VALID);
    assert_eq!(server.client("lovelace:").get(ME).await.json()["id"], ADA);
    let heir = put_in(&server, &named("ada@porchlight.example")).await;
    assert_eq!(server.client("ada:").get(ME).await.json()["id"], heir);
    let filter = "$filter=userPrincipalName%20eq%20'ada@porchlight.example'&$select=id";
    assert_eq!(client.get(&format!("{USERS}?{filter}")).await.json()["value"], json!([{"id": heir}]));
}

#[tokio::test]
async fn of_many_who_race_for_a_name_one_gets_it() {
    let server = TestServer::start().await;
    let rounds = [(Method::POST, USERS.to_owned()), (Method::PATCH, user(ADA)), (Method::PATCH, user(BEN))];
    for round in 0..8 {
        let name = format!("wanted{round}@porchlight.example");
        let mut requests = JoinSet::new();
        for (method, path) in rounds.iter().chain(&rounds) {
            let (client, method, path) = (administrator(&server), method.clone(), path.clone());
            let body = named(&name);
            requests.spawn(async move { client.json(method, &path, &body).await });
        }
        let answers: Vec<Answer> = requests.join_all().await;
        let refusals = answers.iter().filter(|answer| !answer.status.is_success());
        refusals.for_each(|answer| refused(answer, NAME_TAKEN));
        let filter = format!("$filter=userPrincipalName%20eq%20'{name}'&$count=true");
        let found = administrator(&server).get(&format!("{USERS}?{filter}")).await.json();
        assert_eq!(found["@odata.count"], 1, "{found}");
        let owner = found["value"][0]["id"].as_str().expect("an id").to_owned();
        let lists = format!("{USERS}?$filter=startswith(userPrincipalName,'{name}')&$count=true");
        assert_eq!(administrator(&server).get(&lists).await.json()["@odata.count"], 1, "nobody else");
        // Who has a name already gets it again; nobody else does.
        let winners = answers.iter().filter(|answer| answer.status.is_success()).count();
        assert!(winners == 1 || (winners == 2 && [ADA, BEN].contains(&owner.as_str())), "{winners}: {owner}");
    }
}

#[tokio::test]
async fn a_disabled_person_is_hidden_in_every_read_until_they_are_enabled() {
    let server = TestServer::start().await;
    let client = administrator(&server);
    done(&Application::a(&server).set("Busy/InACall", "PT4H").await);
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status("hello")).await);
    let before = ben(&server).get(&presence_of(ADA)).await.json();
    done_without_content(&client.patch(&user(ADA), &json!({"accountEnabled": false})).await);
    for token in ["ada:".to_owned(), format!("{ADA}:"), "ada@porchlight.example:".to_owned()] {
        refused(&server.client(&token).get(ME).await, NOT_VALID);
    }
    let hidden = |shown: &Value| {
        assert_eq!(
            (&shown["availability"], &shown["activity"]),
            (&json!("Offline"), &json!("Offline")),
            "{shown}"
        );
        assert_eq!(
            (&shown["statusMessage"], &shown["workLocation"]),
            (&Value::Null, &Value::Null),
            "{shown}"
        );
    };
    hidden(&ben(&server).get(&presence_of(ADA)).await.json());
    hidden(&ben(&server).get(&format!("{PRESENCES}/{ADA}")).await.json());
    let listed = ben(&server).get(&format!("{PRESENCES}?$filter=id%20eq%20'{ADA}'")).await.json();
    hidden(&listed["value"][0]);
    hidden(&ben(&server).post(BULK, &json!({"ids": [ADA]})).await.json()["value"][0]);
    let refused_write = Application::a(&server).set("Busy/InACall", "").await;
    refused(&refused_write, "403 Forbidden The person's account is disabled.");
    let selected = format!("{}?$select=accountEnabled", user(ADA));
    assert_eq!(client.get(&selected).await.json()["accountEnabled"], false);

    done_without_content(&client.patch(&user(ADA), &json!({"accountEnabled": true})).await);
    let mut after = ben(&server).get(&presence_of(ADA)).await.json();
    assert_ne!(after["sequenceNumber"], before["sequenceNumber"], "it was told");
    after["sequenceNumber"] = before["sequenceNumber"].clone();
    assert_eq!(after, before);
    assert_eq!(server.client("ada:").get(ME).await.status, 200);
}

#[tokio::test]
async fn somebody_can_be_put_in_disabled() {
    let server = TestServer::start().await;
    let mut body = named("zoe@porchlight.example");
    body["accountEnabled"] = false.into();
    let id = put_in(&server, &body).await;
    refused(&server.client("zoe:").get(ME).await, NOT_VALID);
    let filter = format!("{USERS}?$filter=accountEnabled%20eq%20false&$select=id");
    assert_eq!(administrator(&server).get(&filter).await.json()["value"], json!([{"id": id}]));
}

#[tokio::test]
async fn the_steps_of_a_batch_may_be_about_people() {
    let server = TestServer::start().await;
    let step = |id: &str, method: &str, url: &str, body: Value, after: &str| {
        let mut step = json!({"id": id, "method": method, "url": url});
        if !body.is_null() {
            (step["body"], step["headers"]) = (body, json!({"Content-Type": "application/json"}));
        }
        if !after.is_empty() {
            step["dependsOn"] = json!([after]);
        }
        step
    };
    let zoe = "/users/zoe@porchlight.example";
    let requests = json!({"requests": [
        step("1", "POST", "/users", named("zoe@porchlight.example"), ""),
        step("2", "PATCH", zoe, json!({"surname": "Berg"}), "1"),
        step("3", "GET", "/users?$search=%22surname:berg%22&$select=surname", Value::Null, "2"),
        step("4", "DELETE", zoe, Value::Null, "3"),
        step("5", "GET", zoe, Value::Null, "4"),
    ]});
    let responses = administrator(&server).post(BATCH, &requests).await.json()["responses"].clone();
    let statuses: Vec<&Value> = (0..5).map(|step| &responses[step]["status"]).collect();
    assert_eq!(statuses, [201, 204, 200, 204, 404], "{responses}");
    assert!(responses[0]["headers"]["Location"].as_str().is_some_and(|to| to.starts_with(&server.url())));
    let found = responses[2]["body"]["value"].as_array().expect("a list");
    assert_eq!(found.len(), 2, "Jonas Berg is another one");

    let requests = json!({"requests": [
        step("1", "DELETE", "/me", Value::Null, ""),
        step("2", "GET", "/me", Value::Null, "1"),
        step("3", "GET", "/me/presence", Value::Null, "1"),
        step("4", "GET", "/me/presence/porchlight.explain", Value::Null, "1"),
        step("5", "POST", "/me/presence/setPresence", session(APP_A, "Busy/InACall", ""), "1"),
    ]});
    let responses = ada(&server).post(BATCH, &requests).await.json()["responses"].clone();
    let statuses: Vec<&Value> = (0..5).map(|step| &responses[step]["status"]).collect();
    assert_eq!(statuses, [204, 401, 401, 401, 401], "as each is alone: {responses}");
    refused(&ada(&server).get(EXPLAIN).await, NOT_VALID);
}

#[tokio::test]
async fn a_step_of_a_batch_comes_too_late_for_who_was_disabled_by_the_one_before() {
    let server = TestServer::start().await;
    let disabled = json!({"accountEnabled": false});
    let disable = json!({"id": "1", "method": "PATCH", "url": format!("/users/{ADA}"), "body": disabled});
    let delete = json!({"id": "2", "method": "DELETE", "url": format!("/users/{BEN}"), "dependsOn": ["1"]});
    let answer = ada(&server).post(BATCH, &json!({"requests": [disable, delete]})).await.json();
    let statuses = [0, 1].map(|step| answer["responses"][step]["status"].clone());
    assert_eq!(statuses, [json!(204), json!(401)], "{answer}");
    assert_eq!(administrator(&server).get(&user(BEN)).await.status, 200);
}
