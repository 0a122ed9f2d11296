//! The body of one request in HTTP/2, as it comes: the connection tells nobody which of its requests is waited for.
//!
//! The hooks say what came, whoever serves the connection asks when more has to be there. A body that its upstream does not take counts as one
//! that does not come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::header::CONTENT_TYPE;
use pingora::http::RequestHeader;
use tokio::time::Instant;

use crate::config::limits::ClientLimits;
use crate::gateway::gate::pace::Pace;

/// A body under way. One task reads and writes it, turn by turn.
#[derive(Debug)]
pub struct Body {
    pace: Pace,
    began: Instant,
    bytes: AtomicU64,
    /// Milliseconds since it began, when the last bytes came.
    last: AtomicU64,
    over: AtomicBool,
}

impl Body {
    /// A body that begins now, and goes with its request's head. None for calls of gRPC: they are silent as long as they like.
    pub fn begin(head: &mut RequestHeader, limits: &ClientLimits) -> Option<Arc<Body>> {
        let kind = head.headers.get(CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
            return None;
        }
        let body = Arc::new(Body {
            pace: Pace::begin(limits),
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        head.extensions_mut().insert(body.clone());
        Some(body)
    }

    /// The one that goes with a request.
    pub fn of(head: &RequestHeader) -> Option<&Body> {
        head.extensions.get::<Arc<Body>>().map(|body| &**body)
    }

    /// So many bytes came.
    pub fn came(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Nobody waits for more of it.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// When the next bytes have to be there; none: nobody waits for them.
    pub fn deadline(&self) -> Option<Instant> {
        let last = std::time::Duration::from_millis(self.last.load(Ordering::Relaxed));
        let pace = self.pace.after(self.bytes.load(Ordering::Relaxed), self.began + last);
        (!self.over.load(Ordering::Relaxed)).then(|| pace.deadline())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn head(kind: &str) -> RequestHeader {
        let mut head = RequestHeader::build("POST", b"/", None).unwrap();
        head.insert_header("content-type", kind.to_owned()).unwrap();
        head
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_to_go_on_until_its_answer_begins() {
        let limits =
            ClientLimits { body_idle: Duration::from_secs(5), body_rate: 0, ..ClientLimits::default() };
        let mut head = head("text/plain");
        let body = Body::begin(&mut head, &limits).unwrap();
        let begin = Instant::now();
        let due = || body.deadline().map(|deadline| (deadline - begin).as_secs());
        assert_eq!(due(), Some(5));
        tokio::time::advance(Duration::from_secs(3)).await;
        Body::of(&head).unwrap().came(1);
        assert_eq!(due(), Some(8));
        Body::of(&head).unwrap().end();
        assert_eq!(due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_not_paced() {
        assert!(Body::begin(&mut head("application/grpc+proto"), &ClientLimits::default()).is_none());
        assert!(Body::of(&head("text/plain")).is_none());
    }
}
