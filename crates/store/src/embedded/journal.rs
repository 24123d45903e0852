//! The end of the storage engine's journal: whole, unfinished or torn.
//!
//! What fjall 3.1.13 does (paths in its `src/`). The journal is `fjall/{n}.jnl`; the one with the highest number is
//! written to, older ones wait for their entries to reach tables. A batch is
//!
//! | mark | bytes (`journal/entry.rs`), numbers little endian |
//! |---|---|
//! | start | `1`, number of items (4), sequence number (8) |
//! | each item | `2`, kind (1), compression (1), keyspace (8), length of the key (2), of the value (4), of the |
//! | | value as it is stored (4), key, value |
//! | or a clear | `4`, keyspace (8) |
//! | end | `3`, XXH3-64 of all items and clears (8), `FJL\x03` |
//!
//! A new journal is made 64 MiB long and is all zeros after its last batch (`journal/writer.rs`, `create_new`). When
//! it is opened again, whatever follows the last readable mark is cut off, and from then on it grows as it is
//! written (`journal/reader.rs`, `maybe_truncate_file_to_last_valid_pos`).
//!
//! That cut is where care is needed. A batch that breaks off, in zeros or at the end of the file, is cut off without
//! a word (`journal/batch_reader.rs`, `on_close`): right for the batch that a crash interrupted, for it was never
//! acknowledged. A batch with its end in place but with something else before it is an error (`ChecksumMismatch`,
//! `InsufficientLength`, `TooManyItems`), and the journal cannot be opened: that is what a power failure leaves
//! when a later page of the batch reached the disk and an earlier one did not. And a page of zeros *in the middle*
//! of the journal may be cut off without a word too, with all whole batches that follow. So before fjall may open
//! a journal, [`examine`] reads it and tells these cases apart.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::folder::sync_folder;

const EXTENSION: &str = "jnl";

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;

/// What the end of a batch closes with.
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Bytes read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// What follows the last of the whole batches with which a journal begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Where the whole batches end, in bytes from the start of the file.
    pub(super) whole: u64,
    /// Where the file's last byte that is not zero ends.
    pub(super) written: u64,
    pub(super) state: TailState,
}

