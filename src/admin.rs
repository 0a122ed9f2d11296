//! The operator's door: the admin API and the probes, as axum routers.
//!
//! It shows and explains; it decides nothing and never serves on a traffic listener.

pub mod api;
pub mod probes;
