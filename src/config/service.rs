//! Services, their versions, and where each version's endpoints are.

mod health;
mod outliers;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use super::listener::CertificateFiles;
use super::protection::{HoldOut, Retries, VersionLimits};
use super::{Name, Place};

pub use health::{Health, Probe};
pub use outliers::Outliers;

/// Index into `Config::services`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub usize);

/// Index into `Service::versions`; means nothing without its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub usize);

/// What a route forwards to.
#[derive(Debug, Clone)]
pub struct Service {
    /// Unique.
    pub name: Name,
    /// Serves when a flag says nothing usable, and when another version fails.
    pub default: VersionId,
    /// By [`VersionId`]; at least one.
    pub versions: Vec<Version>,
    /// When its requests are sent once more.
    pub retries: Retries,
    /// Of its name.
    pub place: Place,
}

impl Service {
    /// The version of that name.
    pub fn find(&self, name: &str) -> Option<VersionId> {
        self.versions.iter().position(|version| &*version.name == name).map(VersionId)
    }
}

/// One version of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Unique in its service.
    pub name: Name,
    /// At least one, no two equal.
    pub endpoints: Vec<Endpoint>,
    /// None: plain.
    pub tls: Option<UpstreamTls>,
    /// What is spoken to its endpoints.
    pub http: UpstreamHttp,
    /// Its own, completed by the service's.
    pub timeouts: Timeouts,
    /// Statuses of answers that are failures.
    pub unfit: Vec<StatusCode>,
    /// When it is held out; none: never. The default version is not, whatever this says.
    pub hold_out: Option<HoldOut>,
    /// What its requests may hold at once.
    pub limits: VersionLimits,
    /// Which endpoint serves a request.
    pub balance: Balance,
    /// None: its endpoints are taken to be well.
    pub health: Option<Health>,
    /// None: no endpoint is ejected.
    pub outliers: Option<Outliers>,
    /// How long an endpoint that is new or returns takes to get its full share; default zero: at once.
    pub slow_start: Duration,
}

/// How requests are spread over endpoints, by their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Balance {
    /// Each in its turn.
    #[default]
    RoundRobin,
    /// Of two, the one with fewer live requests for its weight.
    LeastRequests,
    /// The same one for a targeting key, as far as it is there; without a key each in its turn.
    Hash,
}

/// `address:port`, with a weight of at least 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where it is.
    pub host: EndpointHost,
    /// Not 0.
    pub port: u16,
    /// 1 to 1,000; default 1.
    pub weight: u32,
}

/// The host of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EndpointHost {
    /// Known.
    Address(IpAddr),
    /// Resolved in the background, never on a request.
    Name(Name),
}

/// TLS towards a version's endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpstreamTls {
    /// Default: the endpoint's name, or none for an address.
    pub sni: Option<Name>,
    /// PEM; default: the system's roots.
    pub ca: Option<PathBuf>,
    /// What Flagway shows; none: nothing.
    pub client_cert: Option<CertificateFiles>,
    /// Default true.
    pub verify: bool,
}

/// The protocol towards endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum UpstreamHttp {
    /// HTTP/1.1.
    #[default]
    H1,
    /// HTTP/2; without TLS, by prior knowledge.
    H2,
    /// What the TLS handshake settles, HTTP/2 before HTTP/1.1; without TLS, HTTP/1.1.
    Auto,
}

/// How long an endpoint may take; none of them is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// TCP and TLS; default 2 s.
    pub connect: Duration,
    /// From the request's end to the response's head, and between two reads of a body that is no stream; default 30 s.
    pub first_byte: Duration,
    /// Between two reads of a stream, where it is longer than `first_byte`, and for each write; default 60 s.
    pub between: Duration,
    /// Of a pooled connection that waits; default 60 s.
    pub idle: Duration,
    /// The whole exchange; default none.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(30),
            between: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            total: None,
        }
    }
}
