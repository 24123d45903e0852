//! The data folder and the disk under an embedded log.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the functions that the tests share are tests too"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use porchlight_store::contract::{Recorder, live, put};
use porchlight_store::{
    AppendError, Durability, Embedded, Health, Key, Log, OpenError, Options, Repair, RepairError, Replica,
    Revision, Value, compact, repair,
};
use tempfile::TempDir;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Length of the values that are long enough for a page of zeros to lie within one.
const LONG: usize = 16 * 1024;

fn open(place: &Path, replica: &Arc<Recorder>) -> Embedded {
    Embedded::open(place, Options::default(), replica.clone()).unwrap()
}

/// Why the log cannot be opened.
fn refusal(place: &Path) -> OpenError {
    match Embedded::open(place, Options::default(), Recorder::new()) {
        Ok(_) => panic!("{} was opened", place.display()),
        Err(refusal) => refusal,
    }
}

fn key(number: usize) -> Key {
    Key::new(format!("user/{number}"))
}

fn long_value(number: usize) -> Value {
    Value::Live(Bytes::from(vec![b'a' + (number % 26) as u8; LONG]))
}

/// Creates keys with long values, each in a batch of its own.
async fn put_long(log: &Embedded, numbers: std::ops::Range<usize>) {
    for number in numbers {
        put(log, &key(number), Revision::NONE, long_value(number)).await.unwrap();
    }
}

/// What is in the log when it is opened.
fn keys_in(place: &Path) -> Vec<Key> {
    let replica = Recorder::new();
    drop(open(place, &replica));
    replica.entries().into_keys().collect()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

// The folder.

#[test]
fn second_handle_is_told_that_the_folder_is_in_use() {
    let place = tempfile::tempdir().unwrap();
    let first = open(place.path(), &Recorder::new());
    let refusal = refusal(place.path());
    assert!(matches!(refusal, OpenError::InUse { .. }), "{refusal}");
    assert!(matches!(repair(place.path()), Err(RepairError::Open(OpenError::InUse { .. }))));
    first.close();
    drop(open(place.path(), &Recorder::new()));
}

#[test]
fn folder_of_somebody_else_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("thesis.tex"), "do not lose this").unwrap();
    let refusal = refusal(place.path());
    assert!(matches!(&refusal, OpenError::Foreign { found, .. } if found == "thesis.tex"), "{refusal}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    assert!(matches!(repair(place.path()), Err(RepairError::Open(OpenError::Missing { .. }))));
}

/// In it are secrets, and what people say of themselves.
#[test]
fn folder_that_is_made_is_for_nobody_else_and_one_that_was_there_keeps_its_rights() {
    let place = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let made = place.path().join("data");
    drop(open(&made, &Recorder::new()));
    assert_eq!(mode(&made), 0o700);
    let kept = place.path().join("kept");
    fs::create_dir(&kept).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o750)).unwrap();
    drop(open(&kept, &Recorder::new()));
    assert_eq!(mode(&kept), 0o750);
}

#[test]
fn folder_that_cannot_be_made_or_written_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("data")] {
        let refusal = refusal(&path);
        assert!(matches!(refusal, OpenError::NotWritable { .. }), "{refusal}");
        assert!(refusal.to_string().contains(&path.display().to_string()));
    }
    // Root may write everywhere but on a disk that is mounted so that nobody may.
    let read_only = place.path().join("read-only");
    fs::create_dir(&read_only).unwrap();
    let _disk = if is_root() {
        Disk::read_only_at(&read_only)
    } else {
        fs::set_permissions(&read_only, fs::Permissions::from_mode(0o555)).unwrap();
        None
    };
    for path in [read_only.clone(), read_only.join("data")] {
        let refusal = refusal(&path);
        assert!(matches!(refusal, OpenError::NotWritable { .. }), "{refusal}");
    }
}

#[test]
fn folder_of_a_newer_format_is_refused() {
    let place = tempfile::tempdir().unwrap();
    drop(open(place.path(), &Recorder::new()));
    let marker = place.path().join("porchlight.log");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("format 1\n", "format 2\n")).unwrap();
    let refusal = refusal(place.path());
    assert!(matches!(refusal, OpenError::NewerFormat { found: 2, known: 1, .. }), "{refusal}");
}

#[test]
fn folder_that_lost_its_storage_is_not_taken_for_a_new_one() {
    let place = tempfile::tempdir().unwrap();
    drop(open(place.path(), &Recorder::new()));
    fs::remove_dir_all(place.path().join("fjall")).unwrap();
    let refusal = refusal(place.path());
    assert!(matches!(refusal, OpenError::Incomplete { .. }), "{refusal}");
}

