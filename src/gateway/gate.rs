//! The gate: owns a client's connection, reads each HTTP/1 head itself, refuses what is ambiguous or too late, and shows Pingora one clean
//! request at a time. HTTP/2 it hands on, once it is one.
//!
//! It decides nothing: what it lets through, the hooks take from there.

pub mod arrival;
pub mod authority;
pub mod caps;
pub mod chunks;
pub mod conn;
mod h2;
pub mod head;
pub mod pace;
pub mod proxy_protocol;
pub mod refusal;
mod reply;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use prometheus::IntCounterVec;
use tokio::time::{Instant, sleep_until};

use super::drain::Traffic;
use super::forwarded;
use super::live::Published;
use super::proxy::Proxy;
use super::tls::Terms;
use crate::config::Name;
use crate::config::limits::ClientLimits;
use crate::telemetry::access_log::Line;
use crate::telemetry::limiter::Limiter;
use crate::telemetry::{AccessLog, Outcome};
use arrival::Arrived;
use caps::Caps;
use conn::{Conn, Gone};
use head::{Body, Head, Scan};
use refusal::Refusal;
use reply::Reply;

/// What a client of HTTP/2 says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Stands in the log for the id of a request that the client was told none of.
const NAMELESS: &str = "-";
/// How long the last answer on a connection may take to be sent.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The gate of one listener.
pub struct Gate {
    inner: Arc<HttpProxy<Proxy>>,
    listener: Name,
    /// None: in the clear.
    tls: Option<Arc<Terms>>,
    /// Of lines about handshakes that failed.
    handshakes: Limiter,
    admission: Admission,
}

/// What all gates have in common.
#[derive(Clone)]
pub struct Admission {
    /// Whose limits hold.
    pub live: Published,
    /// Set when a stop begins.
    pub draining: Arc<AtomicBool>,
    /// Tells when connections without a request close. Pingora's own word comes when the listener closes, which is earlier.
    pub ends: ShutdownWatch,
    /// Of all listeners together.
    pub caps: Arc<Caps>,
    /// Counts a request whose body is awaited.
    pub traffic: Arc<Traffic>,
    /// By listener and why.
    pub refusals: IntCounterVec,
    /// By listener and why.
    pub failed_handshakes: IntCounterVec,
    /// Who is refused is told there, too.
    pub access_log: AccessLog,
}

impl Admission {
    /// The gate before a listener's hooks; `tls`: its terms, where it speaks TLS.
    pub fn gate(&self, conf: &Arc<ServerConf>, proxy: Proxy, tls: Option<Arc<Terms>>) -> Gate {
        let listener = proxy.listener.clone();
        let inner = http_proxy(conf, proxy);
        let (inner, admission) = (Arc::new(inner), self.clone());
        Gate { inner, listener, tls, handshakes: Limiter::default(), admission }
    }
}

/// What comes next on a connection.
enum Next {
    /// A head of so many bytes.
    Head(usize),
    H2,
    Refused(Refusal),
    /// Nothing: the client left, the connection waited too long, or the gateway stops.
    Nothing,
}

#[async_trait]
impl ServerApp for Gate {
    async fn process_new(self: &Arc<Self>, io: Stream, _closes: &ShutdownWatch) -> Option<Stream> {
        let shutdown = &self.admission.ends;
        let Arrived { mut conn, from, place: _place } = self.arrive(io, &self.limits()).await?;
        if conn.chose_h2() {
            h2::serve(self, conn, shutdown).await;
            return None;
        }
        let mut settings: Option<HttpPersistentSettings> = None;
        let mut served = 0_u32;
        loop {
            // Each request by the limits of its time.
            let limits = self.limits();
            let head = match self.next(&mut conn, &limits, served == 0, shutdown).await {
                Next::Head(length) => self.read(&conn.ahead()[..length], &limits, from),
                Next::H2 => {
                    h2::serve(self, conn, shutdown).await;
                    return None;
                }
                Next::Refused(why) => Err(why),
                Next::Nothing => return None,
            };
            let head = match self.with_body(&mut conn, head, &limits).await {
                Ok(Some(head)) => head,
                Ok(None) => return None,
                Err(why) => {
                    self.refuse(conn, why, true).await;
                    return None;
                }
            };
            served += 1;
            let bytes = conn.begin(&head, &limits);
            let mut session = ServerSession::new_http1(Box::new(conn));
            if let Some(settings) = settings.take() {
                settings.apply_to_session(&mut session);
            }
            let last = head.closes || limits.requests.is_some_and(|most| served >= most);
            let ends = last || *shutdown.borrow() || self.admission.draining.load(Ordering::Relaxed);
            session.set_keepalive((!ends).then_some(limits.idle.as_secs().max(1)));
            session.set_pipelined_prefix(bytes);
            let served = self.inner.process_new_http(session, shutdown);
            let reused = match limits.request_time.filter(|_| !head.upgrade) {
                // The hooks end it in time, where they can.
                Some(time) => match tokio::time::timeout(time + LAST_WORDS, served).await {
                    Ok(reused) => reused?,
                    Err(_) => {
                        self.tell(&[], Refusal::RequestTime, 0, NAMELESS);
                        return None;
                    }
                },
                None => served.await?,
            };
            let (stream, kept) = reused.consume();
            settings = kept;
            conn = *stream.into_any().downcast::<Conn>().ok()?;
            // What is left of a body nobody wanted would be taken for a request; behind a tunnel there is none.
            if last || head.upgrade || !conn.is_read() {
                return None;
            }
        }
    }

    async fn cleanup(&self) {
        self.inner.http_cleanup().await;
    }
}

