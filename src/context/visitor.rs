//! The visitor cookie: `<32 hex digits>.<issue time, hex seconds>`. The digits are the key; the time tells when to renew.

use http::HeaderValue;

use crate::config::context::VisitorCookie;

/// A visitor cookie that the response must set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitorChange {
    pub id: u128,
    /// Unix seconds that go into the cookie.
    pub issued: i64,
    /// False: renewed, the id stays.
    pub minted: bool,
    /// Which of the list's sources it is of; index into the route's key sources.
    pub source: usize,
}

/// The `Set-Cookie` value. `secure` is whether the client speaks TLS: it decides `Secure` and a `__Host-` name.
pub fn set_cookie(_cookie: &VisitorCookie, _change: &VisitorChange, _secure: bool) -> HeaderValue {
    todo!()
}
