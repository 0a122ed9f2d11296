//! The Pingora layer: sockets, hooks, upstreams.
//!
//! It only translates: a session to request facts, a decision to a peer and headers, an outcome to telemetry. It decides nothing.

pub mod live;
pub mod server;

pub use live::Live;
pub use server::{Server, serve};
