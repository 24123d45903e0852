//! What a notification carries in secret, read by programs that are not ours.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use porchlight_testkit::{ADA, APP_A, Receiver};
use serde_json::{Value, json};

use crate::support::{CLOCK, Program, in_memory, presence_of, run, text};
use crate::tools::test_tools;

const TENANT: &str = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";

/// A key and its certificate in a folder, as `openssl` makes them.
fn certificate(folder: &Path) -> (PathBuf, String) {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=receiver"]);
    let made = run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
    assert_eq!(made.code, Some(0), "{made:?}");
    (key, std::fs::read_to_string(certificate).expect("it was written"))
}

fn checker(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notification").join(name)
}

/// What a program makes of an item: the resource, or nothing when it refuses.
fn decrypted(program: &str, name: &str, item: &Value, key: &Path) -> Option<Value> {
    let mut command = Command::new(program);
    command.arg(checker(name)).arg(key).env("PYTHONPATH", test_tools().join("python"));
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(item.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    match output.status.code() {
        Some(0) => Some(serde_json::from_slice(&output.stdout).expect("a resource is JSON")),
        Some(1) => None,
        _ => panic!("{name}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Subscribes to Ada with a certificate; the audience is the application's own id.
async fn subscribe(server: &Program, receiver: &Receiver, certificate: &str) {
    let clock = server.anonymous().get(CLOCK).await.json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    let subscription = json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/"),
        "resource": format!("communications/presences/{ADA}"),
        "expirationDateTime": (now + std::time::Duration::from_secs(50 * 60)).to_string(),
        "includeResourceData": true,
        "encryptionCertificate": certificate,
        "encryptionCertificateId": "the receiver's",
    });
    let made = server.client(&format!("{APP_A}:")).post("/v1.0/subscriptions", &subscription).await;
    assert_eq!(made.status, 201, "{made:?}");
}

async fn set_ada(server: &Program, availability: &str, activity: &str) {
    let body = json!({"availability": availability, "activity": activity});
    let answer = server.client(&format!("{APP_A}:")).patch(&presence_of(ADA), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn s30_t6_what_is_encrypted_is_read_by_openssl_python_and_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, certificate) = certificate(folder.path());
    let (server, receiver) = (Program::start(&mut in_memory()), Receiver::start().await);
    subscribe(&server, &receiver, &certificate).await;
    set_ada(&server, "Busy", "InAMeeting").await;
    let item = receiver.items(1).await.remove(0);
    set_ada(&server, "Away", "Away").await;
    let other = receiver.items(1).await.remove(0);

    let resource = json!({
        "@odata.id": format!("users/{ADA}/presence"),
        "@odata.type": "#microsoft.graph.presence",
        "id": ADA,
        "availability": "Busy",
        "activity": "InAMeeting",
    });
    let with = |name: &str, value: &Value| {
        let mut changed = item.clone();
        changed["encryptedContent"][name] = value.clone();
        changed
    };
    assert_ne!(item["encryptedContent"]["dataKey"], other["encryptedContent"]["dataKey"]);
    for (program, name) in [("bash", "decrypt.sh"), ("python3", "decrypt.py"), ("node", "decrypt.mjs")] {
        assert_eq!(decrypted(program, name, &item, &key).as_ref(), Some(&resource), "{name}");
        let swapped = with("dataKey", &other["encryptedContent"]["dataKey"]);
        assert_eq!(decrypted(program, name, &swapped, &key), None, "{name} takes a foreign key");
        let swapped = with("data", &other["encryptedContent"]["data"]);
        assert_eq!(decrypted(program, name, &swapped, &key), None, "{name} takes foreign data");
    }
}

#[tokio::test]
async fn s30_t7_validation_tokens_are_good_by_the_keys_that_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, certificate) = certificate(folder.path());
    let (server, receiver) = (Program::start(&mut in_memory()), Receiver::start().await);
    subscribe(&server, &receiver, &certificate).await;
    set_ada(&server, "Busy", "Busy").await;
    let tokens = receiver.next().await.json()["validationTokens"].clone();
    let token = tokens[0].as_str().expect("a token");
    assert_eq!(tokens.as_array().map(Vec::len), Some(1));

    let discovery = server.anonymous().get("/common/.well-known/openid-configuration").await.json();
    let keys =
        discovery["jwks_uri"].as_str().expect("a URL").strip_prefix(&server.url()).expect("of this server");
    let jwks = folder.path().join("jwks.json");
    std::fs::write(&jwks, server.anonymous().get(keys).await.body).expect("it can be written");
    let verified = |audience: &str, issuer: &str| {
        let mut node = Command::new("node");
        node.arg(checker("verify-token.mjs")).args([text(&jwks), token, audience, issuer]);
        let ended = run(node.env("NODE_PATH", test_tools().join("node_modules")));
        match ended.code {
            Some(0) => Some(serde_json::from_str::<Value>(&ended.out.join("\n")).expect("claims are JSON")),
            Some(1) => None,
            _ => panic!("{ended:?}"),
        }
    };
    let issuer = format!("{}/{TENANT}/", server.url());
    let claims = verified(APP_A, &issuer).expect("the token is good");
    for (claim, value) in [
        ("appid", "0bf30f3b-4a52-48df-9a82-234910c4a086"),
        ("azp", "0bf30f3b-4a52-48df-9a82-234910c4a086"),
        ("tid", TENANT),
        ("ver", "1.0"),
        ("appidacr", "2"),
        ("azpacr", "2"),
        ("idp", &issuer),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 24 * 60 * 60));
    assert_eq!(verified(ADA, &issuer), None, "another audience");
    assert_eq!(verified(APP_A, "https://elsewhere.example/"), None, "another issuer");
}
