//! Streams whose readers read slowly, or not at all.

use std::net::SocketAddr;

use porchlight_testkit::DEMO;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::{ME, PATIENCE, Program, in_memory, until};

const MEBIBYTE: u64 = 1024 * 1024;

/// Streams of everybody whose readers do not read.
const STALLED: usize = 20;

/// Changes of each of the dozen people: more than four megabytes of events for each stream.
const ROUNDS: usize = 500;

/// Opens a stream of everybody, over a connection that takes little that is not read.
async fn open(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(address).await.expect("the server listens");
    let request = format!(
        "GET /v1.0/communications/presences HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer dev:{DEMO}:\r\n\
         Accept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    stream
}

/// The server's memory, in bytes.
fn memory(server: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a known field");
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kilobytes.expect("a number of kB") * 1024
}

/// The names that the dozen people sign in with.
async fn names(server: &Program) -> Vec<String> {
    let people = server.client(&format!("{DEMO}:")).get("/v1.0/users").await.json();
    let name = |person: &serde_json::Value| {
        let name = person["userPrincipalName"].as_str().expect("a name");
        name.split('@').next().expect("a short name").to_owned()
    };
    people["value"].as_array().expect("a list").iter().map(name).collect()
}

/// Everybody says this.
async fn say(server: &Program, names: &[String], what: &str) {
    let body = json!({"statusMessage": {"message": {"content": what, "contentType": "text"}}});
    let says = names.iter().map(|name| {
        let client = server.client(&format!("{name}:"));
        let body = body.clone();
        tokio::spawn(async move { client.post(&format!("{ME}/setStatusMessage"), &body).await.status })
    });
    for said in says.collect::<Vec<_>>() {
        assert_eq!(said.await.expect("it is answered"), 200);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_does_not_read_costs_no_memory_and_who_reads_late_ends_with_the_newest() {
    let server = Program::start(&mut in_memory());
    let names = names(&server).await;
    assert_eq!(names.len(), 12);
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        stalled.push(open(server.address()).await);
    }
    let streams = STALLED as u64;
    until("the streams are open", async || server.metrics().await.of("porchlight_open_streams") == streams)
        .await;
    say(&server, &names, "first").await;
    let before = memory(&server);
    for round in 0..ROUNDS {
        say(&server, &names, &format!("{round:0>270}")).await;
    }
    say(&server, &names, "the last word").await;
    let grown = memory(&server).saturating_sub(before);
    // What limits promises: 192 KiB for each.
    assert!(grown < streams * 192 * 1024 + 8 * MEBIBYTE, "it took {grown} bytes");

    let mut late = stalled.pop().expect("there are some");
    let mut read = Vec::new();
    let mut last_words = 0;
    while last_words < names.len() {
        let more = timeout(PATIENCE, late.read_buf(&mut read)).await.expect("it goes on");
        assert_ne!(more.expect("the connection holds"), 0, "the stream goes on");
        let text = String::from_utf8_lossy(&read);
        last_words = text.matches("\"the last word\"").count();
    }
    assert!(read.len() < 3 * MEBIBYTE as usize, "it was skipped forward: {} bytes", read.len());
}
