//! What clients may cost before a route is even looked for.

use std::time::Duration;

/// Bounds on clients and their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// Bytes of an HTTP/1 request's head; default 32 KiB.
    pub head_bytes: usize,
    /// Field lines of a head; default 100.
    pub fields: usize,
    /// Bytes of a request's target; default 8 KiB.
    pub target_bytes: usize,
    /// Default: dropped.
    pub underscores: Underscores,
    /// Bytes of a request's body; none: any.
    pub body_bytes: Option<u64>,
    /// Bodies up to so many bytes are awaited before an upstream is asked; 0: none. Default 64 KiB, which is what can be sent again, too.
    pub buffered_body: u64,
    /// From a request's first byte, or the connection's begin, to the end of the head; default 10 s.
    pub head_time: Duration,
    /// From a connection's begin to the end of its TLS handshake; default 10 s.
    pub handshake_time: Duration,
    /// Between two requests; default 60 s.
    pub idle: Duration,
    /// Between two pieces of a body, of a request or of an answer that its client does not take; default 30 s.
    pub body_idle: Duration,
    /// Bytes a second of a body, on the average since it began; 0: any. Default 500.
    pub body_rate: u64,
    /// Of one connection; none: any number.
    pub requests: Option<u32>,
    /// Open at once on all listeners; default 50,000.
    pub connections: usize,
    /// Open at once from one address, for IPv6 from one /64; default 1,000.
    pub connections_per_address: usize,
    /// From a request's head to the end of its answer; none: any time. Tunnels are not bound by it.
    pub request_time: Option<Duration>,
    /// Of a connection in HTTP/2.
    pub h2: H2Limits,
}

/// Bounds on a connection in HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct H2Limits {
    /// Requests at once; default 100.
    pub streams: u32,
    /// Bytes of a request's fields as HTTP/2 counts them, with 32 more for each (RFC 9113, 6.5.2); default 64 KiB.
    pub header_list: u32,
    /// Requests that are given up within 30 s, where they are more than half; and, in all, those that break the protocol. Default 200.
    pub resets: u64,
    /// Frames within 30 s that carry nothing of a request, beside one for each KiB of bodies; default 2,000.
    pub control_frames: u64,
}

impl H2Limits {
    /// Where nothing is configured.
    pub const DEFAULT: H2Limits =
        H2Limits { streams: 100, header_list: 64 << 10, resets: 200, control_frames: 2_000 };
}

/// What becomes of a field with `_` in its name: `x_user` and `X-User` are one variable to CGI and its heirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Underscores {
    /// It is left out.
    #[default]
    Drop,
    /// The request is refused.
    Reject,
    /// It goes on, as any other.
    Allow,
}

impl Default for ClientLimits {
    fn default() -> ClientLimits {
        ClientLimits {
            head_bytes: 32 << 10,
            fields: 100,
            target_bytes: 8 << 10,
            underscores: Underscores::Drop,
            body_bytes: None,
            buffered_body: 64 << 10,
            head_time: Duration::from_secs(10),
            handshake_time: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body_idle: Duration::from_secs(30),
            body_rate: 500,
            requests: None,
            connections: 50_000,
            connections_per_address: 1_000,
            request_time: None,
            h2: H2Limits::DEFAULT,
        }
    }
}
