//! Bars that show how far something long has come: on standard error, and only when that is a terminal.

use std::io::{self, Read, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, which is gone when this is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of something of which there are so many.
    pub(crate) fn of(what: &'static str, total: u64) -> Progress {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}");
        Progress::new(ProgressBar::new(total), style.expect("the template is a good one"), what)
    }

    /// Of something of which nobody knows how many there are: they are counted.
    pub(crate) fn counting(what: &'static str) -> Progress {
        let style = ProgressStyle::with_template("{msg} {spinner} {human_pos}");
        Progress::new(ProgressBar::no_length(), style.expect("the template is a good one"), what)
    }

    fn new(bar: ProgressBar, style: ProgressStyle, what: &'static str) -> Progress {
        bar.set_style(style);
        bar.set_message(what);
        Progress(bar)
    }

    /// So many more are done.
    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    /// The same to read, whose bytes are counted; the bar is gone when that is dropped.
    pub(crate) fn reading(self, input: impl Read) -> impl Read {
        Watched { inner: self.0.wrap_read(input), _progress: self }
    }

    /// The same to write to, whose bytes are counted; the bar is gone when that is dropped.
    pub(crate) fn writing(self, out: impl Write) -> impl Write {
        Watched { inner: self.0.wrap_write(out), _progress: self }
    }

    /// So many are done, of so many.
    pub(crate) fn reach(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

/// A file that is being read or written, and the bar that shows it.
struct Watched<F> {
    inner: F,
    _progress: Progress,
}

impl<F: Read> Read for Watched<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.inner.read(bytes)
    }
}

impl<F: Write> Write for Watched<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
