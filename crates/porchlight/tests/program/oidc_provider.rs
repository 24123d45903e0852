//! Tokens of an OpenID Connect provider that is not ours, `oidc-provider`, taken by the program as it runs in
//! production. What follows from claims that no provider writes is in `conformance/tokens.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use porchlight_testkit::Client;
use serde_json::{Value, json};

use crate::support::{ME, Program, presence_of, run, serve, text, until};

#[path = "../oidc/provider.rs"]
mod provider;

use provider::{Provider, script};

const TENANT: &str = "6a1d3c52-7b0e-4f8a-9c46-2e5b8d7f1a90";

/// What tokens are for; the provider has more of them, which begin like this and differ in one thing each.
const PORCHLIGHT: &str = "api://porchlight";

/// Somebody whom the provider knows by a name.
const ADA: &str = "ada";

/// Somebody whom the provider knows by a GUID.
const BEN: &str = "3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02";

/// All that the provider lets its applications ask for.
const ALL: &str = "Presence.Read.All Presence.ReadWrite.All";

const INVALID: &str = "401 InvalidAuthenticationToken Access token validation failure.";
const WRONG_AUDIENCE: &str =
    "401 InvalidAuthenticationToken Access token validation failure. Invalid audience.";
const NO_TOKEN: &str = "401 InvalidAuthenticationToken CompactToken parsing failed with error code: 80049217";
const EXPIRED: &str = "401 InvalidAuthenticationToken Lifetime validation failed, the token is expired.";

impl Provider {
    /// What its token endpoint answers: to the person's client, or to an application of its own right.
    fn tokens(&self, resource: &str, scopes: &str, person: Option<&str>) -> Value {
        let mut command = script("get-token.mjs");
        command.args([self.issuer.as_str(), resource, scopes]).args(person);
        let ended = run(&mut command);
        assert_eq!(ended.code, Some(0), "{:?}", ended.err);
        serde_json::from_str(&ended.out.join("\n")).expect("the endpoint answers in JSON")
    }

    /// A token of the person.
    fn of_person(&self, person: &str, scopes: &str) -> String {
        member(&self.tokens(PORCHLIGHT, scopes, Some(person)), "access_token")
    }

    /// A token of an application of its own right.
    fn of_application(&self, resource: &str, scopes: &str) -> String {
        member(&self.tokens(resource, scopes, None), "access_token")
    }

    /// Has it sign by other keys, and forget those of before.
    async fn rotate(&self) {
        let address = self.issuer.strip_prefix("http://").expect("it is on this machine");
        let provider = Client::new(address.parse().expect("an address"));
        assert_eq!(provider.post("/new-keys", &json!({})).await.status, 204);
    }
}

