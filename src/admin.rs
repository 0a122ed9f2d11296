//! The operator's door: the admin API and the probes, as axum routers.
//!
//! It shows and explains; it decides nothing, changes no decision, and never serves on a traffic listener.

pub mod api;
pub mod error;
pub mod explain;
pub mod guard;
pub mod probes;
pub mod shadows;
pub mod view;
