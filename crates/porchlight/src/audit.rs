//! The audit's own file: one JSON object a line, and another file when one is full.
//!
//! It is written by the thread of its [`crate::lines::Lines`]. What cannot be written is lost, but not silently: it is
//! counted, and the log says so.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::exit::{CANNOT_CREATE, Failure};

/// How the file is written.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    /// A file that would become larger than this is put aside first.
    pub(crate) rotate_bytes: u64,
    /// Files that there are, the one that is written to among them.
    pub(crate) keep: usize,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSection {
    file: Option<PathBuf>,
    rotate_bytes: Option<u64>,
    keep: Option<usize>,
    texts: Option<bool>,
}

impl AuditSection {
    const ROTATE_BYTES: u64 = 64 * 1024 * 1024;
    const ROTATE_BYTES_MIN: u64 = 4096;
    const KEEP: usize = 16;

    /// The file, if there is to be one.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`], naming the key.
    pub(crate) fn file(&self) -> Result<Option<Settings>, Failure> {
        let rotate_bytes = self.rotate_bytes.unwrap_or(AuditSection::ROTATE_BYTES);
        if rotate_bytes < AuditSection::ROTATE_BYTES_MIN {
            return Err(Failure::usage("audit.rotate_bytes must be at least 4096"));
        }
        let keep = self.keep.unwrap_or(AuditSection::KEEP);
        if keep < 2 {
            return Err(Failure::usage("audit.keep must be at least 2"));
        }
        Ok(self.file.clone().map(|path| Settings { path, rotate_bytes, keep }))
    }

    /// Whether it tells what people write about themselves.
    pub(crate) fn texts(&self) -> bool {
        self.texts.unwrap_or(false)
    }
}

/// How often the log says that the file cannot be written.
const COMPLAINTS_APART: Duration = Duration::from_secs(60);

/// The file that lines are appended to.
pub(crate) struct AuditFile {
    settings: Settings,
    /// The file and what names it whatever its path; `None` after it could not be written.
    open: Option<(File, Inode)>,
    /// Lines that were lost since the file was written last.
    lost: u64,
    complained_at: Option<Instant>,
}

/// Device and number of a file.
type Inode = (u64, u64);

impl AuditFile {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// [`CANNOT_CREATE`], naming the file: whoever wants an audit learns at once that there would be none.
    pub(crate) fn open(settings: Settings) -> Result<AuditFile, Failure> {
        let open = open(&settings.path).map_err(|error| {
            let path = settings.path.display();
            Failure::new(CANNOT_CREATE, anyhow::anyhow!("cannot write the audit file {path}: {error}"))
        })?;
        // So that it is there before the first is lost.
        metrics::counter!("porchlight_audit_lines_lost_total").increment(0);
        Ok(AuditFile { settings, open: Some(open), lost: 0, complained_at: None })
    }

    /// Appends as many of these lines as belong into one file, at least one; how many bytes they are.
    fn append(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut size = self.find()?;
        let mut count = fitting(lines, self.settings.rotate_bytes.saturating_sub(size));
        if count == 0 && size > 0 {
            match rotate(&self.settings) {
                Ok(()) => {
                    size = self.find()?;
                    count = fitting(lines, self.settings.rotate_bytes);
                }
                Err(error) => {
                    // A file that is too large is better than one that lacks something.
                    self.complain(&error, "the audit file cannot be put aside; it grows on");
                    count = lines.len();
                }
            }
        }
        if count == 0 {
            count = first_line(lines);
        }
        let (file, _) = self.open.as_mut().expect("it was found");
        if let Err(error) = file.write_all(&lines[..count]) {
            // Half a line would spoil the next one.
            file.set_len(size).ok();
            return Err(error);
        }
        Ok(count)
    }

