//! Tokens of a trusted issuer: subscriptions-and-auth 21 to 24.

use std::time::Duration;

use porchlight_http::{ApiKey, Mark, Permission, Permissions, TrustedIssuer, new_api_key};
use porchlight_presence::{ApplicationId, TenantId, UserId};
use porchlight_testkit::{ADA, APP_A, Answer, BEN, DEMO, Issuer, Receiver, TENANT, TestServer, unsigned};
use serde_json::{Value, json};

use crate::support::{
    ME, ME_NEEDS_A_USER, NOBODY, PRESENCES, change_ada, lacks, presence_of, refused, session,
};

const INVALID: &str = "401 InvalidAuthenticationToken Access token validation failure.";

/// The role of Global Administrators.
const ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// A server that takes the tokens of this issuer alone.
pub(crate) async fn trusting(issuer: &Issuer) -> TestServer {
    TestServer::builder().production().trust(issuer).start().await
}

/// How Ada's presence is answered to a token of hers with these claims changed.
async fn with(server: &TestServer, issuer: &Issuer, changes: Value) -> Answer {
    server.anonymous().bearer(&issuer.token_with(&changes)).get(ME).await
}

#[tokio::test]
async fn a_token_of_a_trusted_issuer_is_its_users() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let ada = server.anonymous().bearer(&issuer.token(&issuer.claims()));
    let answer = ada.get(ME).await;
    assert_eq!(answer.json()["id"], ADA);
    assert_eq!(ada.get(&presence_of(BEN)).await.status, 200);
    let body = json!({"sessionId": DEMO, "availability": "Busy", "activity": "InACall"});
    assert_eq!(ada.post(&format!("{ME}/setPresence"), &body).await.status, 200);
    assert_eq!(ada.get(ME).await.pair(), "Busy/InACall");
    assert_eq!(issuer.fetches(), 1, "its keys were fetched once");
}

/// 23.2, T13: every row, and what every 401 has.
#[tokio::test]
async fn s30_t13_each_row_of_401_has_its_text_and_its_challenge() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let key = issuer.key();
    let good = issuer.claims();
    assert_eq!(
        with(&server, &issuer, json!({})).await.status,
        200,
        "from now on it is known where to sign in"
    );
    let signed = |header: Value| key.sign(&header, &good);
    let table = [
        ("empty", String::new(), "Access token is empty."),
        ("garbage", "garbage".to_owned(), "CompactToken parsing failed with error code: 80049217"),
        (
            "a development token",
            "dev:ada:".to_owned(),
            "CompactToken parsing failed with error code: 80049217",
        ),
        (
            "expired",
            issuer.token_with(&json!({"exp": 1_795_165_200 - 301})),
            "Lifetime validation failed, the token is expired.",
        ),
        (
            "expired, and for somebody else",
            issuer.token_with(&json!({"exp": 1_795_165_200 - 301, "aud": "api://other"})),
            "Lifetime validation failed, the token is expired.",
        ),
        (
            "not yet valid",
            issuer.token_with(&json!({"nbf": 1_795_165_200 + 301})),
            "Access token has expired or is not yet valid.",
        ),
        (
            "wrong audience",
            issuer.token_with(&json!({"aud": "https://graph.microsoft.com"})),
            "Access token validation failure. Invalid audience.",
        ),
        (
            "alg none",
            unsigned(&json!({"alg": "none"}), &good, |_| Vec::new()),
            "Access token validation failure.",
        ),
        ("HS256", signed(json!({"alg": "HS256", "kid": key.id()})), "Access token validation failure."),
        ("unknown kid", signed(json!({"alg": "RS256", "kid": "other"})), "Access token validation failure."),
        (
            "wrong issuer",
            issuer.token_with(&json!({"iss": "https://elsewhere.example/"})),
            "Access token validation failure.",
        ),
    ];
    for (what, token, message) in table {
        let client = server.anonymous().bearer(&token).header("client-request-id", "mine");
        let answer = client.get(ME).await;
        refused(&answer, &format!("401 InvalidAuthenticationToken {message}"));
        let challenge = answer.header("www-authenticate");
        let place = format!(
            "Bearer realm=\"\", authorization_uri=\"{}/common/oauth2/v2.0/authorize\", client_id=\"api://porchlight\"",
            issuer.url()
        );
        assert!(challenge.starts_with(&place), "{what}: {challenge}");
        assert_eq!(challenge.contains("error=\"invalid_token\""), what != "empty", "{what}: {challenge}");
        assert_eq!(answer.header("client-request-id"), "mine");
        assert_eq!(answer.json()["error"]["innerError"]["client-request-id"], "mine", "{what}");
    }
    let missing = server.anonymous().get(ME).await;
    refused(&missing, "401 InvalidAuthenticationToken Access token is empty.");
}

