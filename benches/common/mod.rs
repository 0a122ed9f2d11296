//! What benchmarks of the whole gateway have in common: its process, what stands around it, and how figures are told.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub mod figures;
pub mod gateway;
pub mod wire;
