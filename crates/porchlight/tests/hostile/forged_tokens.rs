//! Tokens that somebody has made who may not: each is refused, and nobody is asked anything but the issuer that was
//! configured.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use porchlight_testkit::{
    ADA, AUDIENCE, DEMO, Issuer, IssuerKey, Receiver, START, TENANT, TestServer, unsigned,
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Message, ask};

const ME: &str = "/v1.0/me/presence";

/// HS256 with this secret.
fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a secret of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn raw(header: &str, claims: &str, key: &IssuerKey) -> String {
    // A signature of something else: whoever gets this far must be refused before it is looked at, or by it.
    let other = key.token(&json!({}));
    let signature = other.rsplit('.').next().expect("a token has three parts").to_owned();
    format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// Tokens that differ from a good one in one thing each, by name.
#[expect(clippy::too_many_lines, reason = "one token after another")]
fn forged(issuer: &Issuer, elsewhere: &Receiver) -> Vec<(String, String)> {
    let (key, good) = (issuer.key(), issuer.claims());
    let id = key.id().to_owned();
    let header = |changes: Value| {
        let mut header = json!({"alg": "RS256", "typ": "JWT", "kid": id});
        header.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        header
    };
    let claims = |changes: Value| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    };
    let other = IssuerKey::generate();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(key.public_der())
    );
    let token = key.token(&good);
    let mut parts = token.split('.');
    let mut part = || parts.next().expect("three parts").to_owned();
    let (head, body, signature) = (part(), part(), part());
    let now = START / 1000;
    let mut table: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, token: String| table.push((what.to_owned(), token));

    for none in ["none", "None", "NONE", "nOnE", ""] {
        add(
            &format!("alg {none:?}, no signature"),
            unsigned(&header(json!({"alg": none})), &good, |_| Vec::new()),
        );
        add(&format!("alg {none:?}, a signature"), key.sign(&header(json!({"alg": none})), &good));
    }
    for algorithm in ["HS256", "HS384", "HS512"] {
        for (what, secret) in
            [("PEM", pem.as_bytes()), ("DER", &key.public_der()), ("id", id.as_bytes()), ("nothing", b"")]
        {
            let header = header(json!({"alg": algorithm}));
            add(
                &format!("{algorithm} with the public key's {what}"),
                unsigned(&header, &good, |text| mac(secret, text)),
            );
        }
    }
    for algorithm in ["RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256", "RSA-OAEP", "dir"] {
        add(&format!("alg {algorithm}"), key.sign(&header(json!({"alg": algorithm})), &good));
    }
    add("another key under the same kid", other.sign(&header(json!({})), &good));
    add("another key with its own jwk", other.sign(&header(json!({"jwk": other.jwk()})), &good));
    add(
        "another key with jwk and its kid",
        other.sign(&header(json!({"kid": other.id(), "jwk": other.jwk()})), &good),
    );
    for name in ["jku", "x5u"] {
        let url = elsewhere.url("/keys");
        add(&format!("{name} elsewhere"), other.sign(&header(json!({"kid": other.id(), name: url})), &good));
    }
    add("x5c of its own", other.sign(&header(json!({"x5c": [STANDARD.encode(other.public_der())]})), &good));
    for kid in ["", " ", "../../../../dev/null", "' OR '1'='1", "%00", &"k".repeat(4096)] {
        add(&format!("kid {kid:.12?}"), key.sign(&header(json!({"kid": kid})), &good));
    }
    add("a kid that is a number", key.sign(&header(json!({"kid": 7})), &good));
    add("crit", key.sign(&header(json!({"crit": ["exp"]})), &good));
    add("b64 false", key.sign(&header(json!({"crit": ["b64"], "b64": false})), &good));
    add("typ JWE", key.sign(&header(json!({"typ": "JWE"})), &good));
    let twice = good.to_string().replacen('{', &format!("{{\"oid\":\"{ADA}\","), 1);
    add("a claim twice", raw(&header(json!({})).to_string(), &twice, &key));
    add(
        "a header twice",
        raw(&format!("{{\"alg\":\"none\",{}", &header(json!({})).to_string()[1..]), &good.to_string(), &key),
    );

    add("aud of another", key.token(&claims(json!({"aud": "api://other"}))));
    add("aud that begins alike", key.token(&claims(json!({"aud": format!("{AUDIENCE}.example")}))));
    add("aud empty", key.token(&claims(json!({"aud": []}))));
    add("aud a number", key.token(&claims(json!({"aud": 7}))));
    add("aud of Microsoft Graph", key.token(&claims(json!({"aud": "00000003-0000-0000-c000-000000000000"}))));
    add("nbf ahead", key.token(&claims(json!({"nbf": now + 301}))));
    add("exp past", key.token(&claims(json!({"exp": now - 300}))));
    for exp in [json!("2099"), json!(-1), json!(1e300), json!(null), json!({})] {
        add(&format!("exp {exp}"), key.token(&claims(json!({"exp": exp}))));
    }
    for name in ["exp", "aud", "iss", "tid", "azp", "oid"] {
        add(&format!("without {name}"), key.token(&without(name)));
    }
    let foreign = "11111111-2222-4333-8444-555555555555";
    add("tid of another tenant", key.token(&claims(json!({"tid": foreign}))));
    add(
        "iss of another tenant",
        key.token(&claims(json!({"iss": format!("{}/{foreign}/v2.0", issuer.url())}))),
    );
    for iss in [
        format!("{}/{{tenantid}}/v2.0", issuer.url()),
        format!("{}/{TENANT}/v2.0/", issuer.url()),
        format!("{}/{TENANT}/", issuer.url()),
        elsewhere.url(&format!("/{TENANT}/v2.0")),
        format!("{}/{TENANT}/V2.0", issuer.url()),
        format!("https://sts.windows.net/{TENANT}/"),
    ] {
        add(&format!("iss {iss}"), key.token(&claims(json!({"iss": iss}))));
    }
    add("iss a list", key.token(&claims(json!({"iss": [good["iss"]]}))));

    let body_of = |claims: &Value| URL_SAFE_NO_PAD.encode(claims.to_string());
    add(
        "claims changed",
        format!("{head}.{}.{signature}", body_of(&claims(json!({"scp": "User.ReadWrite.All"})))),
    );
    add("signature cut", format!("{head}.{body}.{}", &signature[..signature.len() - 4]));
    add("signature gone", format!("{head}.{body}."));
    add("two parts", format!("{head}.{body}"));
    add("four parts", format!("{token}.x"));
    add("five parts", format!("{head}.x.x.x.x"));
    add("padding", format!("{token}="));
    add("standard base64", token.replace(['-', '_'], "+"));
    add("claims that are a list", raw(&header(json!({})).to_string(), "[]", &key));
    add("claims that nest", raw(&header(json!({})).to_string(), &"[".repeat(2000), &key));
    add("claims that are no UTF-8", format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode([0xff, 0xfe])));
    add("white space within", token.replacen('.', ". ", 1));
    add("another scheme's token", format!("dev:{ADA}:"));
    add("an application's id", DEMO.to_owned());
    add("an API key that nobody has", format!("plk_{}", "A".repeat(43)));
    table
}

