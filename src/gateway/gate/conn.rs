//! A client's connection as Pingora sees it: of the bytes that come, only those of the request that it serves.
//!
//! What comes behind a request's body waits here for its turn, so that requests sent ahead are served one after the other and none is read as
//! a part of another. Bodies are checked as they pass: their chunks, their pace, their size.

mod facts;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pingora::protocols::{ALPN, Shutdown, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use super::chunks::Chunks;
use super::head::{Body, Head};
use super::pace::Pace;
use super::refusal::Refusal;
use crate::config::limits::ClientLimits;
use crate::gateway::h2::frames::Frames;

/// Bytes asked for at once.
const READ: usize = 4 << 10;
/// Bytes of later requests that wait while one is served.
const AHEAD: usize = 16 << 10;

/// One connection.
#[derive(Debug)]
pub struct Conn {
    io: Stream,
    /// Read, and not yet shown.
    ahead: BytesMut,
    show: Show,
    /// None: no body is under way.
    pace: Option<Pace>,
    /// Made when a body is waited for.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes of a body at most.
    most: u64,
    shown: u64,
}

/// What may be read of the connection.
#[derive(Debug)]
enum Show {
    /// So many bytes.
    Bytes(u64),
    /// A chunked body.
    Chunks(Chunks),
    /// Whatever comes: a tunnel, or TLS.
    All,
    /// Whatever comes, in frames.
    Frames(Box<Watch>),
}

/// What is seen of a connection in HTTP/2 from outside.
#[derive(Debug)]
struct Watch {
    frames: Frames,
    /// How long a frame may take to come.
    patience: Duration,
    /// Taken when there is reason to end the connection: nothing is read from then on.
    word: Option<oneshot::Sender<Refusal>>,
}

impl Watch {
    fn say(&mut self, why: Refusal) {
        if let Some(word) = self.word.take() {
            // Whoever does not hear it has ended the connection.
            let _ = word.send(why);
        }
    }
}

impl Conn {
    /// Nothing of it is shown yet.
    pub fn new(io: Stream) -> Conn {
        let (ahead, show) = (BytesMut::new(), Show::Bytes(0));
        Conn { io, ahead, show, pace: None, timer: None, most: u64::MAX, shown: 0 }
    }

    /// What came and was not shown yet.
    pub fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Forgets bytes that were read here.
    pub fn skip(&mut self, bytes: usize) {
        self.ahead.advance(bytes.min(self.ahead.len()));
    }

    /// Waits for more; 0 is the end.
    pub async fn fill(&mut self) -> io::Result<usize> {
        self.ahead.reserve(READ);
        self.io.read_buf(&mut self.ahead).await
    }

    /// Shows a request: its head is handed over as bytes, its body can be read.
    pub fn begin(&mut self, head: &Head, limits: &ClientLimits) -> BytesMut {
        let mut bytes = self.ahead.split_to(head.length);
        if !head.is_whole(&bytes) {
            bytes = head.shown(&bytes).flatten().copied().collect();
        }
        self.show = match head.body {
            _ if head.upgrade => Show::All,
            Body::None => Show::Bytes(0),
            Body::Length(length) => Show::Bytes(length),
            Body::Chunked => Show::Chunks(Chunks::default()),
        };
        self.pace = (head.body != Body::None).then(|| Pace::begin(limits));
        self.most = limits.body_bytes.unwrap_or(u64::MAX);
        self.shown = 0;
        bytes
    }

    /// Shows everything from now on.
    pub fn open(mut self) -> Conn {
        self.show = Show::All;
        self.pace = None;
        self
    }

    /// Shows everything from now on, and watches the frames it is made of. What is heard is why the connection has to end.
    pub fn watched(mut self, frames: Frames, patience: Duration) -> (Conn, oneshot::Receiver<Refusal>) {
        let (word, heard) = oneshot::channel();
        self.show = Show::Frames(Box::new(Watch { frames, patience, word: Some(word) }));
        self.pace = None;
        (self, heard)
    }

    /// Whether all of the request that was shown was read.
    pub fn is_read(&self) -> bool {
        match &self.show {
            Show::Bytes(left) => *left == 0,
            Show::Chunks(chunks) => chunks.is_done(),
            Show::All | Show::Frames(_) => false,
        }
    }

    /// Waits until the body of a request is here; what went wrong, if it does not come in time.
    pub async fn await_body(&mut self, head: usize, body: u64, limits: &ClientLimits) -> Result<(), Gone> {
        let mut pace = Pace::begin(limits);
        // Bodies that are awaited are small.
        let whole = head.saturating_add(body as usize);
        while self.ahead.len() < whole {
            match tokio::time::timeout_at(pace.deadline(), self.fill()).await {
                Ok(Ok(came)) if came > 0 => pace.came(came),
                Ok(_) => return Err(Gone::Left),
                Err(_) => return Err(Gone::Late),
            }
        }
        Ok(())
    }

    /// Whether the client chose HTTP/2 when it said hello.
    pub fn chose_h2(&self) -> bool {
        self.io.selected_alpn_proto() == Some(ALPN::H2)
    }

    /// Writes the last answer and closes.
    pub async fn say_last(mut self, answer: &[u8], patience: Duration) {
        let said = async {
            // A client that is gone cannot be told.
            if self.io.write_all(answer).await.is_ok() && self.io.flush().await.is_ok() {
                self.linger().await;
            }
            Shutdown::shutdown(&mut *self.io).await;
        };
        let _ = tokio::time::timeout(patience, said).await;
    }

