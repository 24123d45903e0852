//! SIGTERM and SIGINT: what is under way is finished, what was answered is kept, nothing new is taken.

use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::load::{Dice, check, each, everybody, progress, seed, seed_file, write_until_gone};
use crate::support::{Ended, Program, STOP_MAX, in_folder, in_memory, presence_of, text, until};

/// Stops a server without keeping those waiting who still speak with it.
async fn stop(server: Program) -> Ended {
    tokio::task::spawn_blocking(move || server.stop()).await.expect("stopping does not fail")
}

#[tokio::test]
async fn sigterm_under_load_loses_no_answered_write() {
    let seed = seed();
    eprintln!("PORCHLIGHT_TEST_SEED={seed}");
    let mut dice = Dice::new(seed);
    let place = tempfile::tempdir().expect("a folder");
    let (data, people) = (place.path().join("data"), seed_file(place.path()));
    let start = || Program::start(in_folder(&data).args(["--seed", text(&people), "--access-log", "false"]));
    let (mut groups, mut written) = (everybody(), 0);
    for _ in 0..3 {
        let server = start();
        let address = server.address();
        groups = check(address, groups).await;
        let before = progress(&groups);
        let writing = each(groups, move |group| write_until_gone(address, group));
        sleep(dice.millis(100, 300)).await;
        let ended = stop(server).await;
        groups = writing.join_all().await;
        written += progress(&groups) - before;
        assert!(ended.err.last().is_some_and(|line| line.contains("everything is on disk")), "{ended:?}");
    }
    assert!(written > 0, "the server was always stopped before it wrote anything");
    let server = start();
    check(server.address(), groups).await;
}

#[tokio::test]
async fn a_write_under_way_is_finished_and_no_connection_is_taken_any_more() {
    const BODY: &str = r#"{"statusMessage":{"message":{"content":"just in time"}}}"#;
    let place = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(place.path()));
    let (address, path) = (server.address(), presence_of("ada@porchlight.example"));
    let mut idle = Connection::open(address).await.expect("the server listens");
    assert_eq!(idle.call("GET", &path, "").await.expect("a read is answered").status, 200);
    let mut silent = Connection::open(address).await.expect("the server listens");
    let mut busy = Connection::open(address).await.expect("the server listens");
    busy.announce("PATCH", &path, BODY).await.expect("the server asks for the body");

    server.signal(Signal::TERM);
    until("it takes no connections", async || TcpStream::connect(address).await.is_err()).await;
    idle.receive().await.expect_err("a connection without a request is closed");
    silent.receive().await.expect_err("so is one on which nothing ever came");
    busy.write(BODY).await.expect("the connection is still there");
    let answer = busy.receive().await.expect("the write is answered");
    assert_eq!(answer.status, 200, "{answer:?}");
    let ended = server.end(STOP_MAX);
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let again = Program::start(&mut in_folder(place.path()));
    let presence = again.client("ada:").get(&path).await.json();
    assert_eq!(presence["statusMessage"]["message"]["content"], "just in time");
}

#[tokio::test]
async fn a_request_that_never_comes_to_its_end_does_not_keep_the_server_from_stopping_in_time() {
    let server = Program::start(&mut in_memory());
    let mut slow = Connection::open(server.address()).await.expect("the server listens");
    let path = presence_of("ada@porchlight.example");
    slow.announce("PATCH", &path, r#"{"availability":"Busy"}"#).await.expect("the server asks for the body");
    let ended = stop(server).await;
    assert!(ended.err.iter().any(|line| line.contains("some requests did not finish in time")), "{ended:?}");
}

#[tokio::test]
async fn sigint_stops_the_server_as_sigterm_does() {
    for signal in [Signal::INT, Signal::TERM] {
        let ended = Program::start(&mut in_memory()).stop_by(signal);
        let name = if signal == Signal::INT { "SIGINT" } else { "SIGTERM" };
        let said = ended.err.iter().any(|line| line.contains("stopping") && line.contains(name));
        assert!(said, "{ended:?}");
    }
}
