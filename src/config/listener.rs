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
    pub bind: SocketAddr,
    pub tls: Option<ListenerTls>,
    pub place: Place,
}

/// A listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    pub certificate: CertificateFiles,
}

/// A certificate chain and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// `/healthz`, `/readyz`, `/metrics`, nothing else.
#[derive(Debug, Clone)]
pub struct Probes {
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
