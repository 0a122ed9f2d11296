//! Sockets that Flagway opens: for traffic, for probes, for the operator.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Name, Place};

/// A listener for traffic.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Default: the text of `bind`.
    pub name: Name,
    /// What it listens on. No two binds of a configuration are equal, unless the port is 0.
    pub bind: SocketAddr,
    /// None: plain HTTP.
    pub tls: Option<ListenerTls>,
    /// Of the list's item.
    pub place: Place,
}

/// A listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// The one that is shown.
    pub certificate: CertificateFiles,
}

/// A certificate chain and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The certificate, followed by its chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `/healthz`, `/readyz`, `/metrics`, nothing else.
#[derive(Debug, Clone)]
pub struct Probes {
    /// What they listen on.
    pub bind: SocketAddr,
}

/// The operator's door. A bind that is not loopback has a token: the parser refuses any other.
#[derive(Clone)]
pub struct Admin {
    /// What it listens on.
    pub bind: SocketAddr,
    /// What callers must send; none: nobody is asked.
    pub token: Option<String>,
}

/// Without the token.
impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "***");
        f.debug_struct("Admin").field("bind", &self.bind).field("token", &token).finish()
    }
}