/// T14
#[tokio::test]
async fn s30_t14_a_new_key_costs_one_fetch_and_so_does_a_storm_of_unknown_ones() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    assert_eq!(with(&server, &issuer, json!({})).await.status, 200);
    issuer.rotate();
    assert_eq!(with(&server, &issuer, json!({})).await.status, 200, "the new key was fetched");
    assert_eq!(issuer.fetches(), 2);
    let claims = issuer.claims();
    for number in 0..1000 {
        let header = json!({"alg": "RS256", "kid": format!("unknown {number}")});
        let token = unsigned(&header, &claims, |_| vec![7; 256]);
        refused(&server.anonymous().bearer(&token).get(ME).await, INVALID);
    }
    assert_eq!(issuer.fetches(), 2, "the five minutes of the first are not over");
}

/// T17
#[tokio::test]
async fn s30_t17_nothing_of_development_is_there_outside_it() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let malformed = "401 InvalidAuthenticationToken CompactToken parsing failed with error code: 80049217";
    refused(&server.client("ada:").get(ME).await, malformed);
    let ada = server.anonymous().bearer(&issuer.token(&issuer.claims()));
    for lever in ["clock", "deliveries", "ca"] {
        assert_eq!(ada.get(&format!("/porchlight/dev/{lever}")).await.status, 404, "{lever}");
    }
    for lever in ["clock", "reset", "faults"] {
        assert_eq!(ada.post(&format!("/porchlight/dev/{lever}"), &json!({})).await.status, 404, "{lever}");
    }
    for path in ["token", "authorize", "devicecode"] {
        let answer = ada.post(&format!("/common/oauth2/v2.0/{path}"), &json!({})).await;
        assert!(answer.status.is_client_error() && answer.status != 401, "{path}: {answer:?}");
    }
}

/// 23.4
#[tokio::test]
async fn a_personal_account_is_known_and_may_not() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let changes = json!({"tid": tenant, "iss": format!("{}/{tenant}/v2.0", issuer.url())});
    refused(&with(&server, &issuer, changes).await, "403 Forbidden Personal accounts have no presence here.");
}

/// 21.3: `idtyp`, then `scp`, then `roles`.
#[tokio::test]
async fn the_kind_of_a_token_is_told_by_its_claims_in_their_order() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let roles = json!(["Presence.Read.All", "Presence.ReadWrite.All"]);
    let read = "Presence.Read, Presence.Read.All, Presence.ReadWrite";
    let table = [
        (json!({"idtyp": "app", "roles": roles}), ME_NEEDS_A_USER.to_owned()),
        (json!({"idtyp": "user", "roles": roles}), "200".to_owned()),
        (json!({"idtyp": "user", "roles": roles, "scp": null}), lacks(read)),
        (json!({"roles": roles}), "200".to_owned()),
        (json!({"roles": roles, "scp": null}), ME_NEEDS_A_USER.to_owned()),
        (json!({"roles": roles, "scp": ""}), ME_NEEDS_A_USER.to_owned()),
        (json!({"roles": roles, "scp": "openid"}), lacks(read)),
        (json!({"scp": null}), lacks(read)),
    ];
    for (changes, expected) in table {
        let answer = with(&server, &issuer, changes.clone()).await;
        assert!(answer.error().starts_with(&expected), "{changes}: {answer:?}");
    }
    let application = issuer.token_with(&json!({"roles": roles, "scp": null, "azp": APP_A}));
    let application = server.anonymous().bearer(&application);
    let body = json!({"sessionId": APP_A, "availability": "Available", "activity": "Available"});
    let answer = application.post(&format!("{}/setPresence", presence_of(ADA)), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// 24.3 and the claims of version 1.
#[tokio::test]
async fn scopes_have_prefixes_and_applications_two_names() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let changes = json!({"scp": "api://porchlight/presence.READ", "azp": null, "appid": DEMO, "ver": "1.0"});
    assert_eq!(with(&server, &issuer, changes).await.status, 200);
    let audiences = [json!("api://porchlight/"), json!(["other", "api://porchlight"])];
    for audience in audiences {
        assert_eq!(with(&server, &issuer, json!({"aud": audience})).await.status, 200, "{audience}");
    }
}

