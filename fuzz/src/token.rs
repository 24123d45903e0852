//! Tokens of an issuer that is trusted, and of others who would like to be.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use porchlight_testkit::{AUDIENCE, Issuer, IssuerKey, START, TENANT, unsigned};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::world::World;

/// How far an issuer's clock may be off, in milliseconds.
const SKEW: i64 = 5 * 60 * 1000;

/// A key that nobody trusts.
static STRANGER: LazyLock<IssuerKey> = LazyLock::new(IssuerKey::generate);

/// A token. The first line says who signs it, the second how its header differs from a good one's and the third how its
/// claims do; null takes a member out. Of `bare` the fourth line is the signature. Anything else is a token as it stands.
///
/// Nothing is accepted that the issuer has not signed, nor what is for others, has expired, or is of another tenant;
/// a token without a difference is.
///
/// # Panics
///
/// When a law is broken.
pub fn token(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::production();
    let issuer = world.issuer();
    let mut lines = text.split('\n');
    let kind = lines.next().unwrap_or_default();
    let mut changes = || serde_json::from_str::<Map<String, Value>>(lines.next().unwrap_or_default()).ok();
    let parts = changes().zip(changes());
    let signature = lines.next().unwrap_or_default();
    let good = json!({"alg": "RS256", "typ": "JWT", "kid": issuer.key().id()});
    let parts = parts.map(|(header, claims)| (changed(good, header), changed(issuer.claims(), claims)));
    let (token, signed) = match (kind, parts) {
        ("own", Some((header, claims))) => {
            (issuer.key().sign(&header, &claims), is_good(issuer, &header, &claims))
        }
        ("stranger", Some((header, claims))) => (STRANGER.sign(&header, &claims), false),
        ("bare", Some((header, claims))) => {
            (unsigned(&header, &claims, |_| signature.as_bytes().to_vec()), false)
        }
        _ => (text.to_owned(), false),
    };
    check(&world, &token, signed);
    if text == "own\n{}\n{}" {
        let answer = ask(&world, &token).expect("a token is ASCII");
        assert_eq!(answer, 200, "a good token is accepted");
    }
    if signed {
        check(&world, &forged(&token), false);
    }
}

/// `may_come`: whether the server may accept it.
fn check(world: &World, token: &str, may_come: bool) {
    if let Some(status) = ask(world, token) {
        // A header that is too large is refused before anybody reads it.
        assert!(
            matches!(status, 401 | 431) || may_come,
            "nobody else's token is accepted ({status}): {token}"
        );
    }
}

/// The status that a read with this token is answered with; `None` when it cannot even be sent.
fn ask(world: &World, token: &str) -> Option<u16> {
    let authorization = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let answer = world.ask_as(&authorization, "GET", "/v1.0/me/presence", b"")?.checked();
    Some(answer.status.as_u16())
}

/// The members with these changes.
fn changed(good: Value, changes: Map<String, Value>) -> Value {
    let Value::Object(mut members) = good else { unreachable!("what is good is an object") };
    for (name, value) in changes {
        members.insert(name, value);
    }
    members.retain(|_, value| !value.is_null());
    Value::Object(members)
}

/// The same token, its claims for a day longer.
fn forged(token: &str) -> String {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        unreachable!("a signed token has three parts")
    };
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("its parts are base64");
    let mut claims: Value = serde_json::from_slice(&claims).expect("its claims are JSON");
    claims["exp"] = json!(START / 1000 + 86_400);
    claims["forged"] = json!(true);
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{header}.{claims}.{signature}")
}

/// Whether a token that the issuer has signed may be accepted, by another reading of what it says.
fn is_good(issuer: &Issuer, header: &Value, claims: &Value) -> bool {
    let types = ["jwt", "at+jwt", "application/at+jwt"];
    let is_known =
        |kind: &Value| kind.as_str().is_some_and(|kind| types.contains(&kind.to_lowercase().as_str()));
    let is_header = header["alg"] == "RS256"
        && header.get("crit").is_none()
        && header.get("kid").is_none_or(|id| id == issuer.key().id())
        && header.get("typ").is_none_or(is_known);
    let tenant = claims["tid"].as_str().unwrap_or_default();
    let is_tenant = Uuid::try_parse(tenant).ok() == Uuid::try_parse(TENANT).ok();
    let is_issuer = claims["iss"] == format!("{}/{tenant}/v2.0", issuer.url());
    let is_ours = |audience: &Value| {
        audience.as_str().is_some_and(|audience| audience.strip_suffix('/').unwrap_or(audience) == AUDIENCE)
    };
    let is_audience = match &claims["aud"] {
        Value::Array(audiences) => audiences.iter().any(is_ours),
        audience => is_ours(audience),
    };
    let millis = |name: &str| claims[name].as_f64().map(|seconds| (seconds * 1000.0) as i64);
    let is_now = millis("exp").is_some_and(|end| end.saturating_add(SKEW) > START)
        && (claims.get("nbf").is_none() || millis("nbf").is_some_and(|begin| begin <= START + SKEW));
    let is_named = |name: &str| claims[name].as_str().is_some_and(|id| !id.is_empty());
    is_header && is_tenant && is_issuer && is_audience && is_now && (is_named("azp") || is_named("appid"))
}
