//! The services that Pingora runs for us: one for each listener, one for each door, whoever keeps endpoints, and whoever sends
//! copies of requests.
//!
//! Sockets are bound before and handed over by Pingora's table of descriptors, under a key of ours: so a port that is taken is an
//! error of the start, and port 0 can be told. The gate stands between the socket and the hooks.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::listening::Service;
use pingora::services::{ServiceReadyNotifier, ServiceWithDependents};
use tokio::sync::{mpsc, watch};

use super::gate::Gate;
use super::keyring;
use super::live::Published;
use super::server::Door;
use super::shadow::runner::Runner;
use super::upstream::keeper::Keeper;
use crate::config::listener::Listener;

/// One traffic listener.
pub struct Listening {
    name: String,
    key: String,
    listener: Listener,
    socket: Option<TcpListener>,
    inner: Service<Gate>,
    /// Tells to take no more connections; Pingora's own word comes only with the end.
    close: ShutdownWatch,
    begin: Option<Begin>,
}

/// When a service may begin to listen, and that it does.
#[derive(Clone)]
pub struct Begin {
    /// Tells that signals are handled: until then one would end the process at once.
    pub signals: watch::Receiver<bool>,
    /// Dropped by whoever listens.
    pub listens: mpsc::Sender<()>,
}

impl Listening {
    /// `number` tells listeners apart.
    pub fn new(
        number: usize,
        listener: Listener,
        socket: TcpListener,
        gate: Gate,
        close: ShutdownWatch,
        begin: Begin,
    ) -> Result<Listening, String> {
        let key = format!("traffic#{number}");
        // The gate reads ahead by itself, and TLS is its business, too.
        let endpoint = ListenerConfig::tcp(key.clone()).l4_buffer(L4BufferSettings::default().read(0));
        socket.set_nonblocking(true).map_err(|error| format!("listener `{}`: {error}", listener.name))?;
        let mut inner = Service::new(format!("traffic {}", listener.name), gate);
        inner.add_listener(endpoint);
        Ok(Listening {
            name: format!("traffic {}", listener.name),
            key,
            listener,
            socket: Some(socket),
            inner,
            close,
            begin: Some(begin),
        })
    }
}

#[async_trait]
impl ServiceWithDependents for Listening {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        let begin = self.begin.take();
        if let Some(Begin { mut signals, .. }) = begin.clone() {
            handled(&mut signals).await;
        }
        if let (Some(socket), Some(fds)) = (self.socket.take(), &fds) {
            listening("traffic", &self.listener.name, &socket, self.listener.tls.is_some());
            fds.lock().add(self.key.clone(), socket.into_raw_fd());
        }
        drop(begin);
        let close = self.close.clone();
        ServiceWithDependents::start_service(&mut self.inner, fds, close, listeners_per_fd, ready).await;
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(vec![self.key.clone()])
    }
}

/// Waits until a signal no longer ends the process at once.
async fn handled(signals: &mut watch::Receiver<bool>) {
    // Its sender lives as long as the server.
    let _ = signals.wait_for(|handled| *handled).await;
}

/// Work on a thread of its own, beside the traffic.
pub struct Beside {
    name: &'static str,
    work: Option<Work>,
}

type Work = Box<dyn FnOnce(ServiceReadyNotifier) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl Beside {
    fn new<W: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        work: impl FnOnce(ServiceReadyNotifier) -> W + Send + Sync + 'static,
    ) -> Beside {
        Beside { name, work: Some(Box::new(|ready| Box::pin(work(ready)))) }
    }

    /// A door, open until the process ends, or another one has it.
    pub fn door(door: Door, begin: Begin, mut leaves: watch::Receiver<bool>) -> Result<Beside, String> {
        let Door { kind, socket, router } = door;
        socket.set_nonblocking(true).map_err(|error| format!("{kind}: {error}"))?;
        Ok(Beside::new("door", move |ready| async move {
            let Begin { mut signals, listens } = begin;
            handled(&mut signals).await;
            listening(kind, kind, &socket, false);
            drop(listens);
            let served = match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => {
                    ready.notify_ready();
                    // While traffic drains, the probes still have to say so.
                    let left = async move { drop(leaves.wait_for(|left| *left).await) };
                    let served = router.into_make_service_with_connect_info::<SocketAddr>();
                    axum::serve(socket, served).with_graceful_shutdown(left).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(kind, %error, "a door cannot be served");
            }
        }))
    }

    /// Whoever looks names up and checks endpoints; traffic waits for the first names.
    pub fn endpoints(keeper: Arc<Keeper>) -> Beside {
        Beside::new("endpoints", move |ready| async move {
            keeper.run(|| ready.notify_ready()).await;
        })
    }

    /// Whoever cuts connections to upstreams that answer too late.
    pub fn lines(live: Published) -> Beside {
        Beside::new("lines", move |ready| async move {
            ready.notify_ready();
            let lines = live.load().streams.lines.clone();
            lines.watch(|| live.load().upstreams.first_byte()).await;
        })
    }

    /// Whoever keeps the keys of tokens fresh; traffic waits for the first ones, not for long.
    pub fn keyring(live: Published) -> Beside {
        Beside::new("keyring", move |ready| async move {
            keyring::run(live, || ready.notify_ready()).await;
        })
    }

    /// Whoever sends copies of requests; nothing waits for it, at the start or at the end. `soon`: there are shadows from the start on.
    pub fn shadows(runner: Arc<Runner>, soon: bool) -> Beside {
        Beside::new("shadows", move |ready| async move {
            ready.notify_ready();
            runner.run(soon).await;
        })
    }
}

#[async_trait]
impl ServiceWithDependents for Beside {
    async fn start_service(
        &mut self,
        _fds: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        if let Some(work) = self.work.take() {
            work(ready).await;
        }
    }

    fn name(&self) -> &str {
        self.name
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

fn listening(kind: &str, listener: &str, socket: &TcpListener, tls: bool) {
    let address = socket.local_addr().map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(kind, listener, address, tls, "listening");
}