/// 22.3 and 25.1: five minutes of grace, and the clock that development moves.
#[tokio::test]
async fn a_token_expires_with_the_clock_also_on_an_open_connection_and_when_it_is_remembered() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let token = issuer.token(&issuer.claims());
    let ada = server.anonymous().bearer(&token);
    assert_eq!(ada.get(ME).await.status, 200);
    server.advance(Duration::from_secs(3600 + 299));
    assert_eq!(ada.get(ME).await.status, 200);
    server.advance(Duration::from_secs(1));
    refused(
        &ada.get(ME).await,
        "401 InvalidAuthenticationToken Lifetime validation failed, the token is expired.",
    );
}

#[tokio::test]
async fn a_token_that_is_remembered_is_refused_as_soon_as_its_person_is_disabled() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let ada = server.anonymous().bearer(&issuer.token(&issuer.claims()));
    assert_eq!(ada.get(ME).await.status, 200);
    change_ada(&server, |person| person.account_enabled = false).await;
    refused(&ada.get(ME).await, INVALID);
    change_ada(&server, |person| person.account_enabled = true).await;
    assert_eq!(ada.get(ME).await.status, 200);
}

/// Design 5.4: a stream ends with the right to it, and goes on where it was with another token.
#[tokio::test]
async fn a_stream_ends_with_its_token_and_goes_on_with_another() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    for path in [ME, PRESENCES] {
        let now = server.engine().now().as_millis() / 1000;
        let token = |life: i64| server.anonymous().bearer(&issuer.token_with(&json!({"exp": now + life})));
        let mut events = token(60).follow(path, None).await;
        events.until_current().await;
        server.advance(Duration::from_secs(60 + 300));
        let last = events.next().await;
        assert_eq!(
            (last.event.as_str(), &last.data["code"]),
            ("expired", &json!("InvalidAuthenticationToken"))
        );
        assert_eq!(last.data["message"], "Lifetime validation failed, the token is expired.");
        assert_eq!(events.next_or_end().await, None, "{path}");

        let id = events.last_id().expect("what was told has an id").to_owned();
        let mut resumed = token(3600).follow(path, Some(&id)).await;
        assert_eq!(resumed.next().await.event, "current", "{path}: nothing is told again");
    }
}

/// 9.2
#[tokio::test]
async fn a_global_administrator_sees_and_ends_everybodys_subscriptions_of_the_tenant() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let receiver = Receiver::start().await;
    let bens = server.anonymous().bearer(&issuer.token_with(&json!({"oid": BEN, "azp": APP_A})));
    let body = json!({
        "changeType": "updated", "resource": format!("communications/presences/{BEN}"),
        "notificationUrl": receiver.url("/"), "expirationDateTime": "2026-11-20T09:50:00Z",
    });
    let made = bens.post("/v1.0/subscriptions", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/v1.0/subscriptions/{}", made.json()["id"].as_str().expect("an id"));
    let seen = async |changes: Value| {
        server.anonymous().bearer(&issuer.token_with(&changes)).get(&path).await.status
    };
    let administrator = json!([ADMINISTRATOR]);
    let all = "Subscription.Read.All Presence.Read.All";
    assert_eq!(seen(json!({"scp": all, "wids": administrator})).await, 200);
    assert_eq!(seen(json!({"scp": all})).await, 404, "whoever is none sees their own");
    assert_eq!(
        seen(json!({"scp": "Presence.Read.All", "wids": administrator})).await,
        404,
        "not without the right"
    );
    let foreign = "11111111-2222-4333-8444-555555555555";
    let iss = format!("{}/{foreign}/v2.0", issuer.url());
    let other = json!({"scp": all, "wids": administrator, "tid": foreign, "iss": iss});
    assert_eq!(seen(other).await, 404, "nor in another tenant");

    let ended = async |changes: Value| {
        server.anonymous().bearer(&issuer.token_with(&changes)).delete(&path).await.status
    };
    assert_eq!(ended(json!({"scp": all, "wids": administrator})).await, 404, "reading is not writing");
    let writing = "Subscription.ReadWrite.All";
    assert_eq!(ended(json!({"scp": writing})).await, 404, "whoever is none ends their own");
    assert_eq!(ended(json!({"scp": writing, "wids": administrator})).await, 204);
    assert_eq!(bens.get(&path).await.status, 404, "it is gone");
}

/// 22.6 and 21.6
#[tokio::test]
async fn whoever_is_denied_is_refused_whatever_their_token_says() {
    let issuer = Issuer::start().await;
    let denied = |application: bool| {
        let builder = TestServer::builder().production().trust(&issuer);
        builder.settings(move |settings| {
            if application {
                settings.auth.denied_applications.insert(ApplicationId(guid(DEMO)));
            } else {
                settings.auth.denied_users.insert(UserId(guid(ADA)));
            }
        })
    };
    for application in [true, false] {
        let server = denied(application).start().await;
        refused(&with(&server, &issuer, json!({})).await, INVALID);
        let other = json!({"azp": APP_A, "oid": BEN});
        assert_eq!(with(&server, &issuer, other).await.status, 200);
    }
}

