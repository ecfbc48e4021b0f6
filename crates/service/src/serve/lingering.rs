//! A stream that closes without taking back its last answer.
//!
//! Who closes a socket on which unread bytes arrive makes the kernel reset it, and a reset may overtake the answer: a caller
//! refused in the middle of its upload would see a broken connection instead of why (RFC 9112 §9.6). So the answer and the
//! end of our side go out first, then what still arrives is read and forgotten until the peer closes or has had its time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What a peer gets to finish what it was sending.
const LINGER: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Lingering<S> {
    stream: S,
    closing: Option<Closing>,
}

/// Our side has ended.
struct Closing {
    until: Pin<Box<Sleep>>,
    /// On the heap, whose allocator overwrites it: what passes here may be a piece of a frame.
    scratch: Vec<u8>,
}

impl<S> Lingering<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, closing: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, closing } = self.get_mut();
        if closing.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        }
        let closing =
            closing.get_or_insert_with(|| Closing { until: Box::pin(sleep(LINGER)), scratch: vec![0; 16 << 10] });
        loop {
            if closing.until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut rest = ReadBuf::new(&mut closing.scratch);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut rest)) {
                Ok(()) if !rest.filled().is_empty() => {}
                // Closed or broken: nobody reads the answer any more, or everybody has.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
