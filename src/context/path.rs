//! The one form of a path that is matched and forwarded: unreserved octets decoded, dot segments resolved, slashes merged,
//! `%2F` and `%5C` left as they are.

use std::borrow::Cow;

use super::BadRequest;

/// Normalises a path; borrows when it already is.
pub fn normalise(_path: &str) -> Result<Cow<'_, str>, BadRequest> {
    todo!()
}