#[tokio::test]
async fn disk_bytes_grow_with_what_is_written_and_not_with_what_is_reserved() {
    let place = tempfile::tempdir().unwrap();
    let log = open(place.path(), &Recorder::new());
    let before = log.disk_bytes().unwrap();
    assert!(before < 1 << 20, "{before}");
    put_long(&log, 0..64).await;
    assert!(log.disk_bytes().unwrap() >= before + (64 * LONG) as u64);
}

// Writing.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_at_the_same_time_share_syncs() {
    let place = tempfile::tempdir().unwrap();
    let log = Arc::new(open(place.path(), &Recorder::new()));
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut revision = Revision::NONE;
                for number in 0..16 {
                    revision = put(&*log, &key(task), revision, live(number.to_string())).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stats = log.stats();
    assert_eq!(stats.appends, 64 * 16);
    assert!(stats.syncs < stats.appends / 2, "{stats:?}");
}

#[tokio::test]
async fn append_alone_takes_one_sync() {
    let place = tempfile::tempdir().unwrap();
    let log = open(place.path(), &Recorder::new());
    for number in 0..3 {
        put(&log, &key(number), Revision::NONE, live("one")).await.unwrap();
        assert_eq!(log.stats().syncs, number as u64 + 1);
    }
}

#[tokio::test]
async fn relaxed_log_takes_far_fewer_syncs_and_has_everything_when_the_process_dies() {
    let place = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let log = Embedded::open(place.path(), options, Recorder::new()).unwrap();
    for number in 0..200 {
        put(&log, &key(number), Revision::NONE, live("one")).await.unwrap();
    }
    let stats = log.stats();
    assert!(stats.syncs < stats.appends / 2, "{stats:?}");
    let copy = copy(place.path());
    assert_eq!(keys_in(copy.path()).len(), 200);
}

// The journal.

/// A copy of the data folder as it is on the disk at this moment.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    let done = Command::new("cp").arg("-a").arg(from.join(".")).arg(to.path()).status().unwrap();
    assert!(done.success());
    to
}

fn journal_of(place: &Path) -> PathBuf {
    place.join("fjall").join("0.jnl")
}

/// Where the last byte of the journal that is not zero ends.
fn written(journal: &Path) -> u64 {
    let bytes = fs::read(journal).unwrap();
    // Most of it is zeros; slices are compared much faster than searched.
    let zeros: usize =
        bytes.rchunks(4096).take_while(|chunk| **chunk == [0_u8; 4096][..chunk.len()]).map(<[u8]>::len).sum();
    let used = &bytes[..bytes.len() - zeros];
    used.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

/// Overwrites this part of the file with zeros, as a page that never reached the disk.
fn zero(file: &Path, bytes: std::ops::Range<u64>) {
    let mut file = File::options().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(bytes.start)).unwrap();
    file.write_all(&vec![0_u8; (bytes.end - bytes.start) as usize]).unwrap();
}

/// The folder of a log with five long values, as it is while the log is open.
async fn five_long_values() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let log = open(place.path(), &Recorder::new());
    put_long(&log, 0..5).await;
    copy(place.path())
}

#[tokio::test]
async fn log_that_was_not_closed_has_everything() {
    let place = five_long_values().await;
    assert_eq!(keys_in(place.path()), (0..5).map(key).collect::<Vec<_>>());
}

#[tokio::test]
async fn torn_batch_is_refused_until_it_is_cut_off() {
    let place = five_long_values().await;
    let journal = journal_of(place.path());
    let end = written(&journal);
    // Within the last value: the end of the batch, after it, is as it was written.
    zero(&journal, end - 12 * 1024..end - 8 * 1024);

    let error = refusal(place.path());
    assert!(matches!(&error, OpenError::Damaged { journal: found, .. } if *found == journal), "{error}");
    assert!(error.to_string().contains("porchlight doctor --repair"));

    let Repair::Cut { bytes, copy, .. } = repair(place.path()).unwrap() else {
        panic!("nothing was cut");
    };
    assert!(bytes > LONG as u64 && bytes < LONG as u64 + 1024, "{bytes}");
    assert_eq!(fs::metadata(copy).unwrap().len(), bytes);
    assert_eq!(repair(place.path()).unwrap(), Repair::Nothing);

    // Everything but the torn batch is there, and the log goes on.
    let replica = Recorder::new();
    let log = open(place.path(), &replica);
    assert_eq!(replica.entries().into_keys().collect::<Vec<_>>(), (0..4).map(key).collect::<Vec<_>>());
    assert_eq!(replica.entry(&key(3)).unwrap().value, long_value(3));
    put_long(&log, 4..6).await;
    drop(log);
    assert_eq!(keys_in(place.path()).len(), 6);
}

