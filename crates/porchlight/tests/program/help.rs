//! What the program says of itself: help, version, what goes wrong most, and the answer of `healthcheck`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::support::{Program, in_memory, porchlight, refusal, run};

/// What these arguments print, without the spaces at the ends of lines.
fn said(arguments: &[&str]) -> String {
    let answer = run(&mut porchlight(arguments)).answer();
    answer.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn the_version_is_one_line() {
    let version = format!("porchlight {}", env!("CARGO_PKG_VERSION"));
    for arguments in [["version"], ["--version"], ["-V"]] {
        assert_eq!(said(&arguments), version);
    }
}

/// The commands below one, as its help lists them.
fn commands_in(help: &str) -> Vec<String> {
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is further to the right goes on with the line before.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_help_of_every_command_is_looked_at() {
    let mut known = BTreeSet::new();
    let mut waiting = vec![Vec::<String>::new()];
    while let Some(command) = waiting.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = said(&arguments);
        waiting.extend(commands_in(&help).into_iter().map(|name| [&command[..], &[name]].concat()));
        let name = [&["help".to_owned()][..], &command].concat().join("_");
        insta::assert_snapshot!(name.as_str(), help);
        known.insert(format!("program__help__{name}.snap"));
    }
    assert!(known.len() > 20, "{known:?}");
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/snapshots");
    let files = std::fs::read_dir(snapshots).expect("they are there").map(|file| file.expect("it is there"));
    let files = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let of_help = files.filter(|name| name.starts_with("program__help__help"));
    let forgotten: Vec<String> = of_help.filter(|name| !known.contains(name)).collect();
    assert!(forgotten.is_empty(), "of commands that are no more: {forgotten:?}");
}

#[test]
fn the_help_of_a_command_is_what_help_says_of_it() {
    assert_eq!(said(&["help", "config", "check"]), said(&["config", "check", "--help"]));
    assert_eq!(commands_in(&said(&["config", "--help"])), ["init", "check"]);
}

/// What a command says that is not done, and the code that it ends with.
fn complaint(arguments: &[&str]) -> String {
    let ended = run(&mut porchlight(arguments));
    assert!(ended.out.is_empty(), "{ended:?}");
    let code = ended.code.expect("it ends by itself");
    format!("$ porchlight {}\n{}\n[{code}]\n", arguments.join(" "), ended.err.join("\n"))
}

#[test]
fn what_goes_wrong_most_is_told_with_what_to_do() {
    const NOBODY: &str = "http://127.0.0.1:1";
    let commands: [&[&str]; 9] = [
        &["serve", "--config", "/nowhere/porchlight.toml"],
        &["serve", "--dev", "--listen", "0.0.0.0:0"],
        &["config", "check", "/nowhere/porchlight.toml"],
        &["doctor", "--data", "/nowhere/data"],
        &["doctor", "--repair", "--json"],
        &["import", "/nowhere/people.csv"],
        &["healthcheck", "--url", NOBODY],
        &["backup", "--data", "/nowhere/data", "/nowhere/file"],
        &["completions", "tcsh"],
    ];
    let said: Vec<String> = commands.into_iter().map(complaint).collect();
    insta::assert_snapshot!("errors", said.join("\n"));
}

#[tokio::test]
async fn healthcheck_says_that_a_server_is_ready() {
    let server = Program::start(&mut in_memory());
    for url in [server.url(), format!("{}/", server.url())] {
        assert_eq!(run(&mut porchlight(&["healthcheck", "--url", &url])).answer(), "ready");
    }
    let by_variable = run(porchlight(&["healthcheck"]).env("PORCHLIGHT_URL", server.url()));
    assert_eq!(by_variable.answer(), "ready");
}

#[test]
fn healthcheck_says_what_keeps_it_from_saying_ready() {
    // A port that programs do not take unless they are told to.
    let nobody = "127.0.0.1:1";
    let not_ready = answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    let has_a_reason =
        answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 21\r\n\r\n{\"reason\":\"it rests\"}");
    let another = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let no_http = answering("220 mail.example ESMTP\r\n");
    let table = [
        (
            format!("http://{nobody}"),
            format!("no server answers on {nobody}: Connection refused (os error 111)"),
        ),
        (format!("http://{not_ready}"), format!("the server on {not_ready} is not ready")),
        (format!("http://{has_a_reason}"), format!("the server on {has_a_reason} is not ready: it rests")),
        (format!("http://{another}"), format!("what answers on {another} is no porchlight")),
        (format!("http://{no_http}"), format!("what answers on {no_http} is no porchlight")),
        (
            format!("https://{nobody}"),
            format!("no server answers on {nobody}: Connection refused (os error 111)"),
        ),
        (format!("ftp://{nobody}"), "the url must begin with http:// or https://".to_owned()),
    ];
    for (url, expected) in table {
        assert_eq!(refusal(&run(&mut porchlight(&["healthcheck", "--url", &url])), 1), expected);
    }
}

/// A server that answers its first request with this.
fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody asks");
        let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        assert!(head.count() > 0, "a request has a head");
        (&stream).write_all(answer.as_bytes()).expect("they listen");
    });
    address
}
