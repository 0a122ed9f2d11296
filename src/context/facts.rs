//! A request as deciding sees it: borrowed, normalised, with the trusted proxies' word already taken or dropped.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, Method};

use crate::config::Paths;
use crate::config::context::Context;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// What arrived, before anything was concluded from it. The decision namespace has already been stripped from `headers`.
#[derive(Debug, Clone)]
pub struct RawRequest<'a> {
    pub method: &'a Method,
    /// The path as received, without the query.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// The authority of an absolute-form target or `:authority`, if any.
    pub authority: Option<&'a str>,
    /// Whether the listener speaks TLS.
    pub tls: bool,
    /// The socket's peer.
    pub peer: IpAddr,
    pub listener: &'a str,
}

/// Why a request is refused with 400 before routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRequest {
    /// The path climbs above the root.
    Climbs,
    /// The path has a backslash.
    Backslash,
    /// The path holds a broken percent escape.
    Escape,
    /// The path does not start with `/`.
    NotAbsolute,
}

/// The facts of one request.
#[derive(Debug, Clone)]
pub struct RequestFacts<'a> {
    pub method: &'a Method,
    /// Of the client's own connection, as far as trusted proxies tell.
    pub scheme: Scheme,
    /// Lower case, without port; from a trusted `X-Forwarded-Host`, the authority or `Host`; empty when there is none.
    pub host: Cow<'a, str>,
    /// In the form that is matched and forwarded.
    pub path: Cow<'a, str>,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// The first address, counted from the socket outwards, that is not a trusted proxy.
    pub client_ip: IpAddr,
    /// Whether the socket's peer is a trusted proxy.
    pub trusted: bool,
    pub listener: &'a str,
}

impl<'a> RequestFacts<'a> {
    /// Concludes the facts from what arrived.
    pub fn new(
        _raw: RawRequest<'a>,
        _context: &Context,
        _paths: Paths,
    ) -> Result<RequestFacts<'a>, BadRequest> {
        todo!()
    }
}
