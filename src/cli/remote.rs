//! A running gateway, asked through its admin API.

use std::time::Duration;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::Failure;
use super::client::events::Events;
use super::client::{Answer, Call, Url};
use super::output::text::plain;
use super::settings::{self, Settings};

/// Which gateway is asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Remote {
    /// The gateway's admin address [default: of ~/.config/flagway/config.yaml, else http://127.0.0.1:9901]
    #[arg(long, env = "FLAGWAY_GATEWAY", value_name = "URL")]
    pub gateway: Option<String>,
    /// A token that the gateway knows [default: of ~/.config/flagway/config.yaml]
    #[arg(long, env = "FLAGWAY_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Where the admin API is when nobody says otherwise.
const DEFAULT: &str = "http://127.0.0.1:9901";
/// How long a gateway may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a stream of events may be silent: its second's split comes each second.
const SILENCE: Duration = Duration::from_secs(10);

/// An address and the token that it may see.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    gateway: String,
    token: Option<String>,
}

impl Remote {
    /// Asks; any answer but a good one is a failure with the gateway's own words. `path` is below `/api/v1`, a body is JSON.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer, Failure> {
        let answer = self.send(method, path, &[], body)?;
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    /// Asks with further headers; any answer is one.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Failure> {
        let target = self.target()?;
        let bearer = target.bearer()?;
        let mut headers = headers.to_vec();
        headers.extend((!body.is_empty()).then_some(("content-type", "application/json")));
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        target.url(path)?.send(&Call { method, headers: &headers, body }, LIMIT).map_err(no_answer)
    }

    /// Listens to what happens.
    pub fn listen(&self, path: &str) -> Result<Events, Failure> {
        let target = self.target()?;
        let bearer = target.bearer()?;
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let call = Call { method: "GET", headers: &headers, body: "" };
        let listening = target.url(path)?.listen(&call, LIMIT, SILENCE).map_err(no_answer)?;
        listening.map_err(|answer| self.refused(&answer))
    }

    /// An answer as what it should be.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer, what: &str) -> Result<T, Failure> {
        serde_json::from_str(&answer.body).map_err(|error| {
            let error = plain(&error.to_string());
            Failure::Message(format!("the gateway answers something else than {what}: {error}"))
        })
    }

    /// An answer that is no good one, in the gateway's own words.
    pub fn refused(&self, answer: &Answer) -> Failure {
        let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("is that the admin address?");
        let gateway = self.target().map_or_else(|_| DEFAULT.to_owned(), |target| target.gateway);
        let mut message = format!("{gateway} answers {}: {}", answer.status, plain(detail));
        // The first of them is in the detail.
        for problem in problem["problems"].as_array().into_iter().flatten().skip(1) {
            message.push_str(&format!("\n  {}", plain(problem["found"].as_str().unwrap_or_default())));
        }
        Failure::Message(message)
    }

    fn target(&self) -> Result<Target, Failure> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match (given(&self.gateway), given(&self.token)) {
            (Some(gateway), Some(token)) => Ok(Target { gateway, token: Some(token) }),
            (gateway, token) => Ok(Target::new(gateway, token, settings::load()?)),
        }
    }
}

impl Target {
    /// What is said on the command line counts, then what the file says. The file's token is for the file's gateway: no other one
    /// gets to see it.
    fn new(gateway: Option<String>, token: Option<String>, settings: Settings) -> Target {
        let same = |a: &str, b: &str| a.trim_end_matches('/') == b.trim_end_matches('/');
        let is_for = |gateway: &str| settings.gateway.as_ref().is_none_or(|own| same(own, gateway));
        let gateway = gateway.or_else(|| settings.gateway.clone()).unwrap_or_else(|| DEFAULT.to_owned());
        let token = token.or_else(|| settings.token.clone().filter(|_| is_for(&gateway)));
        Target { gateway, token }
    }

    fn url(&self, path: &str) -> Result<Url, String> {
        Url::parse(&format!("{}/api/v1{path}", self.gateway.trim_end_matches('/')))
    }

    fn bearer(&self) -> Result<Option<String>, String> {
        let Some(token) = &self.token else { return Ok(None) };
        settings::check_token(token)?;
        Ok(Some(format!("Bearer {token}")))
    }
}

fn no_answer(error: String) -> Failure {
    Failure::Message(format!("no answer from the gateway at {error}; --gateway names its admin address"))
}

/// A name as one segment of a path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_counts_and_the_token_of_the_file_is_for_its_own_gateway() {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for ([gateway, token], [own_gateway, own_token], [asked, shown]) in [
            (["", ""], ["", ""], [DEFAULT, ""]),
            (["", ""], ["http://a", "s"], ["http://a", "s"]),
            (["http://b", ""], ["http://a", "s"], ["http://b", ""]),
            (["http://a/", ""], ["http://a", "s"], ["http://a/", "s"]),
            (["http://b", ""], ["", "s"], ["http://b", "s"]),
            (["", "t"], ["http://a", "s"], ["http://a", "t"]),
            (["http://b", "t"], ["http://a", "s"], ["http://b", "t"]),
        ] {
            let settings = Settings { gateway: some(own_gateway), token: some(own_token) };
            let target = Target::new(some(gateway), some(token), settings);
            assert_eq!(target, Target { gateway: asked.to_owned(), token: some(shown) });
        }
    }

    #[test]
    fn a_token_cannot_add_a_header() {
        let target = Target { gateway: DEFAULT.to_owned(), token: Some("a\r\nx: y".to_owned()) };
        assert!(target.bearer().is_err());
    }
}
