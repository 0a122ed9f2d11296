//! How the endpoints of a version are asked whether they are well.

use std::time::Duration;

use http::StatusCode;

use crate::config::Name;

/// Asks each endpoint in turn, beside the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// Between two checks of one endpoint, give or take a tenth; default 5 s.
    pub every: Duration,
    /// For a whole check; default 1 s.
    pub timeout: Duration,
    /// Checks that have to fail in a row until the endpoint gets no requests; default 3. Of an endpoint that was never checked, one.
    pub down_after: u32,
    /// Checks that have to pass in a row until it gets requests again; default 2.
    pub up_after: u32,
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// `GET`, over what the version speaks.
    Http {
        /// Origin-form, with its query.
        path: Name,
        /// `Host`; none: the endpoint's own, with its port.
        host: Option<Name>,
        /// That are well; none: 200 to 299.
        statuses: Vec<StatusCode>,
    },
    /// A connection is taken; with TLS, and its handshake done.
    Tcp,
    /// `grpc.health.v1.Health/Check` says `SERVING`.
    Grpc {
        /// That is asked about; empty: the whole server.
        service: String,
    },
}
