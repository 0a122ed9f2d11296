//! Two evaluators, written apart, hold each other to their word; and documents made to break the first one do not.

#![allow(clippy::panic, reason = "a test that cannot go on says so by a panic")]

#[path = "../support/hostile/mod.rs"]
mod hostile;
#[path = "../support/naive/mod.rs"]
#[allow(dead_code, reason = "the fuzzers use the rest")]
mod naive;

mod agreement;
mod bounds;
mod generator;
mod ours;