fn member(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// The program in production, with Ada and Ben in its directory, and with `roles` for the claim that says what an
/// application may.
fn trusting(provider: &Provider, roles: &str) -> Program {
    let folder = tempfile::tempdir().expect("a folder");
    let (seed, config) = (folder.path().join("people.yaml"), folder.path().join("porchlight.toml"));
    let (seed_path, issuer, ada) = (text(&seed), &provider.issuer, provider.id_of(ADA));
    let people = format!(
        "tenants:
  - id: {TENANT}
    users:
      - id: {ada}
        userPrincipalName: ada@example.org
      - id: {BEN}
        userPrincipalName: ben@example.org
"
    );
    let settings = format!(
        r#"
seed = "{seed_path}"

[[auth.issuer]]
issuer = "{issuer}"
audiences = ["{PORCHLIGHT}"]
tenant = "{TENANT}"
algorithms = ["RS256", "PS256", "ES256", "EdDSA"]
clock_skew_seconds = 0
claims = {{ user = "sub", app = "client_id", scopes = "scope", roles = "{roles}" }}
"#
    );
    std::fs::write(&seed, people).expect("the file can be written");
    std::fs::write(&config, settings).expect("the file can be written");
    Program::start(&mut serve(&["--ephemeral", "--config", text(&config)]))
}

#[tokio::test]
async fn a_persons_token_reads_and_sets_that_persons_presence_and_nobody_elses() {
    let provider = Provider::start();
    let server = trusting(&provider, "scope");
    let (ada, ben) = (provider.id_of(ADA), BEN.to_owned());
    for (person, own, other) in [(ADA, &ada, &ben), (BEN, &ben, &ada)] {
        let token = provider.of_person(person, "Presence.Read Presence.ReadWrite");
        let client = server.anonymous().bearer(&token);
        let body = json!({"availability": "Busy", "activity": "InAMeeting"});
        let before = client.get(ME).await;
        assert_eq!(before.json()["id"], *own);
        assert_eq!(before.pair(), "Offline/Offline", "nobody has set it yet, {person} neither");
        assert_eq!(client.patch(ME, &body).await.status, 200);
        assert_eq!(client.get(&presence_of(own)).await.pair(), "Busy/InAMeeting");

        let read = client.get(&presence_of(other)).await;
        let lacking =
            "403 Forbidden The token lacks a permission this call needs. Any one of: Presence.Read.All.";
        assert_eq!(read.error(), lacking, "{person}");
        let written = client.patch(&presence_of(other), &body).await;
        assert_eq!(written.error(), "403 Forbidden Cannot set the presence of another user.", "{person}");
    }
    let token = provider.of_person(ADA, "Presence.Read.All");
    let client = server.anonymous().bearer(&token);
    assert_eq!(client.get(&presence_of(&ben)).await.status, 200);
    assert_eq!(client.delete(ME).await.status, 403, "reading is all that this token is for");
}

#[tokio::test]
async fn an_applications_token_reads_and_sets_everybodys_presence_and_is_nobody() {
    let provider = Provider::start();
    let server = trusting(&provider, "scope");
    let everybody = [provider.id_of(ADA), BEN.to_owned()];
    let client = server.anonymous().bearer(&provider.of_application(PORCHLIGHT, ALL));
    for id in &everybody {
        let body = json!({"availability": "Away", "activity": "Away"});
        assert_eq!(client.patch(&presence_of(id), &body).await.status, 200, "{id}");
        assert_eq!(client.get(&presence_of(id)).await.pair(), "Away/Away", "{id}");
    }
    let answer = client.post("/v1.0/communications/getPresencesByUserId", &json!({"ids": everybody})).await;
    assert_eq!(answer.json()["value"].as_array().map(Vec::len), Some(2), "{answer:?}");
    assert_eq!(
        client.get(ME).await.error(),
        "400 Request_BadRequest /me request is only valid with delegated authentication flow."
    );

    let reader = server.anonymous().bearer(&provider.of_application(PORCHLIGHT, "Presence.Read.All"));
    assert_eq!(reader.get(&presence_of(BEN)).await.status, 200);
    assert_eq!(reader.delete(&presence_of(BEN)).await.status, 403, "reading is all that this token is for");
}

/// The provider writes what an application may into `scope`, as it does for people. Whoever wants it to be elsewhere
/// has to tell the provider so, which the resource `api://porchlight/roles` does.
#[tokio::test]
async fn what_an_application_may_is_read_from_the_claim_that_the_configuration_names() {
    let provider = Provider::start();
    let server = trusting(&provider, "roles");
    let path = presence_of(BEN);
    let by_scope = server.anonymous().bearer(&provider.of_application(PORCHLIGHT, ALL));
    assert_eq!(
        by_scope.get(&path).await.error(),
        "403 Forbidden The token lacks a permission this call needs. \
         Any one of: Presence.Read.All, Presence.ReadWrite.All."
    );
    let by_roles = server.anonymous().bearer(&provider.of_application("api://porchlight/roles", ALL));
    assert_eq!(by_roles.get(&path).await.status, 200);
}

#[tokio::test]
async fn tokens_are_taken_by_every_algorithm_that_the_provider_signs_by() {
    let provider = Provider::start();
    let server = trusting(&provider, "scope");
    for (resource, algorithm) in [
        (PORCHLIGHT, "RS256"),
        ("api://porchlight/ps256", "PS256"),
        ("api://porchlight/es256", "ES256"),
        ("api://porchlight/eddsa", "EdDSA"),
    ] {
        let token = provider.of_application(resource, ALL);
        let header = token.split('.').next().expect("a token has a header");
        let header = URL_SAFE_NO_PAD.decode(header).expect("the header can be decoded");
        let header: Value = serde_json::from_slice(&header).expect("the header is JSON");
        assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm), &json!("at+jwt")));
        let answer = server.anonymous().bearer(&token).get(&presence_of(BEN)).await;
        assert_eq!(answer.status, 200, "{algorithm}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_access_token_for_this_server_is_refused() {
    let (provider, elsewhere) = (Provider::start(), Provider::start());
    let server = trusting(&provider, "scope");
    let own = provider.tokens(PORCHLIGHT, "Presence.Read", Some(ADA));
    let (good, identity) = (member(&own, "access_token"), member(&own, "id_token"));
    assert_eq!(server.anonymous().bearer(&good).get(ME).await.status, 200);
    let another = provider.of_person(BEN, "Presence.Read");
    let (signed, _) = good.rsplit_once('.').expect("a token has a signature");
    let (_, signature) = another.rsplit_once('.').expect("a token has a signature");
    let table = [
        ("for another server", provider.of_application("api://elsewhere", ALL), WRONG_AUDIENCE),
        ("an ID token", identity, WRONG_AUDIENCE),
        ("opaque", provider.of_application("api://porchlight/opaque", ALL), NO_TOKEN),
        ("the signature of another token", format!("{signed}.{signature}"), INVALID),
        ("of another provider", elsewhere.of_application(PORCHLIGHT, ALL), INVALID),
    ];
    for (what, token, expected) in table {
        let answer = server.anonymous().bearer(&token).get(&presence_of(BEN)).await;
        assert_eq!(answer.error(), expected, "{what}");
        let place = format!("authorization_uri=\"{}/auth\", client_id=\"{PORCHLIGHT}\"", provider.issuer);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains(&place), "{what}: {challenge}");
    }
}

