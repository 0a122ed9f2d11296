//! What someone may do at the operator's door: three roles, each with all that the one before may.
//!
//! It knows neither tokens nor requests; it only says which role a kind of request needs.

use std::fmt;
use std::str::FromStr;

use axum::http::Method;
use serde::{Deserialize, Serialize};

use super::ofrep;

/// A role; a greater one may more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Writes flags, resets shadows.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    /// As tokens and the audit have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// The least role that may ask this. What changes nothing is for everyone who may read: to explain and to evaluate
    /// take a body, so they are POSTs.
    pub fn needed(method: &Method, path: &str) -> Role {
        match *method {
            Method::GET | Method::HEAD => Role::Viewer,
            Method::POST if path == "/api/v1/explain" || path.starts_with(ofrep::BELOW) => Role::Viewer,
            _ => Role::Operator,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no role; expected viewer, operator or admin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_needs_least_and_every_write_an_operator() {
        for (method, path, needed) in [
            (Method::GET, "/api/v1/flags", Role::Viewer),
            (Method::HEAD, "/api/v1/overlay/a", Role::Viewer),
            (Method::POST, "/api/v1/explain", Role::Viewer),
            (Method::POST, "/api/v1/explain/", Role::Operator),
            (Method::POST, "/ofrep/v1/evaluate/flags/a", Role::Viewer),
            (Method::PUT, "/ofrep/v1/evaluate/flags/a", Role::Operator),
            (Method::POST, "/api/v1/../../ofrep/v1/", Role::Operator),
            (Method::POST, "/api/v1/flags/explain/kill", Role::Operator),
            (Method::POST, "/api/v1/shadows/checkout/reset", Role::Operator),
            (Method::PUT, "/api/v1/overlay/a", Role::Operator),
            (Method::DELETE, "/api/v1/overlay/a", Role::Operator),
            (Method::OPTIONS, "/", Role::Operator),
        ] {
            assert_eq!(Role::needed(&method, path), needed, "{method} {path}");
        }
        assert!(Role::ALL.is_sorted());
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert!("Admin".parse::<Role>().unwrap_err().contains("viewer, operator or admin"));
    }
}
