//! Decodes `Content-Encoding`, within a bound on what comes out.