/// It lives for one second, and the provider's clock counts in whole ones.
#[tokio::test]
async fn a_token_is_refused_once_it_has_expired() {
    let provider = Provider::start();
    let server = trusting(&provider, "scope");
    let client = server.anonymous().bearer(&provider.of_application("api://porchlight/short", ALL));
    until("the token expires", async || {
        let answer = client.get(&presence_of(BEN)).await;
        assert!(answer.status == 200 || answer.error() == EXPIRED, "{answer:?}");
        answer.status != 200
    })
    .await;
}

#[tokio::test]
async fn new_keys_of_the_provider_are_taken_up_while_the_program_runs() {
    let provider = Provider::start();
    let server = trusting(&provider, "scope");
    let path = presence_of(BEN);
    let fetches = async || server.metrics().await.of("porchlight_issuer_fetches_total");
    let of_token = |token: &str| server.anonymous().bearer(token);
    let known = provider.of_application(PORCHLIGHT, ALL);
    let held_back = provider.of_application(PORCHLIGHT, ALL);
    assert_eq!(of_token(&known).get(&path).await.status, 200);
    assert_eq!(fetches().await, 1);

    provider.rotate().await;
    let renewed = provider.of_application(PORCHLIGHT, ALL);
    assert_eq!(of_token(&renewed).get(&path).await.status, 200);
    assert_eq!(fetches().await, 2);
    assert_eq!(of_token(&held_back).get(&path).await.error(), INVALID, "its key is gone");
    assert_eq!(of_token(&known).get(&path).await.status, 200, "what was verified is good until it expires");
    assert_eq!(fetches().await, 2);
}

#[tokio::test]
async fn a_provider_that_is_gone_costs_nobody_a_token_that_they_have() {
    let provider = Provider::start();
    let server = trusting(&provider, "scope");
    let (first, second) =
        (provider.of_application(PORCHLIGHT, ALL), provider.of_application(PORCHLIGHT, ALL));
    assert_eq!(server.anonymous().bearer(&first).get(&presence_of(BEN)).await.status, 200);
    drop(provider);
    assert_eq!(server.anonymous().bearer(&second).get(&presence_of(BEN)).await.status, 200);
}
