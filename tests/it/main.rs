//! The real binary against real peers: what a user, an operator and a service behind the door get to see.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by a panic")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests block threads of their own")]

mod access_log;
mod admin;
mod audit;
mod caching;
mod check_texts;
mod commands;
mod context;
mod crash;
mod decisions;
mod demo;
mod documents;
mod doors;
mod eval;
mod examples;
mod flag_sets;
mod flags_command;
mod gate;
mod hand;
mod hand_concurrent;
mod hand_door;
mod hand_events;
mod hand_sources_down;
mod injection;
mod life_under_load;
mod lifecycle;
mod ofrep;
mod ofrep_clients;
mod ofrep_cors;
mod ofrep_hostile;
mod ofrep_streams;
mod operators;
mod probes;
mod reload;
mod reload_under_load;
mod rollback;
mod routing;
mod shadow_command;
mod shadow_compare;
mod shadow_copies;
mod shadow_hostile;
mod shadow_hunt;
mod shadow_isolation;
mod shadow_report;
mod shadow_under_load;
mod shadows;
mod status_command;
mod streams;
mod support;
mod targetings;
mod tls;
mod upgrade;
mod upstreams;
mod visitors;
