//! Flagway: the front door for canary releases.
//!
//! A module may use only what stands below it in this list:
//!
//! - [`cli`], one file a command
//! - [`admin`], the operator's door
//! - [`gateway`], the Pingora layer
//! - [`ofrep`], OpenFeature Remote Evaluation: request in, answer out
//! - [`source`], keeps flag definitions fresh
//! - [`telemetry`], metrics, access log
//! - [`decide`], the pure heart: request facts + snapshot -> decision
//! - [`snapshot`], config + flags + routes, built together
//! - [`overlay`], what operators did by hand, above what the sources say
//! - [`route`], matching
//! - [`context`], what a targeting can see
//! - [`flag`], definitions, compiled targeting, evaluation
//! - [`compare`], two answers to one request: how they differ, what is noise
//! - [`config`], what an operator writes, parsed into types that cannot be wrong

pub mod admin;
pub mod cli;
pub mod compare;
pub mod config;
pub mod context;
pub mod decide;
pub mod flag;
pub mod gateway;
pub mod ofrep;
pub mod overlay;
pub mod route;
pub mod snapshot;
pub mod source;
pub mod telemetry;
