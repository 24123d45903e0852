//! `porchlight watch`: line by line, and as a table in a real terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use porchlight_testkit::{ADA, BEN, Proxy};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{ME, PATIENCE, Process, Program, in_memory, porchlight, presence_of, run, text};

/// What Ada sees who watches the server at this URL.
fn watch(url: &str, arguments: &[&str]) -> Process {
    let always = ["watch", "--as", "ada", "--url", url];
    Process::spawn(porchlight(&always).args(arguments).env("TZ", "UTC"))
}

/// The newest line in JSON of this user, once it looks so.
fn told(watching: &Process, id: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let newest = |lines: &[String]| {
        let mut told = lines.iter().rev().map(|line| serde_json::from_str(line).expect("a line is JSON"));
        told.find(|line: &Value| line["id"] == id).filter(|line| is_it(line))
    };
    watching
        .out
        .find(newest)
        .unwrap_or_else(|| panic!("{:?} {:?}", watching.out.lines(), watching.err.lines()))
}

async fn set(server: &Program, who: &str, body: &Value) {
    let answer = server.client(who).patch(ME, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn in_json_each_change_is_a_line() {
    let server = Program::start(&mut in_memory());
    let everybody = watch(&server.url(), &["--json"]);
    everybody.out.find(|lines| (lines.len() == 12).then_some(())).expect("twelve people");
    let busy = watch(&server.url(), &["--json", "--filter", "availability eq 'Busy'"]);
    set(&server, "ben:", &json!({"availability": "Busy", "activity": "InAMeeting"})).await;
    let line = told(&everybody, BEN, |line| line["activity"] == "InAMeeting");
    let mut read = server.client("ada:").get(&presence_of(BEN)).await.json();
    read.as_object_mut().expect("an object").remove("@odata.context");
    assert_eq!(line, read);
    told(&busy, BEN, |line| line["availability"] == "Busy");
    set(&server, "ben:", &json!({"availability": "Away"})).await;
    told(&busy, BEN, |line| line["@removed"]["reason"] == "changed");
    told(&everybody, BEN, |line| line["availability"] == "Away");
    assert_eq!(everybody.out.lines().len(), 14, "each change once");
}

#[tokio::test]
async fn without_a_terminal_there_are_lines_for_people() {
    let server = Program::start(&mut in_memory());
    let proxy = Proxy::start(server.address());
    let watching = watch(&format!("http://{}", proxy.address()), &["ben"]);
    let heard = |text: &str| {
        let found = watching.out.find(|lines| lines.iter().find(|line| line.contains(text)).cloned());
        found.unwrap_or_else(|| panic!("{text}: {:?} {:?}", watching.out.lines(), watching.err.lines()))
    };
    heard("  Ben Okafor  ○ Offline");
    set(&server, "ben:", &json!({"availability": "Busy", "activity": "InAMeeting"})).await;
    set(&server, "ada:", &json!({"availability": "Busy"})).await;
    heard("  Ben Okafor  ■ Busy  In a meeting");
    // What happens while the connection is away is told when it is back.
    proxy.cut();
    proxy.reset();
    let reconnecting =
        |lines: &[String]| lines.iter().any(|line| line.contains("reconnecting: ")).then_some(());
    watching.err.find(reconnecting).expect("it says so");
    set(&server, "ben:", &json!({"availability": "Available"})).await;
    proxy.mend();
    heard("  Ben Okafor  ● Available");
    let again = |lines: &[String]| lines.contains(&"porchlight: connected again".to_owned()).then_some(());
    watching.err.find(again).expect("it says so");
    assert!(!watching.out.lines().iter().any(|line| line.contains("Ada")), "nobody else was asked for");
}

#[tokio::test]
async fn whoever_may_not_watch_is_told_so() {
    let server = Program::start(&mut in_memory());
    let token = ["watch", "--json", "--token", "dev:ada:Presence.Read"];
    let ended = run(porchlight(&token).args(["--url", &server.url()]));
    assert!(ended.complaint(77)[0].contains("The token lacks a permission this call needs"), "{ended:?}");
}

#[test]
fn a_server_without_streams_is_asked_again_and_again() {
    let address = without_streams();
    let url = format!("http://{address}/v1.0");
    let always = ["watch", "--json", "--token", "x", "--url", &url];
    let watching = Process::spawn(&mut porchlight(&always));
    told(&watching, ADA, |line| line["availability"] == "Busy");
    let said = "porchlight: the server has no streams: it is asked every 15 s";
    watching.err.find(|lines| lines.iter().any(|line| line == said).then_some(())).expect("it says so");
    let ended = run(porchlight(&always).args(["--filter", "availability eq 'Busy'"]));
    assert!(ended.complaint(64)[0].ends_with("has no streams, and without them no --filter"), "{ended:?}");
}

/// A server of Graph's shape that knows one person, and no streams: as the original does.
fn without_streams() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever breaks off has been ended by the test.
            answer(&stream).ok();
        }
    });
    address
}

