//! The Pingora layer: sockets, hooks, upstreams.
//!
//! It only translates: a session to request facts, a decision to a peer and headers, an outcome to telemetry. It decides nothing.
//!
//! A request passes these files: [`server`] (sockets), `proxy` (Pingora's hooks, in their order), `intake` (session to decision),
//! `attempts`, [`protection`] and [`upstream`] (decision to peer), `outbound` (decision to request fields), `inbound` (response fields),
//! `exchange` (what is known of one request, and its outcome). [`streams`] ends what would outlive a kill; [`ofrep`] answers those who
//! ask for flags themselves.

mod answer;
mod attempts;
mod caching;
mod call;
mod circuit;
mod drain;
mod exchange;
mod failure;
mod fields;
mod form;
mod forwarded;
pub mod gate;
pub mod h2;
mod inbound;
mod intake;
pub mod keyring;
mod lines;
pub mod live;
pub mod ofrep;
mod outbound;
mod permits;
pub mod protection;
mod proxy;
mod rate;
mod redirect;
mod roll;
pub mod server;
mod services;
pub mod shadow;
pub mod streams;
mod target;
pub mod tls;
mod trace;
pub mod upgrade;
pub mod upstream;

pub use live::Live;
pub use server::{Server, serve};

/// How long a client's connection may wait: for its next request, or for a write to be taken.
const CLIENT_IDLE: std::time::Duration = std::time::Duration::from_secs(60);
