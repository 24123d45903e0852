//! `porchlight token`, and what development mode keeps in its folder: subscriptions-and-auth 25.1, 25.3.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use porchlight_testkit::{ADA, APP_A, DEMO, Jwt};
use serde_json::json;

use crate::support::{Program, in_folder, in_memory, porchlight, refusal, run, serve, text};

const REFUSED: i32 = 64;
const UNAVAILABLE: i32 = 69;

/// The token that these arguments print, for the server at this URL.
fn token(url: &str, arguments: &[&str]) -> Jwt {
    let ended = run(porchlight(&["token", "--url", url]).args(arguments));
    let printed = ended.answer();
    assert_eq!(printed.split('.').count(), 3, "the token and nothing else: {ended:?}");
    Jwt::read(&printed)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn it_prints_a_token_of_a_person() {
    let server = Program::start(&mut in_memory());
    let jwt = token(&server.url(), &["--user", "ada"]);
    let keys = server.anonymous().get("/common/discovery/v2.0/keys").await.json();
    assert!(jwt.is_signed_by(&keys), "{jwt:?} {keys}");
    let claims = &jwt.claims;
    assert_eq!(
        (&claims["oid"], &claims["azp"], &claims["idtyp"]),
        (&json!(ADA), &json!(DEMO), &json!("user"))
    );
    assert!(claims["scp"].as_str().is_some_and(|scp| scp.contains("Subscription.Read.All")), "{claims}");
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(3600));

    let arguments = ["--user", "ada@porchlight.example", "--scp", "Presence.Read.All Presence.ReadWrite"];
    let claims = token(&server.url(), &[&arguments[..], &["--app", APP_A, "--ttl", "PT2H"]].concat()).claims;
    assert_eq!(
        (&claims["azp"], &claims["scp"]),
        (&json!(APP_A), &json!("Presence.Read.All Presence.ReadWrite"))
    );
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(7200));
}

#[test]
fn it_prints_a_token_of_an_application() {
    let server = Program::start(&mut in_memory());
    let claims = token(&server.url(), &["--app", APP_A, "--role", "Presence.ReadWrite.All"]).claims;
    assert_eq!((&claims["azp"], &claims["idtyp"]), (&json!(APP_A), &json!("app")));
    assert_eq!(claims["roles"], json!(["Presence.ReadWrite.All"]));
    let claims = token(&server.url(), &["--app", APP_A]).claims;
    assert_eq!(claims["roles"].as_array().map(Vec::len), Some(5), "{claims}");
}

#[test]
fn a_permission_that_grants_nothing_is_warned_of() {
    let server = Program::start(&mut in_memory());
    let url = server.url();
    let ended = run(&mut porchlight(&["token", "--url", &url, "--user", "ada", "--scp", "Presence.Red"]));
    assert_eq!((ended.code, ended.out.len()), (Some(0), 1), "{ended:?}");
    let warning =
        "porchlight: warning: there is no permission 'Presence.Red' for such a token; it grants nothing";
    assert_eq!(ended.err, [warning]);
}

#[test]
fn what_the_server_refuses_is_told_in_its_words() {
    let server = Program::start(&mut in_memory());
    let ended = run(&mut porchlight(&["token", "--url", &server.url(), "--user", "nobody"]));
    let message = refusal(&ended, REFUSED);
    assert!(message.starts_with("AADSTS50034: The user account 'nobody' does not exist"), "{message}");
}

#[test]
fn whoever_issues_no_tokens_is_named() {
    let production = Program::start(&mut serve(&["--ephemeral"]));
    let address = production.address();
    let another = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let other = another.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        let (mut stream, _) = another.accept().expect("somebody asks");
        assert!(stream.read(&mut [0; 4096]).expect("they speak first") > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").expect("they listen");
    });
    let table = [
        (
            format!("http://{address}"),
            UNAVAILABLE,
            format!(
                "the server on {address} is not in development mode: only one that was started with --dev issues tokens"
            ),
        ),
        (format!("http://{other}"), UNAVAILABLE, format!("what answers on {other} is no porchlight")),
        // A port that programs do not take unless they are told to.
        (
            "http://127.0.0.1:1".to_owned(),
            UNAVAILABLE,
            "no server answers on 127.0.0.1:1: Connection refused (os error 111)".to_owned(),
        ),
        ("ftp://127.0.0.1:1".to_owned(), REFUSED, "the url must begin with http:// or https://".to_owned()),
    ];
    for (url, code, expected) in table {
        let ended = run(&mut porchlight(&["token", "--url", &url, "--user", "ada"]));
        assert_eq!(refusal(&ended, code), expected);
    }
}

#[tokio::test]
async fn a_data_folder_leads_to_the_server_over_it_while_that_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = text(folder.path());
    let by_folder = ["token", "--user", "ada", "--data", data];
    let nobody =
        format!("no development server runs over {data}: start porchlight serve --dev --data {data}");
    assert_eq!(refusal(&run(&mut porchlight(&by_folder)), UNAVAILABLE), nobody);
    let server = Program::start(&mut in_folder(folder.path()));
    // The folder wins, whatever the environment says of another server.
    let printed = run(porchlight(&by_folder).env("PORCHLIGHT_URL", "http://127.0.0.1:1")).answer();
    let keys = server.anonymous().get("/common/discovery/v2.0/keys").await.json();
    assert!(Jwt::read(&printed).is_signed_by(&keys), "{keys}");
    server.stop();
    assert_eq!(refusal(&run(&mut porchlight(&by_folder)), UNAVAILABLE), nobody);
}

#[tokio::test]
async fn the_key_is_kept_for_nobody_else_to_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(folder.path()));
    let development = folder.path().join("development");
    let key = development.join("issuer.key");
    assert_eq!((mode(&development), mode(&key)), (0o700, 0o600));
    let jwt = token(&server.url(), &["--user", "ada"]);
    server.stop();
    let again = Program::start(&mut in_folder(folder.path()));
    let keys = again.anonymous().get("/common/discovery/v2.0/keys").await.json();
    assert!(jwt.is_signed_by(&keys), "the key outlives the server");
    again.stop();

    fs::write(&key, "nonsense").expect("the file can be written");
    let message = refusal(&run(&mut in_folder(folder.path())), 65);
    assert!(
        message.starts_with(&format!("{}: it is no private RSA key in PEM: ", key.display())),
        "{message}"
    );
    assert!(message.ends_with("; remove the file to have another key made"), "{message}");
    let production = Program::start(&mut serve(&["--data", text(folder.path())]));
    assert_eq!(production.anonymous().get("/porchlight/health").await.status, 200, "it does not look there");
}

#[tokio::test]
async fn a_server_that_keeps_no_records_keeps_its_key_only_where_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let ephemeral = ["--dev", "--ephemeral", "--data", text(&data)];
    let server = Program::start(&mut serve(&ephemeral));
    let jwt = token(&server.url(), &["--user", "ada"]);
    server.stop();
    let names: Vec<_> = fs::read_dir(&data).expect("the folder is there").flatten().collect();
    assert_eq!(names.len(), 1, "nothing but development's own: {names:?}");
    // Also once records are kept beside it.
    for mut command in [serve(&ephemeral), in_folder(&data)] {
        let server = Program::start(&mut command);
        let keys = server.anonymous().get("/common/discovery/v2.0/keys").await.json();
        assert!(jwt.is_signed_by(&keys), "{keys}");
        server.stop();
    }
}
