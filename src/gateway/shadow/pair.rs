//! Brings the answer to a copy together with the original's, and has them compared: small ones at once, others one pair at a
//! time, beside the copies that are under way.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::CONTENT_ENCODING;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::budget::Budget;
use super::job::{Request, Taken};
use super::kept::{Keeping, Kept};
use super::line::Line;
use crate::compare::{Observation, Uncompared, compare};

/// Bytes of an answer that is compared at once, beside the copies under way: some tens of microseconds.
const QUICK: u64 = 4 << 10;

/// Answers that wait for the original's, and for their turn.
pub struct Pairs {
    waiting: Arc<Budget>,
    turn: Semaphore,
}

/// The answers to the copies of one request.
pub struct Pair {
    pub answer: Keeping,
    /// A second answer of the version that served the original.
    pub twin: Option<Keeping>,
    pub request: Arc<Request>,
    /// Its index in the route.
    pub shadow: usize,
    pub line: Arc<Line>,
}

impl Pairs {
    /// `waiting` bounds them.
    pub fn new(waiting: Arc<Budget>) -> Pairs {
        Pairs { waiting, turn: Semaphore::new(1) }
    }

    /// Waits for the original's answer, not longer than a copy may take, and compares.
    pub async fn bring_together(&self, pair: Pair, original: oneshot::Receiver<Taken>) {
        let line = Arc::clone(&pair.line);
        if let Err(why) = self.compared(pair, original).await {
            line.uncompared(why);
        }
    }

    async fn compared(&self, pair: Pair, original: oneshot::Receiver<Taken>) -> Result<(), Uncompared> {
        let Pair { answer, twin, request, shadow, line } = pair;
        let _place = self.waiting.one().ok_or(Uncompared::Memory)?;
        let answer = answer.finish()?;
        let twin = twin.and_then(|twin| twin.finish().ok());
        let limit = request.rule(shadow).map(|rule| rule.timeout).unwrap_or_default();
        let original = timeout(limit, original).await.ok().and_then(Result::ok);
        let original = original.unwrap_or(Err(Uncompared::Original))?;
        let quick = [&*original, &answer].into_iter().chain(&twin).all(is_quick);
        let compare = move || {
            line.compared(observe(&request, shadow, &original, &answer, twin.as_ref())?);
            Ok(())
        };
        if quick {
            return compare();
        }
        // It is never closed.
        let _turn = self.turn.acquire().await;
        // It ends by itself, or the process does.
        spawn_blocking(compare).await.unwrap_or(Ok(()))
    }
}

/// Whether comparing it takes less than to hand it to another thread.
fn is_quick(kept: &Kept) -> bool {
    kept.answer.body.length() <= QUICK && !kept.answer.headers.contains_key(CONTENT_ENCODING)
}

fn observe(
    request: &Request,
    shadow: usize,
    original: &Kept,
    answer: &Kept,
    twin: Option<&Kept>,
) -> Result<Observation, Uncompared> {
    let rules = &request.rule(shadow).ok_or(Uncompared::Original)?.compare;
    let (original, answer) = (&original.answer, &answer.answer);
    Ok(Observation {
        shadow: compare(original, answer, rules)?,
        twin: twin.and_then(|twin| compare(original, &twin.answer, rules).ok()),
        waited: (original.waited, answer.waited),
        at: SystemTime::now(),
        request_id: request.id.to_str().unwrap_or_default().to_owned(),
        method: request.head.method.to_string(),
        path: request.target.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use std::time::Duration;

    use super::super::fixture::{begin, first, handed_over, head, live, nothing_held};
    use super::super::kept::Wish;
    use super::*;
    use crate::compare::ShadowReport;

    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

    fn answer(pair: &Arc<Request>, fields: &[(&str, &str)], body: &'static str) -> Keeping {
        let mut wish = Wish::default();
        wish.add(pair.rule(0).unwrap());
        let fields: HeaderMap = head("GET", fields).headers.clone();
        let bytes = &pair.live.shadows.outbox().bytes;
        let mut keeping = Keeping::new(&wish, StatusCode::OK, &fields, Duration::ZERO, bytes);
        keeping.push(&Bytes::from_static(body.as_bytes()));
        keeping
    }

    /// What is told after an original's answer, the shadow's and the twin's came together. None: the original gave none.
    async fn report(
        room: usize,
        original: Option<Result<&'static str, Uncompared>>,
        (fields, shadow): (&[(&str, &str)], &'static str),
        twin: Option<&'static str>,
    ) -> ShadowReport {
        let live = live("", &["timeout: 1m"]);
        first(&mut begin(&live).unwrap(), &head("GET", JSON), false);
        let job = handed_over(&live).remove(0);
        let request = Arc::clone(&job.request);
        let (sender, receiver) = oneshot::channel();
        let pair = Pair {
            answer: answer(&request, fields, shadow),
            twin: twin.map(|twin| answer(&request, JSON, twin)),
            request: Arc::clone(&request),
            shadow: 0,
            line: Arc::clone(&job.line),
        };
        if let Some(original) = original {
            let taken = original.and_then(|body| answer(&request, JSON, body).finish().map(Arc::new));
            assert!(sender.send(taken).is_ok());
        } else {
            drop(sender);
        }
        Pairs::new(Budget::new(room, None)).bring_together(pair, receiver).await;
        let report = job.line.ledger().report(false);
        drop((job, request));
        assert!(nothing_held(&live));
        report
    }

    #[tokio::test]
    async fn answers_are_compared_with_the_originals_and_so_is_the_twin() {
        let same = report(1, Some(Ok("{\"a\":1}")), (JSON, "{\"a\": 1}"), None).await;
        assert_eq!((same.compared, same.equal, same.twins), (1, 1, 0));
        let other = report(1, Some(Ok("{\"a\":1}")), (JSON, "{\"a\":2}"), Some("{\"a\":3}")).await;
        assert_eq!((other.compared, other.equal, other.twins), (1, 0, 1));
    }

    #[tokio::test]
    async fn what_cannot_be_compared_is_counted_by_why() {
        let gzip = [JSON[0], ("content-encoding", "gzip")];
        let (whole, plain) = (Some(Ok("{}")), (JSON, "{}"));
        let table = [
            (1, None, plain, "original"),
            (1, Some(Err(Uncompared::Fallback)), plain, "fallback"),
            (1, Some(Err(Uncompared::Memory)), plain, "memory"),
            (0, whole, plain, "memory"),
            (1, whole, (&gzip[..], "no gzip"), "encoding"),
        ];
        for (room, original, shadow, why) in table {
            let told = report(room, original, shadow, None).await;
            assert_eq!((told.compared, told.uncompared.get(why)), (0, Some(&1)), "{why}");
        }
    }
}
