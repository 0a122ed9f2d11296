//! JSON values to compare.
