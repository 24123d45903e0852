//! `porchlight backup` and `porchlight restore`: everything of a folder in a file, and into another folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use porchlight_testkit::{ADA, BEN};
use serde_json::json;

use crate::support::{Ended, ME, Program, in_folder, porchlight, presence_of, refusal, run, text};

const WRONG: i32 = 64;
const DATA: i32 = 65;
const CANNOT_CREATE: i32 = 73;
const IN_USE: i32 = 75;

/// `porchlight backup` of this folder, with what else is given.
fn backup(data: &Path, arguments: &[&str]) -> Ended {
    run(porchlight(&["backup", "--data", text(data)]).args(arguments))
}

/// `porchlight restore` of this file into this folder.
fn restore(data: &Path, file: &Path) -> Ended {
    run(&mut porchlight(&["restore", "--data", text(data), text(file)]))
}

/// How many keys a backup or a restore says that there were.
pub(crate) fn keys(ended: &Ended) -> usize {
    let said = ended.answer();
    let count = said.split_once(": ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    count.unwrap_or_else(|| panic!("it does not say how many: {said}"))
}

/// Makes a folder of a server that has stopped, with the demo people, something that Ada has written, and tombstones of
/// Ben, who comes back at the next start as all demo people do.
pub(crate) async fn furnish(data: &Path) {
    let server = Program::start(&mut in_folder(data));
    let ada = server.client("ada:");
    let body = json!({"availability": "Busy", "statusMessage": {"message": {"content": "Ünïcode"}}});
    assert_eq!(ada.patch(ME, &body).await.status, 200);
    assert_eq!(ada.delete(&format!("/v1.0/users/{BEN}")).await.status, 204);
    server.stop();
}

/// Holds a server to what [`furnish`] has written.
pub(crate) async fn assert_furnished(server: &Program) {
    let presence = server.client("cleo:").get(&presence_of(ADA)).await;
    assert_eq!(presence.pair(), "Busy/Busy", "{presence:?}");
    assert_eq!(presence.json()["statusMessage"]["message"]["content"], "Ünïcode");
}

#[tokio::test]
async fn what_was_restored_is_served_and_its_backup_has_the_same_bytes() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    furnish(&at("first")).await;
    let (one, two) = (at("one"), at("two"));
    let written = backup(&at("first"), &[text(&one)]);
    let count = keys(&written);
    assert!(count > 25, "two entries for each of a dozen people, and more: {written:?}");
    let place_of = |name: &str| format!("{count} keys, which are in {}", at(name).display());
    assert_eq!(written.answer(), format!("{}: {}", one.display(), place_of("first")));
    let restored = restore(&at("second"), &one).answer();
    assert_eq!(restored, format!("{}: {} now", one.display(), place_of("second")));
    assert_eq!(keys(&backup(&at("second"), &[text(&two)])), count);
    assert!(fs::read(&one).expect("it is there") == fs::read(&two).expect("it is there"), "the bytes differ");

    let id = |name: &str| fs::read_to_string(at(name).join("porchlight.log")).expect("a data folder");
    assert_ne!(id("first"), id("second"), "a restored log is another log");
    let server = Program::start(&mut in_folder(&at("second")));
    assert_furnished(&server).await;
    assert_eq!(server.client("ada:").patch(ME, &json!({"availability": "Away"})).await.status, 200);
}

#[tokio::test]
async fn a_backup_is_for_nobody_else_to_read_and_replaces_nothing_unless_told_to() {
    let place = tempfile::tempdir().expect("a folder");
    let (data, file) = (place.path().join("data"), place.path().join("file"));
    furnish(&data).await;
    fs::write(&file, "do not lose this").expect("it can be written");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("it can be changed");
    let expected = format!("{} is there already: --force replaces it", file.display());
    assert_eq!(refusal(&backup(&data, &[text(&file)]), WRONG), expected);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "do not lose this");
    // What an interruption has left behind is in nobody's way.
    fs::write(place.path().join("file.new"), "half").expect("it can be written");
    keys(&backup(&data, &["--force", text(&file)]));
    assert!(fs::read(&file).expect("it is there").starts_with(b"porchlight-dump\n\x01"));
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(!place.path().join("file.new").exists());
}

#[tokio::test]
async fn a_torn_or_damaged_file_is_refused_before_anything_is_made() {
    let place = tempfile::tempdir().expect("a folder");
    let (data, file) = (place.path().join("data"), place.path().join("file"));
    let (bad, target) = (place.path().join("bad"), place.path().join("target"));
    furnish(&data).await;
    keys(&backup(&data, &[text(&file)]));
    let whole = fs::read(&file).expect("it is there");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let table: [(&[u8], &str); 5] = [
        (&whole[..whole.len() - 1], "it is torn: its end is missing"),
        (&whole[..whole.len() / 2], "it is torn: its end is missing"),
        (b"", "it is no dump of porchlight"),
        (
            b"porchlight-dump\n\x02",
            "it has version 2, and this program reads none newer than 1; use a newer one",
        ),
        (&damaged, ""),
    ];
    for (bytes, why) in table {
        fs::write(&bad, bytes).expect("it can be written");
        let message = refusal(&restore(&target, &bad), DATA);
        let expected = format!("the backup {} is of no use: {why}", bad.display());
        assert!(message.starts_with(&expected), "{expected}: {message}");
        assert!(!target.exists());
    }
    fs::remove_file(&bad).expect("it is there");
    let expected =
        format!("cannot read the backup {}: No such file or directory (os error 2)", bad.display());
    assert_eq!(refusal(&restore(&target, &bad), WRONG), expected);
}

#[tokio::test]
async fn a_log_with_something_in_it_is_not_restored_into() {
    let place = tempfile::tempdir().expect("a folder");
    let (data, file) = (place.path().join("data"), place.path().join("file"));
    furnish(&data).await;
    keys(&backup(&data, &[text(&file)]));
    let message = refusal(&restore(&data, &file), CANNOT_CREATE);
    let expected = format!(
        "what is in {} is not empty: restore into another --data folder, or remove this one",
        data.display()
    );
    assert_eq!(message, expected);
    let server = Program::start(&mut in_folder(&data));
    assert_furnished(&server).await;
}

#[tokio::test]
async fn a_folder_in_use_is_left_alone_and_one_that_is_not_there_is_not_made() {
    let place = tempfile::tempdir().expect("a folder");
    let (data, file) = (place.path().join("data"), place.path().join("file"));
    furnish(&data).await;
    keys(&backup(&data, &[text(&file)]));
    let server = Program::start(&mut in_folder(&data));
    let other = place.path().join("other");
    let in_use =
        format!("the data folder {} is in use by another porchlight; stop that one first", data.display());
    assert_eq!(refusal(&backup(&data, &[text(&other)]), IN_USE), in_use);
    assert_eq!(refusal(&restore(&data, &file), IN_USE), in_use);
    assert_furnished(&server).await;
    let missing = place.path().join("missing");
    let expected = format!("{} is no data folder of porchlight: it has no porchlight.log", missing.display());
    assert_eq!(refusal(&backup(&missing, &[text(&other)]), CANNOT_CREATE), expected);
    assert!(!missing.exists() && !other.exists());
    let nowhere = missing.join("file");
    server.stop();
    let message = refusal(&backup(&data, &[text(&nowhere)]), CANNOT_CREATE);
    assert!(message.starts_with(&format!("cannot write the backup {}: ", nowhere.display())), "{message}");
}