    /// Makes sure that what is written lands under the path, also when another program has moved the file away or
    /// emptied it; the file's size.
    fn find(&mut self) -> io::Result<u64> {
        if let (Ok(now), Some((_, inode))) = (std::fs::metadata(&self.settings.path), &self.open)
            && *inode == (now.dev(), now.ino())
        {
            return Ok(now.len());
        }
        self.open = None;
        let (file, _) = self.open.insert(open(&self.settings.path)?);
        Ok(file.metadata()?.len())
    }

    /// Counts lines that were not written.
    fn lose(&mut self, lines: &[u8], error: &io::Error) {
        self.open = None;
        let count = lines.split_inclusive(|byte| *byte == b'\n').count() as u64;
        metrics::counter!("porchlight_audit_lines_lost_total").increment(count);
        self.lost += count;
        self.complain(error, "the audit file cannot be written");
    }

    fn complain(&mut self, error: &io::Error, what: &str) {
        let now = Instant::now();
        if self.complained_at.is_some_and(|at| now.duration_since(at) < COMPLAINTS_APART) {
            return;
        }
        self.complained_at = Some(now);
        let (path, lost) = (self.settings.path.display(), self.lost);
        tracing::error!(%path, %error, lost, "{what}");
    }

    /// Says that it is all right again.
    fn recover(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            self.complained_at = None;
            let path = self.settings.path.display();
            tracing::warn!(%path, lost, "the audit file is written again");
        }
    }
}

impl Write for AuditFile {
    /// Takes whole lines, and all of them: what cannot be written is lost.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut rest = lines;
        while !rest.is_empty() {
            match self.append(rest) {
                Ok(count) => {
                    self.recover();
                    rest = &rest[count..];
                }
                Err(error) => {
                    self.lose(rest, &error);
                    break;
                }
            }
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file for appending; what a crash has left of a line there stays a line of its own.
fn open(path: &Path) -> io::Result<(File, Inode)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
    let metadata = file.metadata()?;
    if let Some(last) = metadata.len().checked_sub(1) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, last)?;
        if byte != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok((file, (metadata.dev(), metadata.ino())))
}

