//! A connection's socket, as hyper writes to it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes of head and body that are copied together rather than left to the kernel to gather.
const TOGETHER_MAX: usize = 16 * 1024;

thread_local! {
    /// Where one piece is made of several. Of the thread rather than of the connection: it is empty between two writes.
    static TOGETHER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(TOGETHER_MAX));
}

/// A socket that sends a small answer in one piece.
///
/// hyper keeps the head and the body of an answer apart and writes both at once. For an answer of a kilobyte the
/// system call that gathers them costs half a microsecond more than the one that takes a single piece. With TLS, one piece
/// is one record.
pub(crate) struct Socket<S>(TokioIo<S>);

impl<S: Unpin> Socket<S> {
    pub(crate) fn new(stream: S) -> Socket<S> {
        Socket(TokioIo::new(stream))
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TokioIo<S>> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl<S: AsyncRead + Unpin> Read for Socket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for Socket<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, piece)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        if bytes > TOGETHER_MAX {
            return self.stream().poll_write_vectored(context, pieces);
        }
        TOGETHER.with_borrow_mut(|together| {
            together.clear();
            for piece in pieces {
                together.extend_from_slice(piece);
            }
            self.stream().poll_write(context, together)
        })
    }
}
