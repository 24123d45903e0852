//! What the tests of the issuer share: how to ask it, and how its answers are judged.

use porchlight_testkit::{APP_A, Answer, Jwt, TestServer};
use serde_json::Value;

/// The demo tenant.
pub(crate) const TENANT: &str = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";

pub(crate) const TOKEN: &str = "/common/oauth2/v2.0/token";
pub(crate) const AUTHORIZE: &str = "/common/oauth2/v2.0/authorize";
pub(crate) const DEVICE_CODE: &str = "/common/oauth2/v2.0/devicecode";

/// Where the application of these tests wants to be answered.
pub(crate) const CALLBACK: &str = "http://localhost:3000/callback?x=1";

/// A verifier and its challenge by S256. Source: RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A request for a token by application A, which proves itself by nothing.
pub(crate) async fn ask(server: &TestServer, members: &[(&str, &str)]) -> Answer {
    let mut form = vec![("client_id", APP_A)];
    form.extend(members);
    server.anonymous().post_form(TOKEN, &form).await
}

/// A request for a token by Ada's password.
pub(crate) async fn by_password(server: &TestServer, members: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", "password"), ("username", "ada"), ("password", "x")];
    form.extend(members);
    ask(server, &form).await
}

/// The token in an answer; whether it is signed by a key of the server was checked.
pub(crate) async fn token(server: &TestServer, answer: &Answer, member: &str) -> Jwt {
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let token = answer[member].as_str().unwrap_or_else(|| panic!("no {member}: {answer}"));
    let jwt = Jwt::read(token);
    let keys = server.anonymous().get("/common/discovery/v2.0/keys").await.json();
    assert!(jwt.is_signed_by(&keys), "{jwt:?} {keys}");
    jwt
}

/// Status, OAuth's error and number of a refusal; its shape was checked.
#[track_caller]
pub(crate) fn refusal(answer: &Answer) -> String {
    let body = answer.json();
    let numbers = body["error_codes"].as_array().unwrap_or_else(|| panic!("no refusal: {answer:?}"));
    let description = body["error_description"].as_str().unwrap_or_default();
    assert!(description.starts_with(&format!("AADSTS{}: ", numbers[0])), "{body}");
    assert_eq!(body["trace_id"], answer.header("request-id"));
    assert_eq!(body["correlation_id"], answer.header("client-request-id"));
    assert_eq!(body["timestamp"].as_str().map(str::len), Some("2026-11-20 09:00:00Z".len()), "{body}");
    format!("{} {} {}", answer.status.as_u16(), body["error"].as_str().unwrap_or_default(), numbers[0])
}

/// A query with these members, which need no encoding but for `&`, `=`, `?`, `#`, `+`, `%` and space.
pub(crate) fn query(members: &[(&str, &str)]) -> String {
    let encoded = |text: &str| {
        let letters = text.chars().map(|letter| match letter {
            '&' | '=' | '?' | '#' | '+' | '%' | ' ' => format!("%{:02X}", u32::from(letter)),
            other => other.to_string(),
        });
        letters.collect::<String>()
    };
    let pairs = members.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// A request for a code by application A, with these members as well or instead.
pub(crate) fn authorize(members: &[(&str, &str)]) -> String {
    let usual =
        [("client_id", APP_A), ("response_type", "code"), ("redirect_uri", CALLBACK), ("state", "s &=1")];
    let is_other = |name: &str| members.iter().all(|(given, _)| *given != name);
    let mut all: Vec<(&str, &str)> = usual.into_iter().filter(|(name, _)| is_other(name)).collect();
    all.extend(members.iter().filter(|(_, value)| !value.is_empty()));
    format!("{AUTHORIZE}?{}", query(&all))
}

/// What a redirect to the callback says under this name; nothing when it does not.
pub(crate) fn redirected(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 302, "{answer:?}");
    let location = answer.header("location");
    let rest = location.strip_prefix(CALLBACK).unwrap_or_else(|| panic!("not to the callback: {location}"));
    let rest = rest.strip_prefix(['&', '#']).unwrap_or_else(|| panic!("no members: {location}"));
    let found = rest.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_default().to_owned()
}

/// A code for Ada, requested with these members.
pub(crate) async fn code(server: &TestServer, members: &[(&str, &str)]) -> String {
    let mut all = vec![("prompt", "none"), ("login_hint", "ada@porchlight.example")];
    all.extend(members);
    let answer = server.anonymous().get(&authorize(&all)).await;
    let code = redirected(&answer, "code");
    assert!(!code.is_empty(), "{answer:?}");
    code
}

/// Redeems a code, with these members as well or instead.
pub(crate) async fn redeem(server: &TestServer, code: &str, members: &[(&str, &str)]) -> Answer {
    let mut all = vec![("grant_type", "authorization_code"), ("code", code)];
    if members.iter().all(|(name, _)| *name != "redirect_uri") {
        all.push(("redirect_uri", CALLBACK));
    }
    all.extend(members);
    ask(server, &all).await
}

/// A claim as text.
pub(crate) fn text<'c>(claims: &'c Value, name: &str) -> &'c str {
    claims[name].as_str().unwrap_or_else(|| panic!("no {name}: {claims}"))
}