#[tokio::test]
async fn batch_that_breaks_off_is_left_out_without_a_question() {
    let place = five_long_values().await;
    let journal = journal_of(place.path());
    let end = written(&journal);
    // The last page, and with it the end of the batch: what a process leaves that was killed while it wrote.
    zero(&journal, end - 4096..end);
    let repaired = copy(place.path());
    assert_eq!(keys_in(place.path()), (0..4).map(key).collect::<Vec<_>>());

    assert!(matches!(repair(repaired.path()), Ok(Repair::Cut { .. })));
    assert_eq!(keys_in(repaired.path()), (0..4).map(key).collect::<Vec<_>>());
}

#[tokio::test]
async fn damage_before_whole_batches_is_never_cut_off() {
    let place = five_long_values().await;
    let journal = journal_of(place.path());
    let end = written(&journal);
    let middle = end - 3 * LONG as u64;
    zero(&journal, middle - 4096..middle);
    let before = fs::read(&journal).unwrap();

    let refusal = refusal(place.path());
    assert!(matches!(refusal, OpenError::Incomplete { .. }), "{refusal}");
    assert!(matches!(repair(place.path()), Err(RepairError::NotTorn { .. })));
    assert!(fs::read(&journal).unwrap() == before, "the journal was changed");
}

#[tokio::test]
async fn repair_of_a_whole_folder_does_nothing() {
    let place = five_long_values().await;
    assert_eq!(repair(place.path()).unwrap(), Repair::Nothing);
    assert_eq!(keys_in(place.path()).len(), 5);
}

#[tokio::test]
async fn log_that_is_closed_leaves_no_long_journal_and_loses_nothing_by_it() {
    let place = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let open =
        |replica: &Arc<Recorder>| Embedded::open(place.path(), options.clone(), replica.clone()).unwrap();
    let (replica, again) = (Recorder::new(), Recorder::new());
    let log = open(&replica);
    put_long(&log, 0..300).await;
    assert!(written(&journal_of(place.path())) > 4 << 20);
    drop(log);
    assert_eq!(fs::metadata(journal_of(place.path())).unwrap().len(), 0);

    let log = open(&again);
    assert_eq!(again.entries(), replica.entries());
    let revision = put(&log, &key(0), replica.revision(&key(0)), live("newer")).await.unwrap();
    assert_eq!(revision, Revision(301), "the log goes on where it was");
    drop(log);
    let last = Recorder::new();
    drop(open(&last));
    assert_eq!(last.entries(), again.entries(), "what is written after that is newer than what was there");
}

// The disk.

/// A small disk in memory, for as long as the value lives.
struct Disk {
    path: PathBuf,
    /// Removed after the disk is gone from it.
    _place: Option<TempDir>,
}

impl Disk {
    /// A disk of this size, if this process may mount one.
    fn of(size: &str) -> Option<Disk> {
        let place = tempfile::tempdir().unwrap();
        mount(place.path(), &format!("size={size}"))
            .then(|| Disk { path: place.path().to_owned(), _place: Some(place) })
    }

    /// A disk at this place, which nobody may write to, if this process may mount one.
    fn read_only_at(path: &Path) -> Option<Disk> {
        mount(path, "ro,size=64k").then(|| Disk { path: path.to_owned(), _place: None })
    }
}

