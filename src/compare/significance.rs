//! Whether a difference occurs more often against the shadow than the version differs from itself.
