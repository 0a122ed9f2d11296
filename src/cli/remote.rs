//! A running gateway, asked through its admin API.

use std::time::Duration;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::Failure;
use super::client::{Answer, Call, Url};
use super::output::text::plain;

/// Which gateway is asked.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// The gateway's admin address
    #[arg(long, env = "FLAGWAY_GATEWAY", value_name = "URL", default_value = "http://127.0.0.1:9901")]
    pub gateway: String,
    /// The gateway's `admin.token`
    #[arg(long, env = "FLAGWAY_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// How long a gateway may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

impl Remote {
    /// Asks; any answer but a good one is a failure with the gateway's own words. `path` is below `/api/v1`, a body is JSON.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer, Failure> {
        let gateway = self.gateway.trim_end_matches('/');
        let url = Url::parse(&format!("{gateway}/api/v1{path}"))?;
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = Vec::new();
        headers.extend((!body.is_empty()).then_some(("content-type", "application/json")));
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let answer = url.send(&Call { method, headers: &headers, body }, LIMIT).map_err(|error| {
            Failure::Message(format!(
                "no answer from the gateway at {error}; --gateway names its admin address"
            ))
        })?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("is that the admin address?");
        Err(Failure::Message(format!("{gateway} answers {}: {}", answer.status, plain(detail))))
    }

    /// An answer as what it should be.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer, what: &str) -> Result<T, Failure> {
        serde_json::from_str(&answer.body).map_err(|error| {
            let error = plain(&error.to_string());
            Failure::Message(format!("{} answers something else than {what}: {error}", self.gateway))
        })
    }
}

/// A name as one segment of a path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}
