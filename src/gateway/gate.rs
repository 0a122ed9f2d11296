//! The gate: owns a client's socket, reads each HTTP/1 head itself, refuses what is ambiguous, and shows Pingora one clean request at a time.

pub mod authority;
pub mod chunks;
pub mod head;
pub mod refusal;