/// Mounts a disk in memory, if this process may. Root must be able to.
fn mount(path: &Path, options: &str) -> bool {
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).output();
    let mounted = mount.as_ref().is_ok_and(|mount| mount.status.success());
    if !mounted {
        assert!(!is_root(), "cannot mount a tmpfs although this is root: {mount:?}");
        eprintln!("cannot mount a tmpfs: only root can, so this is not tested");
    }
    mounted
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a test that failed may still have files open there.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Waits until the log takes writes.
async fn until_writable(log: &Embedded) {
    let mut health = log.health();
    let writable = health.wait_for(|health| *health == Health::Writable);
    timeout(PATIENCE, writable).await.expect("the log recovers by itself").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_is_survived_without_a_loss() {
    let Some(disk) = Disk::of("6m") else { return };
    let ballast = disk.path.join("ballast");
    fs::write(&ballast, vec![7_u8; 3 << 20]).unwrap();
    let data = disk.path.join("data");
    let replica = Recorder::new();
    let log = open(&data, &replica);

    // Until the disk is full.
    let mut acknowledged = BTreeMap::new();
    let mut number = 0;
    let failure = loop {
        assert!(number < 1_000, "the disk is not full after 16 MB");
        match put(&log, &key(number), Revision::NONE, long_value(number)).await {
            Ok(revision) => acknowledged.insert(key(number), revision),
            Err(failure) => break failure,
        };
        number += 1;
    };
    assert_eq!(failure, AppendError::Unknown);
    assert!(log.stats().faults >= 1);
    for (key, revision) in &acknowledged {
        assert_eq!(replica.revision(key), *revision, "reads go on");
    }

    // It recovers when there is room again, and takes writes from then on.
    fs::remove_file(&ballast).unwrap();
    let recovered = async {
        loop {
            until_writable(&log).await;
            let expected = replica.revision(&key(number));
            match put(&log, &key(number), expected, live("after the fault")).await {
                Ok(revision) => break revision,
                Err(AppendError::Unavailable | AppendError::Unknown) => {}
                Err(other) => panic!("what was unknown is settled: {other}"),
            }
        }
    };
    let revision = timeout(PATIENCE, recovered).await.expect("the log recovers by itself");
    acknowledged.insert(key(number), revision);
    put_long(&log, number + 1..number + 20).await;
    drop(log);

    let again = Recorder::new();
    drop(open(&data, &again));
    assert_eq!(again.entries(), replica.entries());
    for (key, revision) in acknowledged {
        assert_eq!(again.revision(&key), revision, "an acknowledged entry is missing");
    }
}

// Writing everything anew.

/// A folder with 2,000 keys, of which some were overwritten and the first was deleted; and what is in it.
async fn folder_with_history() -> (TempDir, Vec<(Key, Revision, Value)>) {
    let place = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let log = Embedded::open(place.path(), options, Recorder::new()).unwrap();
    for number in 0..2_000 {
        put(&log, &key(number), Revision::NONE, live("first")).await.unwrap();
    }
    for number in 0..10 {
        put(&log, &key(number), Revision(number as u64 + 1), live("second")).await.unwrap();
    }
    put(&log, &key(0), Revision(2_001), Value::Tombstone { at: 7 }).await.unwrap();
    log.close();
    drop(log);
    let entries = entries_in(place.path());
    (place, entries)
}

fn entries_in(place: &Path) -> Vec<(Key, Revision, Value)> {
    let replica = Recorder::new();
    drop(open(place, &replica));
    replica.entries().into_iter().map(|(key, entry)| (key, entry.revision, entry.value)).collect()
}

#[tokio::test]
async fn what_is_written_anew_is_the_same_log() {
    let (place, entries) = folder_with_history().await;
    assert_eq!(entries.len(), 2_000);
    let id = open(place.path(), &Recorder::new()).id();
    let compacted = compact(place.path(), &|_, _| {}).unwrap();
    assert!(compacted.bytes_after > 0 && compacted.bytes_before > 0, "{compacted:?}");
    assert_eq!(entries_in(place.path()), entries);
    let log = open(place.path(), &Recorder::new());
    assert_eq!(log.id(), id);
    let next = put(&log, &Key::new("new"), Revision::NONE, live("one")).await.unwrap();
    assert_eq!(next, Revision(2_012), "no revision is used twice");
    log.purge(8);
    log.close();
    drop(log);
    compact(place.path(), &|_, _| {}).unwrap();
    let entries = entries_in(place.path());
    assert!(entries.len() == 2_000 && !entries.iter().any(|(other, ..)| *other == key(0)));
}

#[tokio::test]
async fn an_empty_log_can_be_written_anew_and_a_missing_one_is_not_made() {
    let place = tempfile::tempdir().unwrap();
    assert!(matches!(compact(place.path(), &|_, _| {}), Err(OpenError::Missing { .. })));
    drop(open(place.path(), &Recorder::new()));
    compact(place.path(), &|_, _| {}).unwrap();
    assert!(entries_in(place.path()).is_empty());
    let log = open(place.path(), &Recorder::new());
    assert!(matches!(compact(place.path(), &|_, _| {}), Err(OpenError::InUse { .. })));
    put(&log, &key(1), Revision::NONE, live("one")).await.unwrap();
}

/// Each of the states that an interruption can leave.
#[tokio::test]
async fn an_interruption_while_everything_is_written_anew_loses_nothing() {
    let (place, entries) = folder_with_history().await;
    let named = |name: &str| place.path().join(name);
    let half = || {
        fs::create_dir_all(named("fjall.new")).unwrap();
        fs::write(named("fjall.new").join("0.jnl"), "half of it").unwrap();
    };
    let interruptions: [&dyn Fn(); 3] = [
        &half,
        &|| {
            half();
            fs::rename(named("fjall"), named("fjall.old")).unwrap();
        },
        &|| {
            fs::create_dir_all(named("fjall.old")).unwrap();
            fs::write(named("fjall.old").join("0.jnl"), "what was before").unwrap();
        },
    ];
    for interrupt in interruptions {
        interrupt();
        assert_eq!(entries_in(place.path()), entries);
        assert!(!named("fjall.new").exists() && !named("fjall.old").exists());
        compact(place.path(), &|_, _| {}).unwrap();
        assert_eq!(entries_in(place.path()), entries);
    }
}
