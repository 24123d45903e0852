//! Of somebody who was deleted no byte is left in the data folder.

use std::fs;
use std::path::Path;

use porchlight_engine::DELETED_KNOWN_FOR;
use porchlight_store::compact;
use porchlight_testkit::TestServer;
use serde_json::json;
use uuid::Uuid;

use crate::support::{ME, ada, ben, done, done_without_content, minutes, session, status};

const FIRST_NAME: &str = "zenobia.first@porchlight.example";
const NAME: &str = "Zenobia.Second@porchlight.example";
const MAIL: &str = "zz-mailbox@porchlight.example";
const DISPLAY: &str = "Zenobia the Unforgettable";
const SURNAME: &str = "Palmyrene";
const MESSAGE: &str = "besieged until further notice";
const SESSION: &str = "5e551041-7a6e-4b1c-9d3f-0123456789ab";

/// What is written in all the files of a folder, without the zeros that a journal ends with.
fn written_in(folder: &Path) -> Vec<u8> {
    let mut written = Vec::new();
    for item in fs::read_dir(folder).expect("the folder can be read") {
        let path = item.expect("the folder can be read").path();
        if path.is_dir() {
            written.extend(written_in(&path));
            continue;
        }
        let bytes = fs::read(&path).expect("the file can be read");
        // Slices are compared much faster than searched.
        let zeros =
            bytes.rchunks(4096).take_while(|chunk| **chunk == [0_u8; 4096][..chunk.len()]).map(<[u8]>::len);
        written.extend_from_slice(&bytes[..bytes.len() - zeros.sum::<usize>()]);
    }
    written
}

/// Which of these are to be found in a folder, by name.
fn found<'n>(folder: &Path, needles: &[(&'n str, Vec<u8>)]) -> Vec<&'n str> {
    let written = written_in(folder);
    let is_there = |needle: &[u8]| written.windows(needle.len()).any(|part| part == needle);
    needles.iter().filter(|(_, needle)| is_there(needle)).map(|(name, _)| *name).collect()
}

/// What is searched for: all that the folder could hold of her.
fn needles(id: &str) -> Vec<(&'static str, Vec<u8>)> {
    let raw = |id: &str| Uuid::try_parse(id).expect("a GUID").as_bytes().to_vec();
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("id in a key", text(id)),
        // The storage engine leaves out what a key begins with like the one before.
        ("end of the id", text(&id[8..])),
        ("id in a value", raw(id)),
        ("first name", text(FIRST_NAME)),
        ("name in a key", text(&NAME.to_lowercase())),
        ("name in a value", text(NAME)),
        ("mail", text(MAIL)),
        ("display name", text(DISPLAY)),
        ("surname", text(SURNAME)),
        ("message", text(MESSAGE)),
        ("session", raw(SESSION)),
    ]
}

#[tokio::test]
async fn of_a_deleted_person_no_byte_is_left_once_the_log_was_written_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || TestServer::builder().data(folder.path()).start();
    let server = start().await;
    let body = json!({"userPrincipalName": FIRST_NAME, "displayName": DISPLAY, "mail": MAIL});
    let made = ben(&server).post("/v1.0/users", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let her = format!("/v1.0/users/{id}");
    let change = json!({"userPrincipalName": NAME, "surname": SURNAME});
    done_without_content(&ben(&server).patch(&her, &change).await);
    let zenobia = server.client("zenobia.second:");
    done(&zenobia.post(&format!("{ME}/setPresence"), &session(SESSION, "Busy/InACall", "")).await);
    done(&zenobia.post(&format!("{ME}/setStatusMessage"), &status(MESSAGE)).await);
    // Somebody of whom everything has to stay.
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status("still here")).await);
    let others = ben(&server).get("/v1.0/users").await.json()["value"].clone();
    server.stop();
    let needles = needles(&id);
    let names: Vec<&str> = needles.iter().map(|(name, _)| *name).collect();
    assert_eq!(found(folder.path(), &needles), names, "the search finds what is there");

    let server = start().await;
    done_without_content(&ben(&server).delete(&her).await);
    server.stop();
    compact(folder.path(), &|_, _| {}).expect("nobody else has it");
    let keys = ["id in a key", "end of the id", "first name", "name in a key"];
    let left = found(folder.path(), &needles);
    assert!(
        left.iter().all(|name| keys.contains(name)),
        "that she was there is still known, no more: {left:?}"
    );
    assert!(!left.is_empty(), "it is told for seven days who was deleted");

    let server = start().await;
    server.advance(DELETED_KNOWN_FOR + minutes(1));
    server.engine().purge(DELETED_KNOWN_FOR);
    server.stop();
    compact(folder.path(), &|_, _| {}).expect("nobody else has it");
    assert_eq!(found(folder.path(), &needles), Vec::<&str>::new());

    let server = start().await;
    let mut left = others.as_array().expect("a list").clone();
    left.retain(|person| person["id"] != id);
    assert_eq!(ben(&server).get("/v1.0/users").await.json()["value"], json!(left));
    let message = ada(&server).get(ME).await.json()["statusMessage"]["message"]["content"].clone();
    assert_eq!(message, "still here");
    server.stop();
}
