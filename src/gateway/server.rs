//! The running gateway: binds the sockets, runs Pingora's server to its end.

use super::live::Published;
use crate::config::listener::Listener;
use crate::source::{Status, Wake};
use crate::telemetry::{AccessLog, Metrics};
use std::sync::Arc;

/// What a gateway is made of.
pub struct Server {
    pub live: Published,
    pub metrics: Arc<Metrics>,
    pub access_log: AccessLog,
    pub status: Arc<Status>,
    /// Woken by SIGHUP.
    pub wake: Wake,
    /// Bound before anything starts, so that a port that is taken is an error of `run`.
    pub listeners: Vec<(Listener, std::net::TcpListener)>,
    /// Served beside the traffic: admin and probes, each an axum router with its bound socket.
    pub doors: Vec<Door>,
    /// Set when a stop begins: readiness goes off.
    pub draining: Arc<std::sync::atomic::AtomicBool>,
}

/// A small HTTP server of our own beside the traffic.
pub struct Door {
    /// `admin` or `probes`.
    pub kind: &'static str,
    pub socket: std::net::TcpListener,
    pub router: axum::Router,
}

/// Serves until a signal ends it; returns once everything in flight is done or the grace is over.
pub fn serve(_server: Server) -> Result<(), String> {
    todo!()
}