/// Puts the file aside as number 1; what was number 1 becomes number 2, and so on, and the oldest goes.
fn rotate(settings: &Settings) -> io::Result<()> {
    let aside = |number: usize| {
        let mut name = settings.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    // With the one that is begun there are as many as may be; there are more when fewer were kept than now.
    let mut number = settings.keep;
    while std::fs::remove_file(aside(number)).is_ok() {
        number += 1;
    }
    for number in (1..settings.keep - 1).rev() {
        match std::fs::rename(aside(number), aside(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    std::fs::rename(&settings.path, aside(1))
}

/// How many bytes the whole lines are that fit into `room`.
fn fitting(lines: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines.len();
    }
    lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

fn first_line(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn settings(folder: &Path, rotate_bytes: u64, keep: usize) -> Settings {
        Settings { path: folder.join("audit.jsonl"), rotate_bytes, keep }
    }

    fn opened(settings: &Settings) -> AuditFile {
        AuditFile::open(settings.clone()).expect("it can be written")
    }

    fn write(file: &mut AuditFile, lines: &str) {
        file.write_all(lines.as_bytes()).expect("it takes everything");
    }

    /// The files, newest first, as far as there are any.
    fn files(settings: &Settings) -> Vec<String> {
        let path = |number: usize| match number {
            0 => settings.path.clone(),
            _ => settings.path.with_extension(format!("jsonl.{number}")),
        };
        (0..).map_while(|number| std::fs::read_to_string(path(number)).ok()).collect()
    }

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 8, 3);
        let mut file = opened(&settings);
        write(&mut file, "one\ntwo\n");
        assert_eq!(files(&settings), ["one\ntwo\n"]);
        write(&mut file, "three\n");
        assert_eq!(files(&settings), ["three\n", "one\ntwo\n"]);
        write(&mut file, "4\nfive\nsix\n");
        assert_eq!(files(&settings), ["six\n", "five\n", "three\n4\n"]);
    }

    #[test]
    fn a_line_that_is_longer_than_a_file_has_one_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 8, 9);
        let mut file = opened(&settings);
        write(&mut file, "a\nlonger than a file\nb\n");
        assert_eq!(files(&settings), ["b\n", "longer than a file\n", "a\n"]);
    }

    #[test]
    fn when_fewer_are_kept_than_before_the_others_go() {
        let folder = tempfile::tempdir().unwrap();
        let many = settings(folder.path(), 2, 6);
        write(&mut opened(&many), "1\n2\n3\n4\n5\n6\n");
        assert_eq!(files(&many).len(), 6);
        let few = settings(folder.path(), 2, 2);
        write(&mut opened(&few), "7\n");
        assert_eq!(files(&few), ["7\n", "6\n"]);
    }

    #[test]
    fn a_file_is_appended_to_and_half_a_line_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 100, 2);
        write(&mut opened(&settings), "one\n");
        write(&mut opened(&settings), "two\n");
        std::fs::write(&settings.path, "one\ntwo\nthr").unwrap();
        write(&mut opened(&settings), "four\n");
        assert_eq!(files(&settings), ["one\ntwo\nthr\nfour\n"]);
        assert_eq!(std::fs::metadata(&settings.path).unwrap().permissions().mode() & 0o777 & !0o640, 0);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew_and_one_that_was_emptied_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 8, 2);
        let mut file = opened(&settings);
        write(&mut file, "one\n");
        let moved = folder.path().join("moved");
        std::fs::rename(&settings.path, &moved).unwrap();
        write(&mut file, "two\n");
        assert_eq!(std::fs::read_to_string(moved).unwrap(), "one\n");
        std::fs::File::create(&settings.path).unwrap();
        write(&mut file, "three\n");
        assert_eq!(files(&settings), ["three\n"], "there was room");
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_the_next_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("place");
        std::fs::create_dir(&place).unwrap();
        let settings = settings(&place, 100, 2);
        let mut file = opened(&settings);
        std::fs::remove_dir_all(&place).unwrap();
        write(&mut file, "one\ntwo\n");
        write(&mut file, "three\n");
        assert_eq!(file.lost, 3);
        assert!(file.complained_at.is_some());
        std::fs::create_dir(&place).unwrap();
        write(&mut file, "four\n");
        assert_eq!((file.lost, files(&settings)), (0, vec!["four\n".to_owned()]));
    }

    #[test]
    fn a_file_that_cannot_be_put_aside_grows_on() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 8, 2);
        let mut file = opened(&settings);
        write(&mut file, "one\ntwo\n");
        // Not even root renames a file to what is a folder.
        let aside = settings.path.with_extension("jsonl.1");
        std::fs::create_dir(&aside).unwrap();
        write(&mut file, "three\nfour\n");
        assert_eq!(std::fs::read_to_string(&settings.path).unwrap(), "one\ntwo\nthree\nfour\n");
        assert_eq!(file.lost, 0);
        std::fs::remove_dir(&aside).unwrap();
        write(&mut file, "five\n");
        assert_eq!(files(&settings), ["five\n", "one\ntwo\nthree\nfour\n"]);
    }

    proptest! {
        #[test]
        fn every_line_is_in_one_file_in_order_and_no_file_is_too_large(
            pieces in vec(vec("[a-z]{0,12}", 1..6), 1..20),
            restarts in vec(any::<bool>(), 20),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let settings = settings(folder.path(), 16, 200);
            let mut file = opened(&settings);
            let mut expected = String::new();
            for (lines, restart) in pieces.iter().zip(restarts) {
                if restart {
                    file = opened(&settings);
                }
                let piece: String = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
                write(&mut file, &piece);
                expected += &piece;
            }
            let mut found = files(&settings);
            prop_assert!(found.iter().all(|text| text.len() <= 16), "{:?}", found);
            found.reverse();
            prop_assert_eq!(found.concat(), expected);
        }
    }
}
