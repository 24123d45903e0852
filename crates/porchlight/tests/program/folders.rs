//! Ports and folders that cannot be used: exit codes 69, 73 and 75.

use std::fs;
use std::net::TcpListener;

use serde_json::json;

use crate::support::{ME, Program, in_folder, porchlight, refusal, run, serve, text};

const UNAVAILABLE: i32 = 69;
const CANNOT_CREATE: i32 = 73;
const IN_USE: i32 = 75;

#[test]
fn a_port_that_is_taken_is_named_and_the_data_is_not_touched() {
    let place = tempfile::tempdir().expect("a folder");
    let data = place.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has an address").to_string();
    let ended = run(&mut porchlight(&["serve", "--listen", &address, "--data", text(&data)]));
    let expected =
        format!("cannot listen on {address}: another program does; stop it or choose another with --listen");
    assert_eq!(refusal(&ended, UNAVAILABLE), expected);
    assert!(!data.exists(), "the port is tried first");
}

#[test]
fn an_address_of_another_machine_is_named() {
    let ended = run(&mut porchlight(&["serve", "--listen", "192.0.2.7:8080", "--ephemeral"]));
    let expected = "cannot listen on 192.0.2.7:8080: Cannot assign requested address (os error 99)";
    assert_eq!(refusal(&ended, UNAVAILABLE), expected);
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named_with_what_the_system_says() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("file");
    fs::write(&file, "").expect("the file can be written");
    let below = file.join("data");
    // Not even root can make a folder in any of these places.
    let table = [
        (text(&file), "File exists (os error 17)"),
        (text(&below), "Not a directory (os error 20)"),
        ("/proc/porchlight", "No such file or directory (os error 2)"),
    ];
    for (data, cause) in table {
        let message = refusal(&run(&mut serve(&["--data", data])), CANNOT_CREATE);
        assert!(message.starts_with(&format!("the data folder {data} cannot be written")), "{message}");
        assert!(message.contains(cause), "{message}");
        assert!(message.contains("create it, or give it to the user that runs porchlight"), "{message}");
    }
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("thesis.tex"), "do not lose this").expect("the file can be written");
    let path = folder.path().display();
    let expected = format!(
        "{path} is no data folder of porchlight: it holds \"thesis.tex\"; choose an empty folder or an earlier data \
         folder"
    );
    let server = run(&mut in_folder(folder.path()));
    assert_eq!(refusal(&server, CANNOT_CREATE), expected);
    for more in [None, Some("--repair")] {
        let doctor = run(porchlight(&["doctor", "--data", text(folder.path())]).args(more));
        let message = refusal(&doctor, CANNOT_CREATE);
        assert!(message.starts_with(&format!("{path} is no data folder of porchlight: it ")), "{message}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("the folder is there").count(), 1);
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_turned_away_and_the_first_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = text(folder.path());
    let server = Program::start(&mut in_folder(folder.path()));
    let others: [&[&str]; 4] = [
        &["serve", "--dev", "--listen", "127.0.0.1:0", "--data", data],
        &["serve", "--listen", "127.0.0.1:0", "--data", data],
        &["doctor", "--data", data],
        &["doctor", "--data", data, "--repair"],
    ];
    for other in others {
        let ended = run(&mut porchlight(other));
        let expected = format!("the data folder {data} is in use by another porchlight; stop that one first");
        assert_eq!(refusal(&ended, IN_USE), expected, "{other:?}");
        let answer = server.client("ada:").patch(ME, &json!({"availability": "Busy"})).await;
        assert_eq!(answer.pair(), "Busy/Busy", "{answer:?}");
    }
    server.stop();
    let again = Program::start(&mut in_folder(folder.path()));
    assert_eq!(again.client("ada:").get(ME).await.pair(), "Busy/Busy");
}