#[tokio::test]
async fn every_forged_token_is_401_and_nobody_else_is_asked() {
    let issuer = Issuer::start().await;
    let elsewhere = Receiver::start().await;
    let server = TestServer::builder()
        .production()
        .trust(&issuer)
        // So that tokens of several kilobytes are refused for what they are.
        .settings(|settings| settings.limits.header_bytes_max = 64 * 1024)
        .start()
        .await;
    let good = issuer.token(&issuer.claims());
    let call = async |token: &str| server.anonymous().bearer(token).get(ME).await;
    assert_eq!(call(&good).await.status, 200);
    let table = forged(&issuer, &elsewhere);
    assert!(table.len() >= 80, "{}", table.len());
    for (what, token) in &table {
        // Twice: what is remembered of the first must not help the second.
        for _ in 0..2 {
            let answer = call(token).await;
            assert!(answer.error().starts_with("401 InvalidAuthenticationToken "), "{what}: {answer:?}");
            assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"\""), "{what}");
        }
    }
    assert_eq!(call(&good).await.status, 200, "the good one is still good");
    assert_eq!((elsewhere.seen(), elsewhere.validations().len()), (0, 0), "nobody asked there");
    let asked = issuer.requests();
    assert!(
        asked.iter().all(|path| path == "/common/v2.0/.well-known/openid-configuration"
            || path == "/common/discovery/v2.0/keys"),
        "{asked:?}"
    );
    assert!(issuer.fetches() <= 2, "the first one, and one for keys that were unknown: {asked:?}");
}

#[tokio::test]
async fn a_token_larger_than_the_headers_may_be_is_refused_before_it_is_read() {
    let issuer = Issuer::start().await;
    let server = TestServer::builder().production().trust(&issuer).start().await;
    let token = issuer.token_with(&json!({"filler": "x".repeat(16 * 1024)}));
    let answer = server.anonymous().bearer(&token).get(ME).await;
    assert!(answer.error().starts_with("431 RequestHeaderFieldsTooLarge"), "{answer:?}");
}

#[tokio::test]
async fn a_token_of_one_header_twice_is_nobodys() {
    let issuer = Issuer::start().await;
    let server = TestServer::builder().production().trust(&issuer).start().await;
    let token = issuer.token(&issuer.claims());
    let header = format!("Bearer {token}");
    let message =
        Message::anonymous("GET", ME).header("Authorization", &header).header("Authorization", &header);
    assert_eq!(ask(server.address(), &message).await.status, 401);
}