impl Gate {
    fn hsts(&self) -> Option<HeaderValue> {
        let live = self.admission.live.load();
        let listener = live.snapshot.config.listener(&self.listener).filter(|_| self.tls.is_some());
        listener?.tls.as_ref()?.hsts.clone()
    }

    fn limits(&self) -> ClientLimits {
        self.admission.live.load().snapshot.config.limits
    }

    /// Waits for the next head.
    async fn next(
        &self,
        conn: &mut Conn,
        limits: &ClientLimits,
        first: bool,
        shutdown: &ShutdownWatch,
    ) -> Next {
        let mut shutdown = shutdown.clone();
        let mut scan = Scan::default();
        let mut begun = first;
        let mut timer =
            pin!(sleep_until(Instant::now() + if first { limits.head_time } else { limits.idle }));
        loop {
            if !conn.ahead().is_empty() {
                if !std::mem::replace(&mut begun, true) {
                    timer.as_mut().reset(Instant::now() + limits.head_time);
                }
                let preface =
                    first && conn.ahead().starts_with(&PREFACE[..conn.ahead().len().min(PREFACE.len())]);
                if preface && conn.ahead().len() >= PREFACE.len() {
                    return Next::H2;
                }
                if !preface {
                    match scan.look(conn.ahead(), limits) {
                        Ok(Some(length)) => return Next::Head(length),
                        Ok(None) => {}
                        Err(why) => return Next::Refused(why),
                    }
                }
            }
            let waiting = conn.ahead().is_empty();
            tokio::select! {
                biased;
                came = conn.fill() => if !came.is_ok_and(|came| came > 0) { return Next::Nothing },
                () = &mut timer => return if waiting { Next::Nothing } else { Next::Refused(Refusal::HeadTime) },
                () = ended(&mut shutdown), if waiting => return Next::Nothing,
            }
        }
    }

    /// Reads a head that is whole.
    fn read(&self, bytes: &[u8], limits: &ClientLimits, from: IpAddr) -> Result<Head, Refusal> {
        let live = self.admission.live.load();
        let config = &live.snapshot.config;
        let kept = config.injection.accept_from_trusted_proxies
            && config.context.trusted_proxies.iter().any(|network| network.contains(&from));
        let ours = |name: &[u8]| {
            !kept && std::str::from_utf8(name).is_ok_and(|name| config.injection.reserves(name))
        };
        Head::read(bytes, limits, ours)
    }

    /// A request whose body is here, where it is small: an upstream waits for no client then. None: the client left.
    async fn with_body(
        &self,
        conn: &mut Conn,
        head: Result<Head, Refusal>,
        limits: &ClientLimits,
    ) -> Result<Option<Head>, Refusal> {
        let head = head?;
        if let Body::Length(length) = head.body {
            if limits.body_bytes.is_some_and(|most| length > most) {
                return Err(Refusal::BodyTooLarge);
            }
            if length <= limits.buffered_body && !head.expects {
                // Nobody knows of it yet, and a gateway that stops waits for it.
                let _under_way = self.admission.traffic.enter();
                match conn.await_body(head.length, length, limits).await {
                    Ok(()) => {}
                    Err(Gone::Left) => return Ok(None),
                    Err(Gone::Late) => return Err(Refusal::BodyTime),
                }
            }
        }
        Ok(Some(head))
    }

    /// The last word on a connection; `told`: the client is told in HTTP/1.
    async fn refuse(&self, conn: Conn, why: Refusal, told: bool) {
        let id = forwarded::new_id(rand::random());
        let id = id.to_str().unwrap_or_default();
        self.tell(conn.ahead(), why, if told { why.status().as_u16() } else { 0 }, id);
        if told {
            let reply = Reply { why, id, form: reply::liked(conn.ahead()), hsts: self.hsts() };
            conn.say_last(reply.to_string().as_bytes(), LAST_WORDS).await;
        }
    }
}

impl Gate {
    /// Counts a refusal and writes a line of the access log, with as much of the request as there is. `status`: what the client was told; 0:
    /// nothing.
    fn tell(&self, ahead: &[u8], why: Refusal, status: u16, id: &str) {
        self.admission.refusals.with_label_values(&[&*self.listener, why.why()]).inc();
        let line = ahead
            .trim_ascii_start()
            .split(|byte| *byte == b'\r' || *byte == b'\n')
            .next()
            .unwrap_or_default();
        let mut parts = line.splitn(3, |byte| *byte == b' ').map(String::from_utf8_lossy);
        let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let line = Line {
            method: &method,
            host: "",
            path: target.split('?').next().unwrap_or_default(),
            listener: &self.listener,
            request_id: id,
            trace_id: None,
            targeting_key: None,
        };
        let outcome = Outcome { status, error: Some(format!("refused: {why}")), ..Outcome::default() };
        self.admission.access_log.write(line, &self.admission.live.load().snapshot, None, &outcome);
    }
}

/// Waits until connections without a request close. Whoever would tell may be gone before it has: that says the same.
async fn ended(shutdown: &mut ShutdownWatch) {
    let _ = shutdown.wait_for(|ends| *ends).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Idle connections spun at a stop by SIGINT: each look at a sender that is gone is over at once.
    #[tokio::test]
    async fn a_sender_that_is_gone_ends_the_wait_for_good() {
        let (sender, mut shutdown) = tokio::sync::watch::channel(false);
        let mut waits = Box::pin(ended(&mut shutdown));
        let moment = Duration::from_millis(1);
        assert!(tokio::time::timeout(moment, &mut waits).await.is_err(), "nobody has told yet");
        drop(sender);
        waits.await;
    }
}
