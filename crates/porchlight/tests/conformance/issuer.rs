//! The issuer of development mode, its token endpoint and its documents: subscriptions-and-auth 25.1, 25.2.

use http::Method;
use porchlight_testkit::{ADA, APP_A, APP_B, BEN, DEMO, Jwt, START, TestServer};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::issuer_support::{DEVICE_CODE, TENANT, TOKEN, ask, by_password, refusal, text, token};
use crate::support::{change_ada, hours, members, minutes, refused, seconds};

const SECRET: (&str, &str) = ("client_secret", "x");

/// Unix seconds of the start.
const NOW: i64 = START / 1000;

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).expect("a GUID")
}

#[tokio::test]
async fn a_users_token_has_the_claims_of_version_2() {
    let server = TestServer::start().await;
    let answer = by_password(&server, &[("scope", "api://porchlight/Presence.Read User.Read.All")]).await;
    let jwt = token(&server, &answer, "access_token").await;
    assert_eq!((&jwt.header["alg"], &jwt.header["typ"]), (&json!("RS256"), &json!("JWT")));
    let mut claims = jwt.claims.clone();
    let uti = claims["uti"].take();
    assert!(uti.as_str().is_some_and(|uti| uti.len() == 22), "{uti}");
    let expected = json!({
        "aud": "api://porchlight",
        "iss": format!("{}/{TENANT}/v2.0", server.url()),
        "iat": NOW, "nbf": NOW, "exp": NOW + 3600,
        "tid": TENANT, "uti": null, "ver": "2.0",
        "azp": APP_A, "azpacr": "0",
        "name": "Ada Lovelace", "preferred_username": "ada@porchlight.example",
        "sub": Uuid::new_v5(&uuid(APP_A), ADA.as_bytes()).to_string(),
        "oid": ADA, "scp": "Presence.Read User.Read.All", "idtyp": "user",
    });
    assert_eq!(claims, expected);
    let answer = answer.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!((&answer["expires_in"], &answer["ext_expires_in"]), (&json!(3600), &json!(3600)));
    assert_eq!(answer["scope"], "api://porchlight/Presence.Read User.Read.All");
    assert_eq!((&answer["id_token"], &answer["client_info"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn an_applications_token_has_roles_and_no_user() {
    let server = TestServer::start().await;
    let form = [("grant_type", "client_credentials"), SECRET, ("scope", "api://porchlight/.default")];
    let answer = ask(&server, &form).await;
    let mut claims = token(&server, &answer, "access_token").await.claims;
    claims["uti"].take();
    let oid = Uuid::new_v5(&uuid(TENANT), APP_A.as_bytes()).to_string();
    let expected = json!({
        "aud": "api://porchlight",
        "iss": format!("{}/{TENANT}/v2.0", server.url()),
        "iat": NOW, "nbf": NOW, "exp": NOW + 3600,
        "tid": TENANT, "uti": null, "ver": "2.0",
        "azp": APP_A, "azpacr": "1", "oid": oid, "sub": oid, "idtyp": "app",
        "roles": [
            "Presence.Read.All", "Presence.ReadWrite.All", "User.ReadBasic.All", "User.Read.All",
            "User.ReadWrite.All",
        ],
    });
    assert_eq!(claims, expected);
    assert_eq!(members(&answer.json()), ["token_type", "expires_in", "ext_expires_in", "access_token"]);
    let form =
        [("grant_type", "client_credentials"), ("client_assertion", "x"), ("scope", "Presence.Read.All")];
    let claims = token(&server, &ask(&server, &form).await, "access_token").await.claims;
    assert_eq!((&claims["azpacr"], &claims["roles"]), (&json!("2"), &json!(["Presence.Read.All"])));
}

#[tokio::test]
async fn an_application_proves_itself_in_the_body_or_in_the_header() {
    let server = TestServer::start().await;
    // base64 of `aaaaaaaa-0000-4000-8000-00000000000a:secret`
    let basic = "Basic YWFhYWFhYWEtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDBhOnNlY3JldA==";
    let client = server.anonymous().header("authorization", basic);
    let answer = client.post_form(TOKEN, &[("grant_type", "client_credentials")]).await;
    let claims = token(&server, &answer, "access_token").await.claims;
    assert_eq!((text(&claims, "azp"), text(&claims, "azpacr")), (APP_A, "1"));
    let broken = server.anonymous().header("authorization", "Basic !");
    let answer = broken.post_form(TOKEN, &[("grant_type", "client_credentials")]).await;
    assert_eq!(refusal(&answer), "401 invalid_client 7000218");
    assert_eq!(answer.header("www-authenticate"), r#"Basic realm="""#);
}

#[tokio::test]
async fn scopes_become_permissions_without_their_prefix() {
    let server = TestServer::start().await;
    let every = "Presence.Read Presence.Read.All Presence.ReadWrite User.ReadBasic.All User.Read.All \
                 User.ReadWrite.All Subscription.Read.All Subscription.ReadWrite.All";
    let table: [(&str, &str, &[&str]); 8] = [
        ("", every, &[]),
        ("openid profile offline_access email", every, &[]),
        ("https://graph.microsoft.com/.default", every, &[]),
        (".default", every, &[]),
        ("presence.read", "Presence.Read", &[]),
        ("a/b/Presence.Read  c/User.Read.All", "Presence.Read User.Read.All", &[]),
        ("Presence.Read Mail.Read", "Presence.Read Mail.Read", &["Mail.Read"]),
        ("Presence.ReadWrite.All", "Presence.ReadWrite.All", &["Presence.ReadWrite.All"]),
    ];
    for (scope, expected, without_effect) in table {
        let answer = by_password(&server, &[("scope", scope)]).await;
        let claims = token(&server, &answer, "access_token").await.claims;
        assert_eq!(claims["scp"], expected, "{scope}");
        let noted = answer.json()["porchlight_without_effect"].take();
        assert_eq!(
            noted,
            if without_effect.is_empty() { Value::Null } else { json!(without_effect) },
            "{scope}"
        );
    }
    let answer = by_password(&server, &[("scope", "a/.default openid")]).await;
    let granted = answer.json()["scope"].as_str().expect("a scope").to_owned();
    assert!(granted.starts_with("a/.default a/Presence.Read "), "{granted}");
    assert!(granted.ends_with(" openid"), "{granted}");
}

#[tokio::test]
async fn an_id_token_and_client_info_come_for_the_asking() {
    let server = TestServer::start().await;
    let answer = by_password(&server, &[("scope", "openid email Presence.Read"), ("client_info", "1")]).await;
    let claims = token(&server, &answer, "id_token").await.claims;
    let names = [
        "aud",
        "iss",
        "iat",
        "nbf",
        "exp",
        "tid",
        "uti",
        "ver",
        "name",
        "preferred_username",
        "sub",
        "oid",
        "email",
    ];
    assert_eq!(members(&claims), names);
    assert_eq!((text(&claims, "aud"), text(&claims, "oid")), (APP_A, ADA));
    assert_eq!(text(&claims, "email"), "ada.lovelace@porchlight.example");
    // base64url of `{"uid":"8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01","utid":"9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77"}`
    assert_eq!(
        answer.json()["client_info"],
        "eyJ1aWQiOiI4ZDFmN2YzZS01OGFiLTRiMGUtOWQwYy0wZjZhMWYwZjlhMDEiLCJ1dGlkIjoiOWEyZjZjMTAtNWI3ZS00YTU1LThjMWQt\
         MmY2ZDBjOWYxZTc3In0"
    );
    let access = token(&server, &answer, "access_token").await.claims;
    assert_eq!(access["scp"], "Presence.Read", "openid and email are no permissions");
}

#[tokio::test]
async fn people_are_named_in_every_way_that_development_tokens_know() {
    let server = TestServer::start().await;
    for (name, id) in [("ada", ADA), ("BEN", BEN), ("ben@Porchlight.example", BEN), (BEN, BEN)] {
        let form = [("grant_type", "password"), ("username", name), ("password", "x")];
        let claims = token(&server, &ask(&server, &form).await, "access_token").await.claims;
        assert_eq!(text(&claims, "oid"), id, "{name}");
    }
}

#[tokio::test]
async fn the_path_names_the_tenant_in_several_ways() {
    let server = TestServer::start().await;
    let form = [("client_id", APP_A), SECRET, ("grant_type", "client_credentials")];
    for tenant in ["common", "organizations", "porchlight.example", "Porchlight.Example", TENANT] {
        let answer = server.anonymous().post_form(&format!("/{tenant}/oauth2/v2.0/token"), &form).await;
        assert_eq!(token(&server, &answer, "access_token").await.claims["tid"], TENANT, "{tenant}");
    }
    for (tenant, number) in [("consumers", 9_002_332), ("other.example", 90_002), (APP_B, 90_002)] {
        let answer = server.anonymous().post_form(&format!("/{tenant}/oauth2/v2.0/token"), &form).await;
        assert_eq!(refusal(&answer), format!("400 invalid_request {number}"), "{tenant}");
    }
}

#[tokio::test]
async fn requests_that_cannot_be_done_are_refused_with_what_to_change() {
    let server = TestServer::start().await;
    let credentials = ("grant_type", "client_credentials");
    let password = ("grant_type", "password");
    let table: [(&[(&str, &str)], &str); 14] = [
        (&[], "400 invalid_request 900144"),
        (&[("grant_type", "implicit")], "400 unsupported_grant_type 70003"),
        (&[credentials], "401 invalid_client 7000218"),
        (&[credentials, SECRET, ("client_id", APP_A)], "400 invalid_request 9000411"),
        (&[credentials, SECRET, ("porchlight_expires_in", "0")], "400 invalid_request 90013"),
        (&[credentials, SECRET, ("porchlight_expires_in", "86401")], "400 invalid_request 90013"),
        (&[credentials, SECRET, ("porchlight_expires_in", "1h")], "400 invalid_request 90013"),
        (&[password, ("username", "ada")], "400 invalid_request 900144"),
        (&[password, ("username", "nobody"), ("password", "x")], "400 invalid_grant 50034"),
        (&[password, ("username", APP_B), ("password", "x")], "400 invalid_grant 50034"),
        (&[("grant_type", "refresh_token")], "400 invalid_request 900144"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "x.y.z")], "400 invalid_grant 70000"),
        (&[("grant_type", "device_code"), ("device_code", "x")], "400 bad_verification_code 7000014"),
        (&[("grant_type", "authorization_code"), ("code", "x")], "400 invalid_request 900144"),
    ];
    for (form, expected) in table {
        assert_eq!(refusal(&ask(&server, form).await), expected, "{form:?}");
    }
    let nobody = server.anonymous();
    let answer = nobody.post_form(TOKEN, &[credentials, SECRET]).await;
    assert_eq!(refusal(&answer), "400 invalid_request 900144");
    let answer = nobody.post_form(TOKEN, &[credentials, SECRET, ("client_id", "porchlight")]).await;
    assert_eq!(refusal(&answer), "400 unauthorized_client 700016");
    let answer = nobody.post(TOKEN, &json!({"grant_type": "password"})).await;
    assert_eq!(refusal(&answer), "400 invalid_request 900144");
    assert!(text(&answer.json(), "error_description").contains("application/x-www-form-urlencoded"));
    let long = "x".repeat(16 * 1024 + 1);
    let answer = nobody.post_form(TOKEN, &[("grant_type", long.as_str())]).await;
    assert_eq!(refusal(&answer), "400 invalid_request 90015");
    refused(
        &nobody.get(TOKEN).await,
        "405 Request_BadRequest Specified HTTP method is not allowed for the request target.",
    );
}

#[tokio::test]
async fn nobody_whose_account_is_disabled_gets_a_token() {
    let server = TestServer::start().await;
    let tokens = by_password(&server, &[]).await.json();
    let refresh = text(&tokens, "refresh_token");
    change_ada(&server, |ada| ada.account_enabled = false).await;
    assert_eq!(refusal(&by_password(&server, &[]).await), "400 invalid_grant 50057");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(refusal(&ask(&server, &form).await), "400 invalid_grant 50057");
}

#[tokio::test]
async fn tokens_begin_and_end_by_the_servers_clock() {
    let server = TestServer::start().await;
    server.advance(hours(5));
    let answer = by_password(&server, &[("porchlight_expires_in", "90")]).await;
    let claims = token(&server, &answer, "access_token").await.claims;
    let begin = NOW + 5 * 3600;
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(begin), &json!(begin + 90)));
    assert_eq!(answer.json()["expires_in"], 90);
}

#[tokio::test]
async fn a_refresh_token_gives_new_tokens_for_a_day_to_its_application() {
    let server = TestServer::start().await;
    let tokens = by_password(&server, &[("scope", "openid Presence.Read")]).await.json();
    let refresh = text(&tokens, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    server.advance(hours(23));
    let answer = ask(&server, &form).await;
    let claims = token(&server, &answer, "access_token").await.claims;
    assert_eq!((text(&claims, "oid"), text(&claims, "scp")), (ADA, "Presence.Read"));
    assert_eq!(claims["iat"], NOW + 23 * 3600);
    token(&server, &answer, "id_token").await;
    let narrower = [form[0], form[1], ("scope", "User.Read.All")];
    let claims = token(&server, &ask(&server, &narrower).await, "access_token").await.claims;
    assert_eq!(claims["scp"], "User.Read.All", "a scope of the request wins");

    let mut other = vec![("client_id", APP_B)];
    other.extend(form);
    let answer = server.anonymous().post_form(TOKEN, &other).await;
    assert_eq!(refusal(&answer), "400 invalid_grant 70000", "it is another application's");
    let access = text(&tokens, "access_token");
    let wrong = [("grant_type", "refresh_token"), ("refresh_token", access)];
    assert_eq!(refusal(&ask(&server, &wrong).await), "400 invalid_grant 70000", "an access token is none");

    let next = ask(&server, &form).await.json();
    server.advance(hours(1));
    assert_eq!(refusal(&ask(&server, &form).await), "400 invalid_grant 700082");
    let form = [("grant_type", "refresh_token"), ("refresh_token", text(&next, "refresh_token"))];
    token(&server, &ask(&server, &form).await, "access_token").await;
}

/// No claim of it says what its bearer may do, and it is for the issuer alone.
#[tokio::test]
async fn a_refresh_token_is_no_token_for_the_api() {
    let server = TestServer::start().await;
    let tokens = by_password(&server, &[]).await.json();
    let claims = Jwt::read(text(&tokens, "refresh_token")).claims;
    assert_eq!(members(&claims), ["aud", "azp", "oid", "tid", "scope", "exp", "uti"]);
    assert_eq!(claims["aud"], "urn:porchlight:refresh");
}

#[tokio::test]
async fn a_device_code_is_approved_at_once_and_good_once() {
    let server = TestServer::start().await;
    let nobody = server.anonymous();
    let form = [("client_id", APP_A), ("scope", "openid Presence.Read")];
    for (hint, id) in [(None, ADA), (Some("ben"), BEN)] {
        let mut form = form.to_vec();
        form.extend(hint.map(|hint| ("login_hint", hint)));
        let answer = nobody.post_form(DEVICE_CODE, &form).await;
        let begun = answer.json();
        assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(900), &json!(1)), "{answer:?}");
        assert_eq!(begun["verification_uri"], format!("{}/{TENANT}/oauth2/v2.0/devicecode", server.url()));
        let names = ["user_code", "device_code", "verification_uri", "expires_in", "interval", "message"];
        assert_eq!(members(&begun), names);
        let code = text(&begun, "device_code");
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        let answer = ask(&server, &[grant, ("device_code", code)]).await;
        let claims = token(&server, &answer, "access_token").await.claims;
        assert_eq!((text(&claims, "oid"), text(&claims, "scp")), (id, "Presence.Read"));
        token(&server, &answer, "id_token").await;
        let again = ask(&server, &[grant, ("device_code", code)]).await;
        assert_eq!(refusal(&again), "400 bad_verification_code 7000014");
    }
    let begun = nobody.post_form(DEVICE_CODE, &form).await.json();
    server.advance(minutes(15));
    let late = [("grant_type", "device_code"), ("device_code", text(&begun, "device_code"))];
    assert_eq!(refusal(&ask(&server, &late).await), "400 bad_verification_code 7000014");
    let begun = nobody.post_form(DEVICE_CODE, &form).await.json();
    server.advance(seconds(899));
    let other =
        [("client_id", APP_B), ("grant_type", "device_code"), ("device_code", text(&begun, "device_code"))];
    assert_eq!(refusal(&nobody.post_form(TOKEN, &other).await), "400 invalid_grant 70000");
    let unknown = [("client_id", APP_A), ("login_hint", "nobody")];
    assert_eq!(refusal(&nobody.post_form(DEVICE_CODE, &unknown).await), "400 invalid_grant 50034");
    assert_eq!(nobody.get(DEVICE_CODE).await.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn discovery_leads_to_everything_under_the_address_that_was_asked() {
    let server = TestServer::start().await;
    let base = format!("{}/{TENANT}", server.url());
    for tenant in ["common", TENANT, "porchlight.example"] {
        let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
        let document = server.anonymous().get(&path).await.json();
        let table = [
            ("issuer", "v2.0"),
            ("authorization_endpoint", "oauth2/v2.0/authorize"),
            ("token_endpoint", "oauth2/v2.0/token"),
            ("device_authorization_endpoint", "oauth2/v2.0/devicecode"),
            ("end_session_endpoint", "oauth2/v2.0/logout"),
            ("jwks_uri", "discovery/v2.0/keys"),
        ];
        for (name, end) in table {
            assert_eq!(document[name], format!("{base}/{end}"), "{tenant} {name}");
        }
        assert_eq!(document["tenant_region_scope"], Value::Null);
        assert_eq!(document["cloud_instance_name"], server.address().to_string());
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256", "plain"]));
    }
    let elsewhere = server.anonymous().header("host", "login.test:8443");
    let document = elsewhere.get("/common/v2.0/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], format!("http://login.test:8443/{TENANT}/v2.0"));
    let first = server.anonymous().get("/common/.well-known/openid-configuration").await.json();
    assert_eq!(
        first["issuer"],
        format!("{}/{{tenantid}}/", server.url()),
        "version 1 is of validation tokens"
    );
}

#[tokio::test]
async fn one_key_set_has_the_keys_of_both_issuers() {
    let server = TestServer::start().await;
    for path in ["/common/discovery/v2.0/keys", "/common/discovery/keys"] {
        let keys = server.anonymous().get(path).await.json();
        let [notification, issuer] = keys["keys"].as_array().expect("keys").as_slice() else {
            panic!("not two keys: {keys}");
        };
        assert_ne!(notification["kid"], issuer["kid"]);
        assert_eq!(members(issuer), ["kty", "use", "alg", "kid", "n", "e"]);
        let answer = by_password(&server, &[]).await.json();
        assert_eq!(Jwt::read(text(&answer, "access_token")).header["kid"], issuer["kid"]);
    }
}

#[tokio::test]
async fn libraries_learn_that_this_host_is_one_to_trust() {
    let server = TestServer::start().await;
    let instance = |host: &str| {
        let endpoint = format!("https://{host}/{TENANT}/oauth2/v2.0/authorize");
        format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}")
    };
    let host = server.address().to_string();
    let known = server.anonymous().get(&instance(&host)).await.json();
    assert_eq!(
        known["tenant_discovery_endpoint"],
        format!("{}/{TENANT}/v2.0/.well-known/openid-configuration", server.url())
    );
    assert_eq!(
        known["metadata"],
        json!([{"preferred_network": host, "preferred_cache": host, "aliases": [host]}])
    );
    let other = server.anonymous().get(&instance("login.example")).await;
    assert_eq!(refusal(&other), "400 invalid_instance 50049");
    for (user, kind) in [("ada%40porchlight.example", "Managed"), ("nobody@x", "Unknown")] {
        let realm = server.anonymous().get(&format!("/common/userrealm/{user}?api-version=1.0")).await.json();
        assert_eq!(realm["account_type"], kind, "{user}");
    }
}

#[tokio::test]
async fn browsers_may_ask_for_tokens_and_nobody_may_store_them() {
    let server = TestServer::start().await;
    let browser = server.anonymous().header("origin", "http://localhost:3000");
    let form = [("client_id", DEMO), SECRET, ("grant_type", "client_credentials")];
    let answer = browser.post_form(TOKEN, &form).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let preflight = browser.header("access-control-request-method", "POST");
    let answer = preflight.call(Method::OPTIONS, TOKEN, None::<&[u8]>).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (204, "*"));
}

#[tokio::test]
async fn outside_of_development_there_is_no_issuer() {
    let server = TestServer::builder().settings(|settings| settings.development = None).start().await;
    let nobody = server.anonymous();
    let form = [("client_id", APP_A), SECRET, ("grant_type", "client_credentials")];
    for end in ["token", "devicecode", "authorize", "logout"] {
        for tenant in ["common", TENANT] {
            let path = format!("/{tenant}/oauth2/v2.0/{end}");
            for answer in [nobody.post_form(&path, &form).await, nobody.get(&path).await] {
                refused(&answer, "404 NotFound There is nothing here.");
            }
        }
    }
    for path in ["/common/discovery/instance", "/common/userrealm/ada"] {
        refused(&nobody.get(path).await, "404 NotFound There is nothing here.");
    }
    let document = nobody.get("/common/v2.0/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], format!("{}/{{tenantid}}/", server.url()), "of validation tokens");
    let keys = nobody.get("/common/discovery/v2.0/keys").await.json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "{keys}");
}
