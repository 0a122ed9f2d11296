//! Sockets that Flagway opens: for traffic, for probes, for the operator.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use http::HeaderValue;
use ipnet::IpNet;

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
    /// The port that every request is sent to, by HTTPS. Never there beside `tls`.
    pub https_redirect: Option<u16>,
    /// Whose connections begin with a head of the PROXY protocol; all others' never do.
    pub proxy_protocol: Vec<IpNet>,
    /// Of the list's item.
    pub place: Place,
}

impl Listener {
    /// Whether a connection from there begins with a head of the PROXY protocol.
    pub fn is_told_by(&self, from: IpAddr) -> bool {
        self.proxy_protocol.iter().any(|network| network.contains(&from))
    }
}

/// How a listener speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one. Which is shown is decided by name; the first where no name fits.
    pub certificates: Vec<CertificateFiles>,
    /// Default 1.2.
    pub min_version: TlsVersion,
    /// None: nobody is asked who they are.
    pub client_certificates: Option<ClientCertificates>,
    /// The value of `Strict-Transport-Security`; none: it is not sent.
    pub hsts: Option<HeaderValue>,
}

/// A version of TLS that is spoken; older ones are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// Who clients are, proved by a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The authorities that are believed, PEM.
    pub ca: PathBuf,
    /// Whether there is no connection without one.
    pub required: bool,
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
