//! Whom NATS lets in, and whom a node trusts: who is not let in is told what to look at, and no password.

use std::fs;
use std::path::Path;

use porchlight_testkit::{Authority, Nats};

use crate::cluster::{last_words, node};
use crate::support::{Ended, Program, run, text};

const WRONG: i32 = 64;
const UNAVAILABLE: i32 = 69;

const REFUSED: &str = "NATS refuses the connection: ";
const CHECK_USER: &str = "; check USER:PASSWORD and credentials";
const CHECK_TLS: &str = "; check ca, certificate and key, and whether the servers speak TLS";

/// The log at this server of NATS, with what else the URL is to say.
fn url(nats: &Nats, more: &str) -> String {
    url_of("", nats, more)
}

/// The same for this user.
fn url_of(user: &str, nats: &Nats, more: &str) -> String {
    format!("jetstream://{user}{}/?cells=2&patience=PT2S{more}", nats.address())
}

/// Runs a node over this log until it gives up.
fn give_up(log: &str) -> Ended {
    run(&mut node(log, "stranger"))
}

/// A node over this log becomes ready.
async fn assert_let_in(log: &str) {
    let server = Program::start(&mut node(log, "friend"));
    let health = server.anonymous().get("/porchlight/health").await;
    assert_eq!(health.status, 200, "{health:?}");
    server.stop();
}

/// A node over this log is refused, and is told to look at this.
fn assert_refused(log: &str, check: &str) {
    let message = last_words(&give_up(log), UNAVAILABLE);
    assert!(message.starts_with(REFUSED) && message.ends_with(check), "{log}: {message}");
}

/// The same where it is the server that does not like the node's TLS: it may be gone before it has said why.
fn assert_refused_by_server(log: &str) {
    let message = last_words(&give_up(log), UNAVAILABLE);
    let is_told = message.starts_with(REFUSED) && message.ends_with(CHECK_TLS);
    assert!(is_told || message.starts_with("no NATS server answers at "), "{log}: {message}");
}

/// A file that cannot be read is named.
fn assert_names(log: &str, file: &str) {
    let message = last_words(&give_up(log), WRONG);
    assert!(message.starts_with(&format!("the {file} cannot be used: ")), "{log}: {message}");
}

/// Writes a file, and returns its path.
fn file(folder: &Path, name: &str, content: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, content).expect("it can be written");
    text(&file).to_owned()
}

#[tokio::test]
async fn a_user_is_let_in_with_the_right_password_alone() {
    let nats = Nats::builder().user("me@work", "r/ght:").start();
    assert_let_in(&url_of("me%40work:r%2Fght%3A@", &nats, "")).await;
    assert_refused(&url(&nats, ""), CHECK_USER);
    let wrong = url_of("me%40work:hunter2@", &nats, "");
    assert_refused(&wrong, CHECK_USER);
    let ended = give_up(&wrong);
    assert!(!ended.err.iter().any(|line| line.contains("hunter2")), "{ended:?}");
}

#[tokio::test]
async fn the_owner_of_the_right_credentials_alone_is_let_in() {
    let (nats, other) = (Nats::builder().credentials().start(), Nats::builder().credentials().start());
    let with = |file: &Path| url(&nats, &format!("&credentials={}", text(file)));
    assert_let_in(&with(&nats.credentials_file())).await;
    assert_refused(&with(&other.credentials_file()), CHECK_USER);
    assert_refused(&url(&nats, ""), CHECK_USER);
    assert_names(&with(Path::new("no/such.creds")), "credentials file no/such.creds");
}

#[tokio::test]
async fn servers_are_trusted_that_the_authority_of_the_url_vouches_for() {
    let (authority, other) = (Authority::default(), Authority::default());
    let (nats, plain) = (Nats::builder().tls(&authority).start(), Nats::start());
    let place = tempfile::tempdir().expect("a folder");
    let with = |file: &str| url(&nats, &format!("&ca={file}"));
    assert_let_in(&with(&file(place.path(), "ca.pem", &authority.pem()))).await;
    assert_refused(&with(&file(place.path(), "other.pem", &other.pem())), CHECK_TLS);
    // The system trusts nobody who vouches for it, either.
    assert_refused(&url(&nats, ""), CHECK_TLS);
    assert_names(&with("no/such.pem"), "ca file no/such.pem");
    assert_refused_by_server(&url(&plain, "&tls=true"));
}

#[tokio::test]
async fn a_certificate_is_shown_to_servers_that_demand_one() {
    let (authority, other) = (Authority::default(), Authority::default());
    let nats = Nats::builder().mutual_tls(&authority).start();
    let place = tempfile::tempdir().expect("a folder");
    let bare = url(&nats, &format!("&ca={}", file(place.path(), "ca.pem", &authority.pem())));
    let with = |name: &str, authority: &Authority| {
        let shown = authority.certify(&["porchlight"], 2100);
        let certificate = file(place.path(), &format!("{name}.pem"), &shown.pem());
        let key = file(place.path(), &format!("{name}.key"), &shown.key_pem());
        format!("{bare}&certificate={certificate}&key={key}")
    };
    let right = with("right", &authority);
    assert_let_in(&right).await;
    assert_refused_by_server(&with("other", &other));
    assert_refused_by_server(&bare);
    fs::remove_file(place.path().join("right.key")).expect("it is there");
    let key = format!("key file {}", place.path().join("right.key").display());
    assert_names(&right, &key);
}