impl Tail {
    /// Length of what follows the whole batches, without the zeros after it.
    pub(super) fn bytes(&self) -> u64 {
        self.written - self.whole
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TailState {
    /// Nothing.
    Clean,
    /// A batch that breaks off: a crash interrupted its writing.
    Unfinished,
    /// A batch whose end is there although not all of it is.
    Torn,
    /// Something broken, and whole batches after it.
    Hole,
}

/// The journal that is being written to in this folder of the storage engine.
pub(super) fn active(storage: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for item in fs::read_dir(storage)? {
        let path = item?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        let Some(number) = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok()) else {
            continue;
        };
        if newest.as_ref().is_none_or(|(highest, _)| *highest < number) {
            newest = Some((number, path));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// Bytes that the journal which is being written to takes on the disk, without what is only reserved for it; 0 when
/// there is none.
pub(super) fn disk_bytes(storage: &Path) -> io::Result<u64> {
    let journal = active(storage)?.map(fs::metadata).transpose()?;
    Ok(journal.map_or(0, |metadata| metadata.blocks() * 512))
}

/// Empties the journal that was being written to. All that is in it must be in tables, and nobody may have it open.
pub(super) fn empty(storage: &Path) -> io::Result<()> {
    let Some(journal) = active(storage)? else { return Ok(()) };
    let file = OpenOptions::new().write(true).open(journal)?;
    file.set_len(0)?;
    file.sync_all()
}

/// Reads a journal from its start and says how it ends.
pub(super) fn examine(journal: &Path) -> io::Result<Tail> {
    let mut file = File::open(journal)?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, &mut file);
    let mut whole = 0;
    let broken = loop {
        match read_batch(&mut reader)? {
            Batch::Whole { bytes } => whole += bytes,
            Batch::Unfinished => break TailState::Unfinished,
            Batch::Torn => break TailState::Torn,
        }
    };
    let written = end_of_data(&mut file, whole)?;
    let state = if written == whole {
        TailState::Clean
    } else if holds_whole_batch(&read_range(&mut file, whole, written)?) {
        TailState::Hole
    } else {
        broken
    };
    Ok(Tail { whole, written, state })
}

/// Cuts off what follows the whole batches, after a copy of it was made beside the journal. The path of the copy.
pub(super) fn cut(journal: &Path, tail: &Tail) -> io::Result<PathBuf> {
    let copy = unused_name(journal)?;
    let copied = copy_range(journal, &copy, tail);
    if let Err(cause) = copied {
        // Half a copy is of no use, and on a full disk each further try would add one.
        let _ = fs::remove_file(&copy);
        return Err(cause);
    }
    let file = OpenOptions::new().write(true).open(journal)?;
    file.set_len(tail.whole)?;
    file.sync_all()?;
    Ok(copy)
}

fn copy_range(journal: &Path, copy: &Path, tail: &Tail) -> io::Result<()> {
    let mut from = File::open(journal)?;
    from.seek(SeekFrom::Start(tail.whole))?;
    let mut to = File::create_new(copy)?;
    io::copy(&mut from.take(tail.bytes()), &mut to)?;
    to.sync_all()?;
    copy.parent().map_or(Ok(()), sync_folder)
}

/// A name beside the journal that is not taken: `0.jnl.torn`, `0.jnl.torn.2` and so on.
fn unused_name(journal: &Path) -> io::Result<PathBuf> {
    let mut copy = journal.with_extension("jnl.torn");
    let mut number = 1;
    while copy.try_exists()? {
        number += 1;
        copy = journal.with_extension(format!("jnl.torn.{number}"));
    }
    Ok(copy)
}

enum Batch {
    Whole { bytes: u64 },
    Unfinished,
    Torn,
}

/// Reads one batch, and judges it as fjall's `JournalBatchReader` does.
fn read_batch(input: &mut impl BufRead) -> io::Result<Batch> {
    let mut checksum = Xxh3::new();
    let Some((Mark::Start { items }, mut bytes)) = read_mark(input, &mut checksum)? else {
        return Ok(Batch::Unfinished);
    };
    let mut missing = items;
    loop {
        match read_mark(input, &mut checksum)? {
            None | Some((Mark::Start { .. }, _)) => return Ok(Batch::Unfinished),
            Some((Mark::Item, _)) if missing == 0 => return Ok(Batch::Torn),
            Some((Mark::Item, length)) => {
                missing -= 1;
                bytes += length;
            }
            Some((Mark::End { checksum: expected }, length)) => {
                let whole = missing == 0 && checksum.digest() == expected;
                return Ok(if whole { Batch::Whole { bytes: bytes + length } } else { Batch::Torn });
            }
        }
    }
}

enum Mark {
    Start {
        items: u32,
    },
    /// An item or a clear: both count, and the checksum covers both.
    Item,
    End {
        checksum: u64,
    },
}

/// Reads one mark and its length in bytes, and adds it to the checksum if that covers it. `None`: there is none.
fn read_mark(input: &mut impl BufRead, checksum: &mut Xxh3) -> io::Result<Option<(Mark, u64)>> {
    let Some([tag]) = read_array::<1>(input)? else { return Ok(None) };
    match tag {
        START => {
            let Some([a, b, c, d, ..]) = read_array::<12>(input)? else { return Ok(None) };
            Ok(Some((Mark::Start { items: u32::from_le_bytes([a, b, c, d]) }, 13)))
        }
        ITEM => {
            let Some(header) = read_array::<20>(input)? else { return Ok(None) };
            let [kind, compression, .., s0, s1, s2, s3] = header;
            // Values are never compressed in our journals.
            if !matches!(kind, 0 | 1 | 2 | 4) || compression != 0 {
                return Ok(None);
            }
            let key_bytes = u64::from(u16::from_le_bytes([header[10], header[11]]));
            let stored_bytes = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
            let mut mark = [ITEM; 21];
            mark[1..].copy_from_slice(&header);
            checksum.update(&mark);
            let payload = key_bytes + stored_bytes;
            Ok(skip(input, payload, checksum)?.then_some((Mark::Item, 21 + payload)))
        }
        END => {
            let Some([c0, c1, c2, c3, c4, c5, c6, c7, trailer @ ..]) = read_array::<12>(input)? else {
                return Ok(None);
            };
            let checksum = u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
            Ok((trailer == TRAILER).then_some((Mark::End { checksum }, 13)))
        }
        CLEAR => {
            let Some(keyspace) = read_array::<8>(input)? else { return Ok(None) };
            checksum.update(&[CLEAR]);
            checksum.update(&keyspace);
            Ok(Some((Mark::Item, 9)))
        }
        _ => Ok(None),
    }
}

/// Reads `N` bytes; `None` if the input ends before.
fn read_array<const N: usize>(input: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Reads over that many bytes, adding them to the checksum; whether there were as many.
fn skip(input: &mut impl BufRead, bytes: u64, checksum: &mut Xxh3) -> io::Result<bool> {
    let mut left = bytes;
    while left > 0 {
        let buffered = match input.fill_buf() {
            Ok(buffered) => buffered,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) => return Err(cause),
        };
        if buffered.is_empty() {
            return Ok(false);
        }
        let part = usize::try_from(left).map_or(buffered.len(), |left| left.min(buffered.len()));
        checksum.update(&buffered[..part]);
        input.consume(part);
        left -= part as u64;
    }
    Ok(true)
}

/// Where the last byte that is not zero ends, in the file from `start` on.
fn end_of_data(file: &mut File, start: u64) -> io::Result<u64> {
    // Most of it is zeros as a rule, and two slices are compared much faster than one is searched.
    let zeros = vec![0_u8; BUFFER_BYTES];
    let mut buffer = vec![0_u8; BUFFER_BYTES];
    let mut at = file.seek(SeekFrom::Start(start))?;
    let mut end = start;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(end);
        }
        let part = &buffer[..read];
        if part != &zeros[..read] {
            let last = part.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            end = at + last as u64 + 1;
        }
        at += read as u64;
    }
}

fn read_range(file: &mut File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a whole batch begins anywhere in these bytes but at their start, where a broken one does.
fn holds_whole_batch(bytes: &[u8]) -> bool {
    let whole_from = |at: usize| matches!(read_batch(&mut &bytes[at..]), Ok(Batch::Whole { .. }));
    bytes.iter().enumerate().skip(1).any(|(at, byte)| *byte == START && whole_from(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch with one item, as fjall writes it.
    fn batch(sequence_number: u64, value: &[u8]) -> Vec<u8> {
        let key = b"key";
        let mut item = vec![ITEM, 0, 0];
        item.extend(1_u64.to_le_bytes());
        item.extend((key.len() as u16).to_le_bytes());
        item.extend((value.len() as u32).to_le_bytes());
        item.extend((value.len() as u32).to_le_bytes());
        item.extend(key);
        item.extend(value);
        let mut checksum = Xxh3::new();
        checksum.update(&item);
        let mut bytes = vec![START];
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(sequence_number.to_le_bytes());
        bytes.extend(item);
        bytes.push(END);
        bytes.extend(checksum.digest().to_le_bytes());
        bytes.extend(TRAILER);
        bytes
    }

    /// The tail of a journal with these bytes, followed by zeros.
    fn tail(bytes: &[u8], zeros: u64) -> Tail {
        let place = tempfile::tempdir().unwrap();
        let journal = place.path().join("0.jnl");
        fs::write(&journal, bytes).unwrap();
        let file = OpenOptions::new().write(true).open(&journal).unwrap();
        file.set_len(bytes.len() as u64 + zeros).unwrap();
        examine(&journal).unwrap()
    }

    #[test]
    fn whole_batches_are_clean_with_and_without_zeros_after_them() {
        let two = [batch(1, b"first"), batch(2, &[7; 16_384])].concat();
        let length = two.len() as u64;
        for zeros in [0, 1, 1 << 20] {
            let expected = Tail { whole: length, written: length, state: TailState::Clean };
            assert_eq!(tail(&two, zeros), expected);
        }
        assert_eq!(tail(&[], 4096).state, TailState::Clean);
    }

    #[test]
    fn batch_that_breaks_off_anywhere_is_unfinished() {
        let first = batch(1, b"first");
        let second = batch(2, b"second");
        for length in 1..second.len() {
            let bytes = [&first[..], &second[..length]].concat();
            for zeros in [0, 100] {
                let found = tail(&bytes, zeros);
                assert_eq!(found.whole, first.len() as u64, "{length} bytes");
                assert_eq!(found.state, TailState::Unfinished, "{length} bytes");
            }
        }
    }

    #[test]
    fn zeros_in_a_value_are_torn_in_the_last_batch_and_a_hole_before() {
        let mut bytes = [batch(1, b"first"), batch(2, &[7; 16_384])].concat();
        let whole = batch(1, b"first").len();
        bytes[whole + 4096..whole + 8192].fill(0);
        let found = tail(&bytes, 4096);
        let written = bytes.len() as u64;
        assert_eq!(found, Tail { whole: whole as u64, written, state: TailState::Torn });

        bytes.extend(batch(3, b"third"));
        assert_eq!(tail(&bytes, 4096).state, TailState::Hole);
    }

    #[test]
    fn zeros_over_whole_marks_are_a_hole_when_batches_follow() {
        let mut bytes = [batch(1, b"first"), batch(2, b"second"), batch(3, b"third")].concat();
        let first = batch(1, b"first").len();
        bytes[first..first + 30].fill(0);
        assert_eq!(tail(&bytes, 0).state, TailState::Hole);
    }

    #[test]
    fn cut_leaves_whole_batches_and_a_copy_of_the_rest() {
        let place = tempfile::tempdir().unwrap();
        let journal = place.path().join("3.jnl");
        let first = batch(1, b"first");
        // The zeros of the number after it are told from those of the file by nothing, and are not copied.
        let second = &batch(2, b"second")[..17];
        for name in ["3.jnl.torn", "3.jnl.torn.2"] {
            fs::write(&journal, [&first[..], second].concat()).unwrap();
            let tail = examine(&journal).unwrap();
            let copy = cut(&journal, &tail).unwrap();
            assert_eq!(copy, place.path().join(name));
            assert_eq!(fs::read(&copy).unwrap(), second);
            assert_eq!(fs::read(&journal).unwrap(), first);
        }
        assert_eq!(active(place.path()).unwrap(), Some(journal));
    }
}
