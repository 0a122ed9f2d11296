//! Takes copies from the outbox and sends them within their limits. Their answers go to be compared.
//!
//! It has a runtime of its own, of one thread: no request ever waits for it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use pingora::http::RequestHeader;

use super::budget::Charge;
use super::head;
use super::job::{Job, Request};
use super::kept::{Keeping, Wish};
use super::line::Line;
use super::outbox::Outbox;
use super::pair::{Pair, Pairs};
use super::sender::{Errand, Sender};
use crate::compare::{Dropped, Failed};
use crate::config::service::{ServiceId, VersionId};
use crate::config::shadow::ShadowRule;
use crate::gateway::upstream::{Asked, Picked, Pool};

/// One a process.
pub struct Runner {
    outbox: Arc<Outbox>,
    sender: Sender,
    pairs: Pairs,
}

/// An endpoint for a copy, and its places among those under way.
struct Way {
    pool: Arc<Pool>,
    address: SocketAddr,
    picked: Picked,
    _places: (Charge, Charge),
}

/// Between two looks for copies.
const LULL: std::time::Duration = std::time::Duration::from_millis(5);

impl Runner {
    pub fn new(outbox: Arc<Outbox>) -> Arc<Runner> {
        let pairs = Pairs::new(Arc::clone(&outbox.pairs));
        Arc::new(Runner { outbox, sender: Sender::new(), pairs })
    }

    /// Sends until it is dropped. `soon`: there will be copies, so what they need is made before the first one comes.
    pub async fn run(self: Arc<Self>, soon: bool) {
        if soon {
            self.sender.prepare();
        }
        let mut intake = self.outbox.intake.lock().await;
        while let Some(job) = intake.recv().await {
            let mut next = Some(job);
            while let Some(job) = next {
                self.start(job);
                // What is under way comes first, or a burst would find no place where in turn all of it would.
                tokio::task::yield_now().await;
                next = intake.try_recv().ok();
            }
            // Nobody waits for a copy: several a wake-up cost a fraction of one each, also whoever hands them over.
            tokio::time::sleep(LULL).await;
        }
    }

    /// Sends a copy beside all others, or drops it: it never waits for them.
    fn start(self: &Arc<Self>, job: Job) {
        let Job { request, shadow, version, line, told, twin, original, waiting } = job;
        drop(waiting);
        let Some(rule) = request.rule(shadow) else { return };
        let way = match self.way(&request, &line, (rule.service, version)) {
            Ok(way) if line.admits(rule.breaker) => way,
            Ok(_) => return line.dropped(Dropped::Breaker),
            Err(why) => return line.dropped(why),
        };
        line.sent();
        let head = head::of_copy(&request, rule, &told, way.mark());
        let twin = twin.then(|| self.way(&request, &line, request.served_by).ok()).flatten();
        let runner = Arc::clone(self);
        tokio::spawn(async move {
            let Some(rule) = request.rule(shadow) else { return };
            let compared = original.is_some();
            let copy = async {
                let answer = runner.send(&request, rule, head, way, compared).await;
                match &answer {
                    Ok(_) => line.answered(),
                    Err(why) => line.failed(*why, rule.breaker),
                }
                answer.ok().flatten()
            };
            let twin = async {
                let twin = twin?;
                let head = head::of_twin(&request, twin.mark());
                // Without it there is one comparison less, and nothing else.
                runner.send(&request, rule, head, twin, true).await.ok().flatten()
            };
            let (answer, twin) = tokio::join!(copy, twin);
            if let Some((answer, original)) = answer.zip(original) {
                let pair = Pair { answer, twin, request: Arc::clone(&request), shadow, line };
                runner.pairs.bring_together(pair, original).await;
            }
        });
    }

    /// A way to a version, if there is one and a place on it.
    fn way(&self, request: &Request, line: &Line, to: (ServiceId, VersionId)) -> Result<Way, Dropped> {
        let places = self.outbox.in_flight.one().zip(line.place()).ok_or(Dropped::InFlight)?;
        let pool = request.live.shadows.pool(to.0, to.1).ok_or(Dropped::NoEndpoint)?;
        let (address, picked) = pool.pick(&Asked::default()).ok_or(Dropped::NoEndpoint)?;
        Ok(Way { pool: Arc::clone(pool), address, picked, _places: places })
    }

    /// Sends a copy and takes its answer in; it is kept if it is `compared`.
    async fn send(
        &self,
        request: &Request,
        rule: &ShadowRule,
        head: RequestHeader,
        way: Way,
        compared: bool,
    ) -> Result<Option<Keeping>, Failed> {
        let Way { pool, address, picked: Picked { peer, place: _place }, _places } = way;
        let errand =
            Errand { peer, head, body: &request.body, timeout: rule.timeout, max_answer: rule.max_answer };
        let bytes = &self.outbox.bytes;
        let keep = |head: &pingora::http::ResponseHeader, waited| {
            let mut wish = Wish::default();
            wish.add(rule);
            compared.then(|| Keeping::new(&wish, head.status, &head.headers, waited, bytes))
        };
        let answer = self.sender.send(errand, keep).await;
        if matches!(answer, Err(Failed::Connect)) {
            pool.rest(address);
        }
        answer
    }
}

impl Way {
    fn mark(&self) -> &HeaderValue {
        &self.pool.label
    }
}