/// Reads one request; the path and query that it is for.
fn read(stream: &TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        head.push(line.to_lowercase());
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    reader.take(length.unwrap_or(0)).read_to_end(&mut Vec::new())?;
    Ok(head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned())
}

/// Answers one request, and ends the connection.
fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let path = read(stream)?;
    let (status, body) = if path.starts_with("/v1.0/users?") {
        (
            "200 OK",
            json!({"value": [{"id": ADA, "displayName": "Ada", "userPrincipalName": "ada@a.example"}]}),
        )
    } else if path == format!("/v1.0/users/{ADA}/presence") {
        (
            "200 OK",
            json!({"id": ADA, "availability": "Busy", "activity": "InACall", "sequenceNumber": "A0132B23"}),
        )
    } else {
        ("405 Method Not Allowed", json!({"error": {"code": "Request_BadRequest", "message": "not allowed"}}))
    };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A terminal that nobody looks at but the test: one of tmux's, with a socket of its own. Ended when dropped.
struct Screen {
    socket: PathBuf,
    _place: TempDir,
}

impl Screen {
    /// A terminal of a hundred columns and sixteen lines in which this command runs. When that has ended its code is
    /// shown.
    fn of(command: &str) -> Screen {
        let place = tempfile::tempdir().expect("a folder");
        let screen = Screen { socket: place.path().join("tmux"), _place: place };
        let command = format!("{command}; echo it has ended with $?; exec cat");
        screen.tmux(&["new-session", "-d", "-x", "100", "-y", "16", &command]);
        screen
    }

    /// What a command of tmux's prints.
    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S", text(&self.socket)]).args(arguments);
        command.env_remove("TMUX").env_remove("NO_COLOR").env("TERM", "screen").env("TZ", "UTC");
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("PORCHLIGHT_")) {
            command.env_remove(name);
        }
        let output = command.output().unwrap_or_else(|error| panic!("tmux, which ./test installs: {error}"));
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("tmux speaks UTF-8")
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// What stands there.
    fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until that is so.
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let begun = tokio::time::Instant::now();
        loop {
            let shown = self.shown();
            if is_so(&shown) {
                return shown;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}:\n{shown}");
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended by itself.
        Command::new("tmux").args(["-S", text(&self.socket), "kill-server"]).output().ok();
    }
}

/// The line of somebody.
fn line<'s>(shown: &'s str, who: &str) -> &'s str {
    shown.lines().find(|line| line.starts_with(who)).unwrap_or_else(|| panic!("{who} is not there:\n{shown}"))
}

