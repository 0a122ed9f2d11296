//! Pingora's hooks, in the order in which a request passes them. They hold no knowledge: each hands on to the file that does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{EXPECT, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};
use prometheus::IntCounterVec;
use tokio::sync::watch;

use super::CLIENT_IDLE;
use super::answer::Answer;
use super::call::head_status;
use super::drain::Traffic;
use super::exchange::Exchange;
use super::failure::{self, UNFIT};
use super::gate::conn;
use super::gate::refusal::Refusal;
use super::intake::{self, Verdict};
use super::live::Published;
use super::ofrep::{self, Entrance};
use super::trace::Trace;
use super::{h2, inbound, outbound};
use crate::config::Name;
use crate::telemetry::AccessLog;
use crate::telemetry::access_log::Line;

/// The proxy of one listener.
pub struct Proxy {
    pub listener: Name,
    pub tls: bool,
    pub live: Published,
    pub access_log: AccessLog,
    pub draining: Arc<AtomicBool>,
    pub traffic: Arc<Traffic>,
    /// Tells that the listeners close.
    pub closing: watch::Receiver<bool>,
    /// By listener and why.
    pub refusals: IntCounterVec,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        Exchange::new(self.live.load_full(), self.traffic.enter())
    }

    /// None: each would cost every request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<()> {
        h2::admit(session, &exchange.live.snapshot.config.limits)
    }

    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        self.limit(session, exchange.live.snapshot.config.limits.body_idle);
        match intake::take(session, exchange, &self.listener, self.tls) {
            Verdict::Forward => Ok(false),
            Verdict::Answer(answer) => {
                answer.send(session, exchange).await.map_err(|error| error.into_down())?;
                Ok(true)
            }
            Verdict::Ofrep(client) => {
                let at = Entrance { listener: &self.listener, live: &self.live, closing: &self.closing };
                ofrep::serve(session, exchange, client, &at).await.map_err(|error| error.into_down())?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(&self, session: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        exchange.upstream_begins();
        let buffered = exchange.live.snapshot.config.limits.buffered_body;
        let waits = !session.as_mut().is_body_done() && !failure::is_awaited(session, buffered);
        exchange.next_peer(waits).map_err(|status| Error::new_up(ErrorType::HTTPStatus(status.as_u16())))
    }

    async fn connected_to_upstream(
        &self,
        session: &mut Session,
        _reused: bool,
        _peer: &HttpPeer,
        #[cfg(unix)] _fd: std::os::unix::io::RawFd,
        digest: Option<&Digest>,
        exchange: &mut Exchange,
    ) -> Result<()> {
        // Who waits to be told to go on has asked all that it will.
        let asked = is_asked(session, exchange) || session.req_header().headers.contains_key(EXPECT);
        exchange.connected(digest, asked);
        Ok(())
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        exchange: &mut Exchange,
        mut error: Box<Error>,
    ) -> Box<Error> {
        exchange.upstream_spoke();
        exchange.refused(&error);
        // Nothing was sent; where no attempt is left, `upstream_peer` says so.
        error.set_retry(true);
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        outbound::prepare(request, session.req_header(), exchange);
        if exchange.copying.is_some() {
            let has_body = !session.as_mut().is_body_empty();
            exchange.copy_head(request, session.req_header(), has_body);
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> Result<()> {
        // Bodies come as slowly as clients like, and no version is to blame for it.
        goes_on(exchange, end).map_err(|error| error.into_down())?;
        h2::came(session, body.as_ref().map(Bytes::len), &exchange.live.snapshot.config.limits)?;
        if end {
            exchange.body_came();
        }
        // Pingora writes an empty last piece to HTTP/1 as the chunk that ends a body, and then ends it once more: the second end would
        // begin the connection's next request.
        body.take_if(|piece| end && piece.is_empty());
        exchange.copy_body(body.as_ref(), end);
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.upstream_spoke();
        if failure::is_interim(response) && exchange.may_be_interim(is_asked(session, exchange)) {
            return Ok(());
        }
        // Nobody asked for another protocol: behind a 101 the client would take for an answer what is none.
        let switches = response.status == StatusCode::SWITCHING_PROTOCOLS && !exchange.upgrade;
        if failure::is_interim(response) || switches || !inbound::is_framed(response) {
            return Err(Error::new_up(ErrorType::InvalidHTTPHeader));
        }
        if exchange.is_unfit(head_status(response)) && exchange.failed(failure::of(session, UNFIT, false)) {
            return Err(failure::unfit());
        }
        exchange.answered(response);
        exchange.keep_head(response);
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> Result<Option<Duration>> {
        exchange.keep_body(body.as_ref());
        if end {
            exchange.upstream_spoke();
        }
        goes_on(exchange, end).map(|()| None)
    }

    fn upstream_response_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.trailed(trailers);
        inbound::strip_trailers(trailers, &exchange.live.snapshot.config.injection);
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        if self.draining.load(Ordering::Relaxed) {
            session.set_keepalive(None);
        }
        if !response.status.is_informational() {
            h2::answered(session);
        }
        inbound::prepare(response, exchange);
        Ok(())
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        exchange: &mut Exchange,
        reused: bool,
    ) -> Box<Error> {
        let waits = !exchange.is_answered() && !is_asked(session, exchange);
        let mut error = failure::understood(error, exchange.cut(), waits);
        error.retry.decide_reuse(reused);
        if *error.esource() != ErrorSource::Upstream {
            error.set_retry(false);
            return error;
        }
        if matches!(error.etype(), ErrorType::Custom(UNFIT)) {
            // It was seen to where the answer came.
            return error;
        }
        exchange.upstream_spoke();
        let failure = failure::of(session, why(error.etype()), error.retry());
        error.set_retry(exchange.failed(failure));
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Exchange,
    ) -> FailToProxy {
        let refused = conn::refusal(error);
        let status = refused.map_or_else(|| status_of(error), |why| Some(why.status()));
        exchange.error = Some(refused.map_or_else(|| told(error), Refusal::why));
        if let Some(why) = refused {
            self.refusals.with_label_values(&[&*self.listener, why.why()]).inc();
        }
        if status == Some(StatusCode::INTERNAL_SERVER_ERROR) {
            tracing::error!(reason = error.reason_str(), "a request failed inside the gateway");
        }
        if let Some(status) = status.filter(|_| !failure::is_begun(session)) {
            let answer = Answer::error(status);
            let answer = if exchange.full { answer.with(RETRY_AFTER, SOON) } else { answer };
            // A client that is gone cannot be told.
            let _ = answer.send_last(session, exchange).await;
        }
        FailToProxy { error_code: status.map_or(0, |status| status.as_u16()), can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Exchange) {
        exchange.end_copies(error.is_none());
        let outcome = exchange.outcome(session);
        let live = &exchange.live;
        live.handles.finished(exchange.decision.as_ref(), &outcome);
        let head = session.req_header();
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = || head.uri.authority().map(|authority| authority.as_str());
        let line = Line {
            method: head.method.as_str(),
            host: host.or_else(authority).unwrap_or_default(),
            path: head.uri.path(),
            listener: &self.listener,
            request_id: exchange.request_id.to_str().unwrap_or_default(),
            trace_id: exchange.trace.as_ref().map(Trace::id),
            targeting_key: exchange.logged_key.as_deref(),
        };
        self.access_log.write(line, &live.snapshot, exchange.decision.as_ref(), &outcome);
    }

    /// Failures are told once, by us, at a bounded rate.
    fn suppress_error_log(&self, _session: &Session, _exchange: &Exchange, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _exchange: &Exchange,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

impl Proxy {
    /// What Pingora leaves unlimited on a client's connection; on an HTTP/1 one it has to be said for every request.
    fn limit(&self, session: &mut Session, pause: Duration) {
        if self.draining.load(Ordering::Relaxed) {
            session.set_keepalive(None);
        } else if session.get_keepalive().is_some() {
            session.set_keepalive(Some(CLIENT_IDLE.as_secs()));
        }
        session.set_write_timeout(Some(pause));
    }
}

/// When a client may come again whose version is at its limits: in a second.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// Whether all of the request is there.
fn is_asked(session: &mut Session, exchange: &Exchange) -> bool {
    exchange.upgrade || session.as_mut().is_body_done()
}

/// Whether a body may go on; `end`: this is all of it.
fn goes_on(exchange: &Exchange, end: bool) -> Result<()> {
    if exchange.is_late() {
        return Err(Error::new_up(ErrorType::ReadTimedout));
    }
    if !end && exchange.is_ended() {
        return Err(Error::new_up(ErrorType::ConnectionClosed));
    }
    Ok(())
}

/// Why an attempt failed after connecting, as a token.
fn why(error: &ErrorType) -> &'static str {
    match error {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => "timeout",
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError => "closed",
        _ => "protocol",
    }
}

/// What the log is told: who failed, and how.
fn told(error: &Error) -> &'static str {
    match (error.esource(), why(error.etype())) {
        (ErrorSource::Upstream, _) if matches!(error.etype(), ErrorType::HTTPStatus(503)) => {
            "no endpoint takes a connection"
        }
        (ErrorSource::Upstream, _) if matches!(error.etype(), ErrorType::HTTPStatus(_)) => "upstream timeout",
        (ErrorSource::Upstream, "timeout") => "upstream timeout",
        (ErrorSource::Upstream, "closed") => "upstream closed",
        (ErrorSource::Upstream, _) => "upstream protocol",
        (ErrorSource::Downstream, "timeout") => "client timeout",
        (ErrorSource::Downstream, "closed") => "client closed",
        (ErrorSource::Downstream, _) => "client protocol",
        (ErrorSource::Internal | ErrorSource::Unset, _) => error.etype().as_str(),
    }
}

/// What the client is told; none: it is not there to be told.
fn status_of(error: &Error) -> Option<StatusCode> {
    use ErrorType::{ConnectionClosed, HTTPStatus, ReadError, ReadTimedout, WriteError, WriteTimedout};
    Some(match (error.etype(), error.esource()) {
        (HTTPStatus(status), _) => StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        (ReadTimedout | WriteTimedout, ErrorSource::Upstream) => StatusCode::GATEWAY_TIMEOUT,
        (_, ErrorSource::Upstream) => StatusCode::BAD_GATEWAY,
        (ConnectionClosed | ReadError | WriteError | WriteTimedout, ErrorSource::Downstream) => return None,
        (ReadTimedout, ErrorSource::Downstream) => StatusCode::REQUEST_TIMEOUT,
        (_, ErrorSource::Downstream) => StatusCode::BAD_REQUEST,
        (_, ErrorSource::Internal | ErrorSource::Unset) => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_status() {
        use ErrorType::*;
        let table = [
            (Error::new_up(HTTPStatus(503)), Some(503)),
            (Error::new_up(ReadTimedout), Some(504)),
            (Error::new_up(ConnectionClosed), Some(502)),
            (Error::new_up(InvalidHTTPHeader), Some(502)),
            (Error::new_down(ConnectionClosed), None),
            (Error::new_down(WriteTimedout), None),
            (Error::new_down(ReadTimedout), Some(408)),
            (Error::new_down(InvalidHTTPHeader), Some(400)),
            (Error::new_in(InternalError), Some(500)),
            (Error::new(InternalError), Some(500)),
        ];
        for (error, status) in table {
            assert_eq!(status_of(&error).map(|status| status.as_u16()), status, "{error}");
        }
    }
}