    /// Reads on for a moment: closing on bytes that were not read resets the connection, and the answer with it.
    async fn linger(&mut self) {
        const MOMENT: Duration = Duration::from_millis(200);
        const BYTES: usize = 256 << 10;
        let until = Instant::now() + MOMENT;
        let mut left = BYTES;
        let _ = AsyncWriteExt::shutdown(&mut self.io).await;
        while left > 0 {
            self.ahead.clear();
            match tokio::time::timeout_at(until, self.fill()).await {
                Ok(Ok(came)) if came > 0 => left = left.saturating_sub(came),
                _ => return,
            }
        }
    }

    /// Reads what is shown next into `out`; 0 bytes are the end of it.
    fn poll_shown(&mut self, task: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Show::Chunks(chunks) = &self.show
            && !chunks.is_done()
        {
            if self.ahead.is_empty() {
                ready!(self.poll_fill(task))?;
            }
            let Show::Chunks(chunks) = &mut self.show else { return Poll::Ready(Ok(())) };
            let here = self.ahead.len().min(out.remaining());
            let used = chunks.look(&self.ahead[..here]).map_err(refused)?;
            out.put_slice(&self.ahead[..used]);
            self.ahead.advance(used);
            return Poll::Ready(Ok(()));
        }
        let left = match self.show {
            Show::All | Show::Frames(_) => u64::MAX,
            Show::Bytes(left) => left,
            Show::Chunks(_) => 0,
        };
        if left == 0 {
            return self.poll_behind(task);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(out.remaining());
        let came = if self.ahead.is_empty() {
            let mut part = ReadBuf::new(out.initialize_unfilled_to(most));
            ready!(Pin::new(&mut self.io).poll_read(task, &mut part))?;
            let came = part.filled().len();
            out.advance(came);
            came
        } else {
            let here = self.ahead.len().min(most);
            out.put_slice(&self.ahead[..here]);
            self.ahead.advance(here);
            here
        };
        if let Show::Bytes(left) = &mut self.show {
            *left -= came as u64;
        }
        Poll::Ready(Ok(()))
    }

    /// Behind a request's end: the end of the connection is told, whatever else comes waits.
    fn poll_behind(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.ahead.len() < AHEAD {
            let before = self.ahead.len();
            ready!(self.poll_fill(task))?;
            if self.ahead.is_empty() {
                return Poll::Ready(Ok(()));
            }
            // Whoever sent requests ahead and then ended its side waits for the answers.
            if self.ahead.len() == before {
                break;
            }
        }
        Poll::Pending
    }

    /// Reads into `ahead`; at the end of the connection nothing is added.
    fn poll_fill(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.ahead.len();
        self.ahead.resize(before + READ, 0);
        let mut part = ReadBuf::new(&mut self.ahead[before..]);
        let polled = Pin::new(&mut self.io).poll_read(task, &mut part);
        let came = part.filled().len();
        self.ahead.truncate(before + came);
        polled
    }

    /// When more has to come: of a body, or of a frame.
    fn deadline(&self) -> Option<Instant> {
        match &self.show {
            Show::Frames(watch) => watch.frames.since().map(|since| since + watch.patience),
            _ => self.pace.as_ref().map(Pace::deadline),
        }
    }

    /// Whether what is waited for is late.
    fn poll_late(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(task)
    }
}

impl Conn {
    fn wrote(&mut self, bytes: usize) {
        if let Show::Frames(watch) = &mut self.show {
            watch.frames.went(bytes);
        }
    }
}

/// Why a body is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The client is gone.
    Left,
    /// It came too slowly.
    Late,
}

/// As an error of reading, from which the refusal can be had again.
fn refused(why: Refusal) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// As an error of a hook, from which the refusal can be had again.
pub fn refuse(why: Refusal) -> Box<pingora::Error> {
    pingora::Error::because(pingora::ErrorType::InvalidHTTPHeader, "refused", refused(why)).into_down()
}

/// The refusal that an error of reading a body was.
pub fn refusal(error: &pingora::Error) -> Option<Refusal> {
    let cause = error.root_cause().downcast_ref::<io::Error>()?;
    cause.get_ref()?.downcast_ref::<Refusal>().copied()
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = out.filled().len();
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Show::Frames(watch) = &this.show
            && watch.word.is_none()
        {
            return Poll::Pending;
        }
        match this.poll_shown(task, out) {
            Poll::Pending if this.is_read() || this.poll_late(task).is_pending() => Poll::Pending,
            Poll::Pending => {
                let Show::Frames(watch) = &mut this.show else {
                    return Poll::Ready(Err(refused(Refusal::BodyTime)));
                };
                watch.say(Refusal::HeadTime);
                Poll::Pending
            }
            Poll::Ready(done) => {
                done?;
                let came = out.filled().len() - before;
                this.shown += came as u64;
                if let Show::Frames(watch) = &mut this.show
                    && let Err(why) = watch.frames.came(&out.filled()[before..])
                {
                    watch.say(why);
                }
                if let Some(pace) = &mut this.pace {
                    pace.came(came);
                    // Of chunks their heads count, too: close enough for a bound.
                    if this.shown > this.most {
                        return Poll::Ready(Err(refused(Refusal::BodyTooLarge)));
                    }
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.io).poll_write(task, bytes))?;
        self.wrote(wrote);
        Poll::Ready(Ok(wrote))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.io).poll_write_vectored(task, bytes))?;
        self.wrote(wrote);
        Poll::Ready(Ok(wrote))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}
