//! Data that cannot be read, exit code 65, and `porchlight doctor`, which says why and can do something about it.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use porchlight_testkit::TestServer;
use serde_json::json;

use crate::support::{CLOCK, Ended, ME, Program, in_folder, porchlight, refusal, run, text};

const DATA: i32 = 65;
const CANNOT_CREATE: i32 = 73;

/// 2100-01-01T00:00:00Z
pub(crate) const FAR_AHEAD: i64 = 4_102_444_800_000;

/// How many bytes of text each of the writes has that are damaged.
const LONG: usize = 2000;

/// The message of a server that does not start on this folder.
fn server_refusal(data: &Path) -> String {
    refusal(&run(&mut in_folder(data)), DATA)
}

/// `porchlight doctor` on this folder, with what else is given.
fn doctor(data: &Path, arguments: &[&str]) -> Ended {
    run(porchlight(&["doctor", "--data", text(data)]).args(arguments))
}

/// A folder with the demo people and this many long writes, as a kill leaves it.
pub(crate) async fn folder_with_writes(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(folder.path()));
    for number in 1..=count {
        let message = format!("{number}{}", "x".repeat(LONG));
        let body = json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": message}});
        assert_eq!(server.client("ada:").patch(ME, &body).await.status, 200);
    }
    server.kill();
    folder
}

/// What a journal holds, without the zeros at its end.
fn written(journal: &Path) -> Vec<u8> {
    let mut bytes = fs::read(journal).expect("the journal is there");
    // Nearly all of it is zeros, and slices are compared much faster than searched.
    let zeros =
        bytes.rchunks(4096).take_while(|chunk| **chunk == [0_u8; 4096][..chunk.len()]).map(<[u8]>::len);
    let used = bytes.len() - zeros.sum::<usize>();
    let end = bytes[..used].iter().rposition(|byte| *byte != 0).expect("something was written") + 1;
    bytes.truncate(end);
    bytes
}

/// Overwrites 500 bytes that lie this far before the journal's last written byte, as if they had never reached the disk.
pub(crate) fn lose(data: &Path, before_end: u64) {
    let journal = data.join("fjall").join("0.jnl");
    let end = written(&journal).len() as u64;
    let mut file = File::options().write(true).open(&journal).expect("the journal can be written");
    file.seek(SeekFrom::Start(end - before_end)).expect("it is long enough");
    file.write_all(&[0_u8; 500]).expect("it can be written");
}

#[tokio::test]
async fn a_sound_folder_is_told_in_one_line() {
    let folder = folder_with_writes(2).await;
    let said = doctor(folder.path(), &[]).answer();
    let sound = format!("{}: sound; 12 people, 1 with a presence record", folder.path().display());
    assert_eq!(said, sound);
    let said = doctor(folder.path(), &["--repair"]).answer();
    assert_eq!(said, format!("{}: nothing to repair\n{sound}", folder.path().display()));
}

#[tokio::test]
async fn a_folder_is_written_anew_with_what_is_still_there() {
    let folder = folder_with_writes(2).await;
    let path = folder.path().display();
    let journal = folder.path().join("fjall").join("0.jnl");
    let holds = |text: &str| written(&journal).windows(text.len()).any(|part| part == text.as_bytes());
    let (overwritten, newest) = (format!("1{}", "x".repeat(63)), format!("2{}", "x".repeat(63)));
    assert!(holds(&overwritten) && holds(&newest));
    let said = doctor(folder.path(), &["--compact"]).answer();
    let (anew, sound) = said.split_once('\n').expect("two lines");
    let bytes = anew.strip_prefix(&format!("{path}: written anew; ")).expect("it says what it did");
    let (after, before) = bytes.split_once(" bytes instead of ").expect("it says how much");
    let (after, before): (u64, u64) = (after.parse().expect("a number"), before.parse().expect("a number"));
    assert!(after > 0 && before > 0, "{anew}");
    assert_eq!(sound, format!("{path}: sound; 12 people, 1 with a presence record"));
    assert!(!holds(&overwritten) && holds(&newest));
    let server = Program::start(&mut in_folder(folder.path()));
    let presence = server.client("ada:").get(ME).await.json();
    let message = presence["outOfOfficeSettings"]["message"].as_str().expect("the newest is there");
    assert!(message.starts_with("2x"), "{message}");
    assert_eq!(server.client("ada:").patch(ME, &json!({"availability": "Busy"})).await.status, 200);
}

#[tokio::test]
async fn a_torn_batch_is_refused_until_doctor_has_cut_it_off() {
    let folder = folder_with_writes(2).await;
    let path = folder.path().display();
    lose(folder.path(), 1500);
    let refused = server_refusal(folder.path());
    let begin = "the last ";
    let end = format!(
        " bytes of the journal {path}/fjall/0.jnl are a torn batch, as a power failure leaves them; run `porchlight \
         doctor --repair"
    );
    assert!(refused.starts_with(begin) && refused.contains(&end), "{refused}");
    assert_eq!(refusal(&doctor(folder.path(), &[]), DATA), refused, "looking changes nothing");

    let said = doctor(folder.path(), &["--repair"]).answer();
    let (cut, sound) = said.split_once('\n').expect("two lines");
    let cut = cut.strip_prefix(&format!("{path}: cut ")).expect("it says what it did");
    let bytes: usize = cut.split(' ').next().and_then(|bytes| bytes.parse().ok()).expect("it says how much");
    assert!((LONG..LONG + 1000).contains(&bytes), "{bytes}");
    assert!(cut.contains(&format!("they are kept in {path}/fjall/0.jnl.torn.")), "{cut}");
    assert_eq!(sound, format!("{path}: sound; 12 people, 1 with a presence record"));
    let kept = fs::metadata(folder.path().join("fjall/0.jnl.torn")).expect("the copy is there");
    assert_eq!(kept.len(), bytes as u64);

    let server = Program::start(&mut in_folder(folder.path()));
    let presence = server.client("ada:").get(ME).await.json();
    let message = presence["outOfOfficeSettings"]["message"].as_str().expect("the write before is there");
    assert!(message.starts_with("1x"), "{message}");
    assert_eq!(server.client("ada:").patch(ME, &json!({"availability": "Busy"})).await.status, 200);
}

