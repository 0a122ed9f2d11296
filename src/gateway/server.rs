//! The running gateway: takes the bound sockets, runs Pingora's server to its end.

use std::sync::Arc;
use std::time::Duration;

use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server as Pingora};
use pingora::tls::{RootCertStore, load_platform_certs_incl_env_into_store};
use tokio::sync::{mpsc, watch};

use super::attempts;
use super::drain::{Signals, Stage, Start, Traffic};
use super::gate::Admission;
use super::live::Published;
use super::proxy::Proxy;
use super::services::{Begin, Beside, Listening};
use super::shadow::runner::Runner;
use super::upgrade::Upgrades;
use super::upgrade::heir::Heir;
use crate::config::listener::Listener;
use crate::source::{Hand, Status, Wake};
use crate::telemetry::{AccessLog, Metrics};

/// Idle connections kept to upstreams, for each worker thread.
const POOLED: usize = 256;
/// How long the last lines of the access log may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// What a gateway is made of.
pub struct Server {
    /// What requests take; whoever publishes stores there.
    pub live: Published,
    /// Counted into by [`Live`](super::Live)'s handles.
    pub metrics: Arc<Metrics>,
    /// Written once a request.
    pub access_log: AccessLog,
    /// How the sources are doing.
    pub status: Arc<Status>,
    /// Woken by SIGHUP.
    pub wake: Wake,
    /// Bound before anything starts, so that a port that is taken is an error of `run`.
    pub listeners: Vec<(Listener, std::net::TcpListener)>,
    /// Served beside the traffic: admin and probes, each an axum router with its bound socket.
    pub doors: Vec<Door>,
    /// Set when a stop begins: readiness goes off.
    pub draining: Arc<std::sync::atomic::AtomicBool>,
    /// Who writes to the state folder.
    pub hand: Hand,
    /// Takes another process's place.
    pub heir: Option<Arc<Heir>>,
    /// Another process may take its place.
    pub upgrades: Option<Upgrades>,
}

/// A small HTTP server of our own beside the traffic.
pub struct Door {
    /// `admin` or `probes`.
    pub kind: &'static str,
    /// Bound.
    pub socket: std::net::TcpListener,
    /// What it serves.
    pub router: axum::Router,
}

/// Serves until a signal ends it; returns once everything in flight is done or the grace is over.
pub fn serve(server: Server) -> Result<(), String> {
    let Server { live, metrics, access_log, wake, listeners, doors, draining, hand, heir, upgrades, .. } =
        server;
    check_roots()?;
    let (config, keeper, shadows, certificates) = {
        let live = live.load();
        let runner = Runner::new(Arc::clone(live.shadows.outbox()));
        let shadows = Beside::shadows(runner, live.shadows.lines().next().is_some());
        (live.snapshot.config.clone(), live.upstreams.keeper(), shadows, live.certificates.clone())
    };
    let mut pingora = Pingora::new_with_opt_and_conf(None, conf(config.threads));
    pingora.bootstrap();
    let traffic = Arc::new(Traffic::default());
    let (close, closed) = watch::channel(false);
    let (end, ends) = watch::channel(false);
    let (leave, leaves) = watch::channel(false);
    let (handled, signals) = watch::channel(false);
    let (listens, listening) = mpsc::channel(1);
    let begin = Begin { signals, listens };
    for door in doors {
        pingora.add_service(Beside::door(door, begin.clone(), leaves.clone())?);
    }
    let endpoints = pingora.add_service(Beside::endpoints(keeper));
    pingora.add_service(Beside::lines(live.clone()));
    pingora.add_service(shadows);
    let keys = pingora.add_service(Beside::keyring(live.clone()));
    let admission = Admission {
        live: live.clone(),
        draining: draining.clone(),
        ends: ends.clone(),
        caps: Arc::default(),
        traffic: traffic.clone(),
        refusals: metrics.refused(),
        failed_handshakes: metrics.failed_handshakes(),
        access_log: access_log.clone(),
    };
    for (number, (listener, socket)) in listeners.into_iter().enumerate() {
        let proxy = Proxy {
            listener: listener.name.clone(),
            tls: listener.tls.is_some(),
            live: live.clone(),
            access_log: access_log.clone(),
            draining: draining.clone(),
            traffic: traffic.clone(),
            closing: ends.clone(),
            refusals: admission.refusals.clone(),
        };
        let terms = certificates.terms(&listener.name);
        let gate = admission.gate(&pingora.configuration, proxy, terms);
        let listening = Listening::new(number, listener, socket, gate, closed.clone(), begin.clone())?;
        let listening = pingora.add_service(listening);
        listening.add_dependency(&endpoints);
        listening.add_dependency(&keys);
    }
    drop(begin);
    let signals = Signals {
        wake,
        access_log: access_log.clone(),
        live,
        traffic,
        caps: admission.caps,
        hand,
        handled,
        stage: Stage { draining, close, end, leave },
        shutdown: config.shutdown,
        start: tokio::sync::Mutex::new(Some(Start { listening, heir, upgrades })),
    };
    pingora.run(RunArgs { shutdown_signal: Box::new(signals) });
    access_log.flush(LAST_LINES);
    Ok(())
}

fn conf(threads: Option<usize>) -> ServerConf {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    ServerConf {
        threads: threads.unwrap_or_else(cores),
        // Cheaper: a connection stays on the thread that took it.
        work_stealing: false,
        upstream_keepalive_pool_size: POOLED,
        // One more than we make, so that the last word is ours.
        max_retries: attempts::MAX + 1,
        // The waiting is done before Pingora hears of the end.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    }
}

/// Pingora panics where the system's certificate roots cannot be read.
fn check_roots() -> Result<(), String> {
    load_platform_certs_incl_env_into_store(&mut RootCertStore::empty()).map_err(|error| {
        format!("the system's certificate roots cannot be read ({error}); SSL_CERT_FILE can name others")
    })
}
