//! From a configuration file to a server that is ready to serve: the one way in, of `run` and `demo` alike.
//!
//! Every socket is bound before anything starts, so that a port that is taken stops the start and nothing else.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::Failure;
use crate::admin::{api, probes};
use crate::config::listener::Listener;
use crate::config::{Config, LogTarget, Place, Problem, ProblemKind, Severity};
use crate::gateway::server::Door;
use crate::gateway::tls::Certificates;
use crate::gateway::upgrade::Upgrades;
use crate::gateway::upgrade::heir::{self, Heir};
use crate::gateway::{Live, Server};
use crate::source::{Claim, Keeper};
use crate::telemetry::{AccessLog, Metrics};

/// Whose place a process takes, if anyone's.
#[derive(Default)]
pub struct Origin {
    /// To talk to it.
    pub heir: Option<Arc<Heir>>,
    /// What it had open.
    pub sockets: heir::Sockets,
}

/// Reads the configuration and the flags, takes over or binds every socket, the latter with `bind`, and joins all parts.
pub fn prepare(
    file: &Path,
    origin: Origin,
    mut bind: impl FnMut(SocketAddr) -> Bound,
) -> Result<Server, Failure> {
    let Origin { heir, sockets: mut inherited } = origin;
    let claim = |folder: &Path| match &heir {
        Some(heir) => heir.claim(folder),
        None => Claim::take(folder),
    };
    let (keeper, snapshot) = Keeper::open_by(file, claim).map_err(Failure::Problems)?;
    let config = Arc::clone(keeper.config());
    let certificates = Certificates::load(&config).map_err(Failure::Problems)?;
    let mut offered = Vec::new();
    let sockets = Sockets::bind(&config, |what, address| {
        let name = heir::name(what, address);
        let socket = heir::listener(&mut inherited, &name).map_or_else(|| bind(address), Ok)?;
        offered.push((name, socket.try_clone()?));
        Ok(socket)
    });
    let sockets = sockets.map_err(Failure::Problems)?;
    let generation = heir.as_ref().map_or(1, |heir| heir.generation);
    let upgrades = config.state_dir.as_deref().and_then(|folder| {
        let upgrades = Upgrades::open(folder, &mut inherited, generation, offered, keeper.hand());
        upgrades.inspect_err(|error| tracing::warn!(%error, "`flagway upgrade` will not be possible")).ok()
    });
    let metrics = Arc::new(Metrics::new(config.metrics.max_series));
    metrics.started(generation, SystemTime::now());
    let access_log = AccessLog::open(&config.access_log, &metrics).map_err(|error| {
        let file = match &config.access_log.to {
            LogTarget::File(path) => format!(" `{}`", path.display()),
            LogTarget::Off | LogTarget::Stdout => String::new(),
        };
        Failure::Message(format!(
            "the access log{file} cannot be opened: {error}; make its folder, or change `access_log.to`"
        ))
    })?;
    let keeper = keeper.counting(Arc::clone(&metrics));
    let status = keeper.status();
    let live =
        Arc::new(ArcSwap::from_pointee(Live::new(snapshot, &metrics, None).with(certificates.clone())));
    certificates.watch();
    let (draining, hand) = (Arc::new(AtomicBool::new(false)), keeper.hand());
    let doors = doors(&config, sockets.admin, sockets.probes, |kind| match kind {
        Kind::Admin(token) => {
            let state_dir = config.state_dir.clone();
            api::router(Arc::clone(&live), Arc::clone(&status), keeper.hand(), token, state_dir)
        }
        Kind::Probes => probes::router(
            Arc::clone(&live),
            Arc::clone(&status),
            Arc::clone(&metrics),
            Arc::clone(&draining),
        ),
    });
    let wake = keeper.watch({
        let (live, metrics) = (Arc::clone(&live), Arc::clone(&metrics));
        move |snapshot| {
            let next = Live::new(snapshot, &metrics, Some(&live.load()));
            next.publish(&live);
        }
    });
    let listeners = sockets.traffic;
    Ok(Server { live, metrics, access_log, status, wake, listeners, doors, draining, hand, heir, upgrades })
}

