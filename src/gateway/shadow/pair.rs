//! Brings the answer to a copy together with the original's, and has them compared: one pair at a time, beside the copies that
//! are under way.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::budget::Budget;
use super::job::{Request, Taken};
use super::kept::{Keeping, Kept};
use super::line::Line;
use crate::compare::{Observation, Uncompared, compare};

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
        // It is never closed.
        let _turn = self.turn.acquire().await;
        let comparing = spawn_blocking(move || {
            line.compared(observe(&request, shadow, &original, &answer, twin.as_ref())?);
            Ok(())
        });
        // It ends by itself, or the process does.
        comparing.await.unwrap_or(Ok(()))
    }
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
