//! What the parts of this room do together, and what holds for every flag.

mod layers;
mod patches;
mod sets;
mod splits;
