//! The operator's door: the admin API and the probes, as axum routers.
//!
//! It shows, explains, and hands on what operators do; it decides nothing, and never serves on a traffic listener.

pub mod api;
mod body;
mod condition;
pub mod error;
pub mod events;
pub mod explain;
mod failures;
#[cfg(test)]
mod fixture;
pub mod guard;
mod ofrep;
mod overlay;
pub mod probes;
pub mod role;
pub mod shadows;
mod state;
pub mod status;
pub mod tokens;
pub mod view;
mod writes;

#[cfg(test)]
mod tests;
