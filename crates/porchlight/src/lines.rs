//! Log lines on their way to standard error, and those of the audit on their way to a file.
//!
//! Every write to a pipe wakes whoever reads it, which costs more than to make the line. So lines gather for a moment
//! and go out together.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long the first line waits for others.
const GATHER: Duration = Duration::from_millis(2);

/// Bytes that may wait; whoever logs beyond that waits until some have gone out.
const WAITING_MAX: usize = 1 << 20;

/// The lines of a log. All of them are out when it is dropped.
pub(crate) struct Lines(Arc<Gathered>);

/// Lines that wait, in order; a logger writes to a reference.
pub(crate) struct Gathered {
    /// A mutex, held for a copy.
    waiting: Mutex<Vec<u8>>,
    /// Rung when a first line has come.
    come: Condvar,
    /// Rung when lines have gone.
    gone: Condvar,
    /// Where they go. Locked before `waiting` and while they are written, so that they stay in order.
    out: Mutex<Out>,
}

struct Out {
    to: Box<dyn Write + Send>,
    /// Empty but for the moment of writing; swapped with what waits, so that neither is ever made anew.
    going: Vec<u8>,
}

impl Lines {
    /// Lines that go to `to`, from a thread of their own that has this name.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub(crate) fn to(name: &str, to: impl Write + Send + 'static) -> io::Result<Lines> {
        let gathered = Arc::new(Gathered {
            waiting: Mutex::default(),
            come: Condvar::new(),
            gone: Condvar::new(),
            out: Mutex::new(Out { to: Box::new(to), going: Vec::new() }),
        });
        let writing = Arc::clone(&gathered);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            loop {
                writing.come.wait_while(&mut writing.waiting.lock(), |waiting| waiting.is_empty());
                thread::sleep(GATHER);
                writing.write_out();
            }
        })?;
        Ok(Lines(gathered))
    }

    /// What a logger writes to, a whole line at a time.
    pub(crate) fn gathered(&self) -> Arc<Gathered> {
        Arc::clone(&self.0)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.write_out();
    }
}

impl Gathered {
    fn write_out(&self) {
        let Out { to, going } = &mut *self.out.lock();
        std::mem::swap(going, &mut *self.waiting.lock());
        self.gone.notify_all();
        // That nobody reads the log any more is no reason to stop.
        to.write_all(going).and_then(|()| to.flush()).ok();
        going.clear();
    }
}

impl Write for &Gathered {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting.lock();
        self.gone.wait_while(&mut waiting, |waiting| waiting.len() > WAITING_MAX);
        let first = waiting.is_empty();
        waiting.extend_from_slice(line);
        drop(waiting);
        if first {
            self.come.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes a piece when it is asked for one.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0.send(piece.to_vec()).map_err(io::Error::other)?;
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn number(line: &str) -> usize {
        line.parse().unwrap()
    }

    #[test]
    fn every_line_comes_once_in_order_and_many_in_one_piece() {
        let (sender, pieces) = mpsc::sync_channel(0);
        let lines = Lines::to("lines", Slow(sender)).unwrap();
        let writer = thread::spawn(move || {
            let gathered = lines.gathered();
            for number in 0..1_000 {
                writeln!(&*gathered, "{number}").unwrap();
            }
        });
        let mut text = String::new();
        let mut count = 0;
        while let Ok(piece) = pieces.recv() {
            text += str::from_utf8(&piece).unwrap();
            count += 1;
            if text.ends_with("\n999\n") {
                break;
            }
        }
        writer.join().unwrap();
        assert!(text.lines().map(number).eq(0..1_000));
        assert!(count < 500, "{count} pieces");
    }

    #[test]
    fn whoever_logs_faster_than_is_read_waits() {
        let (sender, pieces) = mpsc::sync_channel(0);
        let lines = Lines::to("lines", Slow(sender)).unwrap();
        let gathered = lines.gathered();
        let writer = thread::spawn(move || {
            let line = [b'x'; 1024];
            for _ in 0..4 * WAITING_MAX / line.len() {
                (&*gathered).write_all(&line).unwrap();
            }
            drop(lines);
        });
        let mut bytes = 0;
        while bytes < 4 * WAITING_MAX {
            let piece = pieces.recv().unwrap().len();
            assert!(piece <= WAITING_MAX + 1024, "{piece} bytes waited");
            bytes += piece;
        }
        writer.join().unwrap();
    }
}
