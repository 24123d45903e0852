//! Who is let in, and whom the log trusts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use porchlight_store::contract::{Recorder, live, put};
use porchlight_store::{JetStream, JetStreamError, JetStreamOptions, Log, Revision};
use porchlight_testkit::{Authority, Nats};

use crate::support::{key, open, options};

/// What keeps the log from being opened; servers that do not answer are given up after a second.
fn refused(options: JetStreamOptions) -> JetStreamError {
    let options = JetStreamOptions { patience: Duration::from_secs(1), ..options };
    JetStream::open(options, Recorder::new()).map(drop).expect_err("the log cannot be opened")
}

/// Opens the log and writes to it.
async fn works(options: &JetStreamOptions) {
    let (_, log) = open(options);
    put(&log, &key("a"), Revision::NONE, live("one")).await.unwrap();
    log.close();
}

fn assert_refused(error: &JetStreamError) {
    assert!(matches!(error, JetStreamError::Refused(_)), "{error}");
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_do_not_answer_are_named() {
    let nats = Nats::start();
    nats.kill();
    let error = refused(options(&nats));
    assert!(matches!(error, JetStreamError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&nats.address().to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_is_let_in_with_the_right_password() {
    let nats = Nats::builder().user("porchlight", "right").start();
    let with = |password: &str| JetStreamOptions {
        user: Some(("porchlight".to_owned(), password.to_owned())),
        ..options(&nats)
    };
    works(&with("right")).await;
    assert_refused(&refused(with("wrong")));
    assert_refused(&refused(options(&nats)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owner_of_the_right_credentials_is_let_in() {
    let (nats, other) = (Nats::builder().credentials().start(), Nats::builder().credentials().start());
    let with = |file: PathBuf| JetStreamOptions { credentials: Some(file), ..options(&nats) };
    works(&with(nats.credentials_file())).await;
    assert_refused(&refused(with(other.credentials_file())));
    assert_refused(&refused(options(&nats)));
    let missing = PathBuf::from("there/is/no/such.creds");
    let error = refused(with(missing));
    assert!(matches!(error, JetStreamError::File(_)), "{error}");
    assert!(error.to_string().contains("no/such.creds"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_of_a_trusted_authority_is_spoken_to() {
    let (authority, other) = (Authority::default(), Authority::default());
    let nats = Nats::builder().tls(&authority).start();
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str, authority: &Authority| JetStreamOptions {
        authority: Some(file(folder.path(), name, &authority.pem())),
        ..options(&nats)
    };
    works(&with("authority.pem", &authority)).await;
    assert_refused(&refused(with("other.pem", &other)));
    assert_refused(&refused(options(&nats)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_is_shown_to_a_server_that_demands_one() {
    let (authority, other) = (Authority::default(), Authority::default());
    let nats = Nats::builder().mutual_tls(&authority).start();
    let folder = tempfile::tempdir().unwrap();
    let bare = JetStreamOptions {
        authority: Some(file(folder.path(), "authority.pem", &authority.pem())),
        ..options(&nats)
    };
    let with = |name: &str, authority: &Authority| {
        let client = authority.certify(&["porchlight"], 2100);
        let certificate = file(folder.path(), &format!("{name}.pem"), &client.pem());
        let key = file(folder.path(), &format!("{name}.key"), &client.key_pem());
        JetStreamOptions { client_certificate: Some((certificate, key)), ..bare.clone() }
    };
    works(&with("client", &authority)).await;
    // The server may be gone before it has said why.
    for options in [with("other", &other), bare.clone()] {
        let error = refused(options);
        let is_told = matches!(error, JetStreamError::Refused(_) | JetStreamError::Unreachable { .. });
        assert!(is_told, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_tls_is_refused_when_tls_is_demanded() {
    let nats = Nats::start();
    let error = refused(JetStreamOptions { tls: true, ..options(&nats) });
    let is_told = matches!(error, JetStreamError::Refused(_) | JetStreamError::Unreachable { .. });
    assert!(is_told, "{error}");
}
