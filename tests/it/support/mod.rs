//! What the tests stand on: the real binary, recording upstreams, a client that sends exactly the bytes it is given.
//!
//! It asserts nothing of its own and sleeps for no fixed time: whatever is awaited is polled under a deadline.

mod bare;
pub mod behaviour;
mod cli;
mod client;
mod curl;
mod drill;
mod flags;
mod gateway;
mod h2_client;
mod h2_plain;
pub mod h2_raw;
mod h2c;
mod hunt;
mod lines;
mod message;
mod operator;
pub mod peers;
mod process;
mod prometheus;
mod proof;
mod raw;
mod shadow;
mod shop;
mod streaming;
mod tls;
mod tokens;
mod upstream;
mod wait;
mod wire;

pub use bare::bare;
pub use cli::{Ran, command, flagway};
pub use client::{Client, Response};
pub use curl::{Curl, words};
pub use drill::Drill;
pub use flags::{flag, flags, split};
pub use gateway::{Gateway, Setup};
pub use h2_client::{H2Body, h2_request};
pub use h2_plain::{Lines as H2Lines, h2_plain};
pub use h2c::H2cUpstream;
pub use hunt::{Service, Side};
pub use lines::Lines;
pub use message::{Recorded, lines as field_lines};
pub use operator::Operator;
pub use process::Held;
pub use prometheus::Metrics;
pub use raw::{RawUpstream, read_request, reset};
pub use shadow::{always, changes, comparing, dark, json_answer, named, original_and_copy, shadowed};
pub use shop::{Shop, one_route, opt_in, services, versions};
pub use streaming::{EchoUpstream, LongUpstream, Stay};
pub use tls::{Authority, Issued};
pub use tokens::{Issuer, now};
pub use upstream::{Answer, Upstream};
pub use wait::{eventually, within};
pub use wire::{say, say_for, statuses};

/// An address of this machine where nothing listens: connecting is refused at once.
pub const DEAD: &str = "127.0.0.1:1";

/// Field lines of a request, as a table writes them.
pub type Fields<'a> = &'a [(&'a str, &'a str)];
