//! Two evaluators, written apart, hold each other to their word; and documents made to break the first one do not.

#[path = "../support/naive/mod.rs"]
mod naive;

mod agreement;
mod generator;
mod ours;