#[tokio::test]
async fn in_a_terminal_people_stand_in_a_table_that_lives() {
    let server = Program::start(&mut in_memory());
    let program = env!("CARGO_BIN_EXE_porchlight");
    let screen = Screen::of(&format!("'{program}' watch --as ada --url {}", server.url()));
    let shown = screen.until("everybody is there", |shown| shown.contains("Leo Rossi"));
    assert!(shown.starts_with(&format!("{}  12 people  ○ 12", server.address())), "{shown}");
    assert!(shown.trim_end().ends_with("q quits  / filters  ↑↓ scroll"), "{shown}");
    assert!(line(&shown, "Ada Lovelace").contains("○ Offline"), "{shown}");
    // Whatever the page was before comes back in the end.
    assert_eq!(screen.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim_end(), "1 0");

    let message = json!({"message": {"content": "Reviewing the release"}});
    let body = json!({"availability": "Busy", "activity": "InAMeeting", "statusMessage": message});
    set(&server, "leo:", &body).await;
    let shown = screen.until("a change", |shown| shown.contains("In a meeting"));
    assert!(shown.starts_with(&format!("{}  12 people  ■ 1  ○ 11", server.address())), "{shown}");
    let leo = line(&shown, "Leo Rossi");
    assert!(leo.contains("■ Busy") && leo.contains(" s ago)"), "{shown}");
    assert!(leo.ends_with("Reviewing the relea…"), "as much as there is room for: {shown}");
    assert_eq!(shown.lines().nth(2), Some(leo), "who can be reached stands first: {shown}");
    let coloured = screen.tmux(&["capture-pane", "-p", "-e"]);
    assert!(coloured.contains("\u{1b}[31m■ Busy"), "{coloured:?}");

    screen.press(&["/", "a", "d", "a"]);
    let shown = screen.until("a filter", |shown| shown.contains("/ada▏"));
    assert!(shown.contains("Ada Lovelace") && !shown.contains("Leo Rossi"), "{shown}");
    screen.press(&["Escape"]);
    screen.until("everybody again", |shown| shown.contains("Leo Rossi"));

    screen.tmux(&["resize-window", "-x", "60", "-y", "8"]);
    let shown = screen.until("a smaller page", |shown| shown.contains("1 to 5 of 12"));
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    screen.press(&["End"]);
    screen.until("the end of the list", |shown| shown.contains("8 to 12 of 12"));

    screen.press(&["q"]);
    screen.until("the end", |shown| shown.trim_end() == "it has ended with 0");
    assert_eq!(screen.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim_end(), "0 1");
}

#[test]
fn a_terminal_is_as_it_was_when_the_server_goes_and_a_signal_comes() {
    let server = Program::start(&mut in_memory());
    let program = env!("CARGO_BIN_EXE_porchlight");
    // The shell becomes the program, so that the pane's process is that.
    let place = tempfile::tempdir().expect("a folder");
    let id = place.path().join("id");
    let command =
        format!("sh -c 'echo $$ > {}; exec {program} watch --as ada --url {}'", text(&id), server.url());
    let screen = Screen::of(&command);
    screen.until("everybody is there", |shown| shown.contains("Leo Rossi"));
    server.stop();
    let shown = screen.until("it says so", |shown| shown.contains("reconnecting…"));
    assert!(shown.contains("Ada Lovelace"), "what was known stays: {shown}");
    let id = std::fs::read_to_string(&id).expect("the file is there");
    let id = rustix::process::Pid::from_raw(id.trim().parse().expect("an id")).expect("not nobody's");
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    screen.until("the end", |shown| shown.trim_end() == "it has ended with 0");
    assert_eq!(screen.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim_end(), "0 1");
}

#[test]
fn keys_do_not_wait_for_a_server_that_is_asked_for_names() {
    let (asked, is_asked) = mpsc::channel();
    let address = without_names(asked);
    let program = env!("CARGO_BIN_EXE_porchlight");
    let screen = Screen::of(&format!("'{program}' watch --token x --url http://{address}"));
    is_asked.recv_timeout(PATIENCE).expect("it is asked what somebody is called");
    let begun = tokio::time::Instant::now();
    screen.press(&["q"]);
    screen.until("the end", |shown| shown.trim_end() == "it has ended with 0");
    assert!(begun.elapsed() < Duration::from_secs(15), "an answer is waited for twice as long");
}

/// A server whose stream tells of one person, and which never answers what that person is called; it says when it is
/// asked.
fn without_names(asked: mpsc::Sender<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let asked = asked.clone();
            std::thread::spawn(move || leave_nameless(&stream, &asked).ok());
        }
    });
    address
}

fn leave_nameless(mut stream: &TcpStream, asked: &mpsc::Sender<()>) -> std::io::Result<()> {
    let path = read(stream)?;
    if path.starts_with("/v1.0/communications/presences") {
        let presence =
            json!({"id": ADA, "availability": "Busy", "activity": "InACall", "sequenceNumber": "A0132B23"});
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
        write!(stream, "event: snapshot\ndata: {{}}\n\nevent: presence\ndata: {presence}\n\n")?;
        write!(stream, "event: current\ndata: {{}}\n\n")?;
    } else if path.contains("filter=") {
        // An error means that the test has ended.
        asked.send(()).ok();
    } else {
        let body = json!({"error": {"code": "Forbidden", "message": "you may not list people"}}).to_string();
        let length = body.len();
        write!(stream, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n")?;
        write!(stream, "Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")?;
        return Ok(());
    }
    // Until whoever asked goes away.
    stream.read_to_end(&mut Vec::new()).map(drop)
}