/// 22.1: other names of claims, ids that are no GUIDs, one tenant for all.
#[tokio::test]
async fn an_issuer_of_another_make_is_configured() {
    let issuer = Issuer::start().await;
    let builder = TestServer::builder().production().settings(|settings| {
        let mut trusted = issuer.trusted();
        trusted.issuer = issuer.url();
        trusted.tenant = Some(TenantId(guid(TENANT)));
        trusted.claims.user = "sub".to_owned();
        trusted.claims.application = vec!["azp".to_owned(), "client_id".to_owned()];
        trusted.claims.scopes = "scope".to_owned();
        trusted.claims.roles = "realm_access.roles".to_owned();
        trusted.claims.application_only =
            Some(Mark { name: "gty".to_owned(), value: Some("client-credentials".to_owned()) });
        settings.auth.issuers.push(trusted);
    });
    issuer.call_itself(issuer.url());
    let server = builder.start().await;
    let call = async |changes: Value| {
        let mut claims = json!({
            "iss": issuer.url(), "aud": "api://porchlight", "exp": 1_795_165_200 + 60, "client_id": "phone",
            "scope": "openid Presence.Read User.Read.All", "realm_access": {"roles": ["Presence.Read.All"]},
        });
        claims.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        server.anonymous().bearer(&issuer.token(&claims)).get(ME).await
    };
    let namespace = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, issuer.url().as_bytes());
    let ada = uuid::Uuid::new_v5(&namespace, b"ada");
    assert_eq!(call(json!({"sub": "ada"})).await.json()["id"], ada.to_string());
    assert_eq!(call(json!({"sub": ADA})).await.json()["id"], ADA, "a GUID stays as it is");
    for application in [json!({"sub": "x", "gty": "client-credentials"}), json!({"sub": "phone"})] {
        refused(&call(application).await, ME_NEEDS_A_USER);
    }
    let roles_of_a_person = json!({"sub": ADA, "scope": "", "gty": "password"});
    refused(&call(roles_of_a_person).await, &lacks("Presence.Read, Presence.Read.All, Presence.ReadWrite"));
    refused(&call(json!({})).await, INVALID);
}

/// 22.1, 22.2 (8)
#[tokio::test]
async fn only_the_tenants_that_may_come_do_and_only_under_their_own_name() {
    let issuer = Issuer::start().await;
    let other = "11111111-2222-4333-8444-555555555555";
    let builder = TestServer::builder().production().settings(|settings| {
        let trusted = issuer.trusted();
        settings.auth.issuers.push(TrustedIssuer { tenants: vec![TenantId(guid(TENANT))], ..trusted });
    });
    let server = builder.start().await;
    assert_eq!(with(&server, &issuer, json!({})).await.status, 200);
    let both = json!({"tid": other, "iss": format!("{}/{other}/v2.0", issuer.url())});
    let hint = |answer: &Answer| {
        answer.json()["error"]["innerError"]["hint"].as_str().unwrap_or_default().to_owned()
    };
    let foreign = with(&server, &issuer, both).await;
    refused(&foreign, INVALID);
    assert_eq!(hint(&foreign), "the token's tenant is not among those that may come");
    let mixed = with(&server, &issuer, json!({"tid": other})).await;
    refused(&mixed, INVALID);
    assert_eq!(hint(&mixed), "no trusted issuer has the token's 'iss'");
}

/// 22.7
#[tokio::test]
async fn an_api_key_is_what_the_configuration_says_and_is_kept_as_a_hash() {
    let (key, hash) = new_api_key();
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(hash.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).expect("digits"), 16).expect("a byte");
    }
    let api_key = |user: Option<&str>, permissions: &[Permission]| ApiKey {
        hash: bytes,
        tenant: TenantId(guid(TENANT)),
        application: ApplicationId(guid(APP_A)),
        user: user.map(|user| UserId(guid(user))),
        permissions: Permissions::of(permissions),
    };
    let serving = |key: ApiKey| {
        TestServer::builder().production().settings(|settings| settings.auth.api_keys = vec![key]).start()
    };
    let server = serving(api_key(None, &[Permission::PresenceReadAll])).await;
    let script = server.anonymous().bearer(&key);
    assert_eq!(script.get(&presence_of(ADA)).await.status, 200);
    refused(&script.get(ME).await, ME_NEEDS_A_USER);
    refused(&server.anonymous().bearer(&format!("{key}x")).get(ME).await, INVALID);
    refused(&server.anonymous().bearer(&format!("plk_{hash}")).get(ME).await, INVALID);
    let server = serving(api_key(Some(ADA), &[Permission::PresenceRead])).await;
    let device = server.anonymous().bearer(&key);
    assert_eq!(device.get(ME).await.json()["id"], ADA);
    refused(&device.get(&presence_of(BEN)).await, &lacks("Presence.Read.All"));
}