#[tokio::test]
async fn damage_before_whole_writes_is_never_cut_off() {
    let folder = folder_with_writes(3).await;
    let journal = folder.path().join("fjall").join("0.jnl");
    lose(folder.path(), 3700);
    let before = fs::read(&journal).expect("the journal is there");
    let lost = format!("the data folder {} has lost entries: its journal ", folder.path().display());
    let refused = server_refusal(folder.path());
    assert!(refused.starts_with(&lost), "{refused}");
    assert!(refused.ends_with(", and whole batches follow; restore it from a backup"), "{refused}");
    assert_eq!(refusal(&doctor(folder.path(), &[]), DATA), refused);
    let refused = refusal(&doctor(folder.path(), &["--repair"]), DATA);
    let expected = "that a cut would lose; nothing was changed, restore the data folder from a backup";
    assert!(refused.ends_with(expected), "{refused}");
    assert!(fs::read(&journal).expect("the journal is there") == before, "the journal was changed");
}

#[tokio::test]
async fn a_folder_that_has_lost_its_storage_is_not_taken_for_a_new_one() {
    let folder = folder_with_writes(1).await;
    fs::remove_dir_all(folder.path().join("fjall")).expect("it can be removed");
    let expected = format!(
        "the data folder {} has lost entries: the folder of the storage engine is gone; restore it from a backup",
        folder.path().display()
    );
    assert_eq!(server_refusal(folder.path()), expected);
    assert_eq!(refusal(&doctor(folder.path(), &[]), DATA), expected);
    refusal(&doctor(folder.path(), &["--repair"]), DATA);
}

#[tokio::test]
async fn a_folder_of_a_newer_program_is_refused() {
    let folder = folder_with_writes(1).await;
    let marker = folder.path().join("porchlight.log");
    let content = fs::read_to_string(&marker).expect("the marker is there");
    fs::write(&marker, content.replace("format 1\n", "format 2\n")).expect("it can be written");
    let expected = format!(
        "the data folder {} has format 2, and this porchlight knows none newer than 1; use a newer one",
        folder.path().display()
    );
    assert_eq!(server_refusal(folder.path()), expected);
    assert_eq!(refusal(&doctor(folder.path(), &[]), DATA), expected);
}

#[tokio::test]
async fn data_ahead_of_the_clock_is_refused_unless_that_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let future = TestServer::builder().data(folder.path()).start_at(FAR_AHEAD).start().await;
    assert_eq!(future.client("ada:").patch(ME, &json!({"availability": "Busy"})).await.status, 200);
    future.stop();

    let refused = server_refusal(folder.path());
    let end = " s ahead of this machine's clock: set the clock right, or start with --accept-clock";
    let ahead =
        refused.strip_prefix("the newest write in the data is ").and_then(|rest| rest.strip_suffix(end));
    let ahead: i64 = ahead.and_then(|seconds| seconds.parse().ok()).unwrap_or_else(|| panic!("{refused}"));
    assert!(ahead > 3600 && ahead < FAR_AHEAD / 1000, "{ahead}");

    for accepted in ["flag", "variable"] {
        let mut command = in_folder(folder.path());
        match accepted {
            "flag" => command.arg("--accept-clock"),
            _ => command.env("PORCHLIGHT_ACCEPT_CLOCK", "true"),
        };
        let server = Program::start(&mut command);
        let ada = server.client("ada:");
        assert_eq!(ada.get(ME).await.pair(), "Busy/Busy", "{accepted}");
        let now = server.anonymous().get(CLOCK).await.json()["now"].clone();
        assert!(now.as_str().is_some_and(|now| now.starts_with("2100-01-01T00:00:00")), "{now}");
        assert_eq!(ada.patch(ME, &json!({"availability": "Busy"})).await.status, 200, "{accepted}");
        server.stop();
    }
}

#[test]
fn looking_makes_no_data_folder_of_anything() {
    let place = tempfile::tempdir().expect("a folder");
    let (missing, empty, file) =
        (place.path().join("missing"), place.path().join("empty"), place.path().join("file"));
    fs::create_dir(&empty).expect("it can be made");
    fs::write(&file, "").expect("it can be written");
    for data in [&missing, &empty, &file] {
        let begin = format!("{} is no ", data.display());
        let message = refusal(&doctor(data, &[]), CANNOT_CREATE);
        assert!(message.starts_with(&begin), "{message}");
        let by_variable = run(porchlight(&["doctor", "--repair"]).env("PORCHLIGHT_DATA", data));
        refusal(&by_variable, CANNOT_CREATE);
        refusal(&doctor(data, &["--repair"]), CANNOT_CREATE);
        refusal(&doctor(data, &["--compact"]), CANNOT_CREATE);
    }
    assert!(!missing.exists());
    assert_eq!(fs::read_dir(&empty).expect("the folder is there").count(), 0);
}