/// A socket, or why there is none.
pub type Bound = std::io::Result<TcpListener>;

enum Kind {
    Admin(Option<String>),
    Probes,
}

fn doors(
    config: &Config,
    admin: Option<TcpListener>,
    probes: Option<TcpListener>,
    router: impl Fn(Kind) -> axum::Router,
) -> Vec<Door> {
    let token = config.admin.as_ref().and_then(|admin| admin.token.clone());
    let admin = admin.map(|socket| Door { kind: "admin", socket, router: router(Kind::Admin(token)) });
    let probes = probes.map(|socket| Door { kind: "probes", socket, router: router(Kind::Probes) });
    probes.into_iter().chain(admin).collect()
}

/// Every socket of a configuration, bound.
struct Sockets {
    traffic: Vec<(Listener, TcpListener)>,
    admin: Option<TcpListener>,
    probes: Option<TcpListener>,
}

impl Sockets {
    /// Binds all of them, or tells every one that cannot be bound.
    fn bind(
        config: &Config,
        mut socket: impl FnMut(&str, SocketAddr) -> Bound,
    ) -> Result<Sockets, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut bind = |key: String, what: String, address: SocketAddr, place: Option<&Place>| {
            socket(&what, address)
                .map_err(|error| problems.push(not_bound(key, &what, address, place, &error)))
                .ok()
        };
        let mut traffic = Vec::with_capacity(config.listeners.len());
        for (index, listener) in config.listeners.iter().enumerate() {
            let what = format!("the listener `{}`", listener.name);
            let key = format!("listeners[{index}].bind");
            if let Some(socket) = bind(key, what, listener.bind, Some(&listener.place)) {
                traffic.push((listener.clone(), socket));
            }
        }
        let mut door = |name: &str, address: Option<SocketAddr>| {
            address.and_then(|address| bind(format!("{name}.bind"), format!("`{name}`"), address, None))
        };
        let probes = door("probes", config.probes.as_ref().map(|probes| probes.bind));
        let admin = door("admin", config.admin.as_ref().map(|admin| admin.bind));
        if problems.is_empty() { Ok(Sockets { traffic, admin, probes }) } else { Err(problems) }
    }
}

/// A socket that cannot be bound, with the fix for the usual reasons.
fn not_bound(
    key: String,
    what: &str,
    address: SocketAddr,
    place: Option<&Place>,
    error: &std::io::Error,
) -> Problem {
    let port = address.port();
    let fix = match error.kind() {
        ErrorKind::AddrInUse => {
            format!(
                "another process has port {port}: `ss -ltnp 'sport = :{port}'` names it; stop it, or bind another port"
            )
        }
        ErrorKind::PermissionDenied => {
            format!("port {port} needs a privilege: bind a port from 1024 up, or grant CAP_NET_BIND_SERVICE")
        }
        ErrorKind::AddrNotAvailable => {
            format!(
                "no interface of this machine has {}: use one that it has, or 0.0.0.0 for all",
                address.ip()
            )
        }
        _ => "bind another address".to_owned(),
    };
    Problem {
        kind: ProblemKind::Config,
        severity: Severity::Error,
        place: place.cloned(),
        key,
        found: format!("{what} cannot be bound to {address}: {error}"),
        expected: None,
        fix: Some(fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_the_listener_and_the_fix() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = TcpListener::bind(address).unwrap_err();
        let problem = not_bound("listeners[0].bind".to_owned(), "the listener `web`", address, None, &error);
        assert!(problem.found.starts_with(&format!("the listener `web` cannot be bound to {address}")));
        assert!(problem.fix.unwrap().contains(&format!("'sport = :{}'", address.port())));
    }
}