/// 21.6
#[tokio::test]
async fn whoever_signs_in_first_becomes_a_person() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    let new = |more: Value| {
        let mut changes =
            json!({"oid": NOBODY, "name": "Nora New", "preferred_username": "nora@porchlight.example"});
        changes.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        server.anonymous().bearer(&issuer.token_with(&changes))
    };
    let without = new(json!({"scp": "User.Read.All"}));
    assert_eq!(without.get(&presence_of(NOBODY)).await.status, 403, "nothing of presence is granted");
    assert_eq!(without.get(&format!("/v1.0/users/{NOBODY}")).await.status, 404, "so nobody was put in");
    let nora = new(json!({"scp": "Presence.ReadWrite"}));
    assert_eq!(nora.get(ME).await.pair(), "Offline/Offline");
    let person = nora.get("/v1.0/me?$select=id,displayName,userPrincipalName").await.json();
    assert_eq!(person["displayName"], "Nora New");
    assert_eq!(person["userPrincipalName"], "nora@porchlight.example");

    let ada = server
        .anonymous()
        .bearer(&issuer.token_with(&json!({"scp": "User.ReadWrite.All", "wids": [ADMINISTRATOR]})));
    assert_eq!(ada.delete(&format!("/v1.0/users/{NOBODY}")).await.status, 204);
    refused(&nora.get(ME).await, INVALID);
    refused(&new(json!({"jti": "another token"})).get(ME).await, INVALID);
    let nothing_of_presence = new(json!({"scp": "User.Read.All", "jti": "a third"}));
    refused(&nothing_of_presence.get(&format!("/v1.0/users/{ADA}")).await, INVALID);
}

/// As with the original, the permission of a user's delegate does not go further than the user's own right.
#[tokio::test]
async fn people_are_written_by_administrators_and_applications_only() {
    let issuer = Issuer::start().await;
    let builder = TestServer::builder().production().trust(&issuer);
    let server = builder
        .settings(|settings| {
            settings.auth.administrators.insert(UserId(guid(BEN)));
        })
        .start()
        .await;
    let all = "User.Read.All User.ReadWrite.All";
    let refusal = "403 Forbidden Only a Global Administrator's delegate can write people.";
    let scim = format!("/porchlight/scim/v2/Users/{NOBODY}");
    let table = [
        (json!({"scp": all}), false),
        (json!({"scp": all, "wids": ["another role"]}), false),
        (json!({"scp": all, "wids": [ADMINISTRATOR]}), true),
        (json!({"scp": all, "oid": BEN}), true),
        (json!({"scp": null, "roles": ["User.ReadWrite.All"]}), true),
    ];
    for (changes, may) in table {
        let client = server.anonymous().bearer(&issuer.token_with(&changes));
        let body = json!({"jobTitle": "Astronomer"});
        for path in [format!("/v1.0/users/{ADA}"), format!("/v1.0/users/{NOBODY}")] {
            let answer = client.patch(&path, &body).await;
            assert_eq!(answer.status == 403, !may, "{changes} {path}: {answer:?}");
            assert!(may || answer.error() == refusal, "{answer:?}");
        }
        assert_eq!(client.delete(&scim).await.status == 403, !may, "{changes}");
    }
}

/// 21.6
#[tokio::test]
async fn a_server_can_leave_it_to_others_who_is_a_person() {
    let issuer = Issuer::start().await;
    let builder = TestServer::builder().production().trust(&issuer);
    let server = builder.settings(|settings| settings.auth.provision = false).start().await;
    let nora = server.anonymous().bearer(&issuer.token_with(&json!({"oid": NOBODY})));
    let answer = nora.get(ME).await;
    assert!(answer.error().starts_with("404 Request_ResourceNotFound"), "{answer:?}");
    let body = session(DEMO, "Busy/InACall", "PT1H");
    let answer = nora.post(&format!("{ME}/setPresence"), &body).await;
    assert!(answer.error().starts_with("404 Request_ResourceNotFound"), "{answer:?}");
    assert_eq!(nora.get(&presence_of(BEN)).await.status, 200, "the token is good all the same");
}

fn guid(text: &str) -> uuid::Uuid {
    text.parse().expect("a GUID")
}
